//! `tessera schema`

use std::process::ExitCode;

use serde_json::{Value, json};
use tessera_snapshot::tables;
use tessera_spec::Syntax;

use crate::arguments::{Output, Schema};
use crate::output::{Failure, print, print_document, print_json};

/// Prints the JSON Schema of pipeline files, the published tables, the kinds of schemes and scores, the aggregates, the
/// gates or the file formats.
pub(crate) fn run(arguments: &Schema, output: &Output) -> Result<ExitCode, Failure> {
    let syntax = tessera_pipeline::syntax();
    match (arguments.tables, output.json) {
        (_, true) if arguments.gates => print_json(&gates(&syntax))?,
        _ if arguments.gates => print(&tessera_pipeline::gates_markdown())?,
        (_, true) if arguments.formats => print_json(&formats(&syntax))?,
        _ if arguments.formats => print(&tessera_pipeline::formats_markdown())?,
        (_, true) if arguments.schemes => {
            let kinds = syntax.schemes.iter();
            print_json(
                &kinds
                    .map(|kind| described(kind.name, kind.summary, kind.described()))
                    .collect(),
            )?;
        }
        _ if arguments.schemes => print(&tessera_pipeline::schemes_markdown())?,
        (_, true) if arguments.scores => {
            let kinds = syntax.scores.iter();
            print_json(
                &kinds
                    .map(|kind| described(kind.name, kind.summary, kind.described()))
                    .collect(),
            )?;
        }
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

/// A kind with its keys as JSON.
fn described(name: &str, doc: &str, keys: Vec<(&'static str, bool, String)>) -> Value {
    let key = |(name, required, doc)| json!({"name": name, "required": required, "doc": doc});
    let keys: Vec<Value> = keys.into_iter().map(key).collect();
    json!({"name": name, "doc": doc, "keys": keys})
}

/// The gates as JSON.
fn gates(syntax: &Syntax) -> Value {
    let gates = syntax.gates.iter().map(|gate| {
        let limits = gate.limits.iter();
        let keys = limits.map(|limit| (limit.key().name, false, tessera_spec::described(*limit)));
        described(gate.name, gate.summary, keys.collect())
    });
    gates.collect()
}

/// The file formats as JSON.
fn formats(syntax: &Syntax) -> Value {
    let formats = syntax.formats.iter().map(|format| {
        let keys = format.text.iter();
        let keys = keys.map(|key| (key.name, key.required.is_some(), key.help.to_owned()));
        described(format.name, format.summary, keys.collect())
    });
    formats.collect()
}
