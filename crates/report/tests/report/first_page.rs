//! The first page: who moved, whom to act on, and no personal data.

use arrow::array::{ArrayRef, RecordBatch};
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

/// Where no value is at risk, the list is by value now and says so.
#[test]
fn without_value_at_risk_those_with_the_most_value_now_stand_first() {
    let said = |input: &ReportInput| fixture::section(input, "act_on");
    assert!(said(&input()).contains("with the most value at risk"));
    let mut input = input();
    let actions = &input.tables["actions"][0];
    let schema = actions.schema();
    let columns = schema.fields().iter().zip(actions.columns());
    let columns = columns.map(|(field, column)| match field.name().as_str() {
        name @ "value_at_risk" => (name, fixture::floats(vec![None; column.len()])),
        name => (name, column.clone()),
    });
    let actions = RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap();
    input.tables.insert("actions".into(), vec![actions]);
    let html = said(&input);
    assert!(html.contains("with the most value now"), "{html}");
    assert!(!html.contains("at risk among"), "{html}");
}

/// Customer `d` is a subscriber, whose risk is that of `leaving`; of `c` only `churn` knows. What `churn` says of `d` is not why its
/// value is at risk.
/// As of a pipeline that states `future` alone: nothing puts customers in order, and the page says what would.
#[test]
fn without_value_at_risk_and_value_now_it_is_said_what_to_state() {
    let mut input = input();
    let unknown = || fixture::floats([None, None]);
    with_column(&mut input, "actions", "value_now", unknown());
    with_column(&mut input, "actions", "value_at_risk", unknown());
    let page = text(&input, &Options::default());
    for said in ["nothing says who comes first", "State `risk`"] {
        assert!(page.contains(said), "{said}");
    }
}

/// As of a pipeline without money: who is lost with the highest probability comes first, and the page says so.
#[test]
fn without_money_those_with_the_highest_probability_of_loss_stand_first() {
    let mut input = input();
    let unknown = || fixture::floats([None, None]);
    with_column(&mut input, "actions", "value_now", unknown());
    with_column(&mut input, "actions", "value_at_risk", unknown());
    let of = |c, d| fixture::floats([None, Some(0.99), Some(c), Some(d), None, None]);
    with_column(&mut input, "customers", "leaves", of(0.7, 0.2));
    input.meta.loss = Some("leaves".into());
    let html = fixture::section(&input, "act_on");
    assert!(
        html.contains("with the highest probability of loss"),
        "{html}"
    );
    let (first, second) = (html.find("data-k=\"c\""), html.find("data-k=\"d\""));
    assert!(first.unwrap() < second.unwrap(), "{html}");
    assert!(html.contains("70.0%") && html.contains("20.0%"), "{html}");
    assert!(
        !html.contains("At risk") && !html.contains("Value now"),
        "{html}"
    );
    assert!(
        !html.contains("data-k=\"b\""),
        "who has no playbook is not listed"
    );
}

#[test]
fn the_reason_is_of_the_score_that_the_value_at_risk_is_made_of() {
    let reasons = |of_c, of_d| fixture::texts([None, None, of_c, of_d, None, None]);
    let (raises, silent) = (Some("raises"), Some("no order for 80 days"));
    let mut input = input();
    let people = &input.tables["customers"][0];
    let mut columns: Vec<(String, ArrayRef)> = people
        .schema()
        .fields()
        .iter()
        .zip(people.columns())
        .map(|(field, column)| (field.name().clone(), column.clone()))
        .collect();
    columns.extend(
        [
            ("churn_reason_1", reasons(silent, Some("few orders"))),
            ("churn_reasons_direction", reasons(raises, raises)),
            ("leaving_reason_1", reasons(None, Some("5 urgent tickets"))),
            ("leaving_reasons_direction", reasons(None, raises)),
        ]
        .map(|(name, column)| (name.to_owned(), column)),
    );
    let people = RecordBatch::try_from_iter(columns).unwrap();
    input.tables.insert("customers".into(), vec![people]);
    let shown = |input: &ReportInput| fixture::section(input, "act_on");
    assert!(
        shown(&input).contains("few orders"),
        "it is not known which"
    );
    input.meta.risk = vec!["leaving".into(), "churn".into()];
    let html = shown(&input);
    assert!(
        html.contains("5 urgent tickets") && html.contains("no order for 80 days"),
        "{html}"
    );
    assert!(!html.contains("few orders"), "{html}");
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
        assert!(html.contains("left(sha256(cast(&quot;customer_id&quot; as varchar)), 12)"));
    }
}

#[test]
fn an_earlier_version_that_is_gone_is_said() {
    let mut input = fixture::version("a", "b");
    input.before = expired();
    let text = text(&input, &Options::default());
    assert!(text.contains("The version before cannot be read"), "{text}");
}

/// A table of the input with a column, which takes the place of one of that name.
fn with_column(input: &mut ReportInput, table: &str, name: &'static str, column: ArrayRef) {
    let batch = input.tables[table][0].clone();
    let schema = batch.schema();
    let fields = schema.fields().iter().map(|field| field.name().clone());
    let columns = fields.zip(batch.columns().iter().cloned());
    let columns = columns.filter(|(known, _)| known != name);
    let columns = columns.chain([(name.to_owned(), column)]);
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    input.tables.insert(table.to_owned(), vec![batch]);
}

/// The headline where the version before differs by this, with a value in both.
fn headline(change: impl FnOnce(&mut ReportInput)) -> String {
    let mut input = input();
    let spend = |each: f64| fixture::floats(vec![Some(each); 6]);
    with_column(&mut input, "customers", "spend_total", spend(100.0));
    let tessera_report::Before::Known(before) = &mut input.before else {
        panic!("the fixture has a version before");
    };
    with_column(before, "customers", "spend_total", spend(90.0));
    change(before);
    fixture::section(&input, "headline")
}

/// All are within the target, and those who were there before did worse: their change is not green because the target is met.
#[test]
fn the_change_of_who_was_there_before_has_a_colour_of_its_own() {
    let mut input = input();
    let goal = input.meta.goal.as_mut().unwrap();
    goal.target = Some(tessera_report::TargetMeta::Below(0.5));
    let html = fixture::section(&input, "headline");
    for part in [
        r#"<div class="figure q good">"#,
        r#"; <span class="bad"><data value="0.06"#,
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn what_is_in_another_currency_or_period_or_of_a_sample_is_not_compared() {
    let same = headline(|_| {});
    assert!(
        same.contains("▲ £60.00") && !same.contains("not comparable"),
        "{same}"
    );
    let dollars = headline(|before| before.meta.currency = Some("USD".to_owned()));
    assert!(
        dollars.contains("the version before is in USD"),
        "{dollars}"
    );
    assert!(!dollars.contains("▲ £60.00"), "{dollars}");
    assert_eq!(dollars.matches("not comparable").count(), 1, "{dollars}");
    let yearly = headline(|before| before.meta.value_per = Some("year".to_owned()));
    assert!(
        yearly.contains("the version before is per year"),
        "{yearly}"
    );
    assert!(!yearly.contains("▲ £60.00"), "{yearly}");
    let sample = headline(|before| before.meta.sample = Some(0.25));
    assert_eq!(sample.matches("not comparable").count(), 3, "{sample}");
    assert!(!sample.contains("as change"), "{sample}");
}

/// A KPI that is the value is the mean of what the value is the sum of: of a month, then of a year.
#[test]
fn a_kpi_of_another_period_is_not_compared() {
    let as_kpi = |per: &str| {
        let mut input = input();
        let spend = |each: f64| fixture::floats(vec![Some(each); 6]);
        with_column(&mut input, "customers", "spend_total", spend(100.0));
        let goal = input.meta.goal.as_mut().unwrap();
        goal.kpi = "spend_total".to_owned();
        input.meta.value_per = Some("month".to_owned());
        let tessera_report::Before::Known(before) = &mut input.before else {
            panic!("the fixture has a version before");
        };
        with_column(before, "customers", "spend_total", spend(90.0));
        before.meta.value_per = Some(per.to_owned());
        fixture::section(&input, "headline")
    };
    let same = as_kpi("month");
    assert!(!same.contains("not comparable"), "{same}");
    let yearly = as_kpi("year");
    // The KPI and the value.
    assert_eq!(yearly.matches("not comparable").count(), 2, "{yearly}");
}

#[test]
fn a_sample_is_named_at_the_top_and_beside_each_figure() {
    let mut input = input();
    input.meta.sample = Some(0.01);
    let html = render(&input, &Options::default()).unwrap();
    let page = markup::parse(&html).unwrap().text;
    assert!(page.contains("a sample of 1.0% of the customers"), "{page}");
    assert!(page.contains("6 of about 600 customers (1.0%)"), "{page}");
    let figures = html.matches("class=\"label\"").count();
    assert_eq!(html.matches(", of the sample").count(), figures);
    assert!(
        tessera_report::summary(&input)
            .unwrap()
            .contains("a sample of 1.0% of the customers !")
    );
}

#[test]
fn sources_with_missing_rows_stand_first_and_all_warnings_are_counted() {
    let mut input = input();
    let warnings = [
        Some("12 rows are late\n3 rows are left out."),
        Some("no used row is of May."),
    ];
    with_column(&mut input, "sources", "warnings", fixture::texts(warnings));
    let worst = fixture::texts([Some("left out"), Some("missing")]);
    with_column(&mut input, "sources", "worst_warning", worst);
    let html = fixture::section(&input, "warnings");
    let (first, second) = (
        html.find("no used row is of May"),
        html.find("2 warnings of 1 source, the worst of accounts: 12 rows are late"),
    );
    assert!(first.is_some() && first < second, "{html}");
    assert!(html.contains("Source orders"), "{html}");
    assert!(
        !html.contains("lost 40 rows"),
        "said by its warnings: {html}"
    );
    let terminal = tessera_report::summary(&input).unwrap();
    assert!(
        terminal.contains("accounts: 2 warnings !, the worst: 12 rows are late"),
        "{terminal}"
    );
}

/// Dropped rows are no warning of a source; they stand on the page whatever else does.
#[test]
fn dropped_rows_are_said_beside_other_warnings() {
    let html = |dropped: i64| {
        let mut input = input();
        let warnings = [None, Some("12 rows are late")];
        with_column(&mut input, "sources", "warnings", fixture::texts(warnings));
        let worst = fixture::texts([None, Some("meaning")]);
        with_column(&mut input, "sources", "worst_warning", worst);
        let rejected = [("dropped", dropped), ("quarantined", 40 - dropped)];
        for (name, rows) in rejected {
            let rows = fixture::whole([0, rows]);
            with_column(&mut input, "sources", name, rows);
        }
        fixture::section(&input, "warnings")
    };
    assert!(html(40).contains("lost 40 rows (4.0%)"), "{}", html(40));
    assert!(!html(0).contains("lost"), "{}", html(0));
}

/// Five warnings are open, and a click shows the others: none is only counted.
#[test]
fn every_warning_is_on_the_page() {
    let mut input = input();
    let names: Vec<String> = (1..=8).map(|number| format!("source_{number}")).collect();
    let zeros = || fixture::whole([0; 8]);
    let sources = fixture::batch(vec![
        (
            "source",
            fixture::texts(names.iter().map(|name| Some(name.as_str()))),
        ),
        ("kind", fixture::texts([Some("events"); 8])),
        ("files", zeros()),
        ("bytes", zeros()),
        ("rows", zeros()),
        ("used", zeros()),
        ("filtered", zeros()),
        ("quarantined", zeros()),
        ("dropped", zeros()),
        ("duplicates", zeros()),
        ("age_hours", fixture::floats([None; 8])),
        ("status", fixture::texts([Some("late by a week"); 8])),
    ]);
    input.tables.insert("sources".into(), vec![sources]);
    let html = fixture::section(&input, "warnings");
    let (open, folded) = html.split_once("<details>").unwrap();
    assert_eq!(open.matches("<li><span").count(), 5, "{html}");
    let more = folded.matches("<li><span").count();
    assert!(
        folded.contains(&format!("<summary>{more} more warnings</summary>")),
        "{html}"
    );
    for name in names {
        assert_eq!(
            html.matches(&format!("Source {name}")).count(),
            1,
            "{name}: {html}"
        );
    }
}
