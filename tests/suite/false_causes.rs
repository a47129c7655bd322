//! Causes that another cause hides in the same night: attributes beside rewritten files and edits, who stays in a scheme that others read,
//! and filters that time moves.

use std::collections::BTreeMap;

use crate::versions::{Case, START};

/// What follows the beginning: orders, and accounts without a time, of which the lake says only what they are today.
const BODY: &str = r#"
[sources.orders]
kind = "events"
path = "${lake}/orders"
key = "customer_id"
time = "ordered_on"
FILTER
[sources.orders.contract]
columns = { customer_id = "string", ordered_on = "date", amount = "f64" }
missing_key = "fail"

ACCOUNTS

[features]
use = ["rfm"]
orders = "orders"
FEATURES
"#;

const ACCOUNTS: &str = r#"
[sources.accounts]
kind = "attributes"
path = "${lake}/accounts"
key = "customer_id"
attributes = { nps = { base = "firmographic" } }
[sources.accounts.contract]
columns = { customer_id = "string", nps = "i64" }
missing_key = "fail"
duplicates = "keep"
"#;

const SCHEMES: &str = r#"
[schemes.mood]
kind = "rules"
rules = [{ segment = "good", when = "nps > 30" }]
otherwise = "bad"

[schemes.mixed]
kind = "rules"
rules = [{ segment = "vip", when = "nps_twice > 60 and spend_total > 100" }]
otherwise = "rest"

[schemes.reader]
kind = "rules"
rules = [{ segment = "called", when = "mood = 'bad'" }]
otherwise = "left alone"
"#;

const TWICE: &str = "nps_twice = { expr = \"nps * 2\", base = \"firmographic\" }\n";

fn pipeline(case: &Case, [filter, accounts, features]: [&str; 3], schemes: &str) {
    let body = BODY
        .replace("FILTER", filter)
        .replace("ACCOUNTS", accounts)
        .replace("FEATURES", features);
    std::fs::write(case.path("moves.toml"), format!("{START}{body}{schemes}")).unwrap();
}

/// An order of each of sixty customers in January.
fn orders(more: &str) -> String {
    let order = |n: u32| format!("K{n:02},2026-01-{:02},{}\n", 1 + n % 28, 10 * n + 5);
    let orders: String = (0..60).map(order).collect();
    format!("customer_id,ordered_on,amount\n{orders}{more}")
}

/// Accounts of whom the first ten are as stated.
fn accounts(nps: u32) -> String {
    let account = |n: u32| format!("K{n:02},{}\n", if n < 10 { nps } else { 50 });
    let accounts: String = (0..60).map(account).collect();
    format!("customer_id,nps\n{accounts}")
}

/// Customers who moved, by scheme and cause.
fn causes(case: &Case) -> BTreeMap<(String, String), i64> {
    let table = case.table("migrations");
    let (schemes, causes) = (table.texts("scheme"), table.texts("cause"));
    let customers = table.ints("customers");
    let mut found = BTreeMap::new();
    for row in 0..table.rows() {
        let key = (schemes[row].clone().unwrap(), causes[row].clone().unwrap());
        *found.entry(key).or_default() += customers[row].unwrap();
    }
    found
}

fn wanted(all: &[(&str, &str, i64)]) -> BTreeMap<(String, String), i64> {
    let all = all.iter();
    all.map(|(scheme, cause, customers)| (((*scheme).into(), (*cause).into()), *customers))
        .collect()
}

/// In one night the attributes of ten customers change, and a file of orders is written anew with today's rows, or a feature is added: the
/// attributes are what moves them.
#[test]
fn attributes_are_the_cause_whatever_else_happens_in_that_night() {
    // Of the ten customers, none has spent more than 100: that scheme has other customers who moved none.
    let moved = wanted(&[("mood", "attribute", 10), ("reader", "attribute", 10)]);
    for (rows, feature) in [
        ("", ""),
        ("K59,2026-02-02,1\n", ""),
        (
            "",
            "halved = { expr = \"spend_total / 2\", base = \"value\" }\n",
        ),
        (
            "K59,2026-02-02,1\n",
            "halved = { expr = \"spend_total / 2\", base = \"value\" }\n",
        ),
    ] {
        let case = Case::new();
        std::fs::remove_file(case.path("lake/a.csv")).unwrap();
        pipeline(&case, ["", ACCOUNTS, TWICE], SCHEMES);
        case.file("orders/a.csv", &orders(""));
        case.file("accounts/a.csv", &accounts(50));
        case.day("2026-02-01");
        pipeline(&case, ["", ACCOUNTS, &format!("{TWICE}{feature}")], SCHEMES);
        case.file("orders/a.csv", &orders(rows));
        case.file("accounts/a.csv", &accounts(10));
        case.day("2026-02-02");
        assert_eq!(causes(&case), moved, "{rows} {feature}");
        // And back, with an account of those who have spent much.
        let back = accounts(50).replace("K40,50", "K40,5");
        case.file("accounts/a.csv", &back);
        case.file(
            "orders/a.csv",
            &orders(&format!("{rows}K58,2026-02-03,1\n")),
        );
        case.day("2026-02-03");
        let back = [
            ("mood", "attribute", 11),
            ("reader", "attribute", 11),
            ("mixed", "attribute", 1),
        ];
        assert_eq!(causes(&case), wanted(&back), "{rows} {feature}");
    }
}

/// Who stays in a segment only by a minimum stay leaves it when that is edited: so do the schemes that read it.
#[test]
fn an_edit_of_who_stays_is_the_cause_in_schemes_that_read_it() {
    let schemes = r#"
[schemes.act]
kind = "rules"
rules = [{ segment = "fresh", when = "recency_days <= 20" }]
otherwise = "resting"

[schemes.reader]
kind = "rules"
rules = [{ segment = "called", when = "act = 'fresh'" }]
otherwise = "left alone"
"#;
    let stays = "[memberships]\nmin_stay = { act = \"60d\" }\n";
    let case = Case::new();
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    case.file("orders/a.csv", &orders(""));
    pipeline(&case, ["", "", ""], &format!("{schemes}{stays}"));
    case.day("2026-01-31");
    case.day("2026-02-10");
    assert_eq!(causes(&case), BTreeMap::new(), "all stay");
    pipeline(&case, ["", "", ""], schemes);
    case.day("2026-02-11");
    let found = causes(&case);
    let of = |scheme: &str, cause: &str| found.get(&(scheme.to_owned(), cause.to_owned()));
    assert!(of("act", "definition") > Some(&0), "{found:?}");
    assert_eq!(
        of("act", "definition"),
        of("reader", "definition"),
        "{found:?}"
    );
    assert_eq!(of("act", "ageing"), of("reader", "ageing"), "{found:?}");
}

/// Orders fall out of a filter, and others come into it, by time alone.
#[test]
fn who_leaves_or_comes_by_a_filter_that_time_moves_does_so_by_ageing() {
    let schemes = "[schemes.size]\nkind = \"rules\"\nrules = [{ segment = \"large\", when = \"spend_total > 300\" }]\notherwise = \"small\"\n";
    for (filter, comes) in [
        ("filter = \"ordered_on > as_of() - 20\"", false),
        ("filter = \"ordered_on <= as_of() - 20\"", true),
    ] {
        let case = Case::new();
        std::fs::remove_file(case.path("lake/a.csv")).unwrap();
        case.file("orders/a.csv", &orders(""));
        pipeline(&case, [filter, "", ""], schemes);
        case.day("2026-01-31");
        case.day("2026-02-05");
        let table = case.table("migrations");
        assert!(table.rows() > 0);
        for (cause, from) in table
            .texts("cause")
            .into_iter()
            .zip(table.texts("from_segment"))
        {
            assert_eq!(cause.as_deref(), Some("ageing"), "{filter}");
            assert_eq!(from.is_none(), comes, "{filter}");
        }
    }
}

/// A pin that is older than the first order of its customer: who comes does so by activity, in either scheme.
#[test]
fn a_pinned_customer_comes_by_its_first_order() {
    let case = Case::new();
    std::fs::remove_file(case.path("lake/a.csv")).unwrap();
    let pins = case.path("pins.csv");
    let lines = "customer,scheme,segment,until,why,by\nN1,size,small,,a friend,ann\nK01,size,large,,a friend,ann\n";
    std::fs::write(&pins, lines).unwrap();
    let schemes = format!(
        "[memberships]\npins = \"{}\"\n[schemes.size]\nkind = \"rules\"\nrules = [{{ segment = \"large\", when = \"spend_total > 300\" }}]\n\
         otherwise = \"small\"\n[schemes.reader]\nkind = \"rules\"\nrules = [{{ segment = \"called\", when = \"size = 'small'\" }}]\n\
         otherwise = \"left alone\"\n",
        pins.display()
    );
    pipeline(&case, ["", "", ""], &schemes);
    case.file("orders/a.csv", &orders(""));
    case.day("2026-02-01");
    case.file(
        "orders/b.csv",
        "customer_id,ordered_on,amount\nN1,2026-02-02,900\nN2,2026-02-02,900\n",
    );
    case.day("2026-02-02");
    let came = [("size", "activity", 2), ("reader", "activity", 2)];
    assert_eq!(causes(&case), wanted(&came));
    assert_eq!(case.memberships("size")["N1"][0], "small");
    assert_eq!(case.memberships("reader")["N1"][0], "called");
}
