//! Why customers moved: the segments of the previous version are turned into those of this one in steps, each of which changes one
//! thing. Every state is assigned with what this run learned, so that new edges or centres are one step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::Schema;
use chrono::NaiveDate;
use tessera_engine::Engine;
use tessera_expr::Expr;
use tessera_expr::rel::Project;
use tessera_features::FeaturePlan;
use tessera_history::{ABSENT, Alignment, Cause, Causes, Ledger};
use tessera_segments::{Assignment, Fit};
use tessera_snapshot::Store;

use super::Previous;
use super::aged::{Aged, Inputs, attribute_columns, completed};
use super::attributes::{Touched, touched};
use super::definitions::{self, Changes};
use super::ids::identify;
use super::keys::KeyChanges;
use super::moves::stayed;
use super::state::{Standing, State, Steps};
use super::steps::{Attributes, States, began, by_names_now, kept, members};
use crate::artifacts;
use crate::base;
use crate::customers::{self, Assigned};
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::scores::LearnedScores;
use crate::table;

/// The inputs of a replay.
pub(crate) struct Replay<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) engine: &'a dyn Engine,
    pub(crate) work: &'a Path,
    /// Rows of the customers in the order of their keys.
    pub(crate) by_key: &'a [u32],
    /// The table of all features and scores of this run.
    pub(crate) now: &'a RecordBatch,
    pub(crate) assignments: &'a [Assignment],
    pub(crate) changes: &'a Changes,
    /// The segments of this run and of all before.
    pub(crate) ledger: &'a Ledger,
    /// What the scores applied, by their names; none where nothing is read of the lake.
    pub(crate) learned: Option<&'a LearnedScores>,
}

impl Replay<'_> {
    /// The steps of every scheme that can be replayed; other schemes have one step, whose causes cannot be separated.
    pub(crate) fn steps(
        &self,
        previous: &Previous,
        aged: Option<&Aged>,
    ) -> Result<BTreeMap<String, Steps>, PipelineError> {
        let schemes = self.prepared.pipeline.schemes.iter();
        let all: Vec<&str> = schemes
            .filter(|scheme| self.knows_scores(previous, scheme))
            .map(|scheme| scheme.name.value.as_str())
            .filter(|name| previous.before.schemes.contains_key(*name))
            .collect();
        let rows = self.now.num_rows();
        let fits =
            |aged: &&Aged| aged.since == previous.version.as_of() && aged.new_rows.len() == rows;
        let aged = aged.filter(fits);
        let mut found = BTreeMap::new();
        let Some((aged, inputs)) = aged.and_then(|aged| Some((aged, aged.inputs.as_ref()?))) else {
            return Ok(found);
        };
        if all.is_empty() {
            return Ok(found);
        }
        let differs = |name: &&&str| !self.changes.first_step(name).is_empty();
        let changed: BTreeSet<&str> = match previous.keys {
            Some(_) => all.iter().copied().collect(),
            None => all.iter().filter(differs).copied().collect(),
        };
        let is_assigned_again = !changed.is_empty();
        let then = self.then(previous, (aged, is_assigned_again), &all)?;
        let Some((then, touched)) = then else {
            return Ok(found);
        };
        let unconcerned = self.without_late_rows(previous, &then, &all)?;
        let first_step = |name: &str| match unconcerned.contains(name) {
            true => self.changes.first_step(name).without(Cause::LateData),
            false => self.changes.first_step(name),
        };
        let is_changed = |name: &&str| previous.keys.is_some() || !first_step(name).is_empty();
        let changed: BTreeSet<&str> = changed.into_iter().filter(is_changed).collect();
        let left = self.leaving(previous, aged, &then)?;
        let first = self.assign(previous, &then, &self.with_used(&changed), &BTreeMap::new())?;
        let alone = self.by_the_map_alone(previous, &then, &changed)?;
        let other_attributes = touched.as_ref().map(|touched| touched.changed.clone());
        let second = self.with_attributes(previous, &then, touched, &all)?;
        let everything = self.with_used(&all.iter().copied().collect());
        let third_of = self.without_new_rows(previous, (aged, inputs), &everything)?;
        for name in all {
            let (Some(before), Some(aged_state)) =
                (previous.before.schemes.get(name), third_of.get(name))
            else {
                continue;
            };
            if changed.contains(name) && !first.contains_key(name) {
                continue;
            }
            let assignment = self.assignments.iter().find(|one| one.scheme == name);
            let scheme = self.prepared.pipeline.scheme(name);
            let before = &by_names_now(before, self.ledger, (scheme, assignment));
            let first = first.get(name).filter(|_| changed.contains(name));
            let first = first.map(|state| (first_step(name), state));
            let states = States {
                began: began(previous, before, first, alone.get(name)),
                attributes: other_attributes
                    .as_ref()
                    .map(|changed| match second.get(name) {
                        Some(state) => Attributes::Known(state),
                        None => Attributes::Unknown(changed),
                    }),
                aged: aged_state,
                new_rows: &aged.new_rows,
                left: &left,
            };
            let steps = states.steps(previous, before);
            found.insert(name.to_owned(), steps);
        }
        Ok(found)
    }

    /// The schemes of these for which late rows cannot have moved anybody: by today's rows the customers are those of the previous
    /// version, with the same values in every column that the scheme reads. So it is where a file was written anew with the rows that it had.
    fn without_late_rows<'n>(
        &self,
        previous: &Previous,
        then: &Standing,
        schemes: &[&'n str],
    ) -> Result<BTreeSet<&'n str>, PipelineError> {
        if !self.changes.late || previous.keys.is_some() {
            return Ok(BTreeSet::new());
        }
        // Segments of other schemes follow from the columns that those read.
        let is_segment = |column: &str| self.prepared.pipeline.scheme_of_column(column).is_some();
        let read = |name: &str| -> BTreeSet<&str> {
            let scheme = self.prepared.pipeline.scheme(name).into_iter();
            scheme
                .flat_map(|scheme| definitions::read_columns(self.prepared, scheme))
                .filter(|column| !is_segment(column))
                .collect()
        };
        let wanted: BTreeSet<&str> = schemes.iter().flat_map(|name| read(name)).collect();
        let known = self.published(previous, |column| wanted.contains(column))?;
        let Some(known) = known else {
            return Ok(BTreeSet::new());
        };
        let mut rows = known.rows.iter().zip(&then.rows);
        if !rows.all(|(known, then)| (*known == ABSENT) == (*then == ABSENT)) {
            return Ok(BTreeSet::new());
        }
        let values = |standing: &Standing, column: &str| {
            let there = standing.rows.iter().filter(|row| **row != ABSENT).copied();
            let column = standing.table.column_by_name(column)?;
            arrow::compute::take(column, &UInt32Array::from_iter_values(there), None).ok()
        };
        let is_same = |column: &&str| {
            let (known, then) = (values(&known, column), values(then, column));
            known.is_some() && known == then
        };
        let same: BTreeSet<&str> = wanted
            .iter()
            .copied()
            .filter(|name| is_same(name))
            .collect();
        let schemes = schemes.iter().copied();
        Ok(schemes.filter(|name| read(name).is_subset(&same)).collect())
    }

    /// The states with today's map of keys and all else as before, where it differs from that only in what was learned: assigned with
    /// what the previous version had learned. Clusters have other names then.
    fn by_the_map_alone(
        &self,
        previous: &Previous,
        then: &Standing,
        schemes: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, State>, PipelineError> {
        let model = Causes::from(Cause::Model);
        let refitted: BTreeSet<&str> = schemes
            .iter()
            .copied()
            .filter(|name| self.changes.first_step(name) == model)
            .collect();
        if previous.keys.is_none() || refitted.is_empty() {
            return Ok(BTreeMap::new());
        }
        let store = Store::open(Path::new(&self.prepared.pipeline.store))?;
        let mut wanted = self.with_used(&refitted);
        let mut learned = BTreeMap::new();
        for scheme in &self.prepared.pipeline.schemes {
            let name = scheme.name.value.as_str();
            if !wanted.contains(name) || !artifacts::learns(scheme) {
                continue;
            }
            let clusters = scheme.finds_clusters();
            let fit = artifacts::of_version(&store, &previous.version, scheme);
            match fit.ok().filter(|_| !clusters) {
                Some(fit) => drop(learned.insert(name, fit)),
                None => drop(wanted.remove(name)),
            }
        }
        self.assign(previous, then, &wanted, &learned)
    }

    /// Whether a scheme reads one of these columns.
    pub(super) fn reads(&self, scheme: &str, unknown: &BTreeSet<String>) -> bool {
        let found = self.prepared.pipeline.scheme(scheme);
        found.is_none_or(|scheme| {
            let read = definitions::read_columns(self.prepared, scheme);
            read.iter().any(|column| unknown.contains(*column))
        })
    }

    /// These schemes and those that they use.
    pub(super) fn with_used<'n>(&'n self, names: &BTreeSet<&str>) -> BTreeSet<&'n str> {
        let schemes = self.prepared.pipeline.schemes.iter();
        let named = schemes.filter(|scheme| names.contains(scheme.name.value.as_str()));
        named
            .flat_map(|scheme| definitions::used_schemes(self.prepared, scheme))
            .collect()
    }

    /// The customers at the close of the previous day: as that version has them, or computed from today's lake if earlier rows or
    /// features have changed since, or a score that one of these schemes reads was learned anew; and what attributes changed. Where these customers are not assigned again and no attribute changed,
    /// attributes are all that is read.
    fn then(
        &self,
        previous: &Previous,
        (aged, is_assigned_again): (&Aged, bool),
        schemes: &[&str],
    ) -> Result<Option<(Standing, Option<Touched<'_>>)>, PipelineError> {
        let touched = |then: &Standing| {
            let now = (self.now, aged.new_rows.as_slice());
            touched(self.prepared, now, previous, then)
        };
        if self.changes.late || self.changes.features || self.any_new_scores(schemes) {
            let then = self.computed(previous)?;
            return then
                .map(|then| {
                    let touched = touched(&then)?;
                    Ok((then, touched))
                })
                .transpose();
        }
        let published = |column: &str| {
            let mut published = self.prepared.published();
            published.any(|info| info.name == column)
        };
        if !is_assigned_again && previous.keys.is_none() {
            let attributes = attribute_columns(self.prepared);
            let known = self.published(previous, |column| {
                attributes.contains(column) && published(column)
            })?;
            let Some(known) = known else { return Ok(None) };
            if touched(&known)?.is_none() {
                return Ok(Some((known, None)));
            }
        }
        let whole = self.published(previous, published)?;
        let then = match (&previous.keys, whole) {
            (Some(keys), Some(whole)) => self.regrouped(previous, keys, &whole)?,
            (_, whole) => whole,
        };
        then.map(|then| {
            let touched = touched(&then)?;
            Ok((then, touched))
        })
        .transpose()
    }

    /// The customers of the previous version as it has them, but for those whose keys were merged or split since: these as today's map
    /// makes them.
    fn regrouped(
        &self,
        previous: &Previous,
        keys: &KeyChanges,
        published: &Standing,
    ) -> Result<Option<Standing>, PipelineError> {
        let Some(computed) = self.computed(previous)? else {
            return Ok(None);
        };
        let own = whole(self.prepared, self.now, &published.table)?;
        let made = whole(self.prepared, self.now, &computed.table)?;
        let both = arrow::compute::concat_batches(&own.schema(), [&own, &made])?;
        let after = own.num_rows() as u32;
        let mut taken = Vec::new();
        let pairs = published.rows.iter().zip(&computed.rows).enumerate();
        let rows = pairs.map(|(row, (&known, &made))| {
            let from = match keys.touches(row) {
                true => (made != ABSENT).then(|| after + made),
                false => (known != ABSENT).then_some(known),
            };
            let Some(from) = from else { return ABSENT };
            taken.push(from);
            taken.len() as u32 - 1
        });
        let rows = rows.collect();
        Ok(Some(Standing {
            table: take_record_batch(&both, &UInt32Array::from(taken))?,
            rows,
            only: None,
            as_of: published.as_of,
            can_be_scored: false,
        }))
    }

    /// The customers as the previous version has them, with these columns.
    fn published(
        &self,
        previous: &Previous,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Option<Standing>, PipelineError> {
        let as_of = previous.version.as_of();
        let key = self.prepared.pipeline.customer.key.as_str();
        let read = |name: &str| name == key || wanted(name);
        let batches = previous.version.read_columns("customers", read)?;
        let Some(first) = batches.first() else {
            return Ok(None);
        };
        let table = arrow::compute::concat_batches(&first.schema(), &batches)?;
        Ok(members(previous, &table).map(|rows| Standing {
            table,
            rows,
            only: None,
            as_of,
            can_be_scored: false,
        }))
    }

    /// The customers at the close of the previous day, by today's lake, map of keys and features, with the attributes that were known
    /// then.
    fn computed(&self, previous: &Previous) -> Result<Option<Standing>, PipelineError> {
        let as_of = previous.version.as_of();
        let at = (as_of, &self.scores());
        let table = match table::at_date(self.engine, self.prepared, at, self.work) {
            Ok(table) => table,
            Err(PipelineError::NoCustomers { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let table = self.known_then(previous, table)?;
        let table = self.with_published_attributes(previous, table)?;
        let table = self.with_condition(table, as_of)?;
        let table = match base::active(&table) {
            Some(active) => filter_record_batch(&table, &active)?,
            None => table,
        };
        let table = self.with_scores(table, as_of)?;
        let rows = self.rows_of(previous, table.column(0));
        Ok(rows.map(|rows| Standing {
            table,
            rows,
            only: None,
            as_of,
            can_be_scored: true,
        }))
    }

    /// The row for each customer of either version in a table with these keys, in rising order; `None` where they are of another type.
    pub(super) fn rows_of(&self, previous: &Previous, keys: &ArrayRef) -> Option<Vec<u32>> {
        let now = Alignment::new(keys, self.now.column(0), |place| {
            self.by_key[place] as usize
        })?;
        let then = Alignment::new(keys, &previous.before.keys, |place| place)?;
        let gone = previous
            .alignment
            .gone
            .iter()
            .map(|&row| then.before[row as usize]);
        Some(now.before.into_iter().chain(gone).collect())
    }

    /// Assigns a state by these schemes, in the same way as this run assigned its customers, or with what `earlier` names.
    pub(super) fn assign(
        &self,
        previous: &Previous,
        standing: &Standing,
        schemes: &BTreeSet<&str>,
        earlier: &BTreeMap<&str, Fit>,
    ) -> Result<BTreeMap<String, State>, PipelineError> {
        let mut states: BTreeMap<String, State> = BTreeMap::new();
        if schemes.is_empty() {
            return Ok(states);
        }
        let prepared = self.prepared;
        let mut assigned =
            Assigned::new(prepared, &whole(self.prepared, self.now, &standing.table)?)?;
        for (scheme, fitted) in prepared.pipeline.schemes.iter().zip(self.assignments) {
            let name = &scheme.name.value;
            let used = definitions::used_schemes(prepared, scheme);
            let made = |used: &&str| *used == name.as_str() || states.contains_key(*used);
            if !schemes.contains(name.as_str()) || !used.iter().all(made) {
                continue;
            }
            let ruled = match prepared.rules.get(name) {
                Some(rules) => {
                    let day = standing.as_of;
                    Some(assigned.ruled_alone(prepared, day, rules, self.engine)?)
                }
                None => None,
            };
            let made = match earlier.get(name.as_str()) {
                Some(fit) => assigned.apply_fit(prepared, scheme, fit),
                None => assigned.apply(prepared, scheme, fitted, ruled.as_ref()),
            };
            let mut made = match made {
                Ok(made) => made,
                // A learned model may not accept every value that a state can have.
                Err(PipelineError::Segments(error)) => {
                    tracing::debug!("`{name}` is not replayed: {error}");
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Schemes that read this one find in every state whom a pin or a minimum stay keeps where they are.
            let of = (self.prepared, self.ledger);
            for (row, segment) in kept(of, previous, (scheme, fitted), standing.as_of) {
                if let Some(row) = standing.row_of(row) {
                    made.put(row, &segment);
                }
            }
            for (row, segment) in stayed(previous, fitted) {
                if let Some(row) = standing.row_of(row) {
                    made.put(row, segment);
                }
            }
            identify(self.ledger, scheme, fitted, &mut made);
            assigned.add(&made)?;
            let of = standing
                .rows
                .iter()
                .map(|&row| made.segment_of.get(row as usize).copied().unwrap_or(ABSENT));
            let names = made
                .segments
                .iter()
                .map(|segment| segment.name.clone())
                .collect();
            states.insert(
                name.clone(),
                State {
                    names,
                    of: of.collect(),
                },
            );
        }
        Ok(states)
    }

    /// The states of the customers of this run without the rows since the previous version.
    fn without_new_rows(
        &self,
        previous: &Previous,
        (aged, inputs): (&Aged, &Inputs),
        schemes: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, State>, PipelineError> {
        let concerned = aged.concerned(self.prepared, self.assignments);
        let all: Vec<u32> = (0..self.now.num_rows() as u32).collect();
        let (inputs, rows) = match &concerned {
            Some(rows) => {
                let taken = inputs.of(Some(&UInt32Array::from(rows.clone())))?;
                (taken, (0..rows.len() as u32).collect())
            }
            None => (inputs.of(None)?, previous.alignment.of_now(&all, ABSENT)),
        };
        let standing = Standing {
            table: self.with_scores(self.aged_table(&inputs)?, self.prepared.as_of)?,
            rows,
            only: concerned.clone(),
            as_of: self.prepared.as_of,
            can_be_scored: true,
        };
        let states = self.assign(previous, &standing, schemes, &BTreeMap::new())?;
        let Some(concerned) = concerned else {
            return Ok(states);
        };
        let of = |(scheme, state): (String, State)| {
            let mut known = self.assignments.iter();
            let assignment = known.find(|known| known.scheme == scheme)?;
            let all = completed(state, assignment, &concerned, &previous.alignment);
            Some((scheme, all))
        };
        Ok(states.into_iter().filter_map(of).collect())
    }

    /// The features of customers of this run as they would be without the rows since the previous version.
    pub(super) fn aged_table(&self, inputs: &RecordBatch) -> Result<RecordBatch, PipelineError> {
        let plan: &FeaturePlan = &self.prepared.features;
        let made = self.project(inputs, self.prepared.as_of, plan.derived.clone())?;
        match &plan.base_gap {
            Some(gap) => {
                let mut late = customers::base_gap(gap, &made)?;
                late.extend(plan.late.iter().cloned());
                self.project(&made, self.prepared.as_of, late)
            }
            None => Ok(made),
        }
    }

    pub(super) fn project(
        &self,
        table: &RecordBatch,
        as_of: NaiveDate,
        columns: Vec<(String, Expr)>,
    ) -> Result<RecordBatch, PipelineError> {
        let plan = Project {
            as_of,
            timezone: self.prepared.pipeline.timezone,
            columns,
        };
        Ok(self.engine.project(&plan, table)?)
    }
}

/// A table with all columns of this run's table, in its order; those that it does not have, such as scores, are null.
pub(crate) fn whole(
    prepared: &Prepared,
    now: &RecordBatch,
    table: &RecordBatch,
) -> Result<RecordBatch, PipelineError> {
    let mut fields = vec![table.schema().field(0).clone()];
    let mut arrays = vec![table.column(0).clone()];
    for info in prepared.published() {
        let own = now.schema();
        let field = own.field_with_name(&info.name)?.clone();
        arrays.push(match table.column_by_name(&info.name) {
            Some(column) => arrow::compute::cast(column, field.data_type())?,
            None => new_null_array(field.data_type(), table.num_rows()),
        });
        fields.push(field.with_nullable(true));
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
