//! `[features]`

use std::fmt::Write as _;

use tessera_spec::{AggregateSyntax, Key, KeyValue};

use super::{changed, family};

/// An aggregate with further keys.
static SCALED: AggregateSyntax = AggregateSyntax {
    name: "scaled",
    summary: "Sum of powers.",
    of_rows: false,
    keys: &[
        Key::required(
            "power",
            KeyValue::Number(0.0, 9.5),
            "The power of each value.",
            "add `power = 2`",
        ),
        Key::optional(
            "digits",
            KeyValue::Whole(1, 9),
            "Digits that are kept; 3 by default.",
        ),
    ],
    needs_time: false,
};

#[test]
fn further_keys_of_aggregates() {
    let mut kinds = crate::syntax();
    kinds.aggregates.push(&SCALED);
    let mut all = String::new();
    for (title, written) in [
        ("all is stated", "agg = \"scaled\", power = 2, digits = 4"),
        (
            "an optional key is not stated",
            "agg = \"scaled\", power = 2",
        ),
        ("a key is missing", "agg = \"scaled\""),
        ("a misspelt key", "agg = \"scaled\", powr = 2"),
        ("beyond the limits", "agg = \"scaled\", power = 10"),
        ("no number", "agg = \"scaled\", power = \"two\""),
        (
            "no whole number",
            "agg = \"scaled\", power = 2, digits = 1.5",
        ),
        ("a key of another aggregate", "agg = \"sum\", power = 2"),
    ] {
        let text = changed("agg = \"sum\"", written);
        let (_, found) = tessera_spec::parse(&text, "pipeline.toml", &[], &kinds);
        writeln!(all, "======== {title}\n{}", found.render(false)).unwrap();
    }
    assert_told!(all);
}

#[test]
fn declared_features() {
    assert_told!(family(&[
        (
            "neither kind",
            "spend_rate = { expr = \"spend_90d / 90\", base = \"value\" }",
            "spend_rate = { base = \"value\" }"
        ),
        (
            "both kinds",
            "expr = \"spend_90d / 90\",",
            "expr = \"spend_90d / 90\", window = \"90d\","
        ),
        (
            "an expression that is bare",
            "spend_rate = { expr = \"spend_90d / 90\", base = \"value\" }",
            "spend_rate = \"spend_90d / 90\""
        ),
        (
            "a misspelt key of the table",
            "use = [\"rfm\", \"lifecycle\"]",
            "uses = [\"rfm\", \"lifecycle\"]"
        ),
        (
            "an unknown source",
            "from = \"orders\"",
            "from = \"invoices\""
        ),
        ("no source", "from = \"orders\", ", ""),
        ("no function", "agg = \"sum\", ", ""),
        ("nothing to sum", "of = \"amount\", ", ""),
        (
            "a feature under the name of a setting",
            "orders = \"orders\"",
            "orders = { from = \"orders\", agg = \"count\" }"
        ),
        (
            "an unknown source of orders",
            "orders = \"orders\"",
            "orders = \"accounts\""
        ),
    ]));
}

#[test]
fn labels_and_directions() {
    assert_told!(family(&[
        (
            "a label of nothing",
            "expr = \"spend_90d / 90\",",
            "expr = \"spend_90d / 90\", label = \" \","
        ),
        (
            "an unknown direction",
            "expr = \"spend_90d / 90\",",
            "expr = \"spend_90d / 90\", direction = \"up\","
        ),
        (
            "a unit of a feature that is only described",
            "spend_rate = { expr = \"spend_90d / 90\", base = \"value\" }",
            "recency_days = { label = \"days since the last visit\", unit = \"days\" }"
        ),
    ]));
}

#[test]
fn windows() {
    assert_told!(family(&[
        ("hours", "window = \"90d\"", "window = \"36h\""),
        ("years", "window = \"90d\"", "window = \"1y\""),
        ("no unit", "window = \"90d\"", "window = \"90\""),
        ("nothing", "window = \"90d\"", "window = \"0d\""),
        ("a negative number", "window = \"90d\"", "window = \"-90d\""),
        (
            "more than a century",
            "window = \"90d\"",
            "window = \"99999999999w\""
        ),
        ("a number", "window = \"90d\"", "window = 90"),
        (
            "a bad offset",
            "window = \"90d\"",
            "window = \"90d\", offset = \"one week\""
        ),
        (
            "a window over a source without time",
            "from = \"orders\", agg = \"sum\"",
            "from = \"accounts\", agg = \"last\"",
        ),
    ]));
}

#[test]
fn lifecycle_limits() {
    assert_told!(family(&[
        (
            "limits that do not rise",
            "at_risk_days = 90",
            "at_risk_days = 20"
        ),
        (
            "limits by an unknown way",
            "lifecycle = { active_days",
            "lifecycle = { kind = \"paced\", active_days"
        ),
        (
            "a weight of nothing",
            "lifecycle = { active_days = 30, at_risk_days = 90, dormant_days = 365 }",
            "lifecycle = { kind = \"cadence\", prior_gaps = 0 }",
        ),
        (
            "days of a pace",
            "lifecycle = { active_days",
            "lifecycle = { kind = \"cadence\", active_days"
        ),
    ]));
}
