//! The states between two versions with the attributes of today and all else as before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch, interleave};
use arrow::datatypes::{Int64Type, Schema};
use chrono::NaiveDate;
use tessera_expr::columns;
use tessera_history::{ABSENT, Alignment};

use super::Previous;
use super::aged::attribute_columns;
use super::attributes::{Touched, dependents};
use super::column_definitions;
use super::definitions::{COLUMNS, DEFINITIONS};
use super::replay::Replay;
use super::state::{Standing, State};
use crate::base::CONDITION;
use crate::error::PipelineError;
use crate::table::{DATED_ROWS, has_undated_customers};

impl Replay<'_> {
    /// The states with the attributes that changed and all else as before, of the schemes of these that read no column whose value
    /// with those attributes is not known.
    pub(super) fn with_attributes(
        &self,
        previous: &Previous,
        then: &Standing,
        touched: Option<Touched<'_>>,
        schemes: &[&str],
    ) -> Result<BTreeMap<String, State>, PipelineError> {
        let Some(touched) = touched else {
            return Ok(BTreeMap::new());
        };
        let found = self.attributes(then, touched)?;
        let schemes = schemes.iter().copied();
        let other_scores = match found.standing.can_be_scored {
            true => &found.unknown,
            false => &found.changed,
        };
        let is_known = |name: &&str| {
            !self.reads(name, &found.unknown) && !self.scores_depend_on(name, other_scores)
        };
        let known = schemes.filter(is_known);
        let known = self.with_used(&known.collect());
        self.assign(previous, &found.standing, &known, &BTreeMap::new())
    }

    /// The customers of the previous version with today's attributes.
    fn attributes(
        &self,
        then: &Standing,
        touched: Touched<'_>,
    ) -> Result<Reattributed, PipelineError> {
        let Touched {
            replaced,
            now_rows,
            then_rows,
            ..
        } = touched;
        let (again, unknown) = dependents(self.prepared, &then.table, &replaced);
        let changed = replaced.keys().map(|name| (*name).to_owned());
        let changed = changed.chain(again.iter().map(|(name, _)| name.clone()));
        let changed = changed.chain(unknown.iter().cloned()).collect();
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        let scored = || self.prepared.scored.iter();
        let values = self.prepared.value.iter().map(|(info, _)| info);
        let is_scored = |name: &str| {
            then.can_be_scored && scored().chain(values.clone()).any(|info| info.name == name)
        };
        let again: Vec<_> = again
            .into_iter()
            .filter(|(name, _)| !is_scored(name))
            .collect();
        let again_names: BTreeSet<&str> = again.iter().map(|(name, _)| name.as_str()).collect();
        for (place, field) in then.table.schema().fields().iter().enumerate() {
            let name = field.name().as_str();
            if again_names.contains(name) || unknown.contains(name) || is_scored(name) {
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
        let table = match then.can_be_scored {
            true => self.with_scores(table, then.as_of)?,
            false => table,
        };
        let mut rows = vec![ABSENT; then.rows.len()];
        for (place, row) in now_rows.values().iter().enumerate() {
            rows[*row as usize] = place as u32;
        }
        let standing = Standing {
            table,
            rows,
            only: None,
            as_of: then.as_of,
            can_be_scored: then.can_be_scored,
        };
        Ok(Reattributed {
            standing,
            unknown,
            changed,
        })
    }
}

impl Replay<'_> {
    /// Customers at the close of the previous day, with the attributes that its version published where these are defined as they were:
    /// the lake may say of attributes only what they are today, and what is corrected of them changes nothing before today.
    pub(super) fn with_published_attributes(
        &self,
        previous: &Previous,
        table: RecordBatch,
    ) -> Result<RecordBatch, PipelineError> {
        let then = &previous.version.commit().pipeline[DEFINITIONS][COLUMNS];
        let now = column_definitions::all(self.prepared);
        let mut wanted = attribute_columns(self.prepared);
        wanted.retain(|name| {
            table.column_by_name(name).is_some()
                && now.get(*name).is_some_and(|now| *now == then[*name])
        });
        if wanted.is_empty() {
            return Ok(table);
        }
        let key = self.prepared.pipeline.customer.key.as_str();
        let batches = previous
            .version
            .read_columns("customers", |name| name == key || wanted.contains(name))?;
        let Some(first) = batches.first() else {
            return Ok(table);
        };
        let published = concat_batches(&first.schema(), &batches)?;
        let joined = Alignment::new(published.column(0), table.column(0), |place| place);
        let Some(joined) = joined else {
            return Ok(table);
        };
        let mut from = joined.before;
        // Whose keys were merged or split has the attributes of other keys.
        if let Some(keys) = &previous.keys {
            let rows = self.rows_of(previous, table.column(0)).unwrap_or_default();
            let touched = rows.iter().enumerate();
            let touched = touched.filter(|(place, row)| **row != ABSENT && keys.touches(*place));
            touched.for_each(|(_, row)| from[*row as usize] = ABSENT);
        }
        let mut replaced: BTreeMap<&str, ArrayRef> = BTreeMap::new();
        for name in wanted {
            let (Some(made), Some(known)) =
                (table.column_by_name(name), published.column_by_name(name))
            else {
                continue;
            };
            let known = cast(known, made.data_type())?;
            let places: Vec<(usize, usize)> = from
                .iter()
                .enumerate()
                .map(|(row, &known)| match known {
                    ABSENT => (0, row),
                    known => (1, known as usize),
                })
                .collect();
            let column = interleave(&[made.as_ref(), known.as_ref()], &places)?;
            if column.to_data() != made.to_data() {
                replaced.insert(name, column);
            }
        }
        self.recomputed(previous, table, &replaced)
    }

    /// The customers of a table of the previous day without those who came since: of whom there was no row with a day, and whom its
    /// version does not have. Rows without a day say nothing of when they came.
    pub(super) fn known_then(
        &self,
        previous: &Previous,
        table: RecordBatch,
    ) -> Result<RecordBatch, PipelineError> {
        if !has_undated_customers(self.prepared) {
            return Ok(table);
        }
        let key = self.prepared.pipeline.customer.key.as_str();
        let batches = previous
            .version
            .read_columns("customers", |name| name == key)?;
        let Some(first) = batches.first() else {
            return Ok(table);
        };
        let published = concat_batches(&first.schema(), &batches)?;
        let joined = Alignment::new(published.column(0), table.column(0), |place| place);
        let Some(joined) = joined else {
            return Ok(table);
        };
        let mut known: Vec<bool> = joined.before.iter().map(|row| *row != ABSENT).collect();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        for (field, column) in table.schema().fields().iter().zip(table.columns()) {
            if !field.name().starts_with(DATED_ROWS) {
                fields.push(field.clone());
                columns.push(column.clone());
                continue;
            }
            let counts = column.as_primitive::<Int64Type>().iter();
            let known = known.iter_mut().zip(counts);
            known.for_each(|(known, rows)| *known |= rows.unwrap_or(0) > 0);
        }
        // Whose keys were merged or split is another customer in that version.
        if let Some(keys) = &previous.keys {
            let rows = self.rows_of(previous, table.column(0)).unwrap_or_default();
            let touched = rows.iter().enumerate();
            let touched = touched.filter(|(place, row)| **row != ABSENT && keys.touches(*place));
            touched.for_each(|(_, row)| known[*row as usize] = true);
        }
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
        Ok(filter_record_batch(&table, &BooleanArray::from(known))?)
    }

    /// A table of an earlier day with the condition of who is active, which scores do not use where it reads what only today's lake
    /// states: the attributes of the table are those that were known then.
    pub(super) fn with_condition(
        &self,
        table: RecordBatch,
        as_of: NaiveDate,
    ) -> Result<RecordBatch, PipelineError> {
        if table.column_by_name(CONDITION).is_some() {
            return Ok(table);
        }
        let plan = &self.prepared.features;
        let is_known = |column: &str| table.column_by_name(column).is_some();
        let mut derived = plan.derived.iter().chain(&plan.late);
        let condition = derived.find(|(name, _)| name == CONDITION);
        match condition.filter(|(_, expr)| columns(expr).into_iter().all(is_known)) {
            Some(condition) => self.project(&table, as_of, vec![condition.clone()]),
            None => Ok(table),
        }
    }

    /// A table with other values of some columns, and of the features that are made of them, as far as it has what these are made of.
    fn recomputed(
        &self,
        previous: &Previous,
        table: RecordBatch,
        replaced: &BTreeMap<&str, ArrayRef>,
    ) -> Result<RecordBatch, PipelineError> {
        if replaced.is_empty() {
            return Ok(table);
        }
        let (mut again, _) = dependents(self.prepared, &table, replaced);
        // Scores and values are computed later.
        again.retain(|(name, _)| table.column_by_name(name).is_some());
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (field, column) in table.schema().fields().iter().zip(table.columns()) {
            let name = field.name().as_str();
            if again.iter().any(|(known, _)| known == name) {
                continue;
            }
            fields.push(field.as_ref().clone().with_nullable(true));
            arrays.push(replaced.get(name).unwrap_or(column).clone());
        }
        let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        match again.is_empty() {
            true => Ok(table),
            false => self.project(&table, previous.version.as_of(), again),
        }
    }
}

/// The customers of the previous version with today's attributes.
struct Reattributed {
    standing: Standing,
    /// Features that depend on attributes and on columns that the previous version does not publish.
    unknown: BTreeSet<String>,
    /// Attributes with other values, and features and values that depend on them, those of `unknown` among them.
    changed: BTreeSet<String>,
}
