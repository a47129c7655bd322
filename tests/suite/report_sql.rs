//! Every number of a report equals the result of its SQL in DuckDB.

use std::path::Path;

use crate::oracle::{python, script};
use crate::program::{public_data, run};

/// Runs a shipped pipeline for these days, the earliest first, and compares the numbers of the last report.
fn holds(pipeline: &str, data: &str, days: &[&str], least: usize) {
    let (Some(data), Some(python)) = (public_data(data), python()) else {
        return;
    };
    let store = tempfile::tempdir().unwrap();
    let (file, lake) = (
        format!("pipelines/{pipeline}.toml"),
        format!("lake={}", data.display()),
    );
    let out = format!("out={}", store.path().display());
    for day in days {
        run(
            &["run", &file, "--as-of", day, "--var", &lake, "--var", &out],
            0,
        );
    }
    compare(&python, &store.path().join(pipeline), days.len(), least);
}

fn compare(python: &Path, store: &Path, version: usize, least: usize) {
    let report = store.join(format!("reports/version-{version}.html"));
    script(
        python,
        "report_sql.py",
        &[
            &store.display().to_string(),
            &report.display().to_string(),
            &least.to_string(),
        ],
    );
}

#[test]
fn online_retail() {
    holds(
        "online_retail",
        "online_retail",
        &["2011-11-10", "2011-12-10"],
        300,
    );
}

#[test]
fn cdnow() {
    holds("cdnow", "cdnow", &["1997-06-30", "1997-09-30"], 200);
}

#[test]
fn ravenstack() {
    holds(
        "ravenstack",
        "ravenstack",
        &["2024-11-30", "2024-12-31"],
        150,
    );
}

#[test]
fn rfm_reference() {
    holds("rfm_reference", "rfm", &["2006-12-31"], 100);
}

#[test]
fn demo_over_two_months() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    crate::program::demo(&path, 4_000);
    // Another store, in which there is an earlier version.
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/months"));
    for day in ["2026-09-30", "2026-10-31"] {
        let file = "pipelines/demo.toml";
        run(
            &["run", file, "--as-of", day, "--var", &lake, "--var", &out],
            0,
        );
    }
    compare(&python, &folder.path().join("months/demo"), 2, 500);
}
