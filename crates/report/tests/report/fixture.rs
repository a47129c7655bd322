//! A version small enough to check by hand: two schemes, six customers.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use chrono::NaiveDate;
use tessera_report::{
    Before, FeatureMeta, GoalMeta, Options, ReportInput, ReportMeta, SchemeMeta, TargetMeta, render,
};

type Text = Option<&'static str>;

pub fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

pub fn floats(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

pub fn whole(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let as_of: ArrayRef = Arc::new(Date32Array::from(vec![20_779; columns[0].1.len()]));
    RecordBatch::try_from_iter([("as_of", as_of)].into_iter().chain(columns)).unwrap()
}

pub fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

/// The small version. Segment names are parameters, so that tests can pass hostile names.
pub fn version(first: &'static str, second: &'static str) -> ReportInput {
    let tables = BTreeMap::from([
        ("customers".to_owned(), vec![customers(first, second)]),
        ("segments".to_owned(), vec![segments(first, second)]),
        ("profiles".to_owned(), vec![profiles(first, second)]),
        ("models".to_owned(), vec![models()]),
        ("actions".to_owned(), vec![actions(second)]),
        ("migrations".to_owned(), vec![migrations(first, second)]),
        ("moves".to_owned(), vec![moves(first, second)]),
        ("cohorts".to_owned(), vec![cohorts()]),
        ("sources".to_owned(), vec![sources()]),
        ("rejects".to_owned(), vec![rejects(first)]),
    ]);
    ReportInput {
        tables,
        ..ReportInput::new(meta(first, second))
    }
}

fn meta(first: &str, second: &str) -> ReportMeta {
    let scheme = |name: &str, kind: &str, segments: [&str; 2]| SchemeMeta {
        name: name.into(),
        kind: kind.into(),
        words: "segments by some rule".into(),
        scores: None,
        by: Vec::new(),
        segments: segments.map(str::to_owned).to_vec(),
    };
    let feature = |name: &str, unit: &str, notes: &str| FeatureMeta {
        name: name.into(),
        unit: Some(unit.into()),
        base: Some("behavioural".into()),
        notes: Some(notes.into()),
        ..FeatureMeta::default()
    };
    ReportMeta {
        version: Some(3),
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
            scheme("rfm", "rfm_grid", [first, second]),
            scheme("stage", "lifecycle", ["new", "gone"]),
        ],
        features: vec![
            feature("recency_days", "days", "Days from the last order to as_of."),
            feature("spend_total", "currency", "Net spend."),
        ],
        ..ReportMeta::new("small", day(2026, 11, 22))
    }
}

fn customers(first: &'static str, second: &'static str) -> RecordBatch {
    batch(vec![
        (
            "customer_id",
            texts(["a", "b", "c", "d", "e", "f"].map(Some)),
        ),
        (
            "rfm",
            texts([first, first, second, second, second, second].map(Some)),
        ),
        (
            "rfm_score",
            texts([
                Some("555"),
                Some("554"),
                Some("111"),
                Some("111"),
                Some("121"),
                None,
            ]),
        ),
        (
            "stage",
            texts(["new", "new", "new", "gone", "gone", "gone"].map(Some)),
        ),
        (
            "churn_probability",
            floats([0.1, 0.1, 0.4, 0.4, 0.4, 0.4].map(Some)),
        ),
    ])
}

fn segments(first: &'static str, second: &'static str) -> RecordBatch {
    let playbook: [Text; 4] = [None, Some("win_back"), None, None];
    batch(vec![
        ("scheme", texts(["rfm", "rfm", "stage", "stage"].map(Some))),
        ("segment_id", whole([1, 2, 1, 2])),
        ("segment", texts([first, second, "new", "gone"].map(Some))),
        ("customers", whole([2, 4, 3, 3])),
        ("share", floats([2.0 / 6.0, 4.0 / 6.0, 0.5, 0.5].map(Some))),
        ("value", floats([Some(1_500.0), Some(500.5), None, None])),
        (
            "value_share",
            floats([Some(0.7498), Some(0.2502), None, None]),
        ),
        ("kpi", floats([0.1, 0.4, 0.2, 0.4].map(Some))),
        ("kpi_customers", whole([2, 1, 2, 3])),
        ("playbook", texts(playbook)),
        ("owner", texts(playbook.map(|p| p.map(|_| "crm-team")))),
        (
            "rule",
            texts([Some("R and F of 4 and 5"), None, None, None]),
        ),
    ])
}

fn actions(second: &'static str) -> RecordBatch {
    let same = |text| texts([Some(text), Some(text)]);
    batch(vec![
        ("customer_id", texts([Some("c"), Some("d")])),
        ("scheme", same("rfm")),
        ("segment", same(second)),
        ("playbook", texts([Some("call"), Some("win_back")])),
        ("goal", same("one call")),
        ("touch", texts([None, None])),
        ("channel", texts([None, None])),
        ("owner", same("crm-team")),
        ("reason", texts([Some("R1 F1 M1"), Some("R1 F2 M1")])),
        ("value_now", floats([Some(12.5), Some(40.0)])),
        ("value_at_risk", floats([Some(30.0), Some(90.0)])),
        ("priority", whole([1, 1])),
    ])
}

/// Since the version before: `d` moved, `f` came, `z` left.
fn moves(first: &'static str, second: &'static str) -> RecordBatch {
    moved(
        [
            [Some((1, first)), Some((2, second))],
            [Some((2, second)), None],
            [None, Some((2, second))],
        ],
        [1_050, 300, 525],
        Vec::new(),
    )
}

/// The steps, in the order of the table: as in `moves`, and `e` moved by new rows and back by time.
fn migrations(first: &'static str, second: &'static str) -> RecordBatch {
    let causes = ["activity", "ageing", "ageing", "activity", "activity"];
    moved(
        [
            [Some((1, first)), Some((2, second))],
            [Some((1, first)), Some((2, second))],
            [Some((2, second)), Some((1, first))],
            [Some((2, second)), None],
            [None, Some((2, second))],
        ],
        [200, 1_050, 200, 300, 525],
        vec![("cause", texts(causes.map(Some)))],
    )
}

/// Single customers who moved from one segment to another, with their value in hundredths.
fn moved<const N: usize>(
    ways: [[Option<(i64, &'static str)>; 2]; N],
    cents: [i128; N],
    causes: Vec<(&str, ArrayRef)>,
) -> RecordBatch {
    let ids = |end: usize| -> ArrayRef {
        let ids = ways.iter().map(|way| way[end].map(|segment| segment.0));
        Arc::new(ids.collect::<Int64Array>())
    };
    let names = |end: usize| texts(ways.map(|way| way[end].map(|segment| segment.1)));
    let cents = Decimal128Array::from(cents.to_vec());
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        (
            "previous_as_of",
            Arc::new(Date32Array::from(vec![20_757; N])),
        ),
        ("scheme", texts(["rfm"; N].map(Some))),
        ("from_segment_id", ids(0)),
        ("from_segment", names(0)),
        ("to_segment_id", ids(1)),
        ("to_segment", names(1)),
        ("customers", whole([1; N])),
        (
            "value",
            Arc::new(cents.with_precision_and_scale(18, 2).unwrap()),
        ),
    ];
    columns.extend(causes);
    batch(columns)
}

/// Two months of first orders; the last month is not over, and one has not begun.
fn cohorts() -> RecordBatch {
    let days = |days: [i32; 4]| -> ArrayRef { Arc::new(Date32Array::from(days.to_vec())) };
    // October and November 2026 begin on days 20,727 and 20,758 since 1970.
    batch(vec![
        ("cohort", days([20_727, 20_727, 20_758, 20_758])),
        ("age", whole([0, 1, 0, 1])),
        ("month", days([20_727, 20_758, 20_758, 20_788])),
        ("customers", whole([4, 4, 2, 2])),
        (
            "active",
            Arc::new(Int64Array::from(vec![Some(4), Some(1), Some(2), None])),
        ),
        (
            "retention",
            floats([Some(1.0), Some(0.25), Some(1.0), None]),
        ),
        (
            "status",
            texts(["observed", "partial", "partial", "unobserved"].map(Some)),
        ),
    ])
}

/// The version before: `d` was in the first segment, `z` has left, `f` was not there yet.
pub fn before(first: &'static str, second: &'static str) -> Before {
    let mut input = version(first, second);
    input.meta.version = Some(2);
    input.meta.as_of = day(2026, 10, 31);
    let columns = vec![
        (
            "customer_id",
            texts(["a", "b", "c", "d", "e", "z"].map(Some)),
        ),
        (
            "rfm",
            texts([first, first, second, first, second, second].map(Some)),
        ),
        (
            "churn_probability",
            floats([0.1, 0.1, 0.4, 0.1, 0.4, 0.4].map(Some)),
        ),
    ];
    input.tables = BTreeMap::from([("customers".to_owned(), vec![batch(columns)])]);
    Before::Known(Box::new(input))
}

fn profiles(first: &'static str, second: &'static str) -> RecordBatch {
    batch(vec![
        ("scheme", texts(["rfm"; 6].map(Some))),
        (
            "segment",
            texts([first, first, first, second, second, second].map(Some)),
        ),
        (
            "feature",
            texts(
                [
                    "recency_days",
                    "spend_total",
                    "plan",
                    "recency_days",
                    "spend_total",
                    "plan",
                ]
                .map(Some),
            ),
        ),
        (
            "label",
            texts([None, None, Some("team"), None, None, Some("team")]),
        ),
        ("customers", whole([2, 2, 1, 2, 2, 1])),
        (
            "mean",
            floats([
                Some(4.0),
                Some(750.0),
                None,
                Some(58.0),
                Some(125.125),
                None,
            ]),
        ),
        (
            "population_mean",
            floats([Some(40.0), Some(333.4), None, Some(40.0), Some(333.4), None]),
        ),
        (
            "index",
            floats([10.0, 224.96, 100.0, 145.0, 37.5, 100.0].map(Some)),
        ),
        (
            "effect_size",
            floats([Some(-1.4), Some(1.1), None, Some(1.4), Some(-1.1), None]),
        ),
        (
            "share",
            floats([None, None, Some(0.5), None, None, Some(0.5)]),
        ),
        (
            "population_share",
            floats([None, None, Some(0.5), None, None, Some(0.5)]),
        ),
    ])
}

fn models() -> RecordBatch {
    batch(vec![
        ("score", texts(["rfm", "rfm"].map(Some))),
        ("model", texts(["rfm_grid", "rfm_grid"].map(Some))),
        ("name", texts(["recency_edge_1", "score_method"].map(Some))),
        ("value", floats([Some(12.5), None])),
        ("text", texts([None, Some("midrank")])),
    ])
}

fn sources() -> RecordBatch {
    batch(vec![
        ("source", texts([Some("accounts"), Some("orders")])),
        ("kind", texts([Some("attributes"), Some("events")])),
        ("files", whole([1, 2])),
        ("bytes", whole([900, 1_500_000])),
        ("rows", whole([6, 1_000])),
        ("used", whole([5, 900])),
        ("filtered", whole([0, 60])),
        ("quarantined", whole([0, 40])),
        ("dropped", whole([0, 0])),
        ("duplicates", whole([0, 0])),
        ("age_hours", floats([None, Some(5.0)])),
        ("status", texts([Some("ok"), Some("ok")])),
    ])
}

fn rejects(name: &'static str) -> RecordBatch {
    let files = ["a.parquet", "a.parquet", "b.parquet"];
    let rules = ["price is not negative", "key is missing", "key is missing"];
    let rows = [r#"{"unit_price":-1}"#, name, r#"{"customer_id":null}"#];
    batch(vec![
        ("source", texts(["orders"; 3].map(Some))),
        ("file", texts(files.map(Some))),
        ("row_number", whole([7, 9, 1])),
        ("rule", texts(rules.map(Some))),
        ("row", texts(rows.map(Some))),
    ])
}

/// The HTML of one section, or of all sections of the schemes for `schemes`.
pub fn section(input: &ReportInput, name: &str) -> String {
    let page = format!(
        "{{% for list in [front, middle, appendix] %}}{{% for b in list %}}{{% if b.name == '{name}' %}}{{{{ b.html }}}}\
         {{% endif %}}{{% endfor %}}{{% endfor %}}{{% for s in schemes %}}{{% for b in s.parts %}}\
         {{% if b.name == '{name}' %}}{{{{ b.html }}}}{{% endif %}}{{% endfor %}}{{% endfor %}}"
    );
    let options = Options {
        templates: BTreeMap::from([("page.html".to_owned(), page)]),
        ..Options::default()
    };
    render(input, &options).unwrap()
}
