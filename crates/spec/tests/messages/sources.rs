//! `[sources.NAME]`

use super::{GOOD, family, messages};

#[test]
fn sources() {
    assert_told!(family(&[
        ("events without a time", "time = \"invoiced_at\"\n", ""),
        (
            "intervals without an end",
            "kind = \"events\"",
            "kind = \"intervals\""
        ),
        (
            "attributes of events",
            "derive = {",
            "attributes = { plan = { base = \"firmographic\" } }\nderive = {"
        ),
        (
            "freshness without a time",
            "kind = \"attributes\"",
            "kind = \"attributes\"\nfreshness = { warn = \"2d\" }"
        ),
        (
            "waiting for a source without a time",
            "kind = \"attributes\"",
            "kind = \"attributes\"\ndata_through = \"as_of\""
        ),
        (
            "waiting for no day",
            "time = \"invoiced_at\"",
            "time = \"invoiced_at\"\ndata_through = \"tomorrow\""
        ),
        (
            "waiting for nothing",
            "[goal]",
            "[run]\ndata_through = \"any\"\n\n[goal]"
        ),
        (
            "values that are no choice",
            "[goal]",
            "[log]\nvalues = \"yes\"\n\n[goal]"
        ),
        ("an age without a unit", "warn = \"36h\"", "warn = \"36\""),
        ("an age in months", "fail = \"7d\"", "fail = \"1mo\""),
        ("ages that do not rise", "warn = \"36h\"", "warn = \"2w\""),
        (
            "an unknown time zone",
            "time = \"invoiced_at\"",
            "time = \"invoiced_at\"\ntime_zone = \"GMT+1\""
        ),
        (
            "a derived column of an odd name",
            "derive = { amount =",
            "derive = { \"total amount\" ="
        ),
        (
            "an attribute without a base",
            "country = { base = \"geographic\" }",
            "country = {}"
        ),
        (
            "an attribute that is a word",
            "country = { base = \"geographic\" }",
            "country = \"geographic\""
        ),
    ]));
}

#[test]
fn contracts() {
    assert_told!(family(&[
        ("no contract", "contract = { missing_key = \"drop\" }\n", ""),
        ("missing keys unsaid", "missing_key = \"quarantine\"\n", ""),
        (
            "a rule that is a text",
            "rules = [{ name = \"price\", check = \"unit_price >= 0\", on_fail = \"quarantine\" }]",
            "rules = [\"unit_price >= 0\"]"
        ),
        (
            "a rule without a check",
            "check = \"unit_price >= 0\", ",
            ""
        ),
        (
            "two rules of one name",
            "on_fail = \"quarantine\" }]",
            "on_fail = \"quarantine\" }, { name = \"price\", check = \"true\" }]"
        ),
        (
            "duplicates by no column",
            "duplicates = \"keep\"",
            "duplicates = { unique = [] }"
        ),
        (
            "duplicates by nothing",
            "duplicates = \"keep\"",
            "duplicates = { on_fail = \"drop\" }"
        ),
        (
            "duplicates as a truth value",
            "duplicates = \"keep\"",
            "duplicates = true"
        ),
        (
            "duplicates by an unknown word",
            "duplicates = \"keep\"",
            "duplicates = \"drop\""
        ),
    ]));
}

#[test]
fn limits_and_choices() {
    let kind = "kind = \"attributes\"";
    let timed = "kind = \"attributes\"\ntime = \"since\"";
    assert_told!(family(&[
        (
            "purchases of attributes",
            kind,
            "kind = \"attributes\"\npurchase = \"amount > 0\""
        ),
        (
            "orders and money of attributes",
            kind,
            "kind = \"attributes\"\norder_id = \"invoice\"\namount = \"total\""
        ),
        (
            "an end of events",
            "time = \"invoiced_at\"",
            "time = \"invoiced_at\"\nuntil = \"ended_at\""
        ),
        (
            "a limit without a unit",
            "duplicates = \"keep\"",
            "max_rejected = \"0.01\""
        ),
        (
            "a limit above all",
            "duplicates = \"keep\"",
            "max_rejected = \"101%\""
        ),
        (
            "a limit that is no number of rows",
            "duplicates = \"keep\"",
            "max_rejected = -1"
        ),
        (
            "a limit without an outcome",
            "missing_key = \"quarantine\"",
            "missing_key = { max_rejected = 1 }"
        ),
        (
            "an unknown outcome of conversions",
            "duplicates = \"keep\"",
            "conversions = \"ignore\""
        ),
        (
            "a choice among events",
            "duplicates = \"keep\"",
            "several = \"newest\""
        ),
        (
            "the newest without a time",
            "contract = { missing_key = \"drop\" }",
            "contract = { missing_key = \"drop\", several = \"newest\" }"
        ),
    ]));
    let first = GOOD
        .replace(kind, timed)
        .replace("\"drop\" }\n", "\"drop\", several = \"first\" }\n");
    assert_told!("the_first_with_a_time", messages(&first, &[]));
}

#[test]
fn no_sources() {
    let (head, rest) = GOOD.split_once("[sources.orders]").unwrap();
    let (_, tail) = rest.split_once("[features]").unwrap();
    let head = head.replace("from = [\"orders\"]\n", "");
    let tail = tail.replace("orders = \"orders\"\n", "");
    let none = format!("{head}[features]{tail}");
    assert_told!("no_table", messages(&none, &[]));
    let empty = format!("{head}[sources]\n[features]{tail}");
    assert_told!("an_empty_table", messages(&empty, &[]));
}

#[test]
fn text_settings() {
    let text = |lines: &str| format!("[sources.orders.text]\n{lines}\n[sources.orders.contract]");
    let cases = [
        ("a delimiter of two characters", "delimiter = \"||\""),
        (
            "one delimiter and quote",
            "delimiter = \"|\"\nquote = \"|\"",
        ),
        ("an unknown encoding", "encoding = \"latin-one\""),
        ("one sign for both", "decimal = \",\"\nthousands = \",\""),
        ("a header that is a number", "header = 1"),
    ];
    let cases = cases.map(|(title, lines)| (title, text(lines)));
    let cases: Vec<(&str, &str, &str)> = cases
        .iter()
        .map(|(title, to)| (*title, "[sources.orders.contract]", to.as_str()))
        .collect();
    assert_told!(family(&cases));
}

#[test]
fn forms_of_columns() {
    let from = "quantity = \"i32\"";
    assert_told!(family(&[
        (
            "a form of no date",
            from,
            "quantity = { type = \"date\", format = \"%d.%m\" }"
        ),
        (
            "a format of an integer",
            from,
            "quantity = { type = \"i32\", format = \"%Y-%m-%d\" }"
        ),
        (
            "two forms",
            from,
            "quantity = { type = \"date\", format = \"%Y-%m-%d\", epoch = \"s\" }"
        ),
        (
            "an offset of a date",
            from,
            "quantity = { type = \"date\", format = \"%Y-%m-%d %H %z\" }"
        ),
        (
            "a decimal sign of a text",
            from,
            "quantity = { type = \"string\", decimal = \",\" }"
        ),
        ("no type", from, "quantity = { decimal = \",\" }"),
        (
            "an unknown unit",
            from,
            "quantity = { type = \"date\", epoch = \"min\" }"
        ),
    ]));
}

#[test]
fn joins() {
    const LOOKUP: &str =
        "[sources.rates]\nkind = \"lookup\"\npath = \"rates\"\nkey = [\"currency\", \"day\"]\n";
    const CONTRACT: &str = "[sources.rates.contract]\nmissing_key = \"quarantine\"\n";
    let joined = |join: &str, lookup: &str| {
        format!(
            "[sources.orders.join.rates]\n{join}\ncolumns = [\"rate\"]\n{LOOKUP}{lookup}\n{CONTRACT}[sources.orders.contract]"
        )
    };
    let on = "on = { currency = \"currency\", day = \"day\" }";
    let cases = [
        (
            "a lookup that no source joins",
            format!("{LOOKUP}{CONTRACT}[sources.orders.contract]"),
        ),
        (
            "a join of a lookup",
            joined(
                on,
                "[sources.rates.join.rates]\non = [\"currency\", \"day\"]\ncolumns = [\"rate\"]",
            ),
        ),
        (
            "a key column that is none",
            joined(
                "on = { currency = \"currency\", dai = \"dai\", day = \"day\" }",
                "",
            ),
        ),
        ("a key column left out", joined("on = [\"currency\"]", "")),
        (
            "as of a time that the lookup does not have",
            joined(&format!("{on}\nas_of = \"day\""), ""),
        ),
        ("an end of validity", joined(on, "until = \"to\"")),
        (
            "the keys of a lookup",
            joined(on, "only_keys_of = \"orders\""),
        ),
        (
            "the source's own keys",
            "only_keys_of = \"orders\"\n[sources.orders.contract]".to_owned(),
        ),
    ];
    let cases: Vec<(&str, &str, &str)> = cases
        .iter()
        .map(|(title, to)| (*title, "[sources.orders.contract]", to.as_str()))
        .collect();
    assert_told!(family(&cases));
}
