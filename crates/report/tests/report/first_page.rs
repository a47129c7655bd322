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
    input.before = tessera_report::Before::Gone("it has expired".into());
    let text = text(&input, &Options::default());
    assert!(text.contains("The version before cannot be read"), "{text}");
}
