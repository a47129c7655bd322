//! `tessera schema`

use std::process::ExitCode;

use tessera_snapshot::tables;

use crate::arguments::{Output, Schema};
use crate::output::{Failure, print, print_document, print_json};

/// Prints the JSON Schema of pipeline files, the published tables, or the kinds of schemes.
pub(crate) fn run(arguments: &Schema, output: &Output) -> Result<ExitCode, Failure> {
    match (arguments.tables, output.json) {
        _ if arguments.schemes => print(&tessera_pipeline::schemes_markdown())?,
        (true, true) => print_json(&tables::to_json())?,
        (true, false) => print(&tables::markdown())?,
        (false, _) => print_document(&tessera_pipeline::schema_text())?,
    }
    Ok(ExitCode::SUCCESS)
}
