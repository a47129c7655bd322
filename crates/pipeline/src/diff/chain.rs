//! The versions between two versions, whose steps add up to the change from the one to the other.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use chrono::NaiveDate;
use serde::Serialize;
use tessera_snapshot::{Store, StoreError, Version};

use crate::error::PipelineError;

/// The steps of every version after the one up to the other.
pub(super) struct Chain {
    /// The versions, oldest first.
    versions: Vec<Version>,
    /// Why the steps are not known.
    pub(super) unknown: Option<String>,
}

/// What happened to a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventFound {
    /// Day of the version that says so.
    pub as_of: NaiveDate,
    /// The segment's permanent id.
    pub segment_id: i64,
    /// Its name.
    pub segment: String,
    /// As in `segment_events`.
    pub event: String,
    /// Its name before.
    pub name_before: Option<String>,
    /// The overlaps.
    pub evidence: Option<String>,
}

/// A step of a scheme in one version: who moved where, why, how many, and what they count in hundredths.
pub(super) struct StepFound {
    pub(super) scheme: String,
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) cause: String,
    pub(super) customers: i64,
    pub(super) cents: i128,
}

impl Chain {
    /// Follows the commits back from the other version to the one.
    pub(super) fn new(store: &Store, from: &Version, to: &Version) -> Result<Self, PipelineError> {
        let unknown = |why: String| Self {
            versions: Vec::new(),
            unknown: Some(why),
        };
        if from.number() == to.number() {
            return Ok(Self {
                versions: Vec::new(),
                unknown: None,
            });
        }
        if from.as_of() >= to.as_of() {
            return Ok(unknown(
                "causes are stated from an earlier day to a later one".to_owned(),
            ));
        }
        // A version that was published again because it was damaged is the same for those that follow it.
        let replaced = from.commit().replaces.as_ref().map(|found| found.version);
        let mut versions = vec![to.clone()];
        loop {
            let at = &versions[versions.len() - 1];
            let previous = at.commit().previous;
            if previous == from.number() || replaced == Some(previous) {
                versions.reverse();
                return Ok(Self {
                    versions,
                    unknown: None,
                });
            }
            let end = |why: &str| {
                unknown(format!(
                    "version {} {why}, so that version {} does not lead to it",
                    at.number(),
                    from.number()
                ))
            };
            if previous == 0 {
                return Ok(end("was published after no other"));
            }
            match store.version(previous) {
                Ok(version) if version.as_of() <= from.as_of() => {
                    return Ok(end(&format!("was published after version {previous}")));
                }
                Ok(version) => versions.push(version),
                Err(StoreError::Expired { .. }) => {
                    return Ok(end(&format!(
                        "was published after version {previous}, which has expired"
                    )));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The rows of `migrations` of all versions.
    pub(super) fn steps(&self) -> Result<Vec<StepFound>, PipelineError> {
        let mut steps = Vec::new();
        for version in &self.versions {
            for batch in version.read("migrations")? {
                let (schemes, causes) = (texts(&batch, "scheme"), texts(&batch, "cause"));
                let ids = |name: &str| integers(&batch, name);
                let (from, to) = (ids("from_segment_id"), ids("to_segment_id"));
                let (customers, cents) = (ids("customers"), hundredths(&batch, "value"));
                steps.extend((0..batch.num_rows()).map(|row| StepFound {
                    scheme: schemes[row].clone().unwrap_or_default(),
                    from: from[row],
                    to: to[row],
                    cause: causes[row].clone().unwrap_or_default(),
                    customers: customers[row].unwrap_or_default(),
                    cents: cents[row],
                }));
            }
        }
        Ok(steps)
    }

    /// What happened to the segments of each scheme, but for those that went on.
    pub(super) fn events(&self) -> Result<BTreeMap<String, Vec<EventFound>>, PipelineError> {
        let mut events: BTreeMap<String, Vec<EventFound>> = BTreeMap::new();
        for version in &self.versions {
            for batch in version.read("segment_events")? {
                let text = |name: &str| texts(&batch, name);
                let (schemes, segments, kinds) = (text("scheme"), text("segment"), text("event"));
                let (before, evidence) = (text("name_before"), text("evidence"));
                let ids = integers(&batch, "segment_id");
                for (row, event) in kinds.into_iter().enumerate() {
                    let event = event.unwrap_or_default();
                    if event == "continued" {
                        continue;
                    }
                    let scheme = schemes[row].clone().unwrap_or_default();
                    events.entry(scheme).or_default().push(EventFound {
                        as_of: version.as_of(),
                        segment_id: ids[row].unwrap_or_default(),
                        segment: segments[row].clone().unwrap_or_default(),
                        event,
                        name_before: before[row].clone(),
                        evidence: evidence[row].clone(),
                    });
                }
            }
        }
        Ok(events)
    }
}

/// A column of texts; nothing in a table without it.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let column = batch.column_by_name(name);
    match column.and_then(|column| column.as_string_opt::<i32>()) {
        Some(column) => column.iter().map(|text| text.map(str::to_owned)).collect(),
        None => vec![None; batch.num_rows()],
    }
}

/// A column of whole numbers; nothing in a table without it.
pub(super) fn integers(batch: &RecordBatch, name: &str) -> Vec<Option<i64>> {
    let column = batch.column_by_name(name);
    match column.and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        Some(column) => column.iter().collect(),
        None => vec![None; batch.num_rows()],
    }
}

fn hundredths(batch: &RecordBatch, name: &str) -> Vec<i128> {
    let column = batch.column_by_name(name);
    match column.and_then(|column| column.as_primitive_opt::<Decimal128Type>()) {
        Some(column) => column.values().to_vec(),
        None => vec![0; batch.num_rows()],
    }
}
