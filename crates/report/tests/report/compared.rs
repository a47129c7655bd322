//! What of the version before is compared: its pipeline file was another one, or it is of another pipeline.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use tessera_report::{Before, Options, ReportInput, render};

use crate::{fixture, markup};

const UNCOMPARED: &str = "the version before has no such number";

/// The small version after one whose KPI is this column; `None` leaves the column out.
fn after(kpi: Option<ArrayRef>) -> ReportInput {
    let mut input = fixture::version("Champions", "At Risk");
    let Before::Known(mut before) = fixture::before("Champions", "At Risk") else {
        unreachable!("the fixture has a version before");
    };
    let batch = &before.tables["customers"][0];
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let columns = names
        .zip(batch.columns())
        .filter_map(|(name, held)| match name {
            "churn_probability" => Some((name, kpi.clone()?)),
            name => Some((name, held.clone())),
        });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    before.tables.insert("customers".to_owned(), vec![batch]);
    input.before = Before::Known(before);
    input
}

#[test]
fn a_kpi_that_was_no_number_before_or_was_not_there_is_not_compared() {
    let labels = fixture::texts(["a", "b", "a", "b", "a", "b"].map(Some));
    let truths: ArrayRef = Arc::new(arrow::array::BooleanArray::from(vec![true; 6]));
    for kpi in [Some(labels), Some(truths), None] {
        let html = fixture::section(&after(kpi), "headline");
        let figures: Vec<&str> = html.split("<div class=\"figure q").skip(1).collect();
        // Customers are compared, the KPI is not, and its query does not ask the version before.
        assert!(figures[0].contains("data-c=\"change\""), "{html}");
        assert!(figures[1].contains("data-c=\"kpi\""), "{html}");
        assert!(!figures[1].contains("data-c=\"change\""), "{html}");
        assert!(!figures[1].contains("before as"), "{html}");
        assert!(figures[1].contains(UNCOMPARED), "{html}");
    }
    let html = fixture::section(&after(Some(fixture::floats([Some(0.4); 6]))), "headline");
    assert!(!html.contains(UNCOMPARED), "{html}");
    assert_eq!(html.matches("before as").count(), 2, "{html}");
}

#[test]
fn a_kpi_that_is_defined_in_another_way_is_not_compared() {
    let said = "the version before has it by another definition";
    for (kind, name, status, is_other) in [
        ("score", "churn_probability", "redefined", true),
        ("score", "churn_probability", "severe", false),
        ("feature", "order_count", "redefined", false),
        ("scheme", "churn_probability", "redefined", false),
    ] {
        let mut input = fixture::version("Champions", "At Risk");
        input.before = fixture::before("Champions", "At Risk");
        let texts = [("kind", kind), ("name", name), ("status", status)];
        let columns = texts.map(|(column, text)| (column, fixture::texts([Some(text)])));
        let drift = RecordBatch::try_from_iter(columns).unwrap();
        input.tables.insert("drift".to_owned(), vec![drift]);
        let html = fixture::section(&input, "headline");
        let figures: Vec<&str> = html.split("<div class=\"figure q").skip(1).collect();
        assert!(figures[0].contains("data-c=\"change\""), "{html}");
        assert_eq!(figures[1].contains(said), is_other, "{html}");
        assert_eq!(figures[1].contains("before as"), !is_other, "{html}");
    }
}

#[test]
fn nothing_is_compared_with_a_version_of_another_pipeline() {
    let mut input = fixture::version("Champions", "At Risk");
    input.before = Before::Other {
        pipeline: "others".to_owned(),
    };
    let html = render(&input, &Options::default()).unwrap();
    assert!(!html.contains("data-c=\"change\""), "{html}");
    let text = markup::parse(&html).unwrap().text;
    let said =
        "is of another pipeline that shares the store, `others`, so that nothing is compared";
    assert!(text.contains(said), "{text}");
    assert!(!text.contains(UNCOMPARED), "{text}");
}
