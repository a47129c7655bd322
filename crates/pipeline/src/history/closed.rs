//! Why customers left the base whose accounts have been closed since the previous version: the condition of the pipeline became
//! false by new rows, by time, or by what is known of them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{cast, sort_to_indices, take};
use tessera_history::{ABSENT, Alignment, Cause};

use super::Previous;
use super::aged::{Aged, attribute_columns};
use super::replay::Replay;
use super::state::Standing;
use crate::base;
use crate::error::PipelineError;

impl Replay<'_> {
    /// Why each customer of the previous version left who is not in this one: only for closed accounts, where it can be told apart.
    pub(super) fn leaving(
        &self,
        previous: &Previous,
        aged: &Aged,
        then: &Standing,
    ) -> Result<Vec<Option<Cause>>, PipelineError> {
        let gone = &previous.alignment.gone;
        let mut causes = vec![None; gone.len()];
        let Some((closed, inputs)) = aged
            .closed
            .as_ref()
            .and_then(|c| Some((c, c.inputs.as_ref()?)))
        else {
            return Ok(causes);
        };
        let order = sort_to_indices(&closed.keys, None, None)?;
        let place = |place: usize| order.value(place) as usize;
        let Some(found) = Alignment::new(&previous.before.keys, &closed.keys, place) else {
            return Ok(causes);
        };
        let rows = found.before.iter().zip(0_u32..);
        let rows: BTreeMap<u32, u32> = rows
            .filter(|(before, _)| **before != ABSENT)
            .map(|(before, row)| (*before, row))
            .collect();
        // Who is not in the base by today's definitions and earlier rows has left in an earlier step.
        let now = self.now.num_rows();
        let is_there = |place: &usize| then.rows.get(now + place).is_some_and(|row| *row != ABSENT);
        let pairs = gone.iter().enumerate();
        let pairs: Vec<(usize, u32)> = pairs
            .filter(|(place, _)| is_there(place))
            .filter_map(|(place, before)| Some((place, *rows.get(before)?)))
            .collect();
        if pairs.is_empty() {
            return Ok(causes);
        }
        let taken: Vec<u32> = pairs.iter().map(|(_, row)| *row).collect();
        let today = inputs.of(Some(&UInt32Array::from(taken)))?;
        let without_rows = self.active(&today)?;
        let places: Vec<usize> = pairs.iter().map(|(place, _)| *place).collect();
        let as_known_then = match self.with_attributes_of(then, &places, &today)? {
            Some(inputs) => Some(self.active(&inputs)?),
            None => None,
        };
        for (number, (place, _)) in pairs.into_iter().enumerate() {
            let by_attributes = as_known_then.as_ref().map(|active| active[number]);
            causes[place] = match (without_rows[number], by_attributes) {
                // New rows, or ends of rows that were there.
                (true, _) => Some(Cause::Activity),
                (false, Some(true)) => Some(Cause::Attribute),
                (false, Some(false)) => Some(Cause::Ageing),
                (false, None) => None,
            };
        }
        Ok(causes)
    }

    /// Which of these customers are active, by their columns of passes.
    fn active(&self, inputs: &RecordBatch) -> Result<Vec<bool>, PipelineError> {
        let table = self.aged_table(inputs)?;
        let everyone = || BooleanArray::from(vec![true; table.num_rows()]);
        let active = base::active(&table).unwrap_or_else(everyone);
        Ok(active.values().iter().collect())
    }

    /// These columns of customers who left, by their places among those, with the attributes of the previous version. `None` where
    /// attributes that decide who is active are not known of it.
    fn with_attributes_of(
        &self,
        then: &Standing,
        places: &[usize],
        today: &RecordBatch,
    ) -> Result<Option<RecordBatch>, PipelineError> {
        let now = self.now.num_rows();
        let rows = places.iter().map(|place| then.rows[now + place]);
        let rows = UInt32Array::from_iter_values(rows);
        let plan = &self.prepared.features;
        let decide: BTreeSet<String> = plan.made_of(std::iter::once(base::CONDITION));
        let attributes = attribute_columns(self.prepared);
        let mut columns = Vec::with_capacity(today.num_columns());
        for (field, column) in today.schema().fields().iter().zip(today.columns()) {
            let name = field.name().as_str();
            if !attributes.contains(name) || !decide.contains(name) {
                columns.push(column.clone());
                continue;
            }
            let Some(known) = then.table.column_by_name(name) else {
                return Ok(None);
            };
            columns.push(cast(&take(known, &rows, None)?, column.data_type())?);
        }
        Ok(Some(RecordBatch::try_new(today.schema(), columns)?))
    }
}
