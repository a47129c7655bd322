//! Why customers moved in schemes that read scores, held against runs on a lake without the new rows.

use crate::oracle::{python, script};

#[test]
fn time_is_told_apart_from_new_rows_in_schemes_that_read_scores() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().display().to_string();
    crate::program::demo(&folder, 800);
    let program = env!("CARGO_BIN_EXE_tessera");
    script(&python, "score_causes.py", &[program, &folder]);
}
