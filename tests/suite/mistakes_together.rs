//! `check` reports every mistake that does not depend on another one, and none that is only the consequence of another one: two mistakes
//! give the messages of each of them.

use std::collections::BTreeSet;

use crate::program::tessera;
use crate::shop::Shop;

const FILE: &str = r#"
spec_version = 1
name = "shop"
timezone = "UTC"
currency = "EUR"
store = "store"

[goal]
objective = "retention"
kpi = "recency_days"
owner = "crm"
review_by = 2027-01-01

[customer]
key = "customer_id"
active = "plan is distinct from 'closed'"

[sources.orders]
kind = "events"
path = "lake/orders"
key = "customer_id"
time = "ordered_at"
order_id = "invoice"
amount = "paid"
derive = { paid = "amount * 2", big = "amount > 5" }
filter = "channel <> 'test'"
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64", invoice = "string", channel = "string" }
missing_key = "quarantine"

[sources.visits]
kind = "events"
path = "lake/visits"
key = "customer_id"
time = "seen_at"
[sources.visits.contract]
columns = { customer_id = "string", seen_at = "date", pages = "i64" }
missing_key = "quarantine"

[sources.crm]
kind = "attributes"
path = "lake/crm"
key = "customer_id"
attributes = { plan = { base = "firmographic" } }
[sources.crm.contract]
columns = { customer_id = "string", plan = "string" }
missing_key = "quarantine"

[features]
use = ["rfm"]
orders = "orders"
spent = { from = "orders", agg = "sum", of = "paid", where = "big", unit = "currency" }
seen = { from = "visits", agg = "sum", of = "pages" }
ratio = { expr = "spent / nullif(seen, 0)" }
late = { expr = "ratio * recency_days" }

[scores.v]
kind = "clv"
from = "orders"
models = ["mbg_nbd", "gamma_gamma"]
horizon = "90d"

[value]
past = "spent"
future = "clv"

[schemes.tier]
kind = "quantile"
by = "spent"
tiers = { top = 0.25, rest = 1.0 }

[schemes.market]
kind = "attribute"
by = "plan"

[schemes.touch]
kind = "rules"
rules = [{ segment = "a", when = "spent > 5 and plan = 'pro'" }, { segment = "b", when = "late > 3" }]
otherwise = "c"

[[expect]]
customer = "a"
spent = { at_least = 3 }
"#;

/// Edits of a source, each with how many mistakes it makes.
const OF_SOURCES: [(&str, &str, usize); 10] = [
    ("amount = \"f64\"", "amonut = \"f64\"", 1),
    (
        "path = \"lake/orders\"\nkey = \"customer_id\"",
        "path = \"lake/orders\"\nkey = \"custmer_id\"",
        1,
    ),
    ("time = \"ordered_at\"", "time = \"orderd_at\"", 1),
    ("amount = \"paid\"", "amount = \"payed\"", 1),
    ("order_id = \"invoice\"", "order_id = \"invoic\"", 1),
    ("paid = \"amount * 2\"", "paid = \"amonut * 2\"", 1),
    (
        "filter = \"channel <> 'test'\"",
        "filter = \"chanel <> 'test'\"",
        1,
    ),
    ("path = \"lake/orders\"", "path = \"lake/ordres\"", 1),
    ("path = \"lake/crm\"", "path = \"lake/cmr\"", 1),
    ("attributes = { plan =", "attributes = { plann =", 1),
];

/// Mistakes behind the sources, none of which depends on those above.
const BEHIND: [(&str, &str, usize); 8] = [
    ("of = \"pages\"", "of = \"page\"", 1),
    (
        "expr = \"ratio * recency_days\"",
        "expr = \"ratio * recency_dayz\"",
        1,
    ),
    ("kpi = \"recency_days\"", "kpi = \"recency_dayz\"", 1),
    ("by = \"spent\"", "by = \"spend\"", 1),
    ("when = \"late > 3\"", "when = \"lat > 3\"", 1),
    ("past = \"spent\"", "past = \"spnt\"", 1),
    ("use = [\"rfm\"]", "use = [\"rfm\", \"rmf\"]", 1),
    ("customer = \"a\"\nspent", "customer = \"a\"\nspennt", 1),
];

/// The messages of `check` after these edits.
fn messages(shop: &Shop, edits: &[(&str, &str, usize)]) -> BTreeSet<String> {
    let mut text = FILE.to_owned();
    for (from, to, _) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(shop.path("shop.toml"), text).unwrap();
    let checked = tessera()
        .current_dir(shop.path("."))
        .args(["check", "shop.toml", "--json"])
        .output()
        .unwrap();
    let found: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    let all = found[0]["diagnostics"].as_array().unwrap().iter();
    let errors = all.filter(|one| one["severity"] != "warning");
    errors
        .map(|one| one["message"].as_str().unwrap().to_owned())
        .collect()
}

fn shop() -> Shop {
    let shop = Shop::new();
    let orders = "customer_id,ordered_at,amount,invoice,channel\na,2026-10-01,10,i1,web\nb,2026-10-02,20,i2,web\n";
    shop.file("orders/o.csv", orders);
    shop.file(
        "visits/v.csv",
        "customer_id,seen_at,pages\na,2026-10-01,3\n",
    );
    shop.file("crm/c.csv", "customer_id,plan\na,pro\nb,free\n");
    shop
}

#[test]
fn two_mistakes_give_the_messages_of_each() {
    let shop = shop();
    assert_eq!(messages(&shop, &[]), BTreeSet::new());
    let all: Vec<(&str, &str, usize)> = OF_SOURCES.into_iter().chain(BEHIND).collect();
    let alone: Vec<BTreeSet<String>> = all.iter().map(|edit| messages(&shop, &[*edit])).collect();
    for ((from, to, mistakes), found) in all.iter().zip(&alone) {
        assert_eq!(found.len(), *mistakes, "{from} -> {to}: {found:#?}");
    }
    let kinds = OF_SOURCES.len();
    let told: Vec<_> = all.iter().zip(&alone).collect();
    let (of_sources, behind) = told.split_at(kinds);
    for (source, of_source) in of_sources {
        for (other, of_other) in behind {
            let both = messages(&shop, &[**source, **other]);
            let wanted: BTreeSet<String> = of_source.union(of_other).cloned().collect();
            assert_eq!(both, wanted, "{source:?} and {other:?}");
        }
    }
    let every = messages(&shop, &BEHIND);
    let wanted: BTreeSet<String> = alone[kinds..].iter().flatten().cloned().collect();
    assert_eq!(every, wanted);
}
