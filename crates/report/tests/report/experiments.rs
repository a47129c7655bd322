//! Experiments, over a table that can be checked by hand.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, RecordBatch};
use tessera_report::{Options, ReportInput, render, summary};

use crate::fixture::{self, batch, floats, texts, whole};
use crate::markup;

fn truths(values: [bool; 5]) -> ArrayRef {
    Arc::new(BooleanArray::from(values.to_vec()))
}

fn days(values: [Option<i32>; 5]) -> ArrayRef {
    Arc::new(Date32Array::from(values.to_vec()))
}

/// An experiment of a segment that has shown something, with two variants, and one of all customers that has not begun.
fn experiments() -> RecordBatch {
    let some = |values: [&'static str; 5]| texts(values.map(Some));
    let of_rescue =
        |value: &'static str| texts([Some(value), Some(value), Some(value), None, None]);
    let experiment = ["rescue", "rescue", "rescue", "waiting", "waiting"];
    let reason = [
        "0 is <inside>",
        "compared with",
        "0 is outside",
        "compared with",
        "nobody",
    ];
    let verdict = [
        "no difference shown",
        "control",
        "better",
        "control",
        "too early",
    ];
    let starts = [Some(20_600), Some(20_600), Some(20_600), None, None];
    let mut columns = vec![
        ("experiment", some(experiment)),
        ("scheme", of_rescue("rfm")),
        ("segment", of_rescue("At Risk")),
        (
            "variant",
            some(["call", "control", "mail", "control", "other"]),
        ),
        ("control", truths([false, true, false, true, false])),
        ("starts", days(starts)),
        ("ends", days([None; 5])),
        ("metric", some(["orders_30d"; 5])),
        ("adjusted", truths([true, true, true, false, false])),
        ("verdict", some(verdict)),
        ("reason", some(reason)),
    ];
    columns.extend(counts().map(|(name, values)| (name, whole(values))));
    // Of `call`, `control` and `mail`; nobody of the other experiment is compared.
    let known = numbers().into_iter().map(|(name, [call, control, mail])| {
        let rest = if name == "share" { Some(0.5) } else { None };
        (name, floats([call, control, mail, rest, rest]))
    });
    columns.extend(known);
    batch(columns)
}

fn counts() -> [(&'static str, [i64; 5]); 6] {
    [
        ("enrolled", [2_010, 1_004, 1_990, 0, 0]),
        ("lost", [3, 1, 0, 0, 0]),
        ("measured_days", [30; 5]),
        ("too_recent", [100, 50, 90, 0, 0]),
        ("missing", [0, 4, 0, 0, 0]),
        ("customers", [1_910, 950, 1_900, 0, 0]),
    ]
}

fn numbers() -> Vec<(&'static str, [Option<f64>; 3])> {
    let all = |values: [f64; 3]| values.map(Some);
    let two = |call, mail| [Some(call), None, Some(mail)];
    vec![
        ("share", all([0.4, 0.2, 0.4])),
        ("mean", all([0.412, 0.4, 0.52])),
        ("std", all([0.8, 0.81, 0.9])),
        ("adjusted_mean", all([0.4101, 0.401, 0.5215])),
        ("difference", two(0.0091, 0.1205)),
        ("difference_low", two(-0.04, 0.08)),
        ("difference_high", two(0.06, 0.17)),
        ("uplift", two(0.0227, 0.3005)),
        ("uplift_low", two(-0.1, 0.2)),
        ("uplift_high", two(0.15, 0.4)),
        ("anytime_low", two(-0.0811, 0.0314)),
        ("anytime_high", two(0.0993, 0.2096)),
        ("p", two(0.7, 1e-7)),
        ("smallest_effect", two(0.075, 0.076)),
        ("srm_p", all([0.89; 3])),
    ]
}

fn input() -> ReportInput {
    let mut input = fixture::version("Champions", "At Risk");
    input
        .tables
        .insert("experiments".to_owned(), vec![experiments()]);
    input
}

#[test]
fn each_variant_stands_beside_control_with_its_verdict() {
    insta::assert_snapshot!(fixture::section(&input(), "experiments"));
}

#[test]
fn without_experiments_there_is_no_such_section() {
    let mut empty = input();
    let none = vec![experiments().slice(0, 0)];
    empty.tables.insert("experiments".to_owned(), none);
    for input in [fixture::version("Champions", "At Risk"), empty] {
        let html = render(&input, &Options::default()).unwrap();
        markup::parse(&html).unwrap();
        assert!(!html.contains("id=\"experiments\""));
    }
    let html = render(&input(), &Options::default()).unwrap();
    markup::parse(&html).unwrap();
    assert!(html.contains("id=\"experiments\""));
}

#[test]
fn a_metric_in_money_has_its_currency_and_one_of_shares_its_points() {
    let of_metric = |metric: &'static str| {
        let mut input = input();
        let table = experiments();
        let place = table.schema().index_of("metric").unwrap();
        let mut columns = table.columns().to_vec();
        columns[place] = texts([metric; 5].map(Some));
        let table = RecordBatch::try_new(table.schema(), columns).unwrap();
        input.tables.insert("experiments".to_owned(), vec![table]);
        fixture::section(&input, "experiments")
    };
    assert!(of_metric("spend_total").contains(">+£0.12<"));
    assert!(of_metric("churn_probability").contains(">+12.0\u{a0}points<"));
    assert!(of_metric("recency_days").contains(">+0.120\u{a0}days<"));
}

#[test]
fn the_summary_has_a_line_for_each_variant() {
    let text = summary(&input()).unwrap();
    let from = text.find("Experiments\n").unwrap();
    let block: Vec<&str> = text[from..].lines().take(4).collect();
    assert_eq!(
        block,
        [
            "Experiments",
            "  rescue: call: no difference shown",
            "  rescue: mail: better",
            "  waiting: other: too early",
        ]
    );
}
