//! Churn scores are only of customers who can churn: who is scored, who is not and why, and figures compared with DuckDB and
//! scikit-learn.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{public_data, root, run};
use crate::table::Table;

fn run_at(file: &str, as_of: &str, lake: &str, out: &str) {
    let (lake, out) = (format!("lake={lake}"), format!("out={out}"));
    let arguments = [
        "run", file, "--as-of", as_of, "--var", &lake, "--var", &out, "--quiet",
    ];
    run(&arguments, 0);
}

/// The folder of the tables of one day.
fn tables_of(store: &Path, as_of: &str) -> String {
    let day = store.join(format!("data/as_of={as_of}"));
    let run = std::fs::read_dir(day).unwrap().next().unwrap().unwrap();
    run.path().display().to_string()
}

#[test]
fn churn_of_the_demo_equals_duckdb_and_scikit_learn_at_two_dates() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 6_000);
    let (lake, out) = (format!("{path}/lake"), format!("{path}/store"));
    run_at("pipelines/demo.toml", "2026-07-31", &lake, &out);
    for as_of in ["2026-10-31", "2026-07-31"] {
        let tables = tables_of(&dir.path().join("store/demo"), as_of);
        let arguments = ["pipelines/demo.toml", &lake, &tables, as_of];
        script(&python, "churn.py", &arguments);
        script(
            &python,
            "reasons.py",
            &["pipelines/demo.toml", &tables, "EUR"],
        );
    }
}

#[test]
fn churn_of_online_retail_equals_duckdb_and_scikit_learn_at_two_dates() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let (lake, store) = (data.display().to_string(), out.path().display().to_string());
    for as_of in ["2011-12-09", "2011-11-10"] {
        run_at("pipelines/online_retail.toml", as_of, &lake, &store);
        let tables = tables_of(&out.path().join("online_retail"), as_of);
        let arguments = ["pipelines/online_retail.toml", &lake, &tables, as_of];
        script(&python, "churn.py", &arguments);
        let pipeline = "pipelines/online_retail.toml";
        script(&python, "reasons.py", &[pipeline, &tables, "GBP"]);
    }
}

/// The churn of the CDNOW master is not in the shipped pipeline: nobody acts on customers of 1998.
const CHURN_OF_CDNOW: &str = r#"
[scores.churn]
kind     = "supervised"
from     = "orders"
horizon  = "90d"
features = ["recency_days", "tenure_days", "order_count", "spend_total", "order_value_mean", "cds", "orders_13w", "orders_prev_13w"]
models   = ["logistic", "random_forest", "recency_rule"]
"#;

#[test]
fn churn_of_the_cdnow_master_equals_duckdb_and_scikit_learn_at_two_dates() {
    let (Some(data), Some(python)) = (public_data("cdnow"), python()) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (lake, out) = (data.display().to_string(), dir.path().display().to_string());
    let shipped = std::fs::read_to_string(root().join("pipelines/cdnow.toml")).unwrap();
    let of_churn = shipped
        .replace("sample.parquet", "master.parquet")
        .replace("\"repeat_buyer\"         #", "\"churn_probability\"    #");
    let file = format!("{out}/cdnow.toml");
    std::fs::write(&file, of_churn + CHURN_OF_CDNOW).unwrap();
    for as_of in ["1998-03-31", "1998-06-30"] {
        // A store each: a fit before this day could stay in use.
        let out = format!("{out}/{as_of}");
        run_at(&file, as_of, &lake, &out);
        let tables = tables_of(&Path::new(&out).join("cdnow"), as_of);
        script(&python, "churn.py", &[&file, &lake, &tables, as_of]);
        script(&python, "reasons.py", &[&file, &tables, "USD"]);
    }
}

#[test]
fn the_kpi_of_three_months_is_the_mean_over_those_who_can_churn() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let (lake, out) = (format!("{path}/lake"), format!("{path}/months"));
    for as_of in ["2026-08-31", "2026-09-30", "2026-10-31"] {
        run_at("pipelines/demo.toml", as_of, &lake, &out);
    }
    let store = format!("{out}/demo");
    script(&python, "kpi.py", &["pipelines/demo.toml", &lake, &store]);
}

#[test]
fn a_stated_population_is_scored_and_every_other_customer_has_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let stated = shipped.replacen(
        "horizon = \"90d\"",
        "horizon = \"90d\"\npopulation = \"recency_days < 180 and country <> 'DE'\"",
        1,
    );
    let file = format!("{path}/demo.toml");
    std::fs::write(&file, stated).unwrap();
    run_at(
        &file,
        "2026-10-30",
        &format!("{path}/lake"),
        &format!("{path}/store"),
    );
    let folder = tables_of(&dir.path().join("store/demo"), "2026-10-30");
    let customers = Table::read(&Path::new(&folder).join("customers.parquet"));
    let (recency, country) = (customers.ints("recency_days"), customers.texts("country"));
    let (scored, excluded, reasons) = (
        customers.floats("churn_probability"),
        customers.texts("churn_excluded"),
        customers.texts("churn_reason_1"),
    );
    let mut seen = std::collections::BTreeSet::new();
    for row in 0..customers.rows() {
        let near = recency[row].is_some_and(|days| days < 180);
        let elsewhere = country[row].as_deref().is_some_and(|c| c != "DE");
        let expected = match recency[row] {
            None => Some("never bought"),
            Some(_) if near && elsewhere => None,
            Some(days) if days < 90 => Some("outside the population"),
            Some(_) => Some("churned before"),
        };
        assert_eq!(excluded[row].as_deref(), expected, "row {row}");
        assert_eq!(scored[row].is_some(), expected.is_none(), "row {row}");
        assert!(expected.is_none() || reasons[row].is_none(), "row {row}");
        seen.insert(expected);
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[test]
fn a_population_that_does_not_parse_is_shown_at_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 500);
    let shipped = std::fs::read_to_string(root().join("pipelines/demo.toml")).unwrap();
    let file = format!("{path}/demo.toml");
    let wrong = shipped.replacen(
        "horizon = \"90d\"",
        "horizon = \"90d\"\npopulation = \"recency < 90\"",
        1,
    );
    std::fs::write(&file, wrong).unwrap();
    let lake = format!("lake={path}/lake");
    let output = run(&["check", &file, "--var", &lake], 2);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("population = \"recency < 90\""),
        "{message}"
    );
}
