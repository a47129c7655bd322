//! The exact messages: one file per group of mistakes, with one snapshot each.
//!
//! A case is a change of a pipeline file without mistakes, so that the message is about this change alone, or a whole file. After a
//! change of a message: `INSTA_UPDATE=always cargo nextest run --release -p tessera-spec`, and read the difference.

/// Compares with the snapshot of the test, without repeating the cases in its head.
macro_rules! assert_told {
    ($told:expr) => {{
        let told = $told;
        insta::assert_snapshot!(told);
    }};
    ($name:literal, $told:expr) => {{
        let told = $told;
        insta::assert_snapshot!($name, told);
    }};
}

mod command_line;
mod coverage;
mod experiments;
mod features;
mod gates;
mod goal_and_customer;
mod playbooks;
mod reading;
mod rfm_grids;
mod schemes;
mod scores;
mod sources;
mod syntax;
mod unsupported;
mod variables;

use std::fmt::Write as _;
use tessera_pipeline::syntax;

/// A pipeline file without mistakes.
pub(crate) const GOOD: &str = r#"spec_version = 1
name = "retail"
timezone = "Europe/London"
currency = "GBP"
store = "${out}/retail"

[vars]
lake = "data/lake"
out = "data/store"

[goal]
objective = "retention"
kpi = "spend_90d"
target = { above = 100 }
review_by = 2026-12-31

[customer]
key = "customer_id"
from = ["orders"]

[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "invoiced_at"
derive = { amount = "quantity * unit_price" }
freshness = { warn = "36h", fail = "7d" }

[sources.orders.contract]
columns = { quantity = "i32", unit_price = "f64" }
missing_key = "quarantine"
duplicates = "keep"
rules = [{ name = "price", check = "unit_price >= 0", on_fail = "quarantine" }]

[sources.accounts]
kind = "attributes"
path = "${lake}/accounts"
key = "customer_id"
attributes = { country = { base = "geographic" } }
contract = { missing_key = "drop" }

[features]
use = ["rfm", "lifecycle"]
orders = "orders"
lifecycle = { active_days = 30, at_risk_days = 90, dormant_days = 365 }
spend_90d = { from = "orders", agg = "sum", of = "amount", window = "90d", unit = "currency" }
spend_rate = { expr = "spend_90d / 90", base = "value" }

[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "midrank"

[schemes.tier]
kind = "quantile"
by = "spend_90d"
tiers = { top = 0.05, high = 0.20, low = 1.0 }

[schemes.market]
kind = "attribute"
by = "country"
min_share = 0.01

[schemes.behaviour]
kind = "kmeans"
features = ["recency_days", "spend_90d"]
k = "auto"

[schemes.touch]
kind = "rules"
rules = [
  { segment = "rescue", when = "recency_days > 90" },
  { segment = "high-touch", when = "tier = 'top'" },
]
otherwise = "tech-touch"

[playbooks.rescue]
scheme = "touch"
touch = "high"
"#;

/// The messages for a text, rendered without colour.
pub(crate) fn messages(text: &str, vars: &[(&str, &str)]) -> String {
    let vars: Vec<(String, String)> = vars
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let (pipeline, found) = tessera_spec::parse(text, "pipeline.toml", &vars, &syntax());
    assert_eq!(pipeline.is_none(), found.end_the_check());
    found.render(false)
}

/// The good file with the one place `from` changed to `to`.
pub(crate) fn changed(from: &str, to: &str) -> String {
    changed_in(GOOD, from, to)
}

/// A good text with the one place `from` changed to `to`.
fn changed_in(good: &str, from: &str, to: &str) -> String {
    assert_eq!(
        good.matches(from).count(),
        1,
        "`{from}` must stand once in the good text"
    );
    good.replace(from, to)
}

/// One snapshot of several cases: title, what was changed, the messages.
pub(crate) fn family(cases: &[(&str, &str, &str)]) -> String {
    family_below("", GOOD, cases)
}

/// The same for changes of a good text that stands below another one.
pub(crate) fn family_below(above: &str, good: &str, cases: &[(&str, &str, &str)]) -> String {
    let mut all = String::new();
    for (title, from, to) in cases {
        let text = format!("{above}{}", changed_in(good, from, to));
        let found = messages(&text, &[]);
        assert!(!found.is_empty(), "no message for: {title}");
        writeln!(all, "======== {title}\n{found}").unwrap();
    }
    all
}

#[test]
fn a_good_file_gets_no_message() {
    assert_eq!(messages(GOOD, &[]), "");
}
