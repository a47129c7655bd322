//! Comparison with the previous version: ids of segments, since when customers are in their segment, and why they moved.

mod aged;
mod attributes;
mod called;
mod closed;
mod clusters;
mod column_definitions;
mod definitions;
mod drift;
mod holds;
mod ids;
mod keys;
mod moves;
mod reattributed;
mod renames;
mod replay;
mod rescored;
mod state;
mod steps;
mod vacant;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use serde_json::Value;
use tessera_engine::Engine;
use tessera_history::{
    ABSENT, ASSIGNED_BY, Alignment, Before, Cohorts, Declared, Event, Ledger, Migration, Month,
    Overlap, SchemeBefore, events, migrations, net,
};
use tessera_segments::{Assignment, Customers, Since, Stay, segment_id};
use tessera_snapshot::{NewArtifact, Store, StoreError, Version};
use tessera_spec::pipeline::{Scheme, VALUE_COLUMNS};

use crate::cohorts;
use crate::error::PipelineError;
use crate::name::Names;
use crate::prepared::Prepared;
use crate::scores::LearnedScores;
use crate::sources::epoch_day;

pub(crate) use aged::{Aged, new_rows, split};
pub(crate) use called::{called_before, kind_now, stated_before};
use definitions::{Changes, is_edited};
pub(crate) use definitions::{
    DEFINITIONS, MAP, definitions, own_columns, read_columns, reads_scores, used_schemes,
};
pub(crate) use holds::{HistoryMark, Limits};
pub(crate) use ids::identify;
use ids::of_states;
use keys::KeyChanges;
use moves::{first_stay, moves, put, released, stay};
use replay::Replay;
pub(crate) use replay::whole;
pub(crate) use rescored::aged_columns;
use state::{State, Steps};
use steps::{by_names_now, state_before};
pub(crate) use values::{Values, in_cents, numbers};

/// The version before this run, and what has been found out about the segments of this one so far.
#[derive(Debug)]
pub(crate) struct History {
    as_of: i32,
    /// Number of the version that comes before this day by the commits, 0 for none.
    follows: u64,
    previous: Option<Previous>,
    /// Rows of the customers in the order of their keys.
    by_key: Vec<u32>,
    ledger: Ledger,
    /// The keys that belong to another customer now; `None` without a map of keys.
    merged: Option<RecordBatch>,
    events: Vec<(String, Vec<Event>)>,
    /// Segments of each scheme in both versions.
    schemes: BTreeMap<String, SchemeBefore>,
}

#[derive(Debug)]
struct Previous {
    version: Version,
    /// The input files of that version.
    inputs: Value,
    before: Before,
    ledger: Ledger,
    alignment: Alignment,
    /// Customers whose keys were merged or split since; `None` where there are none.
    keys: Option<KeyChanges>,
}

/// Results of the run from which the causes of moves are found.
pub(crate) struct Evidence<'a> {
    pub(crate) engine: &'a dyn Engine,
    pub(crate) work: &'a Path,
    /// The table of all features and scores, a row per customer.
    pub(crate) table: &'a RecordBatch,
    pub(crate) aged: Option<&'a Aged>,
    /// Used rows up to the close of the previous day, by source.
    pub(crate) dated: &'a BTreeMap<String, u64>,
    /// What the scores learned and applied, as the commit names it.
    pub(crate) artifacts: &'a [NewArtifact],
    /// The same by the names of the scores; none where nothing is read of the lake.
    pub(crate) learned: Option<&'a LearnedScores>,
    /// What the schemes learned and applied.
    pub(crate) assigned: &'a [(String, NewArtifact)],
}

impl Evidence<'_> {
    /// Ids of everything that was learned and applied, by what it is of.
    fn ids(&self) -> BTreeMap<&str, &str> {
        let schemes = self.assigned.iter().map(|(_, artifact)| artifact);
        let all = self.artifacts.iter().chain(schemes);
        all.map(|artifact| {
            (
                artifact.committed.of.as_str(),
                artifact.committed.id.as_str(),
            )
        })
        .collect()
    }
}

/// The published tables of the history, and its columns of `memberships`.
pub(crate) struct Told {
    pub(crate) follows: u64,
    pub(crate) ledger: RecordBatch,
    pub(crate) events: RecordBatch,
    pub(crate) migrations: RecordBatch,
    pub(crate) moves: RecordBatch,
    pub(crate) drift: RecordBatch,
    /// Without its column `as_of`; `None` without a map of keys.
    pub(crate) merged: Option<RecordBatch>,
    /// One for each scheme, in the order of the assignments.
    pub(crate) stays: Vec<Stay>,
}

impl History {
    /// Reads the version before this day and matches its customers with those of this run, in which these keys are merged.
    pub(crate) fn new(
        prepared: &Prepared,
        store: Option<&Store>,
        customers: &Customers,
        merged: Option<RecordBatch>,
    ) -> Result<Self, PipelineError> {
        let mut history = Self {
            as_of: epoch_day(prepared.as_of),
            follows: 0,
            previous: None,
            by_key: (0..customers.len())
                .map(|place| customers.row_by_key(place) as u32)
                .collect(),
            ledger: Ledger::default(),
            merged,
            events: Vec::new(),
            schemes: BTreeMap::new(),
        };
        let Some(store) = store else {
            return Ok(history);
        };
        let Some(version) = before(store, prepared.as_of, &mut history.follows)? else {
            return Ok(history);
        };
        if !Names::stated(&prepared.pipeline, store)?.has(&version) {
            tracing::warn!(
                "the version before this day is of another pipeline that shares the store, so nothing is compared with it"
            );
            return Ok(history);
        }
        let day = epoch_day(version.as_of());
        // Ids are never used again, also where no customer can be compared.
        let ledger = match version.has("segment_ledger") {
            true => Ledger::from_batches(&version.read("segment_ledger")?)?,
            false => Ledger::from_segments(day, &version.read("segments")?)?,
        };
        history.ledger = ledger.clone();
        let key = prepared.pipeline.customer.key.as_str();
        let key_before = version.commit().pipeline["key"].as_str();
        if let Some(before) = key_before.filter(|before| *before != key) {
            tracing::warn!(
                "`key` of [customer] is `{key}` and was `{before}` in the version before this day, so nothing is compared with it"
            );
            return Ok(history);
        }
        let stays = &prepared.pipeline.memberships;
        let reads_assigned_by = stays.pins.is_some() || !stays.min_stay_days.is_empty();
        let memberships = version.read_columns("memberships", |column| {
            Before::reads(key, column) || (column == ASSIGNED_BY && reads_assigned_by)
        })?;
        let before = Before::new(day, key, &memberships)?;
        let joined = Alignment::new(&before.keys, customers.key(), |place| {
            customers.row_by_key(place)
        });
        let Some(alignment) = joined else {
            tracing::warn!(
                "customer keys had another type in version {}, so no customer is compared with it",
                version.number()
            );
            return Ok(history);
        };
        let matched = (&before, customers.key(), &alignment);
        let keys = KeyChanges::new(history.merged.as_ref(), &version, matched)?;
        history.previous = Some(Previous {
            keys,
            inputs: store.inputs(version.commit())?,
            version,
            before,
            ledger,
            alignment,
        });
        Ok(history)
    }

    /// Number, day and files of the version before; none where nothing is compared.
    pub(crate) fn files_before(&self) -> Option<(u64, NaiveDate, &Value)> {
        let Previous {
            version, inputs, ..
        } = self.previous.as_ref()?;
        Some((version.number(), version.as_of(), inputs))
    }

    /// The segments of a scheme in the previous version, also those without customers.
    fn scheme_before(&self, scheme: &str) -> Option<SchemeBefore> {
        let previous = self.previous.as_ref()?;
        let mut found = previous.before.schemes.get(scheme)?.clone();
        for segment in previous.ledger.active(scheme) {
            if !found.segments.iter().any(|known| known.0 == segment.0) {
                found.segments.push(segment);
            }
        }
        Some(found)
    }

    /// Whether a version comes before this day with which nothing is compared.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.follows > 0 && self.previous.is_none()
    }

    /// The version before; none where nothing is compared.
    pub(crate) fn version_before(&self) -> Option<&Version> {
        self.previous.as_ref().map(|previous| &previous.version)
    }

    /// Share of the customers in segments that the previous version did not have; `None` where nothing is compared.
    pub(crate) fn unmatched(&self, assignment: &Assignment) -> Option<f64> {
        let before = self.scheme_before(&assignment.scheme)?;
        let known = |id: i64| before.segments.iter().any(|segment| segment.0 == id);
        let segments = assignment.segments.iter().zip(assignment.counts());
        let new: u64 = segments
            .filter(|(segment, _)| !known(segment.id))
            .map(|(_, customers)| customers)
            .sum();
        (!assignment.is_empty()).then(|| new as f64 / assignment.len() as f64)
    }

    /// Gives the segments of an assignment their permanent ids and records which were created, renamed, merged or split.
    pub(crate) fn settle(
        &mut self,
        prepared: &Prepared,
        (scheme, customers): (&Scheme, &Customers),
        assignment: &mut Assignment,
    ) -> Result<(), PipelineError> {
        let name = scheme.name.value.as_str();
        let clusters = scheme.finds_clusters();
        if !clusters {
            let declared: Vec<Declared<'_>> = assignment
                .segments
                .iter()
                .map(|segment| Declared {
                    name: &segment.name,
                    was: scheme.naming.was(&segment.name),
                })
                .collect();
            let ids = self
                .ledger
                .declare(name, &declared, |segment| segment_id(name, segment));
            renames::warn(&self.ledger, name, (&declared, &ids));
            for (segment, id) in assignment.segments.iter_mut().zip(ids) {
                segment.id = id;
            }
        }
        self.hold(prepared, (scheme, customers), assignment)?;
        let noted: Vec<(i64, &str, bool)> = assignment
            .segments
            .iter()
            .map(|segment| (segment.id, segment.name.as_str(), !clusters))
            .collect();
        self.ledger.note(name, self.as_of, &noted);
        if let (Some(before), Some(previous)) = (self.scheme_before(name), &self.previous) {
            let now: Vec<(i64, String)> = assignment
                .segments
                .iter()
                .map(|segment| (segment.id, segment.name.clone()))
                .collect();
            let overlap = overlap(previous, &before, &assignment.segment_of, now.len());
            let found = events(&overlap, &before.segments, &now, clusters);
            self.events.push((name.to_owned(), found));
            self.schemes.insert(name.to_owned(), before);
        }
        Ok(())
    }

    /// A settled assignment beside the segments of the previous version.
    pub(crate) fn since(&self, prepared: &Prepared, assignment: &Assignment) -> Since {
        let name = assignment.scheme.as_str();
        let compared = self.schemes.get(name).zip(self.previous.as_ref());
        let Some((before, previous)) = compared.filter(|(before, _)| !before.segment_of.is_empty())
        else {
            return Since::Unknown("there is no previous version with this scheme".to_owned());
        };
        let scheme = prepared.pipeline.scheme(name);
        if scheme.is_none_or(|scheme| is_edited(prepared, scheme, &previous.version)) {
            return Since::Unknown("the scheme was edited since the previous version".to_owned());
        }
        let shape = drift::mix(prepared, before, assignment).shape;
        let overlap = overlap(
            previous,
            before,
            &assignment.segment_of,
            assignment.segments.len(),
        );
        let kept = assignment
            .segments
            .iter()
            .enumerate()
            .map(|(now, segment)| {
                let then = before
                    .segments
                    .iter()
                    .position(|known| known.0 == segment.id)?;
                let all = overlap.before.get(then).copied().filter(|all| *all > 0)?;
                Some(overlap.both(then, now) as f64 / all as f64)
            });
        // That clusters do not go on is an event of their own.
        let is_found = scheme.is_some_and(Scheme::finds_clusters);
        let is_emptied = |(then, (id, _)): &(usize, &(i64, String))| {
            let had = overlap.before.get(*then).is_some_and(|all| *all > 0);
            had && !is_found && !assignment.segments.iter().any(|now| now.id == *id)
        };
        let emptied = before.segments.iter().enumerate().filter(is_emptied);
        Since::Compared {
            psi: shape.as_ref().map(|shape| shape.psi),
            psi_critical: shape.as_ref().and_then(|shape| shape.psi_critical),
            kept: kept.collect(),
            emptied: emptied.map(|(_, (_, name))| name.clone()).collect(),
        }
    }

    /// The tables, once every scheme is settled.
    pub(crate) fn tell(
        mut self,
        prepared: &Prepared,
        customers: &Customers,
        assignments: &[Assignment],
        found: &Evidence<'_>,
    ) -> Result<Told, PipelineError> {
        let schemes: Vec<&str> = assignments.iter().map(|one| one.scheme.as_str()).collect();
        self.ledger.keep_schemes(&schemes);
        let previous_day = self.previous.as_ref().map(|previous| previous.before.as_of);
        let values = self.value_cents(prepared, customers)?;
        let mut replayed = self.replay(prepared, assignments, found)?;
        let mut stepped: Vec<(String, Vec<Migration>)> = Vec::new();
        let mut moved: Vec<(String, Vec<Migration>)> = Vec::new();
        let mut stays = Vec::new();
        let mut pinned: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for assignment in assignments {
            let compared = self
                .schemes
                .get(&assignment.scheme)
                .zip(self.previous.as_ref());
            let Some((before, previous)) = compared else {
                stays.push(first_stay(self.as_of, assignment));
                continue;
            };
            let steps = replayed.remove(&assignment.scheme).unwrap_or_default();
            let scheme = prepared.pipeline.scheme(&assignment.scheme);
            let used = scheme
                .map(|scheme| used_schemes(prepared, scheme))
                .unwrap_or_default();
            let released = released(prepared, previous, (before, customers), assignment)?;
            let by_pins = used.iter().filter_map(|used| pinned.get(used)).flatten();
            let by_pins = by_pins.chain(&released).copied().collect();
            let ids = scheme.map(|scheme| of_states(&self.ledger, scheme, assignment, &steps));
            let ids = ids.unwrap_or_default();
            let moves = moves(previous, before, assignment, (steps, &ids, &by_pins));
            let mut moved_by_pins = put(previous, before, assignment);
            moved_by_pins.extend(released);
            pinned.insert(&assignment.scheme, moved_by_pins);
            stays.push(stay(self.as_of, previous, before, &moves));
            let steps = migrations(&moves, &values);
            let declared = scheme.is_some_and(|scheme| !scheme.finds_clusters());
            for (id, name) in steps
                .iter()
                .flat_map(|step| [&step.from, &step.to])
                .flatten()
            {
                let passed = (*id, name.as_str(), declared);
                self.ledger.pass(&assignment.scheme, self.as_of, passed);
            }
            stepped.push((assignment.scheme.clone(), steps));
            moved.push((assignment.scheme.clone(), net(&moves, &values)));
        }
        let drift = match &self.previous {
            Some(previous) => drift::rows(prepared, previous, customers, assignments)?,
            None => Vec::new(),
        };
        Ok(Told {
            follows: self.follows,
            merged: self.merged,
            drift: tessera_history::drift_table(self.as_of, previous_day, drift)?,
            ledger: tessera_history::ledger_table(self.as_of, &self.ledger)?,
            events: tessera_history::events_table(self.as_of, previous_day, &self.events)?,
            migrations: tessera_history::migrations_table(self.as_of, previous_day, &stepped)?,
            moves: tessera_history::moves_table(self.as_of, previous_day, &moved)?,
            stays,
        })
    }

    /// The cells of cohorts that the previous version counted, of months that were over then; none where rows of then may have
    /// changed, or are counted in another way.
    pub(crate) fn cohorts(
        &self,
        prepared: &Prepared,
        dated: &BTreeMap<String, u64>,
    ) -> Result<cohorts::Known, PipelineError> {
        let Some(previous) = &self.previous else {
            return Ok(None);
        };
        let has_table = previous.version.rows("cohorts") > 0;
        if !has_table || !cohorts::makes_the_base(prepared) || cohorts::change_by_day(prepared) {
            return Ok(None);
        }
        let then = (&previous.version, &previous.inputs);
        // What was learned does not enter into cohorts.
        let changes = Changes::new(prepared, then, dated, &BTreeMap::new())?;
        if changes.late || changes.features || changes.exchanged || previous.keys.is_some() {
            return Ok(None);
        }
        let cells = Cohorts::observed(&previous.version.read("cohorts")?)?;
        let day = previous.before.as_of;
        let over = Month::of(day + 1).map(|month| month.later(-1));
        Ok(over.map(|month| (month, cells)))
    }

    /// The steps of every scheme; a single step where the causes cannot be separated.
    fn replay(
        &self,
        prepared: &Prepared,
        assignments: &[Assignment],
        found: &Evidence<'_>,
    ) -> Result<BTreeMap<String, Steps>, PipelineError> {
        let Some(previous) = &self.previous else {
            return Ok(BTreeMap::new());
        };
        let then = (&previous.version, &previous.inputs);
        let changes = Changes::new(prepared, then, found.dated, &found.ids())?;
        let replay = Replay {
            prepared,
            engine: found.engine,
            work: found.work,
            by_key: &self.by_key,
            now: found.table,
            assignments,
            changes: &changes,
            ledger: &self.ledger,
            learned: found.learned,
        };
        let mut steps = replay.steps(previous, found.aged)?;
        for assignment in assignments {
            let scheme = assignment.scheme.as_str();
            let last = changes.all(scheme);
            let states = match (&previous.keys, self.schemes.get(scheme)) {
                (Some(keys), Some(before)) => {
                    let names = assignment.segments.iter().map(|s| s.name.clone());
                    let now = State {
                        names: names.collect(),
                        of: previous.alignment.of_now(&assignment.segment_of, ABSENT),
                    };
                    // The last step is that of the others.
                    let declared = prepared.pipeline.scheme(scheme);
                    let of = (declared, Some(assignment));
                    let before = by_names_now(before, &self.ledger, of);
                    let before = state_before(previous, &before);
                    let mut steps = keys.steps(before, (last, &now), None);
                    steps.pop();
                    steps
                }
                _ => Vec::new(),
            };
            let one = || Steps { states, last };
            steps.entry(assignment.scheme.clone()).or_insert_with(one);
        }
        Ok(steps)
    }

    /// The value in hundredths of each customer of either version: the expected value if the pipeline defines it, otherwise the past
    /// one; for customers who are gone, that of the previous version.
    fn value_cents(
        &self,
        prepared: &Prepared,
        customers: &Customers,
    ) -> Result<Vec<i64>, PipelineError> {
        let (Some(name), Some(previous)) = (counted(prepared, customers), &self.previous) else {
            return Ok(Vec::new());
        };
        let mut values: Vec<i64> = customers
            .numeric(name)?
            .values()
            .iter()
            .map(|value| in_cents(*value))
            .collect();
        if previous.alignment.gone.is_empty() {
            return Ok(values);
        }
        // Closed accounts are customers too, but in no segment.
        let key = prepared.pipeline.customer.key.as_str();
        let then = Values::new(&previous.version, key, name)?.of(&previous.before.keys);
        let gone = previous.alignment.gone.iter();
        values.extend(gone.map(|&row| then.get(row as usize).copied().unwrap_or(0)));
        Ok(values)
    }
}

/// The column that moves count: what customers will bring where the pipeline says so, else what they have brought, else its
/// money feature.
pub(crate) fn counted<'p>(prepared: &'p Prepared, customers: &Customers) -> Option<&'p str> {
    let known = |name: &&str| customers.features().any(|(feature, _)| feature == *name);
    let declared = [VALUE_COLUMNS[1], VALUE_COLUMNS[2]].into_iter().find(known);
    declared.or(prepared.value_feature())
}

/// The version before a day; `follows` gets its number, also if it has expired.
fn before(
    store: &Store,
    as_of: NaiveDate,
    follows: &mut u64,
) -> Result<Option<Version>, PipelineError> {
    match store.previous(as_of) {
        Ok(found) => {
            *follows = found.as_ref().map_or(0, Version::number);
            Ok(found)
        }
        Err(StoreError::Expired { version }) => {
            *follows = version;
            tracing::warn!(
                "version {version}, which comes before this day, has expired, so that nothing is compared with it"
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The number of customers in each pair of a previous segment and a segment of this run.
fn overlap(
    previous: &Previous,
    before: &SchemeBefore,
    segment_of: &[u32],
    segments: usize,
) -> Overlap {
    let then = previous.alignment.before.iter();
    let then = then.map(|&row| {
        before
            .segment_of
            .get(row as usize)
            .copied()
            .unwrap_or(ABSENT)
    });
    Overlap::count(
        then.zip(segment_of.iter().copied()),
        before.segments.len(),
        segments,
    )
}
