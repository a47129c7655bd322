//! What is not TOML.

use super::{changed, messages};
use crate::syntax;
use std::fmt::Write as _;

#[test]
fn texts_that_are_not_toml() {
    let twice = changed("[goal]", "[goal]\n[goal]");
    let array = changed(
        "  { segment = \"high-touch\", when = \"tier = 'top'\" },\n]",
        "",
    );
    let table = changed("quantity * unit_price\" }", "quantity * unit_price\"");
    let text = changed("expr = \"spend_90d / 90\"", "expr = \"\"\"spend_90d / 90\"");
    let cases = [
        (
            "a string without an end",
            "name = \"retail\nstore = \"x\"\n".to_owned(),
        ),
        ("a key twice", "name = \"a\"\nname = \"b\"\n".to_owned()),
        ("a table twice", twice),
        ("no value", "name =\n".to_owned()),
        ("a word without quotes", "name = retail\n".to_owned()),
        (
            "several at once",
            "name = \nstore = [1, 2\n[goal\n".to_owned(),
        ),
        ("an array without an end", array),
        ("an inline table without an end", table),
        (
            "an array without an end, at the end",
            "name = [1,\n2\n".to_owned(),
        ),
        (
            "a header without an end",
            changed("[customer]", "[customer"),
        ),
        ("a text of several lines without an end", text),
        ("an empty file", String::new()),
    ];
    let mut all = String::new();
    for (title, text) in cases {
        writeln!(all, "======== {title}\n{}", messages(&text, &[])).unwrap();
    }
    assert_told!(all);
}

/// One mistake, one message, wherever it is and however long the file.
#[test]
fn a_missing_bracket_gives_one_message_at_its_place() {
    let rows: String = (0..500)
        .map(|n| format!("f{n} = {{ from = \"orders\", agg = \"count\" }}\n"))
        .collect();
    let long = changed("[features]\n", &format!("[features]\n{rows}"));
    let open = long.find("f17 = {").unwrap() + "f17 = ".len();
    let end = open + long[open..].find('}').unwrap();
    let broken = format!("{}{}", &long[..end], &long[end + 1..]);
    let (pipeline, found) = tessera_spec::parse(&broken, "pipeline.toml", &[], &syntax());
    assert!(pipeline.is_none());
    let all: Vec<_> = found.iter().collect();
    assert_eq!(all.len(), 1, "{}", found.render(false));
    assert_eq!(all[0].span.start, open, "{}", found.render(false));
    // Every closing bracket of the good file, one at a time.
    let good = super::GOOD;
    for (at, bracket) in good.match_indices([']', '}']) {
        let broken = format!("{}{}", &good[..at], &good[at + bracket.len()..]);
        let (_, found) = tessera_spec::parse(&broken, "pipeline.toml", &[], &syntax());
        let errors = found.iter().count();
        assert!(
            errors <= 1,
            "without the bracket at {at}:\n{}",
            found.render(false)
        );
    }
}
