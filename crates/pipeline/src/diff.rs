//! What changed between two versions, from their published tables and commits alone.
//!
//! The types that matter: [`Diff`] with its parts [`SchemeDiff`] and [`ColumnDiff`].
//!
//! Where to look: `inputs` compares what the versions were made of and with, `schemes` segments and moves, `chain` finds the
//! versions between, whose steps are the causes, `columns` compares the values of features and scores, `text` shows it.

mod chain;
mod columns;
mod inputs;
mod schemes;
mod text;

use arrow::array::ArrayRef;
use chrono::NaiveDate;
use serde::Serialize;
use tessera_history::{Alignment, Before};
use tessera_snapshot::{Store, Version};

use crate::error::PipelineError;
use crate::history::Values;
use crate::name::Names;
use crate::sources::epoch_day;

pub use chain::EventFound;
pub(crate) use chain::{compared_nothing, damage};
pub(crate) use columns::types;
pub use columns::{ColumnDiff, Frequent, Largest};
pub(crate) use inputs::definitions;
pub use inputs::{Definitions, SourceDiff, TextDiff};
pub use schemes::{CauseCount, Moved, MovedCustomer, SchemeDiff, SegmentDiff};
pub(crate) use text::{definitions_text, figure, from_to, scheme_text};

/// What changed from one version to another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diff {
    /// The one version.
    pub from: Side,
    /// The other one.
    pub to: Side,
    /// Whether both are of one pipeline; of different ones only what stands in both can be compared.
    pub same_pipeline: bool,
    /// Whether another program made the other version: its sources or libraries differ.
    pub program_changed: bool,
    /// What is declared in another way.
    pub definitions: Definitions,
    /// What the sources gave.
    pub sources: Vec<SourceDiff>,
    /// Customers of the base who came, left and stayed.
    pub customers: CustomersDiff,
    /// The column that values of segments and of moves are sums of; none where the other version has no money.
    pub value: Option<String>,
    /// Segments and moves, by scheme.
    pub schemes: Vec<SchemeDiff>,
    /// Features, scores and values.
    pub columns: Vec<ColumnDiff>,
}

/// One of the two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// Its number.
    pub version: u64,
    /// Its day.
    pub as_of: NaiveDate,
    /// Name of its pipeline.
    pub pipeline: String,
    /// The program that made it.
    pub program: String,
    /// Size of its tables.
    pub bytes: u64,
}

/// Customers of the base: those whom schemes assign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CustomersDiff {
    /// In the one version.
    pub before: u64,
    /// In the other one.
    pub after: u64,
    /// In both.
    pub both: u64,
    /// Only in the other one.
    pub came: u64,
    /// Only in the one.
    pub left: u64,
}

/// The segments of the customers before and after, and who is in both.
pub(crate) struct Members {
    pub(crate) before: Before,
    pub(crate) after: Before,
    alignment: Alignment,
}

impl Members {
    pub(crate) fn new(before: Before, after: Before) -> Self {
        let alignment = aligned(&before.keys, &after.keys);
        Self {
            before,
            after,
            alignment,
        }
    }

    /// How many customers came, left and stayed.
    pub(crate) fn customers(&self) -> CustomersDiff {
        let left = self.alignment.gone.len() as u64;
        let (before, after) = (self.before.keys.len() as u64, self.after.keys.len() as u64);
        CustomersDiff {
            before,
            after,
            both: before - left,
            came: after + left - before,
            left,
        }
    }

    /// What the customers of either count: what those of after count, and behind them those who are gone.
    fn values(&self, before: &[i64], after: &[i64]) -> Vec<i64> {
        let gone = self.alignment.gone.iter();
        let gone = gone.map(|&row| before.get(row as usize).copied().unwrap_or(0));
        after.iter().copied().chain(gone).collect()
    }
}

/// Two versions with the segments of their customers.
struct Pair<'a> {
    from: &'a Version,
    to: &'a Version,
    members: Members,
}

/// Compares two versions. Of each scheme and of each column, up to `sample` customers are named.
pub fn diff(
    store: &Store,
    from: &Version,
    to: &Version,
    sample: usize,
) -> Result<Diff, PipelineError> {
    let pair = Pair {
        from,
        to,
        members: Members::new(memberships(from)?, memberships(to)?),
    };
    Ok(Diff {
        from: Side::of(from),
        to: Side::of(to),
        same_pipeline: Names::of(to, store)?.has(from) || Names::of(from, store)?.has(to),
        program_changed: from.commit().program != to.commit().program,
        definitions: definitions(&from.commit().pipeline, &to.commit().pipeline),
        sources: inputs::sources(store, from, to)?,
        customers: pair.members.customers(),
        value: Values::column_of(to).map(str::to_owned),
        schemes: schemes::compare(store, &pair, sample)?,
        columns: columns::compare(from, to, sample)?,
    })
}

impl Diff {
    /// As text for people.
    pub fn to_text(&self) -> String {
        text::text(self)
    }
}

impl Side {
    pub(crate) fn of(version: &Version) -> Self {
        let name = version.commit().pipeline["name"].as_str();
        Self {
            version: version.number(),
            as_of: version.as_of(),
            pipeline: name.unwrap_or_default().to_owned(),
            program: version.commit().program.clone(),
            bytes: version.bytes(),
        }
    }
}

/// Name of the customer's key.
pub(crate) fn key_of(version: &Version) -> &str {
    let key = version.commit().pipeline["key"].as_str();
    key.unwrap_or("customer_id")
}

/// The segments of the customers of a version.
pub(crate) fn memberships(version: &Version) -> Result<Before, PipelineError> {
    let key = key_of(version);
    let batches = version.read_columns("memberships", |column| Before::reads(key, column))?;
    Ok(Before::new(epoch_day(version.as_of()), key, &batches)?)
}

/// Who is in both lists of rising keys; nobody where keys are of different types.
fn aligned(before: &ArrayRef, after: &ArrayRef) -> Alignment {
    Alignment::new(before, after, |place| place).unwrap_or_else(|| Alignment {
        before: vec![tessera_history::ABSENT; after.len()],
        gone: (0..before.len() as u32).collect(),
    })
}

/// What the customers of either version count, in hundredths, each version by itself; nothing in a version that does not have the
/// column.
fn values(pair: &Pair<'_>) -> Result<[Option<Vec<i64>>; 2], PipelineError> {
    let Some(column) = Values::column_of(pair.to) else {
        return Ok([None, None]);
    };
    let of = |version: &Version, keys: &ArrayRef| {
        if !Values::are_in(version, column) {
            return Ok(None);
        }
        Values::new(version, key_of(version), column).map(|values| Some(values.of(keys)))
    };
    let then = of(pair.from, &pair.members.before.keys)?;
    Ok([then, of(pair.to, &pair.members.after.keys)?])
}
