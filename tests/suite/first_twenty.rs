//! The first customers by value at risk: by what happens to them then, more is lost with them than with those whom other orders put
//! first.

use crate::oracle::{python, script};
use crate::program::run;

#[test]
fn more_is_lost_with_the_first_twenty_by_value_at_risk_than_with_any_other_twenty() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 20_000);
    // The lake ends 90 days after the last of these days.
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/then"));
    let days = [
        "--from",
        "2025-11-02",
        "--to",
        "2026-08-02",
        "--every",
        "3mo",
    ];
    let from = ["--var", &lake, "--var", &out, "--quiet"];
    run(
        &[&["backfill", "pipelines/demo.toml"], &days[..], &from].concat(),
        0,
    );
    let (lake, store) = (format!("{path}/lake"), format!("{path}/then/demo"));
    script(
        &python,
        "first_twenty.py",
        &[&lake, &store, "pipelines/demo.toml"],
    );
}
