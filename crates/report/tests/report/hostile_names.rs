//! Names come from the data: they must be shown as they are and never be interpreted.

use tessera_report::{FeatureMeta, Options, render, summary};

use crate::{fixture, markup, scores};

const SCRIPT: &str = "<script>alert(1)</script>";
const QUOTES: &str = "\"' onmouseover=\"alert(1) & <b>";

/// Names and values everywhere a pipeline or the data can put them.
fn hostile(name: &'static str) -> tessera_report::ReportInput {
    let mut input = fixture::version(name, QUOTES);
    input.before = fixture::before(name, QUOTES);
    input.meta.name = name.to_owned();
    input.meta.timezone = Some(name.to_owned());
    input.meta.currency = Some(name.to_owned());
    input.meta.key = Some(name.to_owned());
    input.meta.value = Some(name.to_owned());
    if let Some(goal) = &mut input.meta.goal {
        goal.owner = Some(name.to_owned());
        goal.objective = Some(name.to_owned());
    }
    input.meta.features.push(FeatureMeta {
        name: name.to_owned(),
        unit: Some(name.to_owned()),
        base: Some(name.to_owned()),
        notes: Some(name.to_owned()),
        label: Some(name.to_owned()),
        direction: Some(name.to_owned()),
        score: Some(name.to_owned()),
    });
    for table in ["actions", "models", "sources"] {
        let columns = input.tables[table][0].clone();
        let schema = columns.schema();
        let renamed = schema
            .fields()
            .iter()
            .zip(columns.columns())
            .map(|(field, column)| match field.data_type() {
                arrow::datatypes::DataType::Utf8 => (
                    field.name().as_str(),
                    fixture::texts(vec![Some(name); column.len()]),
                ),
                _ => (field.name().as_str(), column.clone()),
            });
        let batch = arrow::record_batch::RecordBatch::try_from_iter(renamed).unwrap();
        input.tables.insert(table.to_owned(), vec![batch]);
    }
    scores::add(&mut input, name, name);
    input
}

fn is_harmless(html: &str) {
    let document = markup::parse(html).unwrap();
    let scripts = document.elements.iter().filter(|e| e.name == "script");
    assert_eq!(scripts.count(), 1, "the page's own");
    for element in &document.elements {
        assert!(
            !["iframe", "object", "embed", "form"].contains(&element.name.as_str()),
            "{element:?}"
        );
        for (name, value) in &element.attributes {
            assert!(!name.starts_with("on"), "{element:?}");
            assert!(name != "href" || value.starts_with('#'), "{element:?}");
        }
    }
}

#[test]
fn markup_in_names_is_shown_as_text() {
    let html = render(&hostile(SCRIPT), &Options::default()).unwrap();
    is_harmless(&html);
    let text = markup::parse(&html).unwrap().text;
    assert!(text.contains(SCRIPT), "the segment's name can be read");
    assert!(text.contains(QUOTES));
}

#[test]
fn any_name_leaves_the_page_whole() {
    let long: &'static str = Box::leak("long name ".repeat(3_000).into_boxed_str());
    let names = [
        "",
        "   ",
        "\u{0}\u{1}\u{1b}[31mred\u{7}",
        "line\nbreak\ttab\r",
        "קבוצת סיכון \u{202e}reversed",
        "👩🏽‍🚀🧑‍🤝‍🧑 emoji",
        "{{ 7 * 191919 }}{% raw %}",
        "</style></title><h1>",
        "javascript:alert(1)",
        "]]><!--",
        "\u{fffe}\u{ffff}",
        long,
    ];
    for name in names {
        let input = hostile(name);
        let html = render(&input, &Options::default()).unwrap();
        is_harmless(&html);
        assert!(
            !html.contains("1343433"),
            "templates in names are not run: {name:?}"
        );
        assert!(
            html.len() < 500_000,
            "long names are cut: {} bytes",
            html.len()
        );
        assert!(
            !html.chars().any(|c| c.is_control() && c != '\n'),
            "{name:?}"
        );
        let text = summary(&input).unwrap();
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{name:?}"
        );
        assert!(
            text.lines().all(|line| line.chars().count() < 160),
            "{text}"
        );
    }
}

#[test]
fn names_of_any_direction_do_not_turn_their_surroundings() {
    let html = fixture::section(&fixture::version("קבוצת סיכון", "b"), "sizes");
    assert!(html.contains("<bdi>קבוצת סיכון</bdi>"), "{html}");
}
