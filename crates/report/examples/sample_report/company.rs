//! Tables of a made-up company, as a run would publish them. Numbers are drawn from a fixed sequence and every table is
//! derived from the customers, so that shares, means and counts agree with each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use tessera_report::{FeatureMeta, GoalMeta, ReportInput, ReportMeta, SchemeMeta, TargetMeta};

const CUSTOMERS: usize = 20_000;
const NUMBERS: [(&str, &str, &str); 6] = [
    (
        "recency_days",
        "days",
        "Days from the customer's last order to as_of.",
    ),
    ("order_count", "count", "Orders in all of history."),
    ("spend_total", "currency", "Net spend in all of history."),
    (
        "tenure_days",
        "days",
        "Days from the customer's first order to as_of.",
    ),
    (
        "active_days_30d",
        "count",
        "Days with product use in the 30 days to as_of.",
    ),
    (
        "churn_probability",
        "ratio",
        "Probability of no order in the 90 days after as_of, calibrated.",
    ),
];
const PLANS: [&str; 3] = ["starter", "team", "enterprise"];

/// SplitMix64 (Steele, Lea and Flood 2014): a fixed sequence of numbers in [0, 1).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Customer {
    numbers: [f64; 6],
    plan: &'static str,
    score: String,
    segments: [String; 4],
}

/// The company.
pub fn input() -> ReportInput {
    let customers = customers();
    let (segments, profiles) = segment_tables(&customers);
    let tables = BTreeMap::from([
        ("customers".to_owned(), vec![customer_table(&customers)]),
        ("segments".to_owned(), vec![segments]),
        ("profiles".to_owned(), vec![profiles]),
        ("models".to_owned(), vec![models()]),
        ("sources".to_owned(), vec![sources()]),
        ("rejects".to_owned(), vec![rejects()]),
    ]);
    ReportInput {
        tables,
        ..ReportInput::new(meta())
    }
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

fn meta() -> ReportMeta {
    let scheme = |place: usize, kind: &str| SchemeMeta {
        name: SCHEMES[place].into(),
        kind: kind.into(),
        words: String::new(),
        scores: None,
        by: Vec::new(),
        segments: match kind {
            "kmeans" => Vec::new(),
            _ => ORDER[place].iter().map(|name| (*name).to_owned()).collect(),
        },
    };
    let feature = |&(name, unit, notes): &(&str, &str, &str)| FeatureMeta {
        name: name.into(),
        unit: Some(unit.into()),
        base: Some(
            if unit == "currency" {
                "value"
            } else {
                "behavioural"
            }
            .into(),
        ),
        notes: Some(notes.into()),
        ..FeatureMeta::default()
    };
    ReportMeta {
        version: Some(14),
        timezone: Some("Europe/London".into()),
        currency: Some("GBP".into()),
        key: Some("customer_id".into()),
        value: Some("spend_total".into()),
        goal: Some(GoalMeta {
            objective: Some("retention".into()),
            kpi: "churn_probability".into(),
            target: Some(TargetMeta::Below(0.25)),
            owner: Some("customer-success".into()),
            review_by: Some(day(2026, 12, 31)),
        }),
        schemes: vec![
            scheme(0, "rfm_grid"),
            scheme(1, "quantile"),
            scheme(2, "lifecycle"),
            scheme(3, "kmeans"),
        ],
        features: NUMBERS.iter().map(feature).collect(),
        ..ReportMeta::new("harbour-supplies", day(2026, 11, 22))
    }
}

/// Customers whose recency, orders and spend are correlated through a hidden activity level.
fn customers() -> Vec<Customer> {
    let mut draw = Draw(7);
    let numbers: Vec<[f64; 6]> = (0..CUSTOMERS)
        .map(|_| {
            let alive = draw.next();
            let tenure = (20.0 + 710.0 * draw.next().sqrt()).floor();
            let recency = (tenure * (1.0 - alive).powf(1.2) * draw.next().powf(0.7)).floor();
            let orders = (1.0
                - (1.0 - draw.next()).ln() * (1.1 + 9.0 * alive * alive * tenure / 730.0))
                .floor();
            let basket = 28.0
                * (1.2 * (draw.next() + draw.next() + draw.next() - 1.5)).exp()
                * (1.0 + alive);
            let active = (30.0 * draw.next() * alive).floor();
            let odds =
                -1.9 + 0.011 * recency - 0.12 * orders.min(12.0) - 0.04 * active + draw.next();
            [
                recency,
                orders,
                orders * basket,
                tenure,
                active,
                1.0 / (1.0 + (-odds).exp()),
            ]
        })
        .collect();
    let scores = [0, 1, 2].map(|feature| midrank_scores(&numbers, feature, feature == 0));
    let spend = midrank_shares(&numbers, 2);
    let row = |(i, numbers): (usize, [f64; 6])| {
        let [r, f, m] = [scores[0][i], scores[1][i], scores[2][i]];
        Customer {
            plan: PLANS[usize::from(draw.next() < 0.35) + usize::from(f >= 4 && draw.next() < 0.4)],
            score: format!("{r}{f}{m}"),
            segments: [
                rfm(r, f, m),
                tier(spend[i]),
                stage(&numbers),
                cluster(&numbers),
            ]
            .map(str::to_owned),
            numbers,
        }
    };
    numbers.iter().copied().enumerate().map(row).collect()
}

/// Share of customers with a smaller value, ties counted half.
fn midrank_shares(rows: &[[f64; 6]], feature: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = rows.iter().map(|r| r[feature]).collect();
    sorted.sort_by(f64::total_cmp);
    let share = |v: f64| {
        let below = sorted.partition_point(|x| *x < v);
        let up_to = sorted.partition_point(|x| *x <= v);
        (below + up_to) as f64 / 2.0 / rows.len() as f64
    };
    rows.iter().map(|r| share(r[feature])).collect()
}

fn midrank_scores(rows: &[[f64; 6]], feature: usize, small_is_good: bool) -> Vec<u8> {
    let good = |share: f64| if small_is_good { 1.0 - share } else { share };
    midrank_shares(rows, feature)
        .into_iter()
        .map(|s| 1 + (5.0 * good(s)).min(4.0) as u8)
        .collect()
}

/// The ten-segment grid of recency and frequency, with `Lost` split by money.
fn rfm(r: u8, f: u8, m: u8) -> &'static str {
    match (r, f) {
        (1, 1) | (1, 2) if m <= 2 => "Lost",
        (1 | 2, 1 | 2) => "Hibernating",
        (1 | 2, 3 | 4) => "At Risk",
        (1 | 2, _) => "Cannot Lose Them",
        (3, 1 | 2) => "About To Sleep",
        (3, 3) => "Need Attention",
        (3 | 4, 4 | 5) => "Loyal",
        (4, 1) => "Promising",
        (5, 1) => "New Customers",
        (5, 4 | 5) => "Champions",
        _ => "Potential Loyalist",
    }
}

fn tier(spend: f64) -> &'static str {
    match spend {
        s if s > 0.95 => "top",
        s if s > 0.80 => "high",
        s if s > 0.50 => "mid",
        _ => "low",
    }
}

fn stage(n: &[f64; 6]) -> &'static str {
    match (n[0], n[3]) {
        (r, t) if r <= 30.0 && t <= 60.0 => "new",
        (r, _) if r <= 30.0 => "active",
        (r, _) if r <= 90.0 => "at risk",
        (r, _) if r <= 365.0 => "dormant",
        _ => "churned",
    }
}

fn cluster(n: &[f64; 6]) -> &'static str {
    match (n[0] > 120.0, n[1] >= 6.0, n[4] >= 10.0) {
        (true, _, _) => "cluster 1",
        (false, true, _) => "cluster 2",
        (false, false, true) => "cluster 3",
        (false, false, false) => "cluster 4",
    }
}

fn texts(values: impl IntoIterator<Item = impl Into<Option<String>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<StringArray>())
}

fn floats(values: impl IntoIterator<Item = impl Into<Option<f64>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Float64Array>())
}

fn whole(values: impl IntoIterator<Item = impl Into<Option<i64>>>) -> ArrayRef {
    Arc::new(values.into_iter().map(Into::into).collect::<Int64Array>())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    let days = (day(2026, 11, 22) - NaiveDate::default()).num_days() as i32;
    let as_of: ArrayRef = Arc::new(Date32Array::from(vec![days; rows]));
    match RecordBatch::try_from_iter([("as_of", as_of)].into_iter().chain(columns)) {
        Ok(batch) => batch,
        Err(error) => unreachable!("the sample's columns have one length: {error}"),
    }
}

const SCHEMES: [&str; 4] = ["rfm", "value_tier", "lifecycle", "behaviour"];

fn customer_table(customers: &[Customer]) -> RecordBatch {
    let mut columns = vec![(
        "customer_id",
        texts((0..customers.len()).map(|i| format!("C{i:05}"))),
    )];
    for (i, scheme) in SCHEMES.iter().enumerate() {
        columns.push((
            scheme,
            texts(customers.iter().map(|c| c.segments[i].clone())),
        ));
    }
    columns.push((
        "rfm_score",
        texts(customers.iter().map(|c| c.score.clone())),
    ));
    columns.push((
        "churn_probability",
        floats(customers.iter().map(|c| c.numbers[5])),
    ));
    batch(columns)
}

const ORDER: [&[&str]; 4] = [
    &[
        "Champions",
        "Loyal",
        "Potential Loyalist",
        "New Customers",
        "Promising",
        "Need Attention",
        "About To Sleep",
        "At Risk",
        "Cannot Lose Them",
        "Hibernating",
        "Lost",
    ],
    &["top", "high", "mid", "low"],
    &["new", "active", "at risk", "dormant", "churned"],
    &["cluster 1", "cluster 2", "cluster 3", "cluster 4"],
];

fn playbook(segment: &str) -> Option<[&'static str; 4]> {
    match segment {
        "Champions" => Some(["reward", "low", "mail", "loyalty"]),
        "Cannot Lose Them" => Some(["save_the_account", "high", "csm", "customer-success"]),
        "At Risk" => Some(["win_back", "low", "mail", "crm-team"]),
        "New Customers" => Some(["onboarding", "tech", "in-app", "product"]),
        _ => None,
    }
}

/// `segments` and `profiles`.
fn segment_tables(customers: &[Customer]) -> (RecordBatch, RecordBatch) {
    let total: f64 = customers.iter().map(|c| c.numbers[2]).sum();
    let mut segments: Vec<(usize, usize, Vec<&Customer>)> = Vec::new();
    for (scheme, names) in ORDER.iter().enumerate() {
        for (id, name) in names.iter().enumerate() {
            segments.push((
                scheme,
                id,
                customers
                    .iter()
                    .filter(|c| c.segments[scheme] == *name)
                    .collect(),
            ));
        }
    }
    let name = |&(scheme, id, _): &(usize, usize, Vec<&Customer>)| ORDER[scheme][id].to_owned();
    let spend = |members: &[&Customer]| members.iter().map(|c| c.numbers[2]).sum::<f64>();
    let play = |i: usize| {
        segments
            .iter()
            .map(move |s| playbook(ORDER[s.0][s.1]).map(|p| p[i].to_owned()))
    };
    let kpi = |members: &[&Customer]| mean(members.iter().map(|c| c.numbers[5]));
    let rule = |s: &(usize, usize, Vec<&Customer>)| match SCHEMES[s.0] {
        "value_tier" => Some(format!("tier {} of customers by spend_total", s.1 + 1)),
        "rfm" => Some(format!("RFM scores of the region {}", ORDER[s.0][s.1])),
        _ => None,
    };
    let table = batch(vec![
        (
            "scheme",
            texts(segments.iter().map(|s| SCHEMES[s.0].to_owned())),
        ),
        ("segment_id", whole(segments.iter().map(|s| s.1 as i64 + 1))),
        ("segment", texts(segments.iter().map(name))),
        (
            "customers",
            whole(segments.iter().map(|s| s.2.len() as i64)),
        ),
        (
            "share",
            floats(
                segments
                    .iter()
                    .map(|s| s.2.len() as f64 / customers.len() as f64),
            ),
        ),
        ("value", floats(segments.iter().map(|s| spend(&s.2)))),
        (
            "value_share",
            floats(segments.iter().map(|s| spend(&s.2) / total)),
        ),
        ("kpi", floats(segments.iter().map(|s| kpi(&s.2)))),
        ("playbook", texts(play(0))),
        ("touch", texts(play(1))),
        ("channel", texts(play(2))),
        ("owner", texts(play(3))),
        ("rule", texts(segments.iter().map(rule))),
    ]);
    (table, profiles(customers, &segments))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0_u32, 0.0), |(n, sum), v| (n + 1, sum + v));
    (n > 0).then(|| sum / f64::from(n))
}

/// Mean, index and effect size of every number, share and index of every plan.
fn profiles(customers: &[Customer], segments: &[(usize, usize, Vec<&Customer>)]) -> RecordBatch {
    let mut names: [Vec<Option<String>>; 4] = [vec![], vec![], vec![], vec![]];
    let mut numbers: [Vec<Option<f64>>; 6] = [vec![], vec![], vec![], vec![], vec![], vec![]];
    let mut push = |text: [Option<&str>; 4], values: [Option<f64>; 6]| {
        names
            .iter_mut()
            .zip(text)
            .for_each(|(to, t)| to.push(t.map(str::to_owned)));
        numbers
            .iter_mut()
            .zip(values)
            .for_each(|(to, v)| to.push(v));
    };
    for (scheme, id, members) in segments {
        let of = (Some(SCHEMES[*scheme]), Some(ORDER[*scheme][*id]));
        for (i, (feature, _, _)) in NUMBERS.iter().enumerate() {
            let base = mean(customers.iter().map(|c| c.numbers[i]));
            let own = mean(members.iter().map(|c| c.numbers[i]));
            let deviation = base
                .and_then(|b| mean(customers.iter().map(|c| (c.numbers[i] - b).powi(2))))
                .map(f64::sqrt);
            let rest = customers.len() as f64 / (customers.len() - members.len()) as f64;
            let effect = own
                .zip(base)
                .zip(deviation)
                .map(|((o, b), d)| (o - b) * rest / d);
            let index = own.zip(base).map(|(o, b)| 100.0 * o / b);
            push(
                [of.0, of.1, Some(feature), None],
                [own, base, index, effect, None, None],
            );
        }
        for plan in PLANS {
            let share = |c: &mut dyn Iterator<Item = &Customer>| {
                mean(c.map(|c| f64::from(u8::from(c.plan == plan))))
            };
            let (own, base) = (
                share(&mut members.iter().copied()),
                share(&mut customers.iter()),
            );
            let index = own.zip(base).map(|(o, b)| 100.0 * o / b);
            push(
                [of.0, of.1, Some("plan"), Some(plan)],
                [None, None, index, None, own, base],
            );
        }
    }
    let [scheme, segment, feature, label] = names;
    let [own, base, index, effect, share, base_share] = numbers;
    batch(vec![
        ("scheme", texts(scheme)),
        ("segment", texts(segment)),
        ("feature", texts(feature)),
        ("label", texts(label)),
        ("mean", floats(own)),
        ("population_mean", floats(base)),
        ("index", floats(index)),
        ("effect_size", floats(effect)),
        ("share", floats(share)),
        ("population_share", floats(base_share)),
    ])
}

fn models() -> RecordBatch {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        Option<f64>,
        Option<&'static str>,
    );
    let mut rows: [Row; 8] = [
        ("rfm", "rfm_grid", "score_method", None, Some("midrank")),
        ("rfm", "rfm_grid", "grid", None, Some("eleven")),
        (
            "rfm",
            "rfm_grid",
            "distinct_scores_frequency",
            Some(5.0),
            None,
        ),
        (
            "behaviour",
            "kmeans",
            "k",
            Some(4.0),
            Some("best mean silhouette of 2 to 10"),
        ),
        ("behaviour", "kmeans", "seed", Some(20_260.0), None),
        ("behaviour", "kmeans", "inertia", Some(40_317.284_16), None),
        ("behaviour", "kmeans", "silhouette", Some(0.412_7), None),
        (
            "behaviour",
            "kmeans",
            "cluster 1: recency_days",
            Some(241.82),
            None,
        ),
    ];
    rows.sort_by_key(|r| (r.0, r.1, r.2));
    let text = |t: &str| Some(t.to_owned());
    batch(vec![
        ("score", texts(rows.iter().map(|r| text(r.0)))),
        ("model", texts(rows.iter().map(|r| text(r.1)))),
        ("name", texts(rows.iter().map(|r| text(r.2)))),
        ("value", floats(rows.iter().map(|r| r.3))),
        ("text", texts(rows.iter().map(|r| r.4.map(str::to_owned)))),
    ])
}

fn sources() -> RecordBatch {
    let names = ["orders", "accounts", "events", "tickets"];
    let kinds = ["events", "attributes", "events", "events"];
    let counts: [[i64; 8]; 4] = [
        [24, 48_201_334, 214_883, 208_120, 5_413, 1_350, 0, 412],
        [1, 812_402, 20_112, 20_112, 0, 0, 0, 0],
        [730, 402_113_847, 4_811_209, 4_809_964, 0, 1_004, 241, 241],
        [12, 2_204_113, 31_877, 31_870, 0, 7, 0, 0],
    ];
    let column = |i: usize| whole(counts.iter().map(move |c| c[i]));
    batch(vec![
        ("source", texts(names.map(str::to_owned))),
        ("kind", texts(kinds.map(str::to_owned))),
        ("files", column(0)),
        ("bytes", column(1)),
        ("rows", column(2)),
        ("used", column(3)),
        ("filtered", column(4)),
        ("quarantined", column(5)),
        ("dropped", column(6)),
        ("duplicates", column(7)),
        (
            "age_hours",
            floats([Some(3.2), None, Some(1.1), Some(52.0)]),
        ),
        (
            "status",
            texts(["ok", "ok", "ok", "stale"].map(str::to_owned)),
        ),
    ])
}

fn rejects() -> RecordBatch {
    let rules: [(&str, &str, usize); 4] = [
        ("orders", "customer_id is missing", 1_337),
        ("orders", "price is not negative", 13),
        ("events", "event time is not in the future", 1_004),
        ("tickets", "satisfaction is between 1 and 5", 7),
    ];
    let rows: Vec<(&str, &str, usize)> = rules
        .iter()
        .flat_map(|&(s, r, n)| (0..n).map(move |i| (s, r, i)))
        .collect();
    let file = |&(source, _, i): &(&str, &str, usize)| {
        format!("year=2026/month={:02}/{source}-0.parquet", 1 + i % 11)
    };
    let json = |&(source, _, i): &(&str, &str, usize)| match source {
        "orders" => format!(
            r#"{{"invoice_no":"5{i:05}","customer_id":null,"quantity":6,"unit_price":2.55}}"#
        ),
        "events" => format!(
            r#"{{"customer_id":"C{i:05}","event":"login","at":"2062-11-02T08:0{}:00"}}"#,
            i % 10
        ),
        _ => format!(r#"{{"ticket":"T{i:04}","customer_id":"C{i:05}","satisfaction":9}}"#),
    };
    batch(vec![
        ("source", texts(rows.iter().map(|r| r.0.to_owned()))),
        ("file", texts(rows.iter().map(file))),
        (
            "row_number",
            whole(rows.iter().map(|r| 17 + 37 * r.2 as i64)),
        ),
        ("rule", texts(rows.iter().map(|r| r.1.to_owned()))),
        ("row", texts(rows.iter().map(json))),
    ])
}
