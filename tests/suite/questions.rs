//! The questions of docs/bi.md, and reasons compared with the customers' rows, each over several months of the demo.

use crate::oracle::{python, script};
use crate::program::{root, run};

#[test]
fn the_questions_are_plain_selects_that_work_from_any_folder_and_reasons_are_true() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 3_000);
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    // One day is published twice: the second version supersedes the first, and must not be counted in addition.
    for as_of in ["2026-09-30", "2026-08-31", "2026-09-30"] {
        let file = root().join("pipelines/demo.toml").display().to_string();
        let day = ["run", &file, "--as-of", as_of, "--quiet"];
        let variables = ["--var", &lake, "--var", &out];
        run(&[&day[..], &variables[..]].concat(), 0);
    }
    let store = format!("{path}/store/demo");
    script(&python, "questions.py", &[&store, "docs/bi.md"]);
    // Of the versions that stand in each other's place too.
    script(&python, "delta_readers.py", &[&store]);
    script(
        &python,
        "membership_reasons.py",
        &[&store, "pipelines/demo.toml", "200"],
    );
}
