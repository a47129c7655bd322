//! `tessera schema`

use std::process::ExitCode;

use serde_json::{Value, json};
use tessera_snapshot::tables;

use crate::arguments::{Output, Schema};
use crate::output::{Failure, print, print_document, print_json};

/// Prints the JSON Schema of pipeline files, the published tables, the kinds of schemes and scores, the aggregates, the
/// gates or the file formats.
pub(crate) fn run(arguments: &Schema, output: &Output) -> Result<ExitCode, Failure> {
    match (arguments.tables, output.json) {
        _ if arguments.gates => print(&tessera_pipeline::gates_markdown())?,
        _ if arguments.formats => print(&tessera_pipeline::formats_markdown())?,
        _ if arguments.schemes => print(&tessera_pipeline::schemes_markdown())?,
        _ if arguments.scores => print(&tessera_pipeline::scores_markdown())?,
        (_, true) if arguments.aggregates => print_json(&aggregates())?,
        _ if arguments.aggregates => print(&tessera_pipeline::aggregates_markdown())?,
        (true, true) => print_json(&tables::to_json())?,
        (true, false) => print(&tables::markdown())?,
        (false, _) => print_document(&tessera_pipeline::schema_text())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The aggregates as JSON.
fn aggregates() -> Value {
    let all = tessera_pipeline::aggregates().map(|aggregate| {
        let example = aggregate.example;
        json!({
            "name": aggregate.name(),
            "takes": aggregate.takes.words(),
            "doc": aggregate.syntax.summary,
            "keys": aggregate.syntax.keys.iter().map(|key| key.name).collect::<Vec<_>>(),
            "example": {
                "feature": aggregate.as_written(),
                "rows": example.rows,
                "expect": example.expect,
            },
        })
    });
    Value::Array(all.collect())
}
