//! Closed accounts leave the base: they have no score, no segment and no part in a KPI; they are counted, and the past includes
//! them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{root, run};
use crate::table::Table;
use crate::versions::{Case, START};

const AS_OF: &str = "2026-10-31";

/// The shipped demo with `active` of [customer], and a run of it; the folder of its tables.
fn demo(folder: &Path, active: &str) -> (String, String) {
    let path = folder.display().to_string();
    crate::program::demo(&path, 3_000);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let from = "from = [\"accounts\", \"orders\"]";
    let stated = shipped.replacen(from, &format!("{from}\nactive = \"{active}\""), 1);
    assert_ne!(stated, shipped);
    let file = format!("{path}/active.toml");
    std::fs::write(&file, stated).unwrap();
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/active"));
    let arguments = [
        "run", &file, "--as-of", AS_OF, "--var", &lake, "--var", &out, "--quiet",
    ];
    run(&arguments, 0);
    (file, format!("{path}/active/demo/latest"))
}

#[test]
fn closed_accounts_have_features_and_nothing_else_and_counts_equal_duckdb() {
    let dir = tempfile::tempdir().unwrap();
    let (file, tables) = demo(dir.path(), "tenure_days is null or tenure_days <= 500");
    let customers = Table::read(&Path::new(&tables).join("customers.parquet"));
    let (active, tenure) = (customers.bools("active"), customers.ints("tenure_days"));
    let columns = [
        "rfm",
        "touch",
        "behaviour",
        "churn_probability",
        "clv",
        "value_at_risk",
        "health",
    ];
    let mut closed = 0;
    for row in 0..customers.rows() {
        let expected = tenure[row].is_none_or(|days| days <= 500);
        assert_eq!(active[row], Some(expected), "row {row}");
        closed += usize::from(!expected);
    }
    for name in columns {
        let known = customers.known(name);
        let of_closed =
            (0..customers.rows()).filter(|&row| active[row] == Some(false) && known[row]);
        assert_eq!(of_closed.count(), 0, "{name} of closed accounts");
    }
    let excluded = customers.texts("churn_excluded");
    assert!((0..customers.rows()).all(|row| (active[row] == Some(false)) == (excluded[row].as_deref() == Some("closed"))));
    assert!(closed > 300 && closed < customers.rows() - 300, "{closed}");
    let Some(python) = python() else { return };
    let lake = dir.path().join("lake").display().to_string();
    script(&python, "active.py", &[&file, &lake, &tables, AS_OF]);
}

#[test]
fn a_base_without_anybody_and_a_second_column_of_that_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 500);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let from = "from = [\"accounts\", \"orders\"]";
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/none"));
    let file = format!("{path}/none.toml");
    std::fs::write(
        &file,
        shipped.replacen(from, &format!("{from}\nactive = \"1 = 0\""), 1),
    )
    .unwrap();
    let arguments = [
        "run", &file, "--as-of", AS_OF, "--var", &lake, "--var", &out, "--quiet",
    ];
    let said = run(&arguments, 3);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("`active` of [customer] is false for all of them"),
        "{said}"
    );
    let twice = shipped
        .replacen(from, &format!("{from}\nactive = \"recency_days < 90\""), 1)
        .replacen("active_90d ", "active ", 1);
    std::fs::write(&file, twice).unwrap();
    let said = run(&["check", &file, "--var", &lake], 2);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("TS-G016"), "{said}");
}

/// Accounts are closed by what is known of them, by a row that says so, and by the time without an order.
const CLOSING: &str = r#"
active = "status <> 'closed' and cancelled = 0 and recency_days < 40"

[sources.accounts]
kind = "attributes"
path = "${lake}/accounts.csv"
key = "customer_id"
attributes.status = { base = "lifecycle" }
[sources.accounts.contract]
columns = { customer_id = "string", status = "string" }
missing_key = "quarantine"

[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_on"
amount = "amount"
[sources.orders.contract]
columns = { customer_id = "string", ordered_on = "date", amount = "f64", what = "string" }
missing_key = "quarantine"

[features]
use = ["recency_days"]
cancelled = { from = "orders", agg = "count", where = "what = 'cancel'" }
spend = { from = "orders", agg = "sum", of = "amount", base = "value", unit = "currency" }

[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "spend >= 100" }]
otherwise = "small"

[schemes.freshness]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 30" }]
otherwise = "resting"

[schemes.level]
kind = "rules"
rules = [{ segment = "vip", when = "status = 'vip'" }]
otherwise = "usual"
"#;

/// Two nights of a lake whose customers have names that say what becomes of them in the second.
fn two_nights(case: &Case) {
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    std::fs::write(case.path("moves.toml"), format!("{START}{CLOSING}")).unwrap();
    std::fs::create_dir(case.path("lake/orders")).unwrap();
    let file = |name: &str, text: &str| std::fs::write(case.path("lake").join(name), text).unwrap();
    // Names say what will become of them.
    let first = [
        ("stays", "2026-06-20", 50),
        ("buys", "2026-06-20", 50),
        ("rests", "2026-06-10", 50),
        ("rises", "2026-06-20", 50),
        ("sleeps", "2026-06-01", 50),
        ("cancels", "2026-06-20", 50),
        ("removed", "2026-06-20", 150),
        ("long_closed", "2026-06-20", 50),
        ("reopened", "2026-06-20", 50),
        ("buys_and_is_removed", "2026-06-20", 50),
    ];
    let orders = |rows: &[(&str, &str, i32)], what: &str| {
        let rows = rows.iter();
        let rows = rows.map(|(who, day, amount)| format!("{who},{day},{amount},{what}\n"));
        let rows: String = rows.collect();
        format!("customer_id,ordered_on,amount,what\n{rows}")
    };
    let accounts = |status: &dyn Fn(&str) -> &str| {
        let rows = first
            .iter()
            .map(|(who, ..)| format!("{who},{}\n", status(who)));
        let rows: String = rows.collect();
        format!("customer_id,status\n{rows}")
    };
    file("orders/a.csv", &orders(&first, "order"));
    file(
        "accounts.csv",
        &accounts(&|who| match who {
            "long_closed" | "reopened" => "closed",
            _ => "open",
        }),
    );
    case.day("2026-07-10");
    assert_eq!(case.memberships("size").len(), 8);
    let bought = [
        ("buys", "2026-07-11", 70),
        ("buys_and_is_removed", "2026-07-11", 70),
    ];
    file("orders/b.csv", &orders(&bought, "order"));
    file(
        "orders/c.csv",
        &orders(&[("cancels", "2026-07-11", 0)], "cancel"),
    );
    file(
        "accounts.csv",
        &accounts(&|who| match who {
            "long_closed" | "removed" | "buys_and_is_removed" => "closed",
            "rises" => "vip",
            _ => "open",
        }),
    );
    case.day("2026-07-11");
}

#[test]
fn causes_are_told_apart_where_accounts_are_closed() {
    let case = Case::new();
    two_nights(&case);
    let causes = |scheme: &str| -> Vec<String> {
        let moved = case.memberships(scheme).into_iter();
        let moved = moved.filter(|(_, one)| !one[3].is_empty());
        moved
            .map(|(who, one)| format!("{who} {}", one[3]))
            .collect()
    };
    assert_eq!(causes("size"), ["buys activity", "reopened attribute"]);
    assert_eq!(causes("freshness"), ["reopened attribute", "rests ageing"]);
    assert_eq!(causes("level"), ["reopened attribute", "rises attribute"]);
    let mut left = case.migrations();
    left.retain(|one| one.starts_with("size: ") && one.contains("> - "));
    left.sort();
    assert_eq!(
        left,
        [
            "size: large > - (attribute) 1 150",
            "size: small > - (activity) 1 50",
            "size: small > - (ageing) 1 50",
            "size: small > - (attribute) 1 50",
        ]
    );
}

/// Who is closed by time has that cause also where others leave by an edit of `active`.
#[test]
fn an_edit_of_who_is_active_is_told_apart_from_time() {
    let case = Case::new();
    let rows: Vec<(String, &str, f64)> = (0..20)
        .map(|number| {
            let day = ["2026-01-10", "2026-01-20", "2026-01-30"][number % 3];
            (format!("customer{number:02}"), day, 50.0 + number as f64)
        })
        .collect();
    case.orders("a.csv", &rows);
    let schemes = r#"
[schemes.size]
kind = "rules"
rules = [{ segment = "small", when = "spend_total < 60" }]
otherwise = "large"
"#;
    let edited = |active: &str| {
        case.pipeline(schemes);
        let file = case.path("moves.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let key = "key = \"customer_id\"\n";
        let text = text.replacen(key, &format!("{key}active = \"{active}\"\n"), 1);
        std::fs::write(&file, text).unwrap();
    };
    let left = || {
        let migrations = case.table("migrations");
        let (causes, customers) = (migrations.texts("cause"), migrations.ints("customers"));
        let mut by_cause: BTreeMap<String, i64> = BTreeMap::new();
        let to = migrations.texts("to_segment");
        for row in (0..migrations.rows()).filter(|row| to[*row].is_none()) {
            *by_cause.entry(causes[row].clone().unwrap()).or_default() += customers[row].unwrap();
        }
        by_cause
    };
    edited("recency_days <= 40");
    case.day("2026-02-28");
    // On the next day the orders of 2026-01-20 are 40 days old, and those of the 30th 30.
    case.day("2026-03-01");
    assert_eq!(left(), BTreeMap::new());
    edited("recency_days <= 35");
    case.day("2026-03-02");
    assert_eq!(left(), BTreeMap::from([("definition".to_owned(), 7)]));
    let order = |customer: &str, day: &'static str| (customer.to_owned(), day, 20.0);
    let orders = [order("later", "2026-03-01"), order("latest", "2026-03-06")];
    case.orders("b.csv", &orders);
    // The orders of the 30th are 36 days old on 2026-03-07; an edit takes no one else.
    edited("recency_days < 36");
    case.day("2026-03-07");
    assert_eq!(left(), BTreeMap::from([("ageing".to_owned(), 6)]));
    case.orders("c.csv", &[order("stays", "2026-03-12")]);
    edited("recency_days <= 35");
    case.day("2026-03-08");
    // `later` is closed by the edit, `latest` by the day that passes.
    edited("recency_days <= 6");
    case.day("2026-03-13");
    assert_eq!(
        left(),
        BTreeMap::from([("ageing".to_owned(), 1), ("definition".to_owned(), 1)])
    );
}

/// Accounts are closed by the end of the contract, beside a list of customers that states no day.
const CONTRACTS: &str = r#"
active = "running > 0 and status = 'open'"

[sources.accounts]
kind = "attributes"
path = "${lake}/accounts.csv"
key = "customer_id"
attributes.status = { base = "lifecycle" }
attributes.what = { base = "lifecycle" }
[sources.accounts.contract]
columns = { customer_id = "string", status = "string", what = "string" }
missing_key = "quarantine"

[sources.contracts]
kind = "intervals"
path = "${lake}/contracts.csv"
key = "customer_id"
time = "begins_on"
until = "ends_on"
[sources.contracts.contract]
columns = { customer_id = "string", begins_on = "date", ends_on = "date" }
missing_key = "quarantine"

[sources.visits]
kind = "events"
path = "${lake}/visits.csv"
key = "customer_id"
time = "day"
[sources.visits.contract]
columns = { customer_id = "string", day = "date" }
missing_key = "quarantine"

[features]
running = { from = "contracts", agg = "count", where = "ends_on is null" }
visits = { from = "visits", agg = "count" }
begun = { from = "contracts", agg = "min", of = "begins_on", unit = "date" }
age = { expr = "date_diff('day', begun, as_of())" }
fee = { expr = "running * 10.0", base = "value", unit = "currency" }

[schemes.fate]
kind = "attribute"
by = "what"

[schemes.tier]
kind = "quantile"
by = "age"
tiers = { old = 0.25, young = 1.0 }
"#;

/// A night whose files are all written anew; customers are called what becomes of them in the second.
fn contracts(case: &Case, second: bool) {
    let (mut accounts, mut contracts, mut visits) = (String::new(), String::new(), String::new());
    let fates = [
        ("stays", ""),
        ("ends_as_known_before", "2026-07-15"),
        ("ends", if second { "2026-07-20" } else { "" }),
        ("visits_and_ends", if second { "2026-07-20" } else { "" }),
        ("had_ended", if second { "2026-06-20" } else { "" }),
        ("is_blocked", ""),
        ("comes", ""),
        ("registers", ""),
        ("is_deleted", ""),
    ];
    for (who, ends) in fates {
        let (is_new, is_deleted) = (["comes", "registers"].contains(&who), who == "is_deleted");
        if (is_new && !second) || (is_deleted && second) {
            continue;
        }
        let status = if second && who == "is_blocked" {
            "blocked"
        } else {
            "open"
        };
        let begins = if is_new { "2026-07-12" } else { "2026-01-05" };
        accounts += &format!("{who},{status},{who}\n");
        if who == "registers" {
            continue;
        }
        contracts += &format!("{who},{begins},{ends}\n");
        let day = if is_new || who == "visits_and_ends" && second {
            "2026-07-14"
        } else {
            "2026-06-15"
        };
        visits += &format!("{who},{day}\n");
    }
    case.file(
        "accounts.csv",
        &format!("customer_id,status,what\n{accounts}"),
    );
    case.file(
        "contracts.csv",
        &format!("customer_id,begins_on,ends_on\n{contracts}"),
    );
    case.file("visits.csv", &format!("customer_id,day\n{visits}"));
}

/// The end of a contract is activity, whoever has other rows and whenever it became known, if it is of a day since.
#[test]
fn causes_are_told_apart_where_contracts_end() {
    let case = Case::new();
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    std::fs::write(case.path("moves.toml"), format!("{START}{CONTRACTS}")).unwrap();
    contracts(&case, false);
    case.day("2026-07-10");
    contracts(&case, true);
    case.day("2026-07-31");
    let mut moved = case.migrations();
    moved.sort();
    // Tiers are learned again, which makes no customers.
    let tiers = moved
        .iter()
        .filter(|one| one.starts_with("tier: ") && one.contains("> - "));
    assert_eq!(
        tiers.collect::<Vec<_>>(),
        [
            "tier: young > - (activity) 3 30",
            "tier: young > - (attribute) 1 10",
            "tier: young > - (late_data) 2 20",
        ]
    );
    moved.retain(|one| one.starts_with("fate: "));
    assert_eq!(
        moved,
        [
            "fate: - > comes (activity) 1 10",
            "fate: ends > - (activity) 1 10",
            "fate: ends_as_known_before > - (activity) 1 10",
            "fate: had_ended > - (late_data) 1 10",
            "fate: is_blocked > - (attribute) 1 10",
            "fate: is_deleted > - (late_data) 1 10",
            "fate: visits_and_ends > - (activity) 1 10",
        ]
    );
    let store = case.path("store").display().to_string();
    let said = run(&["explain", &store, "is_deleted"], 2);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(
        said.contains("no customer `is_deleted` any more; version 1 of 2026-07-10 is the newest that has: `--as-of 2026-07-10`"),
        "{said}"
    );
    run(
        &["explain", &store, "is_deleted", "--as-of", "2026-07-10"],
        0,
    );
}

/// Files that are written anew each night say nothing of when an account was opened that states no day.
#[test]
fn an_account_without_a_day_is_no_sign_that_its_customer_was_there_before() {
    let case = Case::new();
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    let all = CONTRACTS.replacen("active = \"running > 0 and status = 'open'\"\n", "", 1);
    assert_ne!(all, CONTRACTS);
    std::fs::write(case.path("moves.toml"), format!("{START}{all}")).unwrap();
    contracts(&case, false);
    case.day("2026-07-10");
    contracts(&case, true);
    case.day("2026-07-31");
    let mut moved = case.migrations();
    moved.retain(|one| one.starts_with("fate: "));
    moved.sort();
    assert_eq!(
        moved,
        [
            "fate: - > comes (activity) 1 10",
            "fate: - > registers (attribute) 1 0",
            "fate: is_deleted > - (late_data) 1 10",
        ]
    );
}
