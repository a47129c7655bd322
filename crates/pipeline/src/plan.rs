//! What a run would change: whom it would move, and which columns. Nothing is published.
//!
//! The types that matter: [`Plan`], with [`SchemeDiff`] for each scheme, and [`Limit`].
//!
//! Where to look: `reuse` decides whether the features of the version that the plan is held against are those of the run, so
//! that the lake need not be read; `columns` compares columns, `limit` bounds the moves, `text` and `markdown` show the plan.

pub(crate) mod basis;
mod columns;
mod judged;
mod limit;
mod markdown;
mod reuse;
mod text;

use std::collections::BTreeMap;

use arrow::array::UInt32Array;
use chrono::NaiveDate;
use serde::Serialize;
use tessera_history::{Before, SchemeBefore};
use tessera_segments::Assignment;
use tessera_snapshot::{Store, StoreError, Version};

use crate::compute::Walk;
use crate::customers::Assigned;
use crate::diff::{CustomersDiff, Definitions, Members, SchemeDiff, Side, key_of};
use crate::error::PipelineError;
use crate::history::{Values, in_cents};
use crate::identity;
use crate::name::Names;
use crate::options::RunOptions;
use crate::prepared::Prepared;
use crate::publish;
use crate::sources::epoch_day;
use crate::stage::{Observer, Stage};

pub use basis::Basis;
pub use columns::ColumnPlan;
pub use judged::{HeldScheme, Judged};
pub use limit::Limit;

/// What a run would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the pipeline.
    pub pipeline: String,
    /// The day of the run.
    pub as_of: NaiveDate,
    /// The version that the plan is held against: the newest of the same day, else the newest there is.
    pub against: Option<Side>,
    /// Whether that version is of the same day; otherwise time and new rows move customers too.
    pub same_day: bool,
    /// Whether an equal run has published already, so that a run would publish nothing.
    pub already_published: bool,
    /// The keys of the pipeline whose values differ.
    pub definitions: Definitions,
    /// Whether another program made the other version.
    pub program_changed: bool,
    /// What is read.
    pub reads: Reads,
    /// Customers of the base.
    pub customers: CustomersDiff,
    /// Who would move, by scheme. Values are what moves count: what customers will bring, else what they have brought.
    pub schemes: Vec<SchemeDiff>,
    /// Columns of `customers` that would come, go, or change their type.
    pub columns: Vec<ColumnPlan>,
    /// Why the run would not compare its customers with those of the version, so that all stays begin anew.
    pub not_compared: Option<String>,
    /// What gates and expectations say.
    pub judged: Judged,
    /// What the plan depends on: a run by the plan refuses where it is another one.
    pub basis: Basis,
}

/// What a plan reads, and a run will.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reads {
    /// Whether the features of the other version were used, so that the lake was not read.
    pub features_reused: bool,
    /// Why not.
    pub why_not: Option<String>,
    /// Files of the sources.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// How long the run took that published the other version.
    pub last_run_seconds: Option<f64>,
}

/// Computes what a run would change. Of each scheme, up to `sample` customers who would move are named.
pub fn plan(
    prepared: &Prepared,
    options: &RunOptions<'_>,
    observer: &dyn Observer,
    sample: usize,
) -> Result<Plan, PipelineError> {
    let store = publish::opened(prepared)?;
    let against = match &store {
        Some(store) => against(store, prepared)?,
        None => None,
    };
    let identity = identity::identity(prepared);
    let published = match &store {
        Some(store) => store.find(&identity)?.is_some(),
        None => false,
    };
    let files = prepared
        .inventories
        .iter()
        .flat_map(|inventory| &inventory.files);
    let mut reads = Reads {
        features_reused: false,
        why_not: None,
        files: files.clone().count() as u64,
        bytes: files.map(|file| file.bytes).sum(),
        last_run_seconds: against.as_ref().and_then(seconds),
    };
    let basis = Basis::of(prepared, store.as_ref())?;
    let reused = match (&store, &against) {
        (Some(store), Some(version)) => reuse::customers(prepared, store, version)?,
        _ => Err("there is no version yet".to_owned()),
    };
    let mut walk = Walk::new(prepared, options, observer, store);
    match reused {
        Ok(customers) => {
            reads.features_reused = true;
            walk.begin_with(customers)?;
        }
        Err(why) => reads.why_not = Some(why),
    }
    walk.until(|stage| matches!(stage, Stage::Cohorts | Stage::Profiles))?;
    let assigned = walk.assigned()?;
    let key = assigned.customers().key().data_type().clone();
    let schemes = compare(prepared, against.as_ref(), assigned, sample)?;
    let mut judged = judged::gates(&mut walk)?;
    judged::expectations(prepared, &mut walk, !reads.features_reused, &mut judged)?;
    let definitions = against.as_ref().map(|version| {
        let now = identity::pipeline(prepared);
        crate::diff::definitions(&version.commit().pipeline, &now)
    });
    Ok(Plan {
        pipeline: prepared.pipeline.name.clone(),
        as_of: prepared.as_of,
        same_day: against
            .as_ref()
            .is_some_and(|version| version.as_of() == prepared.as_of),
        already_published: published,
        definitions: definitions.unwrap_or_default(),
        program_changed: against
            .as_ref()
            .is_some_and(|version| version.commit().program != identity::program()),
        reads,
        customers: schemes.0,
        schemes: schemes.1,
        columns: match &against {
            Some(version) => columns::compare(prepared, &key, version),
            None => Vec::new(),
        },
        not_compared: against
            .as_ref()
            .and_then(|version| columns::other_key(prepared, &key, version)),
        judged,
        basis,
        against: against.as_ref().map(Side::of),
    })
}

/// The basis of a plan that `plan --out` wrote; the error says what is wrong with the text.
pub fn read_basis(text: &str) -> Result<Basis, String> {
    let plan: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    serde_json::from_value(plan["basis"].clone())
        .map_err(|error| format!("it states no basis that this program reads: {error}"))
}

/// Refuses a run that is not the one that was planned.
pub fn follow(planned: &Basis, prepared: &Prepared) -> Result<(), PipelineError> {
    let store = publish::opened(prepared)?;
    let now = Basis::of(prepared, store.as_ref())?;
    if let Some(store) = &store
        && planned.is_run_of(&now)
        && store.find(&identity::identity(prepared))?.is_some()
    {
        // The planned run itself is the newest version of its day.
        return Ok(());
    }
    let changed = planned.changed(&now);
    match changed.is_empty() {
        true => Ok(()),
        false => Err(PipelineError::OtherPlan { changed }),
    }
}

impl Plan {
    /// As text for people.
    pub fn to_text(&self) -> String {
        text::text(self)
    }

    /// As Markdown, for a pull request.
    pub fn to_markdown(&self) -> String {
        markdown::markdown(self)
    }

    /// Whether a run would leave every customer in its segment and every column as it is.
    pub fn is_empty(&self) -> bool {
        let moves = |scheme: &SchemeDiff| scheme.state != "both" || !scheme.moves.is_empty();
        let renamed = |scheme: &SchemeDiff| {
            let mut segments = scheme.segments.iter();
            segments.any(|one| one.state != "both" || one.name_before.is_some())
        };
        self.against.is_some()
            && self.columns.is_empty()
            && !self
                .schemes
                .iter()
                .any(|scheme| moves(scheme) || renamed(scheme))
    }
}

/// The newest version of the same day, else the newest there is.
fn against(store: &Store, prepared: &Prepared) -> Result<Option<Version>, PipelineError> {
    let found = match store.of_day(prepared.as_of) {
        Ok(version) => Some(version),
        Err(StoreError::NoDay { .. } | StoreError::Expired { .. }) => store.latest()?,
        Err(error) => return Err(error.into()),
    };
    let names = Names::stated(&prepared.pipeline, store)?;
    Ok(found.filter(|version| names.has(version)))
}

/// How long the run of a version took, from reading the pipeline file to the commit, which states both times.
fn seconds(version: &Version) -> Option<f64> {
    let commit = version.commit();
    let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).ok();
    let (begun, done) = (time(&commit.started_at)?, time(&commit.finished_at)?);
    Some((done - begun).num_milliseconds() as f64 / 1_000.0)
}

/// The memberships of the run, by rising keys, as a later version would read them.
fn memberships(as_of: NaiveDate, assigned: &Assigned) -> Result<Before, PipelineError> {
    let customers = assigned.customers();
    let rows = (0..customers.len()).map(|place| customers.row_by_key(place) as u32);
    let rows: UInt32Array = rows.map(Some).collect();
    let day = epoch_day(as_of);
    let of = |assignment: &Assignment| {
        let segments = assignment.segments.iter();
        let segment_of = rows
            .values()
            .iter()
            .map(|&row| assignment.segment_of[row as usize]);
        let scheme = SchemeBefore {
            segments: segments
                .map(|segment| (segment.id, segment.name.clone()))
                .collect(),
            segment_of: segment_of.collect(),
            entered_on: vec![day; customers.len()],
            ..SchemeBefore::default()
        };
        (assignment.scheme.clone(), scheme)
    };
    Ok(Before {
        as_of: day,
        keys: arrow::compute::take(customers.key(), &rows, None)?,
        schemes: assigned.assignments().iter().map(of).collect(),
    })
}

/// What the customers of the run count in moves, by rising keys.
fn cents(prepared: &Prepared, assigned: &Assigned) -> Result<Vec<i64>, PipelineError> {
    let customers = assigned.customers();
    let Some(column) = crate::history::counted(prepared, customers) else {
        return Ok(vec![0; customers.len()]);
    };
    let values = customers.numeric(column)?;
    let values = values.values();
    let of = |place: usize| in_cents(values[customers.row_by_key(place)]);
    Ok((0..customers.len()).map(of).collect())
}

/// Who comes, goes and moves, by scheme.
fn compare(
    prepared: &Prepared,
    against: Option<&Version>,
    assigned: &Assigned,
    sample: usize,
) -> Result<(CustomersDiff, Vec<SchemeDiff>), PipelineError> {
    let after = memberships(prepared.as_of, assigned)?;
    let before = match against {
        Some(version) => crate::diff::memberships(version)?,
        None => Before {
            as_of: after.as_of,
            keys: after.keys.slice(0, 0),
            schemes: BTreeMap::new(),
        },
    };
    let members = Members::new(before, after);
    let now = cents(prepared, assigned)?;
    // By the column that the run would count, as the run does.
    let column = crate::history::counted(prepared, assigned.customers());
    let then = match against.zip(column) {
        Some((version, column)) => {
            Values::new(version, key_of(version), column)?.of(&members.before.keys)
        }
        None => vec![0; members.before.keys.len()],
    };
    let schemes = members.planned(against, (&then, &now), sample)?;
    Ok((members.customers(), schemes))
}
