//! The first page: who moved, whom to act on, and no personal data.

use tessera_report::{Options, ReportInput, render};

use crate::{fixture, markup};

fn input() -> ReportInput {
    let mut input = fixture::version("Champions", "At Risk");
    input.before = fixture::before("Champions", "At Risk");
    input
}

fn text(input: &ReportInput, options: &Options) -> String {
    let html = render(input, options).unwrap();
    markup::parse(&html).unwrap().text
}

/// A version before that has expired.
fn expired() -> tessera_report::Before {
    let error = tessera_snapshot::StoreError::Expired { version: 1 };
    tessera_report::Before::Gone {
        reason: "it has expired".to_owned(),
        error: std::sync::Arc::new(error.into()),
    }
}

#[test]
fn everyone_who_moved_came_or_left_is_counted() {
    let html = fixture::section(&input(), "moves");
    for number in [
        r#"<data value="1" data-c="moved">1 customer</data>"#,
        r#"<data value="1" data-c="came">1 customer</data>"#,
        r#"<data value="1" data-c="gone">1 customer</data>"#,
    ] {
        assert!(html.contains(number), "{number} in {html}");
    }
    assert!(html.contains("Since 31 October 2026"), "{html}");
    for cause in [
        r#"<span data-k="activity"><b><bdi>new rows</bdi></b> <data value="3" data-c="customers">3</data>"#,
        r#"<span data-k="ageing"><b><bdi>time without new rows</bdi></b> <data value="2" data-c="customers">2</data>"#,
    ] {
        assert!(html.contains(cause), "{cause} in {html}");
    }
}

#[test]
fn steps_that_cancel_out_are_no_moves() {
    let mut input = input();
    let none = input.tables["moves"][0].slice(0, 0);
    input.tables.insert("moves".into(), vec![none]);
    let html = fixture::section(&input, "moves");
    assert!(
        html.contains(r#"<data value="0" data-c="moved">0 customers</data>"#),
        "{html}"
    );
    assert!(!html.contains("<table"), "{html}");
    assert!(
        html.contains("Why: ") && html.contains("is back in the end"),
        "{html}"
    );
}

#[test]
fn moves_are_those_of_the_version_even_where_the_one_before_is_gone() {
    let mut input = fixture::version("Champions", "At Risk");
    input.before = expired();
    let html = fixture::section(&input, "moves");
    assert!(html.contains("Since 31 October 2026"), "{html}");
}

#[test]
fn what_has_not_begun_is_blank_and_what_is_not_over_is_marked() {
    let html = fixture::section(&input(), "retention");
    let row = html.split("<tr data-k=\"2026-11-01\">").nth(1).unwrap();
    assert!(row.contains("100.0%</data>*"), "{row}");
    assert!(row.contains("<td class=\"empty\"></td>"), "{row}");
    let row = html.split("<tr data-k=\"2026-10-01\">").nth(1).unwrap();
    assert!(row.contains("title=\"1 of 4\""), "{row}");
}

/// The input with this mark on the KPI and on value at risk, as a run publishes it.
fn marked(status: &'static str, reason: &'static str) -> ReportInput {
    let mut input = input();
    let segments = input.tables["segments"][0].clone();
    let rows = segments.num_rows();
    let schema = segments.schema();
    let fields = schema.fields().iter().map(|field| field.name().as_str());
    let mut columns: Vec<(&str, arrow::array::ArrayRef)> =
        fields.zip(segments.columns().iter().cloned()).collect();
    columns.push(("kpi_status", fixture::texts(vec![Some(status); rows])));
    columns.push(("kpi_reason", fixture::texts(vec![Some(reason); rows])));
    let segments = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    input.tables.insert("segments".into(), vec![segments]);
    let features = fixture::batch(vec![
        (
            "name",
            fixture::texts([Some("churn_probability"), Some("spend_total")]),
        ),
        ("status", fixture::texts([Some(status), Some("ok")])),
        ("status_reason", fixture::texts([Some(reason), None])),
    ]);
    input.tables.insert("features".into(), vec![features]);
    input
}

#[test]
fn report_and_terminal_say_of_a_number_what_the_tables_say() {
    let reason = "score `churn`: 3 points too low; the order may hold";
    let input = marked("flagged", reason);
    let page = text(&input, &Options::default());
    let terminal = tessera_report::summary(&input).unwrap();
    assert!(page.contains("score churn (flagged)"), "{page}");
    assert!(
        page.contains("is flagged: 3 points too low; made from it: churn probability"),
        "{page}"
    );
    let line = format!("churn probability (flagged): {reason}");
    assert!(terminal.contains(&line), "{terminal}");
    let unmarked = marked("ok", reason);
    let page = text(&unmarked, &Options::default());
    let terminal = tessera_report::summary(&unmarked).unwrap();
    assert!(!page.contains("flagged") && !page.contains("3 points"));
    assert!(!terminal.contains("flagged") && !terminal.contains("3 points"));
}

#[test]
fn segments_of_a_number_in_doubt_are_not_shown_as_good() {
    let good = "title=\"meets the target\"";
    let shows = |status: &'static str, section: &str| {
        fixture::section(&marked(status, "score `churn`: 3 points too low"), section).contains(good)
    };
    for section in ["acting", "sizes"] {
        assert!(shows("ok", section), "{section}");
        assert!(!shows("flagged", section), "{section}");
    }
}

#[test]
fn a_base_rate_meets_no_target_and_misses_none() {
    let input = marked("base rate", "score `churn`: no model is used");
    let page = text(&input, &Options::default());
    assert!(page.contains("score churn (not validated)"), "{page}");
    assert!(!page.contains("misses the target") && !page.contains("meets the target"));
    assert!(
        tessera_report::summary(&input)
            .unwrap()
            .contains(": not validated")
    );
}

#[test]
fn the_most_at_risk_stand_first() {
    let html = fixture::section(&input(), "act_on");
    let (first, second) = (html.find("data-k=\"d\""), html.find("data-k=\"c\""));
    assert!(first.unwrap() < second.unwrap(), "{html}");
    assert!(html.contains("one call") && html.contains("crm-team") && html.contains("R1 F2 M1"));
}

#[test]
fn customers_can_be_left_out() {
    let options = Options {
        customers: 0,
        ..Options::default()
    };
    assert!(text(&input(), &Options::default()).contains("R1 F2 M1"));
    assert!(!text(&input(), &options).contains("R1 F2 M1"));
}

#[test]
fn keys_that_are_names_or_addresses_are_hashed() {
    for person in ["Abbey O'Reilly", "abbey@example.org"] {
        let mut input = input();
        let actions = &input.tables["actions"][0];
        let schema = actions.schema();
        let columns = schema.fields().iter().zip(actions.columns());
        let columns = columns.map(|(field, column)| match field.name().as_str() {
            "customer_id" => ("customer_id", fixture::texts([Some(person), Some("d")])),
            name => (name, column.clone()),
        });
        let actions = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
        input.tables.insert("actions".into(), vec![actions]);
        let html = render(&input, &Options::default()).unwrap();
        assert!(
            !html.contains("Abbey") && !html.contains("abbey@"),
            "{person}"
        );
        // printf d | sha256sum
        assert!(html.contains("18ac3e7343f0"), "the other key is hashed too");
        assert!(html.contains("left(sha256(cast(customer_id as varchar)), 12)"));
    }
}

#[test]
fn an_earlier_version_that_is_gone_is_said() {
    let mut input = fixture::version("a", "b");
    input.before = expired();
    let text = text(&input, &Options::default());
    assert!(text.contains("The version before cannot be read"), "{text}");
}
