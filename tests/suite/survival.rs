//! `kind = "survival"`: how long contracts go on, by the curve of Kaplan and Meier.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::run;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name     = "stay"
timezone = "Europe/Berlin"
currency = "EUR"
store    = "${out}/stay"

[vars]
lake = ""
out  = ""

[customer]
key = "customer_id"

[sources.subscriptions]
kind  = "intervals"
path  = "${lake}/subscriptions"
key   = "customer_id"
time  = "started_on"
until = "ended_on"

[sources.subscriptions.contract]
columns     = { customer_id = "string", plan = "string", mrr = "f64", started_on = "date", ended_on = "date" }
missing_key = "fail"
duplicates  = "keep"

[features]
plans = { from = "subscriptions", agg = "count", base = "value" }

[scores.stay]
kind    = "survival"
from    = "subscriptions"
horizon = "180d"

[schemes.care]
kind  = "rules"
rules = [{ segment = "call", when = "stay_survival_probability < 0.8" }]
otherwise = "wait"
"#;

/// The published curve equals one that DuckDB counts day by day (tolerance 1e-9): on the day of the fit, and on a later day to which
/// the stored curve is applied.
#[test]
fn survival_is_that_of_an_independent_count() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 4_000);
    let file = dir.path().join("stay.toml");
    std::fs::write(&file, PIPELINE).unwrap();
    let day = |as_of: &str| {
        let (lake, out) = (format!("lake={path}/lake"), format!("out={path}"));
        let file = file.display().to_string();
        let arguments = [
            "run", &file, "--as-of", as_of, "--var", &lake, "--var", &out, "--quiet",
        ];
        run(&arguments, 0);
    };
    let latest = dir.path().join("stay/latest");
    let compare = |as_of: &str| {
        let Some(python) = python() else { return };
        let table = |name: &str| latest.join(name).display().to_string();
        let contracts = format!("{path}/lake/subscriptions/*.parquet");
        let (customers, fitted_on) = (table("customers.parquet"), "2026-09-30");
        let arguments = [&customers, &contracts, as_of, fitted_on, "180", "stay"];
        script(&python, "survival.py", &arguments);
    };
    day("2026-09-30");
    compare("2026-09-30");
    let judged = quality(&latest, "calibrated");
    assert!(!judged.is_empty(), "the backtest is published");
    day("2026-10-15");
    compare("2026-10-15");
    assert_eq!(quality(&latest, "calibrated"), judged, "as of the fit");
}

/// Metrics and values of a criterion on the score.
fn quality(version: &Path, criterion: &str) -> Vec<(String, Option<f64>)> {
    let table = Table::read(&version.join("quality.parquet"));
    let (criteria, schemes) = (table.texts("criterion"), table.texts("scheme"));
    let (metrics, values) = (table.texts("metric"), table.floats("value"));
    (0..table.rows())
        .filter(|&row| criteria[row].as_deref() == Some(criterion))
        .filter(|&row| schemes[row].as_deref() == Some("stay"))
        .map(|row| (metrics[row].clone().unwrap(), values[row]))
        .collect()
}
