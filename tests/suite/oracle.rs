//! Every feature of every customer is compared with an independent computation, and every table is read by other readers, both in
//! Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{public_data, root, run, skipped};

/// A Python with the oracle's packages: the one of `TESSERA_PYTHON`, which `.ci/run` sets up, or one set up once in the build
/// folder.
pub(crate) fn python() -> Option<PathBuf> {
    if let Some(python) = std::env::var_os("TESSERA_PYTHON") {
        return Some(PathBuf::from(python));
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-venv");
    let python = folder.join("bin/python");
    let requirements = root().join("tests/oracle/requirements.txt");
    let ready = folder.join("ready");
    let wanted = std::fs::read(&requirements).unwrap();
    if std::fs::read(&ready).is_ok_and(|found| found == wanted) {
        return Some(python);
    }
    let lock =
        std::fs::File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-venv.lock"))
            .unwrap();
    lock.lock().unwrap();
    if std::fs::read(&ready).is_ok_and(|found| found == wanted) {
        return Some(python);
    }
    let made = Command::new("python3")
        .args(["-m", "venv"])
        .arg(&folder)
        .output();
    let installed = made.is_ok_and(|made| made.status.success())
        && Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "-r"])
            .arg(&requirements)
            .output()
            .is_ok_and(|o| o.status.success());
    if !installed {
        return skipped(
            "python3 with the packages of tests/oracle/requirements.txt could not be made",
        );
    }
    std::fs::write(&ready, wanted).unwrap();
    Some(python)
}

/// Runs a script of `tests/oracle` from the root of the repository.
///
/// # Panics
/// It fails.
pub(crate) fn script(python: &Path, name: &str, arguments: &[&str]) {
    let output = Command::new(python)
        .arg(root().join("tests/oracle").join(name))
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name} {}\n{}\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_feature_of_the_demo_equals_duckdbs_and_every_reader_reads_every_table() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 20_000);
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    run(
        &[
            "run",
            "pipelines/demo.toml",
            "--as-of",
            "2026-08-31",
            "--var",
            &lake,
            "--var",
            &out,
            "--quiet",
        ],
        0,
    );
    // `latest` stays at the newer day that the demo published.
    let older = std::fs::read_dir(format!("{path}/store/demo/data/as_of=2026-08-31"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let customers = older.join("customers.parquet").display().to_string();
    script(
        &python,
        "features.py",
        &[
            "pipelines/demo.toml",
            &format!("{path}/lake"),
            &customers,
            "2026-08-31",
        ],
    );
    script(&python, "readers.py", &[&format!("{path}/store/demo"), "2"]);
}

#[test]
fn every_feature_of_online_retail_equals_duckdbs() {
    let (Some(data), Some(python)) = (public_data("online_retail"), python()) else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let (lake, store) = (
        format!("lake={}", data.display()),
        format!("out={}", out.path().display()),
    );
    run(
        &[
            "run",
            "pipelines/online_retail.toml",
            "--as-of",
            "2011-09-30",
            "--var",
            &lake,
            "--var",
            &store,
            "--quiet",
        ],
        0,
    );
    let customers = out
        .path()
        .join("online_retail/latest/customers.parquet")
        .display()
        .to_string();
    script(
        &python,
        "features.py",
        &[
            "pipelines/online_retail.toml",
            &data.display().to_string(),
            &customers,
            "2011-09-30",
        ],
    );
}

#[test]
fn functions_that_duckdb_has_too_give_what_the_document_states() {
    let Some(python) = python() else { return };
    script(&python, "expressions.py", &["docs/expressions.md"]);
}

#[test]
fn functions_over_generated_rows_are_those_of_duckdb_or_of_the_document() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().display().to_string();
    script(
        &python,
        "functions.py",
        &[env!("CARGO_BIN_EXE_tessera"), &folder],
    );
}
