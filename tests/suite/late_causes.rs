//! Which rows are late, and which only look so: rows that became known later, and rows that no window reaches any more.

use std::fmt::Write as _;

use crate::versions::{Case, START};

/// What follows the beginning: orders that may say when they became known, and visits of which the last week counts.
const BODY: &str = r#"
from = ["orders"]

[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_on"
KNOWN
[sources.orders.contract]
columns = { customer_id = "string", ordered_on = "date", amount = "f64", loaded_on = "date" }
missing_key = "quarantine"

[sources.visits]
kind = "events"
path = "${lake}/visits"
key = "customer_id"
time = "visited_on"
[sources.visits.contract]
columns = { customer_id = "string", visited_on = "date" }
missing_key = "quarantine"

[features]
spend = { from = "orders", agg = "sum", of = "amount", base = "value", unit = "currency" }
visits_7d = { from = "visits", agg = "count", window = "7d", base = "engagement" }

[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "spend >= LEAST" }]
otherwise = "small"
"#;

/// The pipeline of this file in place of the usual one.
fn pipeline(case: &Case, known: &str, least: u32) {
    let body = BODY
        .replace("KNOWN", known)
        .replace("LEAST", &least.to_string());
    std::fs::write(case.path("moves.toml"), format!("{START}{body}")).unwrap();
}

fn file(case: &Case, name: &str, text: &str) {
    let path = case.path("lake").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Ten customers with an order each, and a visit of every customer on each of fourteen days.
fn lake(case: &Case) {
    let mut orders = "customer_id,ordered_on,amount,loaded_on\n".to_owned();
    let mut visits = "customer_id,visited_on\n".to_owned();
    for customer in 0..10 {
        writeln!(
            orders,
            "C{customer},2026-07-01,{}0,2026-07-01",
            customer + 1
        )
        .unwrap();
        for day in 1..15 {
            writeln!(visits, "C{customer},2026-07-{day:02}").unwrap();
        }
    }
    file(case, "orders/a.csv", &orders);
    file(case, "visits/a.csv", &visits);
}

#[test]
fn rows_that_became_known_later_are_late_with_and_without_a_column_that_says_so() {
    for known in ["", "known_at = \"loaded_on\"\n"] {
        let case = Case::new();
        lake(&case);
        pipeline(&case, known, 80);
        case.day("2026-07-14");
        let head = "customer_id,ordered_on,amount,loaded_on\n";
        let late = "C0,2026-07-05,500,2026-07-15\nNEW,2026-07-05,5,2026-07-15\n";
        let new = "C1,2026-07-15,500,2026-07-15\n";
        file(&case, "orders/b.csv", &format!("{head}{late}{new}"));
        case.day("2026-07-15");
        let found = case.memberships("size");
        let cause = |customer: &str| found[customer][3].clone();
        assert_eq!(cause("C0"), "late_data", "{known}");
        assert_eq!(cause("NEW"), "late_data", "{known}");
        assert_eq!(cause("C1"), "activity", "{known}");
    }
}

#[test]
fn rows_that_no_window_reaches_any_more_are_not_late() {
    let case = Case::new();
    lake(&case);
    pipeline(&case, "", 80);
    case.day("2026-07-14");
    let read = case.table("sources");
    assert!(
        read.ints("pruned").contains(&Some(70)),
        "{:?}",
        read.ints("pruned")
    );
    file(
        &case,
        "visits/b.csv",
        "customer_id,visited_on\nC3,2026-07-15\nC4,2026-07-15\n",
    );
    pipeline(&case, "", 50);
    case.day("2026-07-15");
    let moved = case.migrations();
    assert_eq!(moved.len(), 1, "{moved:?}");
    assert!(
        moved[0].contains("small > large (definition) 3 "),
        "{moved:?}"
    );
    // A visit of an earlier day is.
    file(
        &case,
        "visits/c.csv",
        "customer_id,visited_on\nC5,2026-07-12\n",
    );
    pipeline(&case, "", 80);
    case.day("2026-07-16");
    let moved = case.migrations();
    assert!(
        moved[0].contains("(late_data or definition) 3 "),
        "{moved:?}"
    );
}
