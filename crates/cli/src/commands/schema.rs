//! `tessera schema`

use std::process::ExitCode;

use tessera_snapshot::tables;

use crate::arguments::{Output, Schema};
use crate::output::{Failure, print, print_document, print_json};

/// Prints the JSON Schema of pipeline files, or the published tables.
pub(crate) fn run(arguments: &Schema, output: &Output) -> Result<ExitCode, Failure> {
    match (arguments.tables, output.json) {
        (true, true) => print_json(&tables::to_json())?,
        (true, false) => print(&tables::markdown())?,
        (false, _) => print_document(&tessera_spec::schema_text())?,
    }
    Ok(ExitCode::SUCCESS)
}
