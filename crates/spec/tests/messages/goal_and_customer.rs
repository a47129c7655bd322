//! `[goal]`, `[customer]`, and names that meet in one table.

use super::family;

#[test]
fn goal() {
    assert_told!(family(&[
        (
            "a target of both kinds",
            "{ above = 100 }",
            "{ above = 100, below = 200 }"
        ),
        ("a target of neither kind", "{ above = 100 }", "{}"),
        (
            "a target of an unknown kind",
            "{ above = 100 }",
            "{ over = 100 }"
        ),
        ("no KPI", "kpi = \"spend_90d\"\n", ""),
    ]));
}

#[test]
fn value() {
    assert_told!(family(&[
        ("no tense", "[customer]\n", "[value]\n\n[customer]\n"),
        (
            "a period of nothing",
            "[customer]\n",
            "[value]\npast = \"spend_90d\"\nper = \"month\"\n\n[customer]\n"
        ),
        (
            "an unknown period",
            "[customer]\n",
            "[value]\nnow = \"spend_90d\"\nper = \"months\"\n\n[customer]\n"
        ),
        (
            "an unknown tense",
            "[customer]\n",
            "[value]\nfutur = \"spend_90d\"\n\n[customer]\n"
        ),
        (
            "a feature of the same name",
            "[customer]\n",
            "[value]\npast = \"spend_90d\"\n\n[features.value_past]\nexpr = \"1\"\n\n[customer]\n"
        ),
        (
            "a feature with the name of a value that is not stated",
            "[customer]\n",
            "[features.value_at_risk]\nexpr = \"1\"\n\n[customer]\n"
        ),
    ]));
}

#[test]
fn customer() {
    assert_told!(family(&[
        ("no key", "[customer]\nkey = \"customer_id\"", "[customer]"),
        (
            "a key with a dash",
            "[customer]\nkey = \"customer_id\"",
            "[customer]\nkey = \"customer-id\""
        ),
        (
            "an unknown source",
            "from = [\"orders\"]",
            "from = [\"order\"]"
        ),
        (
            "a source twice",
            "from = [\"orders\"]",
            "from = [\"orders\", \"orders\"]"
        ),
        ("no source", "from = [\"orders\"]", "from = []"),
        ("a sample", "from = [\"orders\"]", "sample = 0.01"),
        ("a sample of all", "from = [\"orders\"]", "sample = 1"),
    ]));
}

#[test]
fn maps_of_keys() {
    const CUSTOMER: &str = "[customer]\nkey = \"customer_id\"";
    let map = |key: &str, identity: &str| {
        format!(
            "[sources.merged]\nkind = \"lookup\"\npath = \"merged\"\nkey = {key}\n\
             [sources.merged.contract]\nmissing_key = \"fail\"\n{CUSTOMER}\nidentity = {{ {identity} }}"
        )
    };
    let named = "from = \"merged\", to = \"customer_id\"";
    assert_told!(family(&[
        (
            "a map without its columns",
            CUSTOMER,
            &map("\"old_id\"", "")
        ),
        (
            "a source that is no lookup",
            CUSTOMER,
            &map("\"old_id\"", "from = \"orders\", to = \"customer_id\"")
        ),
        (
            "an unknown lookup",
            CUSTOMER,
            &map("\"old_id\"", "from = \"merge\", to = \"customer_id\"")
        ),
        (
            "a lookup with two keys",
            CUSTOMER,
            &map("[\"old_id\", \"system\"]", named)
        ),
        (
            "a map from a key to itself",
            CUSTOMER,
            &map("\"old_id\"", "from = \"merged\", to = \"old_id\"")
        ),
    ]));
}

#[test]
fn columns_of_customers() {
    assert_told!(family(&[
        (
            "a feature named as an attribute",
            "spend_rate = {",
            "country = {"
        ),
        (
            "a feature named as the key",
            "spend_rate = {",
            "customer_id = {"
        ),
        (
            "a scheme named as a feature",
            "[schemes.market]",
            "[schemes.spend_rate]"
        ),
        (
            "a feature named as a score",
            "spend_rate = {",
            "rfm_score = {"
        ),
        ("names that differ in case", "spend_rate = {", "Country = {"),
        ("a feature named as the date", "spend_rate = {", "as_of = {"),
        (
            "a catalogue group twice",
            "use = [\"rfm\", \"lifecycle\"]",
            "use = [\"rfm\", \"rfm\"]"
        ),
    ]));
}
