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

/// An order of each of ten customers, of rising amounts.
fn orders() -> String {
    let order = |customer: u32| format!("C{customer},2026-07-01,{}0,2026-07-01\n", customer + 1);
    let orders: String = (0..10).map(order).collect();
    format!("customer_id,ordered_on,amount,loaded_on\n{orders}")
}

/// Ten customers with an order each, and a visit of every customer on each of fourteen days.
fn lake(case: &Case) {
    let mut visits = "customer_id,visited_on\n".to_owned();
    for customer in 0..10 {
        for day in 1..15 {
            writeln!(visits, "C{customer},2026-07-{day:02}").unwrap();
        }
    }
    file(case, "orders/a.csv", &orders());
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
    // A visit of an earlier day is, and no scheme reads of it.
    file(
        &case,
        "visits/c.csv",
        "customer_id,visited_on\nC5,2026-07-12\n",
    );
    pipeline(&case, "", 80);
    case.day("2026-07-16");
    let moved = case.migrations();
    assert!(moved[0].contains("(definition) 3 "), "{moved:?}");
}

#[test]
fn late_rows_and_edits_concern_the_schemes_that_read_of_them() {
    const VISITING: &str = r#"
[schemes.visiting]
kind = "rules"
rules = [{ segment = "often", when = "visits_7d > 7" }]
otherwise = "seldom"
"#;
    let case = Case::new();
    lake(&case);
    let write = |window: &str, more: &str| {
        let body = BODY.replace("KNOWN", "").replace("LEAST", "80");
        let body = body.replace("window = \"7d\"", &format!("window = \"{window}\"{more}"));
        std::fs::write(case.path("moves.toml"), format!("{START}{body}{VISITING}")).unwrap();
    };
    write("7d", "");
    case.day("2026-07-14");
    // In one night: a late visit, a visit and an order of the day, and another window of visits.
    file(
        &case,
        "visits/late.csv",
        "customer_id,visited_on\nC2,2026-07-13\nC2,2026-07-13\nC4,2026-07-15\n",
    );
    let head = "customer_id,ordered_on,amount,loaded_on\n";
    let new = format!("{head}C1,2026-07-15,500,2026-07-15\n");
    file(&case, "orders/b.csv", &new);
    write("10d", "");
    case.day("2026-07-15");
    let cause = |scheme: &str, customer: &str| case.memberships(scheme)[customer][3].clone();
    assert_eq!(cause("size", "C1"), "activity");
    assert_eq!(cause("visiting", "C2"), "late_data or definition");
    let others: Vec<String> = case
        .migrations()
        .into_iter()
        .filter(|one| one.starts_with("size"))
        .collect();
    assert_eq!(others.len(), 1, "{others:?}");
    // An edit that nothing reads concerns nobody, also on a day with moves.
    let more = " }\nvisits_3d = { from = \"visits\", agg = \"count\", window = \"3d\"";
    write("10d", more);
    let new = format!("{new}C3,2026-07-16,500,2026-07-16\n");
    file(&case, "orders/b.csv", &new);
    case.day("2026-07-16");
    let customer = case.memberships("size")["C3"][3].clone();
    assert!(customer.contains("activity"), "{customer}");
    assert!(!customer.contains("definition"), "{customer}");
}

/// A full export every night: no row of an earlier day differs, so that none is late.
#[test]
fn rows_that_are_delivered_again_in_a_new_file_are_not_late() {
    const RANKS: &str = r#"
[schemes.tier]
kind = "quantile"
by = "spend"
tiers = { top = 0.3, rest = 1.0 }
"#;
    let of_all = |more: &[&str]| {
        let mut orders = orders();
        for row in more {
            writeln!(orders, "{row}").unwrap();
        }
        orders
    };
    let new = "C0,2026-07-15,500,2026-07-15";
    let late = "C1,2026-07-05,500,2026-07-15";
    for (more, wanted) in [
        (&[new][..], [("C0", "activity"), ("C7", "model")]),
        (
            &[new, late],
            [("C0", "activity"), ("C1", "late_data or model")],
        ),
    ] {
        let case = Case::new();
        lake(&case);
        pipeline(&case, "", 80);
        let path = case.path("moves.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{RANKS}")).unwrap();
        case.day("2026-07-14");
        std::fs::remove_file(case.path("lake/orders/a.csv")).unwrap();
        file(&case, "orders/export.csv", &of_all(more));
        case.day("2026-07-15");
        let found = case.memberships("tier");
        for (customer, cause) in wanted {
            assert_eq!(found[customer][3], cause, "{more:?} {found:?}");
        }
    }
}
