//! What the report shows of scores, over tables that can be checked by hand.

use tessera_report::{Options, ReportInput, render, summary};

use crate::{fixture, markup, scores};

fn input() -> ReportInput {
    let mut input = fixture::version("Champions", "At Risk");
    scores::add(&mut input, "churn", "lowest log loss out of time");
    input
}

#[test]
fn scores_say_what_serves_how_it_did_and_what_is_missing() {
    insta::assert_snapshot!(fixture::section(&input(), "scores"));
}

#[test]
fn calibration_is_drawn_and_written() {
    insta::assert_snapshot!(fixture::section(&input(), "calibration"));
}

#[test]
fn tracking_is_drawn_and_written() {
    insta::assert_snapshot!(fixture::section(&input(), "tracking"));
}

#[test]
fn the_summary_has_a_line_per_score() {
    let text = summary(&input()).unwrap();
    let from = text.find("Scores\n").unwrap();
    let block: Vec<&str> = text[from..].lines().take(4).collect();
    assert_eq!(
        block,
        [
            "Scores",
            "  churn: logistic is used · AUC 0.812 · 1 not computed",
            "  health: health is used · AUC 0.508 · 1 flagged !",
            "  value: mbg_nbd is used · 97.3% of actual · 1 not computed",
        ]
    );
}

#[test]
fn only_a_flagged_score_is_marked_as_such() {
    let html = fixture::section(&input(), "scores");
    let flagged: Vec<&str> = html
        .split("<article")
        .filter(|article| article.contains("class=\"flag\""))
        .collect();
    assert_eq!(flagged.len(), 1);
    assert!(flagged[0].contains("<bdi>Health</bdi>"));
}

#[test]
fn without_scores_there_are_no_such_sections() {
    let html = render(
        &fixture::version("Champions", "At Risk"),
        &Options::default(),
    )
    .unwrap();
    for section in ["scores", "calibration", "tracking"] {
        assert!(!html.contains(&format!("id=\"{section}\"")), "{section}");
    }
}

#[test]
fn each_table_of_scores_can_be_missing_or_empty() {
    for table in ["models", "calibration", "quality"] {
        let mut missing = input();
        let batches = missing.tables.remove(table).unwrap();
        markup::parse(&render(&missing, &Options::default()).unwrap()).unwrap();
        summary(&missing).unwrap();
        let mut empty = input();
        empty
            .tables
            .insert(table.to_owned(), vec![batches[0].slice(0, 0)]);
        markup::parse(&render(&empty, &Options::default()).unwrap()).unwrap();
    }
}

#[test]
fn quality_of_schemes_makes_no_score() {
    let mut input = fixture::version("Champions", "At Risk");
    scores::add(&mut input, "rfm", "x");
    let html = fixture::section(&input, "scores");
    assert!(!html.contains("<bdi>RFM</bdi>"), "rfm is a scheme");
    assert!(html.contains("<bdi>Value</bdi>"));
}
