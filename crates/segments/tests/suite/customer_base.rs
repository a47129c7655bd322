//! Small customer tables and schemes to test on.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use serde::Serialize;
use tessera_segments::{
    AttributeScheme, Closed, Customers, Grid, KmeansScheme, LifecycleScheme, QuantileScheme,
    RfmGrid, RulesScheme, ScoreMethod, SegmentRule, syntax,
};
use tessera_spec::pipeline::{At, KChoice, Refit, Scheme, SchemeKind, SchemeSettings, Transform};

/// A value without a place in a file.
pub fn at<T>(value: T) -> At<T> {
    At::new(value, 0..0)
}

/// One customer.
#[derive(Debug, Clone, Default)]
pub struct Row {
    pub key: i64,
    pub recency: Option<f64>,
    pub orders: Option<i64>,
    pub spend: Option<f64>,
    pub country: Option<String>,
    pub subscribed: Option<bool>,
    pub first_seen: Option<i32>,
    pub stage: Option<String>,
}

/// The rows as a checked table; keys become texts of equal length.
pub fn customers(rows: &[Row]) -> Customers {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "customer_id",
            Arc::new(
                rows.iter()
                    .map(|r| Some(format!("c{:07}", r.key)))
                    .collect::<StringArray>(),
            ),
        ),
        (
            "recency_days",
            Arc::new(rows.iter().map(|r| r.recency).collect::<Float64Array>()),
        ),
        (
            "order_count",
            Arc::new(rows.iter().map(|r| r.orders).collect::<Int64Array>()),
        ),
        (
            "spend_total",
            Arc::new(rows.iter().map(|r| r.spend).collect::<Float64Array>()),
        ),
        (
            "country",
            Arc::new(
                rows.iter()
                    .map(|r| r.country.clone())
                    .collect::<StringArray>(),
            ),
        ),
        (
            "subscribed",
            Arc::new(rows.iter().map(|r| r.subscribed).collect::<BooleanArray>()),
        ),
        (
            "first_seen",
            Arc::new(rows.iter().map(|r| r.first_seen).collect::<Date32Array>()),
        ),
        (
            "lifecycle_stage",
            Arc::new(
                rows.iter()
                    .map(|r| r.stage.clone())
                    .collect::<StringArray>(),
            ),
        ),
    ];
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    Customers::new(RecordBatch::try_from_iter_with_nullable(columns).unwrap()).unwrap()
}

/// A realistic base: heavy-tailed, with missing values, the same for the same number.
pub fn believable(number: i64) -> Vec<Row> {
    let mut state = 42u64;
    let mut draw = move || {
        // Knuth's MMIX generator; its high bits are good enough for fixtures.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / (1u64 << 24) as f64
    };
    let pick =
        |draw: f64, values: &[&str]| values[(draw * values.len() as f64) as usize].to_owned();
    let row = |key| {
        let (a, b, c, d, e) = (draw(), draw(), draw(), draw(), draw());
        let bought = d > 0.05;
        Row {
            key,
            recency: bought.then(|| (a * a * 700.0).floor()),
            orders: Some(if bought { (1.0 / (1.02 - b)) as i64 } else { 0 }),
            spend: (e > 0.02).then(|| {
                (if bought {
                    (4.0 + 3.0 * c).exp() * 100.0
                } else {
                    0.0
                })
                .round()
                    / 100.0
            }),
            country: (c > 0.03).then(|| pick(b, &["GB", "DE", "FR", "IE", "NO"])),
            subscribed: (d > 0.02).then_some(a > 0.5),
            first_seen: Some(19_000 + (b * 900.0) as i32),
            stage: bought.then(|| pick(a, &["active", "at_risk", "dormant", "churned"])),
        }
    };
    (1..=number).map(row).collect()
}

pub fn scheme(name: &str, kind: SchemeKind) -> Scheme {
    Scheme {
        name: at(name.to_owned()),
        kind,
        refit: Refit::Always,
        naming: Default::default(),
    }
}

/// Changes the settings of a scheme.
pub fn edit<S: SchemeSettings + Clone + Serialize>(
    kind: &mut SchemeKind,
    change: impl FnOnce(&mut S),
) {
    let mut settings: S = kind.of::<S>().unwrap().clone();
    change(&mut settings);
    *kind = SchemeKind::new(kind.name(), settings);
}

pub fn lifecycle() -> SchemeKind {
    SchemeKind::new("lifecycle", LifecycleScheme {})
}

pub fn rfm(score_method: ScoreMethod, grid: Grid, scores: u8) -> SchemeKind {
    SchemeKind::new(
        "rfm_grid",
        RfmGrid {
            recency: at("recency_days".to_owned()),
            frequency: at("order_count".to_owned()),
            monetary: at("spend_total".to_owned()),
            score_method,
            scores,
            grid: at(grid),
            weights: [100.0, 10.0, 1.0],
        },
    )
}

pub fn tiers(tiers: &[(&str, f64)]) -> SchemeKind {
    SchemeKind::new(
        "quantile",
        QuantileScheme {
            by: at("spend_total".to_owned()),
            tiers: tiers
                .iter()
                .map(|(tier, share)| ((*tier).to_owned(), *share))
                .collect(),
            missing: "missing".to_owned(),
        },
    )
}

pub fn attribute(by: &str, min_share: f64) -> SchemeKind {
    let (missing, other) = ("unknown".to_owned(), "elsewhere".to_owned());
    SchemeKind::new(
        "attribute",
        AttributeScheme {
            by: at(by.to_owned()),
            missing,
            min_share,
            other,
        },
    )
}

pub fn rules(rules: &[(&str, &str)], otherwise: &str) -> SchemeKind {
    let rule = |(segment, when): &(&str, &str)| SegmentRule {
        segment: at((*segment).into()),
        when: at((*when).into()),
    };
    SchemeKind::new(
        "rules",
        RulesScheme {
            rules: rules.iter().map(rule).collect(),
            otherwise: otherwise.to_owned(),
        },
    )
}

pub fn kmeans(k: KChoice) -> SchemeKind {
    SchemeKind::new(
        "kmeans",
        KmeansScheme {
            features: vec![
                at("recency_days".to_owned()),
                at("order_count".to_owned()),
                at("spend_total".to_owned()),
            ],
            k,
            transform: Transform::Auto,
            winsorise: Some(0.01),
            restarts: 3,
            sample: 50_000,
            names: Vec::new(),
            max_unmatched: 0.3,
        },
    )
}

/// Settings as a pipeline file states them.
pub fn written(kind: &str, keys: &str) -> SchemeKind {
    let text = format!(
        "spec_version = 1\nname = \"p\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"s\"\n[customer]\nkey = \"id\"\n\
         [sources.orders]\nkind = \"events\"\npath = \"p\"\nkey = \"id\"\ntime = \"t\"\ncontract.missing_key = \"drop\"\n\
         [schemes.mine]\nkind = \"{kind}\"\n{keys}\n"
    );
    let (pipeline, found) = tessera_spec::parse(&text, "p.toml", &[], &syntax());
    let pipeline = pipeline.unwrap_or_else(|| panic!("{}", found.render(false)));
    pipeline.schemes[0].kind.clone()
}

/// One scheme of every kind, several where a kind decides in several ways.
pub fn one_of_each() -> Vec<Scheme> {
    let quantile = |closed| ScoreMethod::Quantile {
        closed,
        edge_offset: 1.0,
    };
    let threshold = ScoreMethod::Threshold {
        recency: vec![30.0, 60.0, 90.0, 365.0],
        frequency: vec![1.0, 2.0, 4.0, 8.0],
        monetary: vec![100.0, 200.0, 400.0, 800.0],
    };
    vec![
        scheme("rfm", rfm(ScoreMethod::Midrank, Grid::Eleven, 5)),
        scheme("rfm_ten", rfm(quantile(Closed::Left), Grid::Ten, 5)),
        scheme("rfm_docs", rfm(threshold, Grid::IntervalDocs, 5)),
        scheme(
            "rfm_frozen",
            rfm(
                ScoreMethod::Frozen { version: None },
                Grid::IntervalReadme,
                5,
            ),
        ),
        scheme(
            "tier",
            tiers(&[("top", 0.05), ("high", 0.2), ("mid", 0.5), ("low", 1.0)]),
        ),
        scheme("country", attribute("country", 0.1)),
        scheme("subscribed", attribute("subscribed", 0.0)),
        scheme("stage", lifecycle()),
        scheme(
            "touch",
            rules(
                &[
                    ("high-touch", "spend_total > 500"),
                    ("rescue", "recency_days > 180"),
                ],
                "tech-touch",
            ),
        ),
        scheme("behaviour", kmeans(KChoice::Fixed(3))),
        scheme(
            "merged",
            written(
                "hierarchical",
                "features = [\"recency_days\", \"spend_total\"]\nk = 3\nsample = 100",
            ),
        ),
    ]
}

/// What an engine would return for the rules of [`one_of_each`].
pub fn touch_hits(rows: &[Row]) -> Vec<Option<u32>> {
    let hit = |row: &Row| match (row.spend, row.recency) {
        (Some(spend), _) if spend > 500.0 => Some(0),
        (_, Some(recency)) if recency > 180.0 => Some(1),
        _ => None,
    };
    rows.iter().map(hit).collect()
}
