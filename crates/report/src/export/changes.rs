//! What changed between the lists of two versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema};
use serde::Serialize;
use tessera_snapshot::Version;

use super::list::places;
use super::reasons::{Reason, reasons};
use super::{ExportError, List, Playbook};
use crate::key::of_column;

/// The column that says what changed: `added`, `removed` or `updated`.
pub const CHANGE: &str = "change";

/// The column that says why a customer was removed.
pub const CHANGE_REASON: &str = "change_reason";

/// The day of a version, which is another one in every row: by itself it is no change.
const AS_OF: &str = "as_of";

/// What changed between two lists.
#[derive(Debug, Serialize)]
pub struct Changes {
    /// The rows: customers who were removed, by their priority then and with their values then, and below them those who were added
    /// or updated, by their priority now.
    #[serde(skip)]
    pub rows: RecordBatch,
    /// Customers who are listed now and were not.
    pub added: u64,
    /// Customers who were listed and are not now.
    pub removed: u64,
    /// Customers of both lists of whom an exported column differs.
    pub updated: u64,
    /// Customers of both lists of whom none does.
    pub unchanged: u64,
    /// Why customers were removed.
    pub removed_because: BTreeMap<Reason, u64>,
    /// How many customers each column differs of, columns that differ of nobody left out.
    pub differing: BTreeMap<String, u64>,
}

/// Compares the list of a version with an earlier one that has the same columns.
///
/// # Errors
/// A column with a name that changes use themselves; a table that cannot be read.
pub fn changes(
    version: &Version,
    playbook: &Playbook,
    now: &List,
    before: &List,
) -> Result<Changes, ExportError> {
    let schema = now.rows.schema();
    if let Some(own) = [CHANGE, CHANGE_REASON]
        .into_iter()
        .find(|own| schema.index_of(own).is_ok())
    {
        return Err(ExportError::Reserved(own.to_owned()));
    }
    let matched = Matched::new(&now.keys, &before.keys);
    let removed = UInt32Array::from(matched.removed);
    let (updated, differing) = differing(now, before, &matched.both)?;
    let mut listed: Vec<(u32, &str)> = matched.added.iter().map(|&row| (row, "added")).collect();
    let both = matched.both.iter().zip(updated.iter());
    listed.extend(
        both.filter(|(_, differs)| **differs)
            .map(|((row, _), _)| (*row, "updated")),
    );
    listed.sort_unstable();
    let why = reasons(version, playbook, now, &take(&before.keys, &removed, None)?)?;
    let taken = UInt32Array::from_iter_values(listed.iter().map(|(row, _)| *row));
    let kinds =
        std::iter::repeat_n("removed", removed.len()).chain(listed.iter().map(|(_, kind)| *kind));
    let named = why.iter().map(|reason| Some(reason.name()));
    let named = named.chain(std::iter::repeat_n(None, listed.len()));
    let mut fields = vec![
        Arc::new(Field::new(CHANGE, DataType::Utf8, false)),
        Arc::new(Field::new(CHANGE_REASON, DataType::Utf8, true)),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(kinds.map(Some).collect::<StringArray>()),
        Arc::new(named.collect::<StringArray>()),
    ];
    for (place, field) in schema.fields().iter().enumerate() {
        let gone = take(before.rows.column(place), &removed, None)?;
        let here = take(now.rows.column(place), &taken, None)?;
        let nullable = field.is_nullable() || gone.null_count() > 0;
        fields.push(Arc::new(field.as_ref().clone().with_nullable(nullable)));
        columns.push(concat(&[gone.as_ref(), here.as_ref()])?);
    }
    let mut removed_because = BTreeMap::new();
    for reason in why {
        *removed_because.entry(reason).or_default() += 1;
    }
    let updated = updated.iter().filter(|differs| **differs).count() as u64;
    Ok(Changes {
        rows: RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?,
        added: matched.added.len() as u64,
        removed: removed.len() as u64,
        updated,
        unchanged: matched.both.len() as u64 - updated,
        removed_because,
        differing,
    })
}

/// Which rows of two lists are of the same customers.
struct Matched {
    /// Rows that only the list of now has.
    added: Vec<u32>,
    /// Rows that only the list before has.
    removed: Vec<u32>,
    /// Rows of both, now and before.
    both: Vec<(u32, u32)>,
}

impl Matched {
    fn new(now: &ArrayRef, before: &ArrayRef) -> Self {
        let then = places(before).unwrap_or_default();
        let (mut added, mut both) = (Vec::new(), Vec::new());
        let mut stays = vec![false; before.len()];
        for (key, row) in of_column(now).unwrap_or_default().into_iter().zip(0..) {
            match then.get(&key) {
                Some(&old) => {
                    stays[old as usize] = true;
                    both.push((row, old));
                }
                None => added.push(row),
            }
        }
        let gone = stays.iter().zip(0..).filter(|(stays, _)| !**stays);
        let removed = gone.map(|(_, row)| row).collect();
        Self {
            added,
            removed,
            both,
        }
    }
}

/// Of each customer of both lists, whether a column differs; and of how many each column does.
fn differing(
    now: &List,
    before: &List,
    both: &[(u32, u32)],
) -> Result<(Vec<bool>, BTreeMap<String, u64>), ExportError> {
    let (mut any, mut counts) = (vec![false; both.len()], BTreeMap::new());
    let here = UInt32Array::from_iter_values(both.iter().map(|(row, _)| *row));
    let there = UInt32Array::from_iter_values(both.iter().map(|(_, row)| *row));
    for (place, field) in now.rows.schema().fields().iter().enumerate() {
        let name = field.name();
        if name == AS_OF {
            continue;
        }
        let one = take(now.rows.column(place), &here, None)?;
        let other = take(before.rows.column(place), &there, None)?;
        // A value of another type is written in another way.
        let differs = match before.other_types.iter().any(|(own, _)| own == name) {
            true => known_in_either(&one, &other),
            false => distinct(&one, &other)?,
        };
        let count = differs.true_count() as u64;
        if count > 0 {
            counts.insert(name.clone(), count);
            let rows = any.iter_mut().zip(differs.iter());
            rows.for_each(|(any, differs)| *any |= differs == Some(true));
        }
    }
    Ok((any, counts))
}

fn known_in_either(one: &ArrayRef, other: &ArrayRef) -> BooleanArray {
    let rows = 0..one.len();
    rows.map(|row| Some(one.is_valid(row) || other.is_valid(row)))
        .collect()
}
