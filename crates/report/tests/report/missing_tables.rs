//! A version of an older or newer program, or of a pipeline that computes little: what is missing is stated, not guessed.

use tessera_report::{Options, ReportError, ReportInput, ReportMeta, render, summary};

use crate::{company, fixture, markup};

#[test]
fn without_tables_every_section_says_so() {
    let input = ReportInput::new(ReportMeta::new("bare", fixture::day(2026, 11, 22)));
    let text = markup::parse(&render(&input, &Options::default()).unwrap())
        .unwrap()
        .text;
    for reason in [
        "Not computed: this version has no segments.",
        "Goal is not declared",
        "Not computed: this version has no `models` table.",
        "Not computed: this version has no `sources` table.",
        "Not computed: this version has no `reject_rules` table.",
    ] {
        assert!(text.contains(reason), "{reason}");
    }
    assert_eq!(
        summary(&input).unwrap(),
        "bare · as of 2026-11-22\n\nno segments in this version\n"
    );
}

#[test]
fn each_table_can_be_missing() {
    let whole = company::input();
    for table in whole.tables.keys() {
        let mut input = whole.clone();
        input.tables.remove(table);
        let html = render(&input, &Options::default()).unwrap();
        markup::parse(&html).unwrap_or_else(|e| panic!("without {table}: {e}"));
        assert!(
            html.contains("Not computed:"),
            "without {table} something is missing"
        );
        summary(&input).unwrap();
    }
}

#[test]
fn each_table_can_be_empty() {
    let whole = company::input();
    for table in whole.tables.keys() {
        for batches in [vec![], vec![whole.tables[table][0].slice(0, 0)]] {
            let mut input = whole.clone();
            input.tables.insert(table.clone(), batches);
            let html = render(&input, &Options::default())
                .unwrap_or_else(|e| panic!("{table} empty: {e}"));
            markup::parse(&html).unwrap_or_else(|e| panic!("{table} empty: {e}"));
            summary(&input).unwrap();
        }
    }
}

#[test]
fn a_damaged_table_is_named() {
    let mut input = fixture::version("a", "b");
    input.tables.insert(
        "segments".into(),
        vec![fixture::batch(vec![(
            "scheme",
            fixture::texts([Some("rfm")]),
        )])],
    );
    let error = render(&input, &Options::default()).unwrap_err();
    assert!(
        matches!(&error, ReportError::MissingColumn { table, column, .. } if table == "segments" && column == "segment")
    );
    insta::assert_snapshot!(error, @"table `segments` has no column `segment`; it has as_of, scheme: it was not written by this program, or is damaged (try `tessera verify`)");

    let mut input = fixture::version("a", "b");
    let columns = vec![
        ("scheme", fixture::texts([Some("rfm")])),
        ("segment", fixture::texts([Some("a")])),
        ("customers", fixture::texts([Some("two")])),
    ];
    input
        .tables
        .insert("segments".into(), vec![fixture::batch(columns)]);
    let error = render(&input, &Options::default()).unwrap_err();
    insta::assert_snapshot!(error, @"column `customers` of table `segments` is Utf8, expected a whole number; try `tessera verify`");
}
