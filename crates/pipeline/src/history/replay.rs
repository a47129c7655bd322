//! Why customers moved: the segments of the previous version are turned into those of this one in steps, each of which changes one
//! thing. Every state is assigned with what this run learned, so that new edges or centres are one step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::{Field, Int64Type, Schema};
use chrono::NaiveDate;
use tessera_engine::{Engine, TableRef};
use tessera_expr::rel::Project;
use tessera_expr::{Expr, columns};
use tessera_features::FeaturePlan;
use tessera_history::{ABSENT, Alignment, Cause, Causes};
use tessera_segments::{Assignment, Fit};
use tessera_snapshot::Store;
use tessera_spec::pipeline::SourceKind;

use super::Previous;
use super::definitions::{self, Changes};
use super::keys::KeyChanges;
use super::state::{State, Steps};
use super::steps::{States, began};
use crate::artifacts;
use crate::base;
use crate::customers::{self, Assigned};
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::table;
use crate::value;

/// Results of the passes without the rows since the previous version.
#[derive(Debug)]
pub(crate) struct Aged {
    since: NaiveDate,
    /// The key, attributes, and every other column of a pass without those rows; `None` where these cannot be computed.
    inputs: Option<RecordBatch>,
    /// Rows since the previous version, per customer, over all sources of events and intervals.
    new_rows: Vec<i64>,
}

/// Splits off the columns computed without newer rows from the table of all features.
pub(crate) fn split(
    prepared: &Prepared,
    table: RecordBatch,
) -> Result<(RecordBatch, Option<Aged>), PipelineError> {
    let Some(aged) = &prepared.aged else {
        return Ok((table, None));
    };
    let schema = table.schema();
    let (mut taken, mut new_rows) = (BTreeSet::new(), vec![0_i64; table.num_rows()]);
    let mut renamed: BTreeMap<&str, &str> = BTreeMap::new();
    for source in aged.sources.values() {
        taken.insert(source.new_rows.as_str());
        if let Some(counts) = table.column_by_name(&source.new_rows) {
            let counts = counts.as_primitive::<Int64Type>();
            let sums = new_rows.iter_mut().zip(counts);
            sums.for_each(|(sum, count)| *sum += count.unwrap_or(0));
        }
        for (original, twin) in source.columns.iter().flatten() {
            taken.insert(twin);
            renamed.insert(twin, original);
        }
    }
    let whole = aged.sources.values().all(|source| source.columns.is_some());
    let attributes = attribute_columns(prepared);
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    for (place, field) in schema.fields().iter().enumerate() {
        let name = field.name().as_str();
        let own = (place == 0 || attributes.contains(name)).then_some(name);
        if let Some(original) = renamed.get(name).copied().or(own) {
            fields.push(Field::new(original, field.data_type().clone(), true));
            arrays.push(table.column(place).clone());
        }
    }
    let inputs = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|&place| !taken.contains(schema.field(place).name().as_str()))
        .collect();
    let aged = Aged {
        since: aged.since,
        inputs: whole.then_some(inputs),
        new_rows,
    };
    Ok((table.project(&kept)?, Some(aged)))
}

/// Columns of the passes over attribute sources.
fn attribute_columns(prepared: &Prepared) -> BTreeSet<&str> {
    let of_attributes = |source: &str| {
        let mut sources = prepared.pipeline.sources.iter();
        sources.any(|known| known.name.value == source && known.kind == SourceKind::Attributes)
    };
    let passes = prepared.features.passes.iter();
    let passes = passes.filter(|pass| of_attributes(&pass.source));
    let aggs = passes.flat_map(|pass| &pass.aggregate.aggs);
    aggs.map(|agg| agg.name.as_str()).collect()
}

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
}

/// A table of customers in another state, and its row for each customer of either version.
struct Standing {
    table: RecordBatch,
    rows: Vec<u32>,
    as_of: NaiveDate,
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
            .filter(|scheme| !definitions::reads_scores(self.prepared, scheme))
            .map(|scheme| scheme.name.value.as_str())
            .filter(|name| previous.before.schemes.contains_key(*name))
            .collect();
        // The table of this run has no rows of closed accounts, which left the base.
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
        let then = self.then(previous)?;
        let Some(then) = then else {
            return Ok(found);
        };
        let differs = |name: &&&str| !self.changes.first_step(name).is_empty();
        let changed: BTreeSet<&str> = match previous.keys {
            Some(_) => all.iter().copied().collect(),
            None => all.iter().filter(differs).copied().collect(),
        };
        let first = self.assign(&then, &self.with_used(&changed), &BTreeMap::new())?;
        let alone = self.by_the_map_alone(previous, &then, &changed)?;
        let attributes = self.attributes(previous, &then, aged)?;
        let touched = attributes.is_some();
        let knows = |name: &&&str| {
            let unknown = attributes.as_ref().map(|found| &found.unknown);
            unknown.is_some_and(|unknown| !self.reads(name, unknown))
        };
        let known: BTreeSet<&str> = all.iter().filter(knows).copied().collect();
        let second = match &attributes {
            Some(found) => {
                self.assign(&found.standing, &self.with_used(&known), &BTreeMap::new())?
            }
            None => BTreeMap::new(),
        };
        let third = Standing {
            table: self.aged_table(inputs)?,
            rows: previous
                .alignment
                .of_now(&(0..self.now.num_rows() as u32).collect::<Vec<_>>(), ABSENT),
            as_of: self.prepared.as_of,
        };
        let everything = self.with_used(&all.iter().copied().collect());
        let third_of = self.assign(&third, &everything, &BTreeMap::new())?;
        for name in all {
            let (Some(before), Some(aged_state)) =
                (previous.before.schemes.get(name), third_of.get(name))
            else {
                continue;
            };
            if changed.contains(name) && !first.contains_key(name) {
                continue;
            }
            let first = first.get(name).filter(|_| changed.contains(name));
            let first = first.map(|state| (self.changes.first_step(name), state));
            let states = States {
                began: began(previous, before, first, alone.get(name)),
                attributes: touched.then(|| second.get(name)),
                aged: aged_state,
                new_rows: &aged.new_rows,
            };
            let steps = states.steps(previous, before);
            found.insert(name.to_owned(), steps);
        }
        Ok(found)
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
            let clusters = scheme.kind.settings().max_unmatched().is_some();
            let fit = artifacts::of_version(&store, &previous.version, scheme);
            match fit.ok().filter(|_| !clusters) {
                Some(fit) => drop(learned.insert(name, fit)),
                None => drop(wanted.remove(name)),
            }
        }
        self.assign(then, &wanted, &learned)
    }

    /// Whether a scheme reads one of these columns.
    fn reads(&self, scheme: &str, unknown: &BTreeSet<String>) -> bool {
        let found = self.prepared.pipeline.scheme(scheme);
        found.is_none_or(|scheme| {
            let read = definitions::read_columns(self.prepared, scheme);
            read.iter().any(|column| unknown.contains(*column))
        })
    }

    /// These schemes and those that they use.
    fn with_used<'n>(&'n self, names: &BTreeSet<&str>) -> BTreeSet<&'n str> {
        let schemes = self.prepared.pipeline.schemes.iter();
        let named = schemes.filter(|scheme| names.contains(scheme.name.value.as_str()));
        named
            .flat_map(|scheme| definitions::used_schemes(self.prepared, scheme))
            .collect()
    }

    /// The customers at the close of the previous day: as that version has them, or computed from today's lake if earlier rows or
    /// features have changed since.
    fn then(&self, previous: &Previous) -> Result<Option<Standing>, PipelineError> {
        if self.changes.late || self.changes.features {
            return self.computed(previous);
        }
        let published = self.published(previous)?;
        match (&previous.keys, published) {
            (Some(keys), Some(published)) => self.regrouped(previous, keys, &published),
            (_, published) => Ok(published),
        }
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
            as_of: published.as_of,
        }))
    }

    /// The customers as the previous version has them.
    fn published(&self, previous: &Previous) -> Result<Option<Standing>, PipelineError> {
        let as_of = previous.version.as_of();
        let wanted: BTreeSet<&str> = self
            .prepared
            .published()
            .map(|info| info.name.as_str())
            .collect();
        let key = self.prepared.pipeline.customer.key.as_str();
        let read = |name: &str| name == key || wanted.contains(name);
        let batches = previous.version.read_columns("customers", read)?;
        let Some(first) = batches.first() else {
            return Ok(None);
        };
        let table = arrow::compute::concat_batches(&first.schema(), &batches)?;
        let places: Vec<u32> = (0..table.num_rows() as u32).collect();
        let rows = previous.alignment.of_before(&places, ABSENT);
        Ok(Some(Standing { table, rows, as_of }))
    }

    /// The customers at the close of the previous day, by today's lake, map of keys and features.
    fn computed(&self, previous: &Previous) -> Result<Option<Standing>, PipelineError> {
        let as_of = previous.version.as_of();
        let table = match table::at_date(self.engine, self.prepared, as_of, self.work) {
            Ok(table) => table,
            Err(PipelineError::NoCustomers { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let table = match base::active(&table) {
            Some(active) => filter_record_batch(&table, &active)?,
            None => table,
        };
        let values = value::computable(self.prepared, &table);
        let table = match values.is_empty() {
            true => table,
            false => self.project(&table, as_of, values)?,
        };
        let keys = table.column(0).clone();
        let now = Alignment::new(&keys, self.now.column(0), |place| {
            self.by_key[place] as usize
        });
        let then = Alignment::new(&keys, &previous.before.keys, |place| place);
        let (Some(now), Some(then)) = (now, then) else {
            return Ok(None);
        };
        let gone = previous
            .alignment
            .gone
            .iter()
            .map(|&row| then.before[row as usize]);
        let rows = now.before.into_iter().chain(gone).collect();
        Ok(Some(Standing { table, rows, as_of }))
    }

    /// Assigns a state by these schemes, in the same way as this run assigned its customers, or with what `earlier` names.
    fn assign(
        &self,
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
            let made = match made {
                Ok(made) => made,
                // A learned model may not accept every value that a state can have.
                Err(PipelineError::Segments(error)) => {
                    tracing::debug!("`{name}` is not replayed: {error}");
                    continue;
                }
                Err(error) => return Err(error),
            };
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

    /// The customers of this run as they would be without the rows since the previous version.
    fn aged_table(&self, inputs: &RecordBatch) -> Result<RecordBatch, PipelineError> {
        let plan: &FeaturePlan = &self.prepared.features;
        let made = self.project(inputs, self.prepared.as_of, plan.derived.clone())?;
        let made = match &plan.base_gap {
            Some(gap) => {
                let mut late = customers::base_gap(gap, &made)?;
                late.extend(plan.late.iter().cloned());
                self.project(&made, self.prepared.as_of, late)?
            }
            None => made,
        };
        let values = value::computable(self.prepared, &made);
        match values.is_empty() {
            true => Ok(made),
            false => self.project(&made, self.prepared.as_of, values),
        }
    }

    fn project(
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

    /// The customers of the previous version with today's attributes; `None` where no attribute changed and no customer came or left
    /// because of attributes.
    fn attributes(
        &self,
        previous: &Previous,
        then: &Standing,
        aged: &Aged,
    ) -> Result<Option<Attributes>, PipelineError> {
        let names = attribute_columns(self.prepared);
        let pairs = (0..self.now.num_rows()).filter(|&row| then.rows[row] != ABSENT);
        let (now_rows, then_rows): (Vec<u32>, Vec<u32>) =
            pairs.map(|row| (row as u32, then.rows[row])).unzip();
        let (now_rows, then_rows) = (UInt32Array::from(now_rows), UInt32Array::from(then_rows));
        let mut replaced: BTreeMap<&str, ArrayRef> = BTreeMap::new();
        for name in names {
            let (Some(now), Some(old)) = (
                self.now.column_by_name(name),
                then.table.column_by_name(name),
            ) else {
                continue;
            };
            let now = arrow::compute::take(now, &now_rows, None)?;
            let old = arrow::compute::take(old, &then_rows, None)?;
            if now.to_data() != old.to_data() {
                replaced.insert(name, now);
            }
        }
        let came = |row: usize| {
            previous.alignment.before[row] == ABSENT
                && then.rows[row] == ABSENT
                && aged.new_rows[row] == 0
        };
        let base_changed = (0..self.now.num_rows()).any(came)
            || then.rows[self.now.num_rows()..]
                .iter()
                .any(|&row| row != ABSENT);
        if replaced.is_empty() && !base_changed {
            return Ok(None);
        }
        let (again, unknown) = dependents(&self.prepared.features, &then.table, &replaced);
        let again_names: BTreeSet<&str> = again.iter().map(|(name, _)| name.as_str()).collect();
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (place, field) in then.table.schema().fields().iter().enumerate() {
            let name = field.name().as_str();
            if again_names.contains(name) || unknown.contains(name) {
                continue;
            }
            fields.push(field.as_ref().clone().with_nullable(true));
            arrays.push(match replaced.get(name) {
                Some(column) => column.clone(),
                None => arrow::compute::take(then.table.column(place), &then_rows, None)?,
            });
        }
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let table = match again.is_empty() {
            true => table,
            false => self.project(&table, then.as_of, again)?,
        };
        let mut rows = vec![ABSENT; then.rows.len()];
        for (place, row) in now_rows.values().iter().enumerate() {
            rows[*row as usize] = place as u32;
        }
        let standing = Standing {
            table,
            rows,
            as_of: then.as_of,
        };
        Ok(Some(Attributes { standing, unknown }))
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

/// The customers of the previous version with today's attributes.
struct Attributes {
    standing: Standing,
    /// Features that depend on attributes and on columns that the previous version does not publish.
    unknown: BTreeSet<String>,
}

/// The features that depend on replaced columns: those that can be computed again from the table, and those that cannot.
fn dependents(
    plan: &FeaturePlan,
    table: &RecordBatch,
    replaced: &BTreeMap<&str, ArrayRef>,
) -> (Vec<(String, Expr)>, BTreeSet<String>) {
    let mut affected: BTreeSet<&str> = replaced.keys().copied().collect();
    let (mut again, mut unknown) = (Vec::new(), BTreeSet::new());
    for (late, (name, expr)) in plan
        .derived
        .iter()
        .map(|one| (false, one))
        .chain(plan.late.iter().map(|one| (true, one)))
    {
        let read = columns(expr);
        if !read.iter().any(|column| affected.contains(column)) {
            continue;
        }
        affected.insert(name);
        let known = |column: &&str| {
            !unknown.contains(*column)
                && (table.column_by_name(column).is_some()
                    || again
                        .iter()
                        .any(|(name, _): &(String, Expr)| name == column))
        };
        if !late && read.iter().all(known) {
            again.push((name.clone(), expr.clone()));
        } else {
            unknown.insert(name.clone());
        }
    }
    (again, unknown)
}

/// The number of rows since the previous version: the sum of a column of a pass's table.
pub(crate) fn new_rows(table: &TableRef, column: &str) -> Result<u64, PipelineError> {
    let batch = table.read()?;
    let counts = batch.column_by_name(column);
    let counts = counts.and_then(|counts| counts.as_primitive_opt::<Int64Type>());
    let sum: i64 = counts.map_or(0, |counts| counts.iter().flatten().sum());
    Ok(u64::try_from(sum).unwrap_or(0))
}
