//! The versions between two versions, whose steps add up to the change from the one to the other.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use chrono::NaiveDate;
use serde::Serialize;
use tessera_snapshot::{Store, StoreError, Version};

use crate::error::PipelineError;
use crate::history::DEFINITIONS;

/// The steps of every version after the one up to the other; none where they are not known.
#[derive(Default)]
pub(super) struct Chain {
    /// The rows of `migrations` of all versions.
    pub(super) steps: Vec<StepFound>,
    /// What happened to the segments of each scheme, but for those that went on.
    pub(super) events: BTreeMap<String, Vec<EventFound>>,
    /// Why the steps are not known.
    pub(super) unknown: Option<String>,
    /// By scheme why its steps are not known.
    pub(super) gaps: BTreeMap<String, String>,
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
    /// Follows the commits back from the other version to the one, and reads the versions between.
    pub(super) fn new(store: &Store, from: &Version, to: &Version) -> Result<Self, PipelineError> {
        let unknown = |why: String| Self {
            unknown: Some(why),
            ..Self::default()
        };
        let versions = match versions(store, from, to)? {
            Ok(versions) => versions,
            Err(why) => return Ok(unknown(why)),
        };
        let mut chain = Self::default();
        for (place, version) in versions.iter().enumerate() {
            let before = place.checked_sub(1).map_or(from, |place| &versions[place]);
            if compared_nothing(version) {
                return Ok(unknown(format!(
                    "version {} was compared with nothing, as the customers of version {} before it have other keys or are those of \
                     another pipeline",
                    version.number(),
                    before.number()
                )));
            }
            for scheme in
                schemes(version).filter(|scheme| !schemes(before).any(|known| known == *scheme))
            {
                let (number, day) = (before.number(), before.as_of());
                let why = format!("version {number} of {day} does not have the scheme");
                chain.gaps.insert(scheme.to_owned(), why);
            }
            if let Err(error) = chain.read(version) {
                // Of the versions that are compared, damage is an error.
                return match version.number() == to.number() {
                    true => Err(error),
                    false => damage(version, error).map(unknown),
                };
            }
        }
        Ok(chain)
    }

    /// Adds what a version says.
    fn read(&mut self, version: &Version) -> Result<(), PipelineError> {
        for batch in version.read("migrations")? {
            let (schemes, causes) = (texts(&batch, "scheme"), texts(&batch, "cause"));
            let ids = |name: &str| integers(&batch, name);
            let (from, to) = (ids("from_segment_id"), ids("to_segment_id"));
            let (customers, cents) = (ids("customers"), hundredths(&batch, "value"));
            self.steps
                .extend((0..batch.num_rows()).map(|row| StepFound {
                    scheme: schemes[row].clone().unwrap_or_default(),
                    from: from[row],
                    to: to[row],
                    cause: causes[row].clone().unwrap_or_default(),
                    customers: customers[row].unwrap_or_default(),
                    cents: cents[row],
                }));
        }
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
                self.events.entry(scheme).or_default().push(EventFound {
                    as_of: version.as_of(),
                    segment_id: ids[row].unwrap_or_default(),
                    segment: segments[row].clone().unwrap_or_default(),
                    event,
                    name_before: before[row].clone(),
                    evidence: evidence[row].clone(),
                });
            }
        }
        Ok(())
    }
}

/// Whether a version was compared with none, although one comes before it: every other one states how customers differ. Those of
/// programs that did not are taken for compared.
pub(crate) fn compared_nothing(version: &Version) -> bool {
    version.commit().previous != 0 && version.has("drift") && version.rows("drift") == 0
}

/// The schemes of a version.
fn schemes(version: &Version) -> impl Iterator<Item = &str> {
    let schemes = version.commit().pipeline[DEFINITIONS]["schemes"].as_object();
    schemes
        .into_iter()
        .flat_map(|schemes| schemes.keys().map(String::as_str))
}

/// The versions from the one, which is left out, to the other, oldest first; or why the one does not lead to the other.
fn versions(
    store: &Store,
    from: &Version,
    to: &Version,
) -> Result<Result<Vec<Version>, String>, PipelineError> {
    if from.number() == to.number() {
        return Ok(Ok(Vec::new()));
    }
    if from.as_of() >= to.as_of() {
        return Ok(Err(
            "causes are stated from an earlier day to a later one".to_owned()
        ));
    }
    // A version that was published again because it was damaged is the same for those that follow it.
    let replaced = store.replacements()?;
    let whole = |number: u64| replaced.get(&number).copied().unwrap_or(number);
    let mut versions = vec![to.clone()];
    loop {
        let at = &versions[versions.len() - 1];
        let previous = whole(at.commit().previous);
        if previous == whole(from.number()) {
            versions.reverse();
            return Ok(Ok(versions));
        }
        let end = |why: &str| {
            Ok(Err(format!(
                "version {} {why}, so that version {} does not lead to it",
                at.number(),
                from.number()
            )))
        };
        if previous == 0 {
            return end("was published after no other");
        }
        match store.version(previous) {
            Ok(version) if version.as_of() <= from.as_of() => {
                return end(&format!("was published after version {previous}"));
            }
            Ok(version) => versions.push(version),
            Err(StoreError::Expired { .. }) => {
                return end(&format!(
                    "was published after version {previous}, which has expired"
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// What is wrong with a version of which tables are missing or damaged, and what would help; any other error as it is.
pub(crate) fn damage(version: &Version, error: PipelineError) -> Result<String, PipelineError> {
    let PipelineError::Store(found) = &error else {
        return Err(error);
    };
    if !found.is_damage() {
        return Err(error);
    }
    let (number, day) = (version.number(), version.as_of());
    Ok(format!(
        "version {number} of {day} is damaged ({found}); `tessera run --as-of {day} --replace-damaged` publishes it again, with the \
         same pipeline file, program and lake"
    ))
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
