//! Templates can be replaced; a wrong one is named with its line.

use std::collections::BTreeMap;

use tessera_report::{Options, ReportError, render, template_names};

use crate::fixture;

fn with(name: &str, text: &str) -> Result<String, ReportError> {
    let templates = BTreeMap::from([(name.to_owned(), text.to_owned())]);
    render(
        &fixture::version("a", "b"),
        &Options {
            templates,
            ..Options::default()
        },
    )
}

#[test]
fn a_page_of_ones_own_escapes_too() {
    let html = with(
        "page.html",
        "{{ pipeline }}, {{ schemes|length }} schemes {{ '<' ~ version }}",
    )
    .unwrap();
    assert_eq!(html, "Small, 2 schemes &lt;3");
}

#[test]
fn a_style_of_ones_own_keeps_the_page() {
    let html = with("style.css", "body > p { color: red }").unwrap();
    assert!(html.contains("body > p { color: red }") && html.contains("<h1>"));
}

#[test]
fn mistakes_are_named_with_their_line() {
    let error = with("page.html", "one\n{{ nonsense }}").unwrap_err();
    assert!(
        matches!(&error, ReportError::Template { name, line: Some(2), .. } if name == "page.html"),
        "{error}"
    );
    let error = with("sections/sizes.html", "{% for row in rows %}").unwrap_err();
    assert!(
        matches!(&error, ReportError::Template { name, .. } if name == "sections/sizes.html"),
        "{error}"
    );
}

#[test]
fn a_template_that_does_not_exist_is_refused_with_the_names_that_do() {
    let error = with("pages.html", "").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "there is no template `pages.html` to replace; the templates are page.html,"
        ),
        "{error}"
    );
    assert!(template_names().contains(&"sections/headline.html".to_owned()));
}

#[test]
fn reject_examples_can_be_left_out() {
    let html = render(
        &fixture::version("a", "b"),
        &Options {
            reject_examples: 0,
            ..Options::default()
        },
    )
    .unwrap();
    assert!(html.contains("key is missing") && !html.contains("a.parquet"));
}
