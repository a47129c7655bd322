//! Edits that define no row, no column and no segment: they are the cause of no move, and nothing is `redefined` by them.

use std::collections::{BTreeMap, BTreeSet};

use crate::versions::{Case, START};

/// Orders, visits, and attributes of half of the customers.
const BODY: &str = r#"
from = ["orders"]
COHORTS

[sources.orders]
kind = "events"
path = "${lake}/a.csv"
key = "customer_id"
time = "ordered_at"
FRESHNESS
[sources.orders.contract]
columns = { customer_id = "string", ordered_at = "date", amount = "f64" }
missing_key = "quarantine"
REJECTS

[sources.accounts]
kind = "attributes"
path = "${lake}/accounts.csv"
key = "customer_id"
attributes = { plan = { base = "firmographic" LABEL } }
[sources.accounts.contract]
columns = { customer_id = "string", plan = "string" }
missing_key = "quarantine"

[features]
use = ["rfm"]
spent = { from = "orders", agg = "sum", of = "amount", unit = "currency" NAMED }

[schemes.tier]
kind = "quantile"
by = "spent"
tiers = { top = 0.25, rest = 1.0 }

[schemes.spend]
kind = "kmeans"
features = ["spent"]
k = 2
transform = "none"
refit = "never"
CLUSTERS
MORE
"#;

const PLACES: [&str; 7] = [
    "COHORTS",
    "FRESHNESS",
    "REJECTS",
    "LABEL",
    "NAMED",
    "CLUSTERS",
    "MORE",
];

const VISITS: &str = r#"
[sources.visits]
kind = "events"
path = "${lake}/visits.csv"
key = "customer_id"
time = "seen_at"
[sources.visits.contract]
columns = { customer_id = "string", seen_at = "date" }
missing_key = "quarantine"
"#;

fn pipeline(case: &Case, edit: (&str, &str)) {
    let mut text = format!("{START}{}", BODY.trim_start());
    for place in PLACES {
        let written = if place == edit.0 { edit.1 } else { "" };
        text = text.replace(place, written);
    }
    if edit.0 == "name" {
        let named = format!("name = \"{}\"\nwas = \"moves\"", edit.1);
        text = text.replace("name = \"moves\"", &named);
    }
    std::fs::write(case.path("moves.toml"), text).unwrap();
}

/// A lake in which the second day's orders move the limits of the tiers.
fn lake() -> Case {
    let case = Case::new();
    let accounts: String = (0..40).map(|n| format!("small{n:02},free\n")).collect();
    case.file("accounts.csv", &format!("customer_id,plan\n{accounts}"));
    let visits: String = (0..40)
        .map(|n| format!("small{n:02},2026-01-20\n"))
        .collect();
    case.file("visits.csv", &format!("customer_id,seen_at\n{visits}"));
    case
}

/// Customers by scheme and cause, and what is `redefined`.
fn found(case: &Case) -> (BTreeMap<(String, String), i64>, BTreeSet<String>) {
    let moves = case.table("migrations");
    let (schemes, causes) = (moves.texts("scheme"), moves.texts("cause"));
    let mut counts = BTreeMap::new();
    for (row, customers) in moves.ints("customers").into_iter().enumerate() {
        let key = (schemes[row].clone().unwrap(), causes[row].clone().unwrap());
        *counts.entry(key).or_default() += customers.unwrap();
    }
    let drift = case.table("drift");
    let rows = drift.texts("name").into_iter().zip(drift.texts("status"));
    let redefined = rows.filter(|row| row.1.as_deref() == Some("redefined"));
    (counts, redefined.filter_map(|row| row.0).collect())
}

#[test]
fn what_is_checked_shown_or_named_is_no_definition() {
    let with_edit = |edit: (&str, &str)| {
        let case = lake();
        pipeline(&case, ("", ""));
        case.day("2026-02-01");
        pipeline(&case, edit);
        let file = case.path("lake/a.csv");
        let mut orders = std::fs::read_to_string(&file).unwrap();
        (0..8).for_each(|n| orders.push_str(&format!("small{n:02},2026-02-02,2000\n")));
        std::fs::write(file, orders).unwrap();
        case.day("2026-02-02");
        found(&case)
    };
    let (unedited, redefined) = with_edit(("", ""));
    assert!(redefined.is_empty());
    let causes: BTreeSet<&str> = unedited.keys().map(|key| key.1.as_str()).collect();
    assert!(
        causes.contains("model") && causes.contains("activity"),
        "{unedited:?}"
    );
    for edit in [
        ("COHORTS", "cohorts = true"),
        ("FRESHNESS", "freshness = { warn = \"90d\" }"),
        ("REJECTS", "max_rejected = \"50%\""),
        ("REJECTS", "keep_rejects = 3"),
        ("LABEL", ", label = \"Plan\""),
        ("NAMED", ", label = \"Money\", direction = \"high is good\""),
        ("CLUSTERS", "names = { 1 = \"one of two\" }"),
        ("MORE", "[actions]\ncolumns = [\"spent\"]"),
        ("MORE", "[gates]\nsubstantial = { min_customers = 2 }"),
        ("MORE", VISITS),
        ("name", "renamed"),
    ] {
        let (mut moves, redefined) = with_edit(edit);
        assert!(redefined.is_empty(), "{edit:?} {redefined:?}");
        moves.retain(|_, customers| *customers > 0);
        assert_eq!(moves, unedited, "{edit:?}");
    }
    // A feature of the visits is one of them, and so is the unit of what is summed.
    let used = format!(
        "{VISITS}[schemes.seen]\nkind = \"rules\"\nrules = [{{ segment = \"seen\", when = \"spent > 5\" }}]\notherwise = \"no\"\n"
    );
    let (_, redefined) = with_edit(("MORE", &used));
    assert!(redefined.is_empty(), "{redefined:?}");
    let (_, redefined) = with_edit(("NAMED", ", where = \"amount > 20\""));
    assert_eq!(
        redefined,
        ["spent", "spend", "tier"].map(str::to_owned).into()
    );
}
