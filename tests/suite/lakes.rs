//! Hundreds of generated lakes like those of companies, and columns of all types that writers have: published values are compared
//! with DuckDB's, `check` with `run`, and nothing is rejected without a reason. `TESSERA_LAKES` and `TESSERA_BROKEN_LAKES` set how many to run.

use std::path::Path;

use crate::oracle::{python, script};

/// The number in the environment variable, or one that takes about a minute.
fn wanted(variable: &str, otherwise: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned())
}

/// Folder in which failing lakes are kept.
fn kept(name: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    folder.display().to_string()
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_tessera");

#[test]
fn generated_lakes_are_published_as_duckdb_computes_them_and_every_row_has_one_outcome() {
    let Some(python) = python() else { return };
    let count = wanted("TESSERA_LAKES", "60");
    let folder = kept("lakes");
    let arguments = [PROGRAM, "--count", &count, "--keep", &folder];
    script(&python, "lakes.py", &arguments);
}

#[test]
fn what_run_refuses_of_a_broken_lake_check_refuses_with_the_same_message() {
    let Some(python) = python() else { return };
    let count = wanted("TESSERA_BROKEN_LAKES", "65");
    let folder = kept("broken-lakes");
    let arguments = [PROGRAM, "--count", &count, "--keep", &folder];
    script(&python, "broken_lakes.py", &arguments);
}

#[test]
fn columns_of_every_kind_are_read_exactly_or_refused_and_nothing_where_they_are_not_used() {
    let Some(python) = python() else { return };
    script(&python, "column_kinds.py", &[PROGRAM]);
}
