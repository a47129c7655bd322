//! What is not TOML.

use super::{changed, messages};
use std::fmt::Write as _;

#[test]
fn texts_that_are_not_toml() {
    let twice = changed("[goal]", "[goal]\n[goal]");
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
        ("an empty file", String::new()),
    ];
    let mut all = String::new();
    for (title, text) in cases {
        writeln!(all, "======== {title}\n{}", messages(&text, &[])).unwrap();
    }
    assert_told!(all);
}
