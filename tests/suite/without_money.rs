//! A pipeline in which nothing is money: who is lost with the highest probability comes first.

use std::fmt::Write as _;

use crate::oracle::{python, script};
use crate::versions::{Case, START};

const LOGINS: &str = r#"
[sources.logins]
kind = "events"
path = "${lake}/logins.csv"
key = "customer_id"
time = "at"
contract = { columns = { customer_id = "string", at = "date" }, missing_key = "quarantine" }

[features]
use = ["recency_days", "tenure_days", "order_count"]
orders = "logins"
logins_30d = { from = "logins", agg = "count", window = "30d", base = "engagement" }

[scores.churn]
kind = "supervised"
from = "logins"
horizon = "60d"
models = ["logistic", "recency_rule"]

[schemes.activity]
kind = "rules"
rules = [{ segment = "quiet", when = "recency_days > 20" }]
otherwise = "busy"

[playbooks.quiet]
scheme = "activity"

[playbooks.busy]
scheme = "activity"
"#;

/// Customers who log in every few days until they stop.
fn logins() -> String {
    let mut text = "customer_id,at\n".to_owned();
    let first = chrono::NaiveDate::from_ymd_opt(2024, 9, 1).unwrap();
    for customer in 0..400_u64 {
        let (every, begins) = (3 + customer % 19, (customer * 37) % 300);
        let stops = begins + 60 + (customer * 53) % 500;
        let mut day = begins;
        while day < stops.min(515) {
            let at = first + chrono::Days::new(day);
            writeln!(text, "c{customer:03},{at}").unwrap();
            day += every + (day * 7 + customer) % 5;
        }
    }
    text
}

#[test]
fn lists_are_by_the_probability_of_loss() {
    let case = Case::new();
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    case.file("logins.csv", &logins());
    std::fs::write(case.path("moves.toml"), format!("{START}{LOGINS}")).unwrap();
    case.day("2025-12-31");
    case.day("2026-01-31");
    let customers = case.table("customers");
    let keys = customers.texts("customer_id").into_iter().flatten();
    let loss: std::collections::BTreeMap<String, Option<f64>> =
        keys.zip(customers.floats("churn_probability")).collect();
    assert!(loss.values().flatten().count() > 100);
    let actions = case.table("actions");
    let rows: Vec<(String, String)> = actions
        .texts("playbook")
        .into_iter()
        .flatten()
        .zip(actions.texts("customer_id").into_iter().flatten())
        .collect();
    for playbook in ["busy", "quiet"] {
        let own: Vec<&String> = rows
            .iter()
            .filter(|(of, _)| of == playbook)
            .map(|(_, key)| key)
            .collect();
        let mut sorted = own.clone();
        // Those without a probability last, equals by key.
        sorted.sort_by(|a, b| {
            let by = |key: &String| loss[key].unwrap_or(f64::NEG_INFINITY);
            by(b).total_cmp(&by(a)).then_with(|| a.cmp(b))
        });
        assert!(own.len() > 20, "{playbook}: {}", own.len());
        assert_eq!(own, sorted, "{playbook}");
    }
    let report = case.path("store/reports/version-2.html");
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.contains("the 20 customers with the highest probability of loss"));
    assert!(html.contains(" moved; "), "{html}");
    assert!(!html.contains("€0"), "nothing is money, so none moves");
    let most = loss.values().flatten().copied().fold(0.0, f64::max);
    assert!(html.contains(&format!("{:.1}%", most * 100.0)), "{most}");
    let Some(python) = python() else { return };
    let show = |path: &std::path::Path| path.display().to_string();
    let arguments = [show(&case.path("store")), show(&report), "50".to_owned()];
    script(
        &python,
        "report_sql.py",
        &arguments.each_ref().map(String::as_str),
    );
}
