//! The span of an expression is that of the text inside its quotes, however it is quoted.

use tessera_pipeline::syntax;
use tessera_spec::parse;
use tessera_spec::pipeline::FeatureBody;

fn file(expr: &str) -> String {
    format!(
        r#"spec_version = 1
name = "p"
timezone = "UTC"
currency = "EUR"
store = "s"
[customer]
key = "id"
[sources.o]
kind = "events"
path = "p"
key = "id"
time = "at"
contract = {{ missing_key = "drop" }}
[features]
f.expr = {expr}
"#
    )
}

fn value_and_place(expr: &str) -> (String, String) {
    let text = file(expr);
    let (pipeline, found) = parse(&text, "p.toml", &[], &syntax());
    assert!(!found.has_errors(), "{}", found.render(false));
    match &pipeline.unwrap().features.declared[0].body {
        FeatureBody::Expr(expr) => (expr.value.clone(), text[expr.span.clone()].to_owned()),
        FeatureBody::Aggregate { .. } => panic!("an expression"),
    }
}

#[test]
fn plain_strings_are_exact() {
    for quoted in [
        "\"a + 1\"",
        "'a + 1'",
        "\"\"\"a + 1\"\"\"",
        "'''a + 1'''",
        "'''\na + 1'''",
        "\"\"\"\r\na + 1\"\"\"",
    ] {
        assert_eq!(
            value_and_place(quoted),
            ("a + 1".to_owned(), "a + 1".to_owned()),
            "{quoted}"
        );
    }
}

#[test]
fn quotes_inside_are_kept() {
    let (value, place) = value_and_place("\"channel = 'web'\"");
    assert_eq!(value, "channel = 'web'");
    assert_eq!(place, value);
    let (value, place) = value_and_place("'''x = 'a' '''");
    // An expression has one way of spacing; its place is that of the text in the file.
    assert_eq!(value, "x = 'a'");
    assert_eq!(place, "x = 'a' ");
}

#[test]
fn with_escapes_it_is_the_whole_text_inside_the_quotes() {
    let (value, place) = value_and_place(r#""a = \"b\"""#);
    assert_eq!(value, "a = \"b\"");
    assert_eq!(place, r#"a = \"b\""#);
}
