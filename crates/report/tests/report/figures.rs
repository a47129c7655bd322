//! What rows of `models` state is read from their figures, never from their names.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use tessera_report::{Options, ReportInput, render, summary};

use crate::{fixture, markup, scores};

const SECTIONS: [&str; 3] = ["scores", "calibration", "tracking"];

fn input() -> ReportInput {
    let mut input = fixture::version("Champions", "At Risk");
    scores::add(&mut input, "churn", "lowest log loss out of time");
    input
}

/// The input with another column in every batch of `models`; `None` leaves the column out.
fn with(column: &str, values: impl Fn(&RecordBatch) -> Option<ArrayRef>) -> ReportInput {
    let mut input = input();
    for batch in input.tables.get_mut("models").unwrap() {
        let schema = batch.schema();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let columns = names
            .zip(batch.columns())
            .filter_map(|(name, held)| match name == column {
                true => Some((name, values(batch)?, true)),
                false => Some((name, held.clone(), true)),
            });
        *batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    }
    input
}

fn text(input: &ReportInput, section: &str) -> String {
    let html = format!("<html>{}</html>", fixture::section(input, section));
    markup::parse(&html).unwrap().text
}

#[test]
fn other_names_of_rows_change_nothing_that_is_read() {
    let other = with("name", |batch| {
        let names: Vec<String> = (0..batch.num_rows()).map(|n| format!("row {n}")).collect();
        Some(fixture::texts(names.iter().map(|name| Some(name.as_str()))))
    });
    assert_eq!(summary(&other).unwrap(), summary(&input()).unwrap());
    for section in SECTIONS {
        let shown = text(&input(), section);
        assert!(shown.len() > 200, "{section}: {shown}");
        assert_eq!(text(&other, section), shown, "{section}");
    }
    let html = render(&other, &Options::default()).unwrap();
    markup::parse(&html).unwrap();
}

#[test]
fn names_without_figures_are_not_guessed_from() {
    for column in ["figure", "figure_of"] {
        let older = with(column, |_| None);
        let lines = summary(&older).unwrap();
        assert!(!lines.contains("AUC"), "{lines}");
        assert!(
            lines.contains("of the table `models` state is not known: the report says why"),
            "{lines}"
        );
        let shown = text(&older, "scores");
        assert!(shown.contains("It is not known what"), "{shown}");
        assert!(!shown.contains("0.812"), "a result of a test: {shown}");
        let html = render(&older, &Options::default()).unwrap();
        let page = markup::parse(&html).unwrap().text;
        assert!(page.contains("test_auc"), "the rows are listed as they are");
    }
    let lines = summary(&with("figure", |_| None)).unwrap();
    assert!(lines.contains("  churn: model not stated"), "{lines}");
}

#[test]
fn a_figure_of_a_newer_program_is_said_not_to_be_known() {
    let newer = with("figure", |batch| {
        Some(fixture::texts(vec![
            Some("forecast_of_forecasts");
            batch.num_rows()
        ]))
    });
    let shown = text(&newer, "scores");
    assert!(
        shown.contains("or this one does not know the value there"),
        "{shown}"
    );
    // Days that are no number of days.
    let damaged = with("figure_days", |batch| {
        Some(Arc::new(Int64Array::from(vec![-1; batch.num_rows()])))
    });
    assert!(!text(&damaged, "tracking").contains("week"));
    markup::parse(&render(&damaged, &Options::default()).unwrap()).unwrap();
}
