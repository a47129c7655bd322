//! Run events of OpenLineage (openlineage.io), one per line: what was read, what was published, and how the run ended.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Days, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{End, Input, Record};
use crate::publish::Published;
use crate::sources::SourceOutcome;

/// The producer of the events, as a URI.
const PRODUCER: &str = concat!("urn:tessera:", env!("CARGO_PKG_VERSION"));

/// URI of the specification.
const SPEC: &str = "https://openlineage.io/spec";

/// Environment variable with the namespace of the job, as OpenLineage's own clients read it.
const NAMESPACE: &str = "OPENLINEAGE_NAMESPACE";

/// An id for a run: a UUID of version 7, whose order is that of time.
pub(super) fn run_id() -> String {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Each state of a hasher begins with random keys of the operating system.
    let random = |place: u32| RandomState::new().hash_one((place, std::process::id(), since));
    let (a, b) = (random(0), random(1));
    let milliseconds = since.as_millis() as u64 & 0xffff_ffff_ffff;
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        milliseconds >> 16,
        milliseconds & 0xffff,
        a & 0xfff,
        (a >> 16 & 0x3fff) | 0x8000,
        b & 0xffff_ffff_ffff
    )
}

/// The event of a run that starts.
pub(super) fn start(record: &Record) -> String {
    event(record, "START", record.started, Map::new(), Vec::new())
}

/// The event of a run that ended. If a version is published, the event is `COMPLETE` even if a later step failed.
pub(super) fn end(record: &Record, end: &End<'_>) -> String {
    let is_published = record.published.is_some() || record.left.is_some();
    let kind = match end.exit_code {
        0 => "COMPLETE",
        _ if is_published => "COMPLETE",
        130 => "ABORT",
        _ => "FAIL",
    };
    let mut facets = Map::new();
    if let Some(message) = end.message {
        facets.insert(
            "errorMessage".to_owned(),
            facet(
                "1-0-1/ErrorMessageRunFacet",
                json!({"message": message, "programmingLanguage": "Rust"}),
            ),
        );
    }
    let outputs = record
        .published
        .as_ref()
        .map_or_else(Vec::new, |published| outputs(record, published));
    event(record, kind, end.at, facets, outputs)
}

fn event(
    record: &Record,
    kind: &str,
    at: DateTime<Utc>,
    mut run_facets: Map<String, Value>,
    outputs: Vec<Value>,
) -> String {
    run_facets.insert(
        "processing_engine".to_owned(),
        facet(
            "1-1-1/ProcessingEngineRunFacet",
            json!({"name": "tessera", "version": env!("CARGO_PKG_VERSION")}),
        ),
    );
    if let Some(as_of) = record.as_of {
        let next = as_of.checked_add_days(Days::new(1)).unwrap_or(as_of);
        run_facets.insert(
            "nominalTime".to_owned(),
            facet(
                "1-0-1/NominalTimeRunFacet",
                json!({"nominalStartTime": format!("{as_of}T00:00:00Z"), "nominalEndTime": format!("{next}T00:00:00Z")}),
            ),
        );
    }
    let job_type = json!({"processingType": "BATCH", "integration": "TESSERA", "jobType": "JOB"});
    let event = json!({
        "eventTime": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "eventType": kind,
        "producer": PRODUCER,
        "schemaURL": format!("{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"),
        "run": {"runId": record.run_id, "facets": run_facets},
        "job": {
            "namespace": std::env::var(NAMESPACE).unwrap_or_else(|_| "tessera".to_owned()),
            "name": record.pipeline,
            "facets": {"jobType": facet("2-0-4/JobTypeJobFacet", job_type)},
        },
        "inputs": record.inputs.iter().map(|one| input(one, &record.outcomes)).collect::<Vec<_>>(),
        "outputs": outputs,
    });
    format!("{event}\n")
}

/// A facet with what every facet must state. `schema` is its version and name.
fn facet(schema: &str, mut fields: Value) -> Value {
    let name = schema.rsplit('/').next().unwrap_or_default();
    fields["_producer"] = PRODUCER.into();
    fields["_schemaURL"] = format!("{SPEC}/facets/{schema}.json#/$defs/{name}").into();
    fields
}

fn schema(columns: &[(String, String)]) -> Value {
    let fields: Vec<Value> = columns
        .iter()
        .map(|(name, ty)| json!({"name": name, "type": ty}))
        .collect();
    facet("1-2-0/SchemaDatasetFacet", json!({"fields": fields}))
}

fn input(input: &Input, outcomes: &[SourceOutcome]) -> Value {
    let path = absolute(&input.path);
    let mut facets = json!({
        "inputStatistics": facet(
            "1-0-0/InputStatisticsInputDatasetFacet",
            json!({"rowCount": input.rows, "size": input.bytes, "fileCount": input.files}),
        ),
    });
    if let Some(outcome) = outcomes.iter().find(|outcome| outcome.name == input.name) {
        let unseen = &outcome.counts.unseen;
        // Not a facet of the specification; it has the fields common to all facets.
        facets["tessera_rowOutcomes"] = json!({
            "_producer": PRODUCER,
            "_schemaURL": format!("{SPEC}/2-0-2/OpenLineage.json#/$defs/InputDatasetFacet"),
            "used": outcome.counts.used, "filtered": outcome.filtered, "quarantined": outcome.quarantined,
            "dropped": outcome.dropped, "future": unseen.future, "unknown": unseen.unknown, "pruned": unseen.pruned,
        });
    }
    json!({
        "namespace": "file",
        "name": path.to_string_lossy(),
        "facets": {
            "schema": schema(&input.columns),
            "dataSource": facet("1-0-1/DatasourceDatasetFacet", json!({"name": input.name, "uri": uri(&path)})),
        },
        "inputFacets": facets,
    })
}

/// The tables of the version. A table has the same name in every version; the version is in a facet.
fn outputs(record: &Record, published: &Published) -> Vec<Value> {
    let store = record.store.clone().unwrap_or_default();
    let tables = published.tables_written.iter();
    tables
        .map(|table| {
            json!({
                "namespace": "file",
                "name": store.join(&table.name).to_string_lossy(),
                "facets": {
                    "schema": schema(&table.columns),
                    "version": facet("1-0-1/DatasetVersionDatasetFacet", json!({"datasetVersion": published.version.to_string()})),
                    "dataSource": facet(
                        "1-0-1/DatasourceDatasetFacet",
                        json!({"name": record.pipeline, "uri": uri(&absolute(&published.tables.to_string_lossy()))}),
                    ),
                },
                "outputFacets": {
                    "outputStatistics": facet(
                        "1-0-2/OutputStatisticsOutputDatasetFacet",
                        json!({"rowCount": table.rows, "size": table.bytes, "fileCount": table.files}),
                    ),
                },
            })
        })
        .collect()
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

/// The path as a URI, percent-encoded except for letters, digits and common characters of paths.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_and_differ() {
        let (first, second) = (run_id(), run_id());
        assert_ne!(first, second);
        let groups: Vec<&str> = first.split('-').collect();
        let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(groups[2].starts_with('7'));
        assert!(
            ['8', '9', 'a', 'b']
                .iter()
                .any(|c| groups[3].starts_with(*c))
        );
        assert!(first.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
    }

    #[test]
    fn a_path_is_a_uri_whatever_it_holds() {
        assert_eq!(
            uri(Path::new("/a b/*.csv?ü")),
            "file:///a%20b/%2A.csv%3F%C3%BC"
        );
    }
}
