//! The first customers by value at risk: by what happens to them then, most is lost with them.

use crate::oracle::{python, script};
use crate::program::run;

#[test]
fn more_is_lost_with_the_first_twenty_by_value_at_risk_than_with_any_other_twenty() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 20_000);
    // The lake ends 90 days after this day.
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/then"));
    let day = ["run", "pipelines/demo.toml", "--as-of", "2026-08-02"];
    run(
        &[&day[..], &["--var", &lake, "--var", &out, "--quiet"]].concat(),
        0,
    );
    let (lake, store) = (format!("{path}/lake"), format!("{path}/then/demo"));
    script(
        &python,
        "first_twenty.py",
        &[&lake, &store, "pipelines/demo.toml"],
    );
}
