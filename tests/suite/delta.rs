//! Delta tables that delta-rs wrote are read at their current version.

use crate::oracle::{python, script};

#[test]
fn delta_tables_are_read_at_their_current_version() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    script(
        &python,
        "delta_tables.py",
        &[env!("CARGO_BIN_EXE_tessera"), &folder],
    );
}
