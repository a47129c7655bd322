//! `nearest_change` of `memberships`: it is what an independent computation finds for a thousand customers, and what `explain` says
//! first.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{json, public_data, root, run};
use crate::table::Table;
use crate::versions::Case;

const CUSTOMERS: usize = 1_000;

/// Compares the newest version of a store of a pipeline with the independent computation, and with `explain`.
fn compared(dir: &Path, store: &str, pipeline: &str) {
    let Some(python) = python() else { return };
    let customers = Table::read(&Path::new(store).join("latest/customers.parquet"));
    let keys = customers.texts("customer_id").into_iter().flatten();
    let keys: Vec<String> = keys.take(CUSTOMERS).collect();
    let mut arguments = vec!["explain", store, "--json"];
    arguments.extend(keys.iter().map(String::as_str));
    let explained = run(&arguments, 0);
    let file = dir.join("explained.json");
    std::fs::write(&file, &explained.stdout).unwrap();
    let (count, file) = (CUSTOMERS.to_string(), file.display().to_string());
    script(&python, "nearest.py", &[store, pipeline, &count, &file]);
}

#[test]
fn a_thousand_customers_of_the_demo_have_the_changes_of_an_independent_computation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 1_500);
    compared(
        dir.path(),
        &format!("{path}/store/demo"),
        "pipelines/demo.toml",
    );
}

#[test]
fn a_thousand_customers_of_online_retail_have_the_changes_of_an_independent_computation() {
    let Some(data) = public_data("online_retail") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (lake, out) = (format!("lake={}", data.display()), format!("out={path}"));
    let pipeline = "pipelines/online_retail.toml";
    let to = ["--var", &lake, "--var", &out, "--quiet"];
    run(
        &[&["run", pipeline, "--as-of", "2011-12-10"], &to[..]].concat(),
        0,
    );
    compared(dir.path(), &format!("{path}/online_retail"), pipeline);
}

/// Stages by cadence.
#[test]
fn a_thousand_customers_of_cdnow_have_the_changes_of_an_independent_computation() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (lake, out) = (format!("lake={}", data.display()), format!("out={path}"));
    let pipeline = "pipelines/cdnow.toml";
    let to = ["--var", &lake, "--var", &out, "--quiet"];
    run(
        &[&["run", pipeline, "--as-of", "1997-09-30"], &to[..]].concat(),
        0,
    );
    compared(dir.path(), &format!("{path}/cdnow"), pipeline);
    let table = Table::read(&dir.path().join("cdnow/latest/memberships.parquet"));
    let told = table.texts("nearest_change").into_iter().flatten();
    let told = told.filter(|told| told.starts_with("overdue_ratio "));
    assert!(told.count() > CUSTOMERS);
}

/// What is between the sources and the end of the file.
const LIMITS: &str = r#"
[features]
use = ["rfm"]

[schemes.tier]
kind  = "quantile"
by    = "spend_total"
tiers = { top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }

[schemes.rfm]
kind         = "rfm_grid"
grid         = "eleven"
score_method = "midrank"

[schemes.quintiles]
kind         = "rfm_grid"
grid         = "eleven"
score_method = "quantile"

[memberships]
score_margin = { rfm = 0.03, quintiles = 0.02 }

[memberships.hysteresis.tier]
top  = { enter = 0.04, exit = 0.07 }
high = { exit = 0.25 }
mid  = { enter = 0.45 }
"#;

/// Limits of entering and leaving decide by the segment in which the customer is, also of who is held by them.
#[test]
fn a_thousand_customers_within_limits_have_the_changes_of_an_independent_computation() {
    let Some(data) = public_data("cdnow") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    let (lake, out) = (format!("lake={}", data.display()), format!("out={path}"));
    let text = std::fs::read_to_string(root().join("pipelines/cdnow.toml")).unwrap();
    let at = |table: &str| text.find(table).unwrap();
    let (start, sources) = (
        &text[..at("[goal]")],
        &text[at("[customer]")..at("[features]")],
    );
    let file = dir.path().join("limits.toml");
    std::fs::write(&file, format!("{start}{sources}{LIMITS}")).unwrap();
    let pipeline = &file.display().to_string();
    for day in ["1997-08-31", "1997-09-30"] {
        let arguments = [
            "run", pipeline, "--as-of", day, "--var", &lake, "--var", &out,
        ];
        run(&[&arguments[..], &["--quiet"]].concat(), 0);
    }
    compared(dir.path(), &format!("{path}/cdnow"), pipeline);
}

/// The lowest number of the upper tier.
fn lowest(case: &Case) -> f64 {
    let models = case.table("models");
    let rows = models.texts("name").into_iter().zip(models.floats("value"));
    let mut lowest = rows.filter(|row| row.0.as_deref() == Some("lowest_top"));
    lowest.find_map(|row| row.1).unwrap()
}

/// `nearest_change` of every customer in a scheme.
fn changes(case: &Case, scheme: &str) -> Vec<(String, Option<String>)> {
    let table = case.table("memberships");
    let keys = table.texts("customer_id").into_iter().flatten();
    let rows = keys.zip(table.texts("nearest_change"));
    let rows = table.texts("scheme").into_iter().zip(rows);
    rows.filter(|row| row.0.as_deref() == Some(scheme))
        .map(|row| row.1)
        .collect()
}

/// Edges that were frozen and tiers that were fitted before decide, not those between today's customers; who is pinned has none, and
/// none have it where the pipeline leaves it out.
#[test]
fn what_was_learned_before_decides_and_who_is_pinned_has_none() {
    let case = Case::new();
    let schemes = r#"
[schemes.tier]
kind = "quantile"
by = "spend_total"
tiers = { top = 0.25, rest = 1.0 }
refit = "never"

[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "frozen"

[schemes.care]
kind = "rules"
rules = [ { segment = "call", when = "tier = 'top' and recency_days > 20" } ]
otherwise = "mail"
"#;
    let pins = case.path("pins.csv");
    std::fs::write(
        &pins,
        "customer,scheme,segment,until,why,by\nsmall00,tier,top,,why,me\n",
    )
    .unwrap();
    let memberships = |more: &str| {
        format!(
            "{schemes}\n[memberships]\npins = \"{}\"\n{more}",
            pins.display()
        )
    };
    case.pipeline(&memberships(""));
    case.day("2026-02-01");
    let fitted = lowest(&case);
    case.orders("b.csv", &[("large39".into(), "2026-02-11", 5_000.0)]);
    case.day("2026-02-15");
    assert_eq!(lowest(&case), fitted);
    let tiers = changes(&case, "tier");
    let of = |key: &str| tiers.iter().find(|row| row.0 == key).unwrap().1.clone();
    assert_eq!(of("small00"), None, "pinned");
    assert_eq!(
        of("small01").unwrap(),
        format!("spend_total at least {fitted} leads to top")
    );
    assert_eq!(
        of("large39").unwrap(),
        format!("spend_total less than {fitted} leads to rest")
    );
    assert!(changes(&case, "rfm").iter().any(|row| row.1.is_some()));
    let store = case.path("store").display().to_string();
    let explained = json(&run(&["explain", &store, "small00", "--json"], 0));
    let note = explained[0]["schemes"][0]["nearest_note"].as_str().unwrap();
    assert_eq!(
        note,
        "the customer is not where the scheme alone would put it"
    );

    case.pipeline(&memberships("nearest_change = false\n"));
    case.day("2026-02-16");
    for scheme in ["tier", "rfm", "care"] {
        assert!(
            changes(&case, scheme).iter().all(|row| row.1.is_none()),
            "{scheme}"
        );
    }
}
