//! Keys, types and words: the mistakes that any table can hold.

use super::{GOOD, changed, family, messages};
use crate::syntax;

#[test]
fn keys() {
    assert_told!(family(&[
        (
            "an unknown key of the file",
            "currency = \"GBP\"",
            "currency = \"GBP\"\ncurency = \"EUR\""
        ),
        (
            "a required key of the file, misspelled",
            "name = \"retail\"",
            "nmae = \"retail\""
        ),
        ("an unknown table", "[goal]", "[gaol]"),
        (
            "an unknown key of a source",
            "time = \"invoiced_at\"",
            "time = \"invoiced_at\"\ntimezone = \"UTC\""
        ),
        (
            "an unknown key of an inline table",
            "window = \"90d\"",
            "windw = \"90d\""
        ),
        (
            "an unknown key that resembles none",
            "objective = \"retention\"",
            "objective = \"retention\"\nzzz = 1"
        ),
        ("a missing key of the file", "name = \"retail\"\n", ""),
        (
            "a missing key of a table",
            "path = \"${lake}/orders\"\n",
            ""
        ),
        (
            "a missing key of an inline table",
            "{ missing_key = \"drop\" }",
            "{ duplicates = \"keep\" }"
        ),
        ("a missing key of a rule", "name = \"price\", ", ""),
        ("an empty text", "path = \"${lake}/orders\"", "path = \"\""),
    ]));
}

#[test]
fn types() {
    assert_told!(family(&[
        ("a number for a text", "name = \"retail\"", "name = 7"),
        (
            "a text for a table",
            "target = { above = 100 }",
            "target = \"above 100\""
        ),
        ("a text for a number", "above = 100", "above = \"100\""),
        ("not a number", "above = 100", "above = nan"),
        (
            "a text for a list",
            "use = [\"rfm\", \"lifecycle\"]",
            "use = \"rfm\""
        ),
        (
            "a number in a list of texts",
            "from = [\"orders\"]",
            "from = [\"orders\", 1]"
        ),
        (
            "a fraction for a whole number",
            "active_days = 30",
            "active_days = 30.5"
        ),
        (
            "a number out of range",
            "active_days = 30",
            "active_days = 0"
        ),
        (
            "a date in quotes",
            "review_by = 2026-12-31",
            "review_by = \"2026-12-31\""
        ),
        (
            "a date with a time",
            "review_by = 2026-12-31",
            "review_by = 2026-12-31T12:00:00"
        ),
        (
            "a list for a table",
            "spend_rate = { expr = \"spend_90d / 90\", base = \"value\" }",
            "spend_rate = [1]"
        ),
        (
            "a negative seed",
            "currency = \"GBP\"",
            "currency = \"GBP\"\nseed = -1"
        ),
        (
            "a long text for a number",
            "above = 100",
            "above = \"a target that was written as a whole sentence\""
        ),
    ]));
}

#[test]
fn words() {
    assert_told!(family(&[
        (
            "objective",
            "objective = \"retention\"",
            "objective = \"retain\""
        ),
        ("kind of source", "kind = \"events\"", "kind = \"event\""),
        ("kind of scheme", "kind = \"kmeans\"", "kind = \"k-means\""),
        ("aggregate", "agg = \"sum\"", "agg = \"total\""),
        ("unit", "unit = \"currency\"", "unit = \"money\""),
        ("base", "base = \"geographic\"", "base = \"geography\""),
        (
            "outcome of rows",
            "missing_key = \"quarantine\"",
            "missing_key = \"ignore\""
        ),
        (
            "type of a column",
            "quantity = \"i32\"",
            "quantity = \"int\""
        ),
        (
            "type of a decimal",
            "quantity = \"i32\"",
            "quantity = \"decimal(a, b)\""
        ),
        ("grid", "grid = \"eleven\"", "grid = \"11\""),
        ("touch", "touch = \"high\"", "touch = \"personal\""),
    ]));
}

#[test]
fn names_and_places() {
    assert_told!(family(&[
        (
            "a format of a later version",
            "spec_version = 1",
            "spec_version = 2"
        ),
        (
            "a format that is no number",
            "spec_version = 1",
            "spec_version = \"1.0\""
        ),
        ("no format", "spec_version = 1\n", ""),
        (
            "a pipeline's name",
            "name = \"retail\"",
            "name = \"retail, nightly\""
        ),
        ("a feature's name", "spend_rate = {", "spend-rate = {"),
        (
            "a scheme's name",
            "[schemes.market]",
            "[schemes.\"2nd market\"]"
        ),
        (
            "a segment's name",
            "segment = \"high-touch\"",
            "segment = \" high-touch\""
        ),
        ("no time zone", "timezone = \"Europe/London\"\n", ""),
        (
            "a city for a time zone",
            "timezone = \"Europe/London\"",
            "timezone = \"New York\""
        ),
        (
            "a misspelt time zone",
            "timezone = \"Europe/London\"",
            "timezone = \"Europe/Londn\""
        ),
        ("no currency", "currency = \"GBP\"\n", ""),
        (
            "a small currency",
            "currency = \"GBP\"",
            "currency = \"gbp\""
        ),
        (
            "a misspelt currency",
            "currency = \"GBP\"",
            "currency = \"GPB\""
        ),
        (
            "a sign for a currency",
            "currency = \"GBP\"",
            "currency = \"£\""
        ),
    ]));
}

#[test]
fn several_mistakes_are_shown_at_once_by_place() {
    let text = changed("currency = \"GBP\"", "currency = \"Euro\"")
        .replace("agg = \"sum\"", "agg = \"summ\"")
        .replace("time = \"invoiced_at\"\n", "")
        .replace("low = 1.0", "low = 0.9");
    assert_told!(messages(&text, &[]));
}

#[test]
fn keys_below_a_table_header_belong_to_that_table() {
    let text = GOOD.replace("store = \"${out}/retail\"\n", "").replace(
        "out = \"data/store\"",
        "out = \"data/store\"\nstore = \"data/store/retail\"",
    );
    assert_told!(messages(&text, &[]));
}

#[test]
fn places_count_characters_and_lines_as_editors_do() {
    let text = changed(
        "objective = \"retention\"",
        "owner = \"Zoë\" # é\r\nobjektive = \"retention\"",
    );
    let (_, found) = tessera_spec::parse(&text, "p.toml", &[], &syntax());
    let json = found.to_json();
    let unknown = json
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["code"] == "TS-P001")
        .unwrap();
    assert_eq!(
        (&unknown["line"], &unknown["column"]),
        (&13.into(), &1.into())
    );
    assert_eq!(unknown["file"], "p.toml");
    assert_eq!(unknown["help"], "did you mean `objective`?");
    assert_eq!(unknown["severity"], "error");
}
