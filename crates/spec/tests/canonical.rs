//! The canonical form of a pipeline depends on its meaning, not on how the file is written.

use tessera_pipeline::syntax;
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

[scores.value]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "bg_nbd", "gamma_gamma"]
horizon = "364d"

[scores.churn]
kind = "supervised"
from = "orders"
horizon = "90d"

[scores.health]
kind = "health"
from = "orders"
components = { a = { feature = "a", weight = 1, worst = 9, best = 0 }, b = { feature = "b", weight = 2, steps = [{ below = 3, points = 20 }, { points = 100 }] } }

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

[scores.health]
bands = { red = 36, yellow = 71.0, green = 1e2 }
min_coverage = 0.6
from = "orders"
kind = "health"

[scores.health.components.a]
best = 0
worst = 9
weight = 1.0
feature = "a"

[scores.health.components.b]
steps = [{ points = 20, below = 3 }, { points = 100 }]
feature = "b"
weight = 2

[scores.churn]
every = "90d"
calibration = "platt"
observations = 4
models = ["logistic", "random_forest", "recency_rule"]
features = []
horizon = "90d"
from = "orders"
kind = "supervised"

[scores.value]
discount_per_year = 0.1
margin = 1
time_unit = "weeks"
horizon = "52w"
models = ["mbg_nbd", "gamma_gamma", "bg_nbd"]
from = "orders"
kind = "clv"

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
    let (pipeline, found) = parse(text, "p.toml", &[], &syntax());
    assert!(!found.has_errors(), "{}", found.render(false));
    canonical(&pipeline.unwrap())
}

#[test]
fn comments_order_and_places_do_not_matter() {
    assert_eq!(of(ONE), of(SAME));
}

/// What an export writes decides no published byte, so that an edit of it makes no version.
#[test]
fn exports_of_playbooks_do_not_matter() {
    let playbook = "\n[playbooks.x]\nscheme = \"touch\"\n";
    let plain = of(&format!("{ONE}{playbook}"));
    assert_ne!(plain, of(ONE));
    for export in [
        "export = { format = \"parquet\" }",
        "export = { columns = [\"id\", \"reason\"] }",
    ] {
        assert_eq!(of(&format!("{ONE}{playbook}{export}\n")), plain);
    }
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
    assert_eq!(value["scores"][0]["name"], "churn");
    assert_eq!(value["scores"][2]["kind"]["purchases"][0], "mbg_nbd");
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
        ("horizon = \"90d\"", "horizon = \"91d\""),
        ("below = 3", "below = 4"),
        // The first purchase model is used, so the order has meaning.
        ("\"mbg_nbd\", \"bg_nbd\"", "\"bg_nbd\", \"mbg_nbd\""),
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
