//! Why a customer is no longer listed, as far as the published tables tell.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, RecordBatch};
use serde::Serialize;
use tessera_snapshot::Version;

use super::list::are;
use super::{ExportError, List, Playbook};
use crate::key::{Key, of_column};

/// Why a customer is no longer listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Another segment of the scheme has the customer now.
    LeftSegment,
    /// The customer is still in the segment, and in the control of an experiment.
    InControl,
    /// The customer is still in the segment, but may no longer be contacted.
    NotReachable,
    /// The customer is still in the segment; why it is not listed is not in the tables.
    NotListed,
    /// The account is closed: its customer has a row, but no segment.
    Closed,
    /// The key belongs to another customer now.
    Merged,
    /// The version has no such customer.
    NotInBase,
}

impl Reason {
    /// As exported.
    pub fn name(self) -> &'static str {
        match self {
            Self::LeftSegment => "left_segment",
            Self::InControl => "in_control",
            Self::NotReachable => "not_reachable",
            Self::NotListed => "not_listed",
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::NotInBase => "not_in_base",
        }
    }
}

/// Why each of these customers is not in the list of the version.
pub(super) fn reasons(
    version: &Version,
    playbook: &Playbook,
    list: &List,
    keys: &ArrayRef,
) -> Result<Vec<Reason>, ExportError> {
    let gone = of_column(keys).unwrap_or_default();
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let asked: HashSet<Key<'_>> = gone.iter().copied().collect();
    let in_segment = segments(version, playbook, &asked)?;
    let in_segment: HashMap<Key<'_>, bool> = in_segment
        .iter()
        .flat_map(|(keys, own)| {
            of_column(keys)
                .unwrap_or_default()
                .into_iter()
                .zip(own.iter().copied())
        })
        .collect();
    let customers = among(version, "customers", &asked)?;
    let customers = set(&customers);
    let merged = match version.has("merged_keys") {
        true => among(version, "merged_keys", &asked)?,
        false => Vec::new(),
    };
    let merged = set(&merged);
    let members = &list.members;
    let controls = set(&list.in_control);
    let still = match members.not_reachable.is_some_and(|count| count > 0) {
        true => Reason::NotReachable,
        false => Reason::NotListed,
    };
    let of = |key: &Key<'_>| match in_segment.get(key) {
        Some(true) if controls.contains(key) => Reason::InControl,
        Some(true) => still,
        Some(false) => Reason::LeftSegment,
        None if customers.contains(key) => Reason::Closed,
        None if merged.contains(key) => Reason::Merged,
        None => Reason::NotInBase,
    };
    Ok(gone.iter().map(of).collect())
}

/// Of those of the customers whom the scheme assigns: the keys, and whether they are in the playbook's segment.
fn segments(
    version: &Version,
    playbook: &Playbook,
    asked: &HashSet<Key<'_>>,
) -> Result<Vec<(ArrayRef, Vec<bool>)>, ExportError> {
    let table = version.schema("memberships")?;
    let key = table.field(1).name();
    let wanted = |name: &str| name == key || ["scheme", "segment"].contains(&name);
    let mut keep = |batch: &RecordBatch| {
        let scheme = are(batch, "scheme", &playbook.scheme);
        let keys = batch.column_by_name(key).and_then(of_column);
        let keys = keys.unwrap_or_default().into_iter();
        keys.zip(scheme.iter())
            .map(|(key, own)| Some(own == Some(true) && asked.contains(&key)))
            .collect()
    };
    let found = version.read_where("memberships", wanted, &mut keep)?;
    let of = |batch: RecordBatch| {
        let own = are(&batch, "segment", &playbook.segment);
        let own = own.iter().map(|own| own == Some(true)).collect();
        Some((batch.column_by_name(key)?.clone(), own))
    };
    Ok(found.into_iter().filter_map(of).collect())
}

/// Those of the customers whose keys are in the second column of a table.
fn among(
    version: &Version,
    table: &str,
    asked: &HashSet<Key<'_>>,
) -> Result<Vec<ArrayRef>, ExportError> {
    let schema = version.schema(table)?;
    let key = schema.field(1).name();
    let mut keep = |batch: &RecordBatch| {
        let keys = batch.columns().first().and_then(of_column);
        let keys = keys.unwrap_or_default().into_iter();
        keys.map(|key| Some(asked.contains(&key))).collect()
    };
    let found = version.read_where(table, |name| name == key, &mut keep)?;
    Ok(found
        .into_iter()
        .filter_map(|batch| batch.columns().first().cloned())
        .collect())
}

fn set(keys: &[ArrayRef]) -> HashSet<Key<'_>> {
    let keys = keys.iter().filter_map(of_column);
    keys.flatten().collect()
}
