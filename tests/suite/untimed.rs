//! Attributes of which only today's value is known, among the features that a model learns from.

use crate::program::{json, run};

fn pipeline(folder: &str, time: &str, features: &str) -> String {
    format!(
        r#"
spec_version = 1
name = "untimed"
timezone = "UTC"
currency = "EUR"
store = "{folder}/store"
[customer]
key = "k"
from = ["orders"]
[sources.orders]
kind = "events"
path = "{folder}/orders.csv"
key = "k"
time = "day"
contract = {{ columns = {{ k = "string", day = "date", amount = "f64" }}, missing_key = "fail" }}
[sources.crm]
kind = "attributes"
path = "{folder}/crm.csv"
key = "k"
{time}
attributes.plan = {{ base = "firmographic" }}
contract = {{ columns = {{ k = "string", plan = "string", since = "date" }}, missing_key = "fail" }}
[features]
use = ["recency_days"]
cancelled = {{ expr = "plan = 'cancelled'" }}
[scores.churn]
kind = "supervised"
from = "orders"
horizon = "90d"
features = [{features}]
"#
    )
}

/// The warnings of `check`.
fn warnings(time: &str, features: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    std::fs::write(
        dir.path().join("orders.csv"),
        "k,day,amount\na,2026-01-01,1\n",
    )
    .unwrap();
    let crm = "k,plan,since\na,gold,2025-01-01\n";
    std::fs::write(dir.path().join("crm.csv"), crm).unwrap();
    let file = dir.path().join("p.toml");
    std::fs::write(&file, pipeline(&folder, time, features)).unwrap();
    let checked = json(&run(&["check", &file.display().to_string(), "--json"], 0));
    let found = checked[0]["diagnostics"].as_array().unwrap();
    let messages = found.iter().map(|one| one["message"].as_str().unwrap());
    messages
        .filter(|message| message.contains("only today's value"))
        .map(ToOwned::to_owned)
        .collect()
}

#[test]
fn a_model_that_learns_from_todays_attributes_is_warned_of() {
    let found = warnings("", r#""recency_days", "plan""#);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("`churn` learns from `plan`"), "{found:?}");
    let derived = warnings("", r#""cancelled""#);
    assert!(derived[0].contains("`cancelled`"), "{derived:?}");
    // Every published feature is seen where none is listed.
    assert_eq!(warnings("", "").len(), 2);
}

#[test]
fn attributes_with_a_time_and_models_without_them_need_no_warning() {
    assert!(warnings("time = \"since\"", r#""recency_days", "plan""#).is_empty());
    assert!(warnings("", r#""recency_days""#).is_empty());
}
