//! What a pipeline is hashed by: its meaning, not its writing.

#![allow(clippy::unwrap_used)] // test code outside of #[test] functions

use tessera_spec::{canonical, parse};

const ONE: &str = r#"
spec_version = 1
name = "p"
timezone = "UTC"
currency = "EUR"
store = "store"

[customer]
key = "id"
from = ["orders", "accounts"]

[sources.orders]
kind = "events"
path = "lake/orders"
key = "id"
time = "at"
contract = { missing_key = "drop", columns = { id = "i64", at = "date" }, duplicates = { unique = ["id", "at"] } }

[sources.accounts]
kind = "attributes"
path = "lake/accounts"
key = "id"
attributes = { country = { base = "geographic" }, plan = { base = "firmographic" } }
contract = { missing_key = "drop" }

[features]
use = ["rfm", "lifecycle"]
a = { from = "orders", agg = "count", window = "14d" }
b = { expr = "a + 1" }

[schemes.market]
kind = "attribute"
by = "country"

[schemes.touch]
kind = "rules"
rules = [{ segment = "x", when = "a > 1" }, { segment = "y", when = "b > 1" }]
otherwise = "z"
"#;

/// The same, in another order, with other spacing, comments, quotes, store and place of the lake.
const SAME: &str = r#"
# a comment
currency='EUR'
name = "p"
spec_version = 0x1
store = "${somewhere}/store"
timezone = "UTC"

[vars]
somewhere = "else"

[features]
b = { expr = """a + 1""" }
use = ["lifecycle", "rfm"]
a.window = "2w"
a.agg = "count"
a.from = "orders"

[schemes]
touch.otherwise = "z"
touch.rules = [
  { when = "a > 1", segment = "x" },   # first
  { segment = "y", when = "b > 1" },
]
touch.kind = "rules"
market = { by = "country", kind = "attribute", missing = "unknown" }

[sources.accounts]
attributes = { plan = { base = "firmographic" }, country = { base = "geographic" } }
kind = "attributes"
contract = { missing_key = "drop", duplicates = "keep" }
key = "id"
path = "${somewhere}/accounts"

[sources.orders]
contract = { duplicates = { unique = ["at", "id"] }, columns = { at = "date", id = "i64" }, missing_key = "drop" }
time = "at"
kind = "events"
key = "id"
path = "/mnt/orders"

[customer]
from = ["accounts", "orders"]
key = "id"
"#;

fn of(text: &str) -> String {
    let (pipeline, found) = parse(text, "p.toml", &[]);
    assert!(!found.has_errors(), "{}", found.render(false));
    canonical(&pipeline.unwrap())
}

#[test]
fn comments_order_and_places_do_not_matter() {
    assert_eq!(of(ONE), of(SAME));
}

#[test]
fn it_is_json_without_places() {
    let value: serde_json::Value = serde_json::from_str(&of(ONE)).unwrap();
    assert_eq!(value["sources"][0]["name"], "accounts");
    assert_eq!(
        value["features"]["declared"][0]["body"]["aggregate"]["window_days"],
        14
    );
    assert_eq!(value["schemes"][1]["kind"]["kind"], "rules");
    assert!(value.get("store").is_none());
    assert!(value["sources"][0].get("path").is_none());
}

#[test]
fn every_change_of_meaning_changes_it() {
    let changes = [
        ("currency = \"EUR\"", "currency = \"USD\""),
        ("timezone = \"UTC\"", "timezone = \"Europe/Berlin\""),
        ("currency = \"EUR\"", "currency = \"EUR\"\nseed = 7"),
        ("[\"orders\", \"accounts\"]", "[\"orders\"]"),
        ("window = \"14d\"", "window = \"15d\""),
        ("a + 1", "a + 2"),
        ("id = \"i64\"", "id = \"string\""),
        ("{ missing_key = \"drop\" }", "{ missing_key = \"fail\" }"),
        (
            "plan = { base = \"firmographic\" }",
            "plan = { base = \"needs\" }",
        ),
        // The first rule that is true decides: their order has meaning.
        (
            "{ segment = \"x\", when = \"a > 1\" }, { segment = \"y\", when = \"b > 1\" }",
            "{ segment = \"y\", when = \"b > 1\" }, { segment = \"x\", when = \"a > 1\" }",
        ),
    ];
    let one = of(ONE);
    for (from, to) in changes {
        assert_eq!(ONE.matches(from).count(), 1, "{from}");
        assert_ne!(of(&ONE.replace(from, to)), one, "{from} -> {to}");
    }
}
