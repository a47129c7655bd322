//! The rows of single customers in the tables of a version.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Date32Type, Float64Type, Int64Type, Schema};
use arrow::util::display::array_value_to_string;
use serde_json::{Value, json};
use tessera_snapshot::Version;

use crate::error::PipelineError;

/// Rows of a table, by the customer's key.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) batch: RecordBatch,
    by_key: BTreeMap<String, Vec<usize>>,
}

impl Default for Rows {
    fn default() -> Self {
        Self::of_batch(RecordBatch::new_empty(std::sync::Arc::new(Schema::empty())))
    }
}

impl Rows {
    /// Reads the rows of these customers.
    pub(super) fn read(
        version: &Version,
        table: &str,
        keys: &BTreeSet<String>,
    ) -> Result<Self, PipelineError> {
        let batches = version.read_customers(table, keys)?;
        let Some(first) = batches.first() else {
            return Ok(Self::default());
        };
        let batch = concat_batches(&first.schema(), &batches)?;
        let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let key = array_value_to_string(batch.column(1), row)?;
            by_key.entry(key).or_default().push(row);
        }
        Ok(Self { batch, by_key })
    }

    /// Rows of a table that is not asked for customers.
    pub(super) fn of_batch(batch: RecordBatch) -> Self {
        Self {
            batch,
            by_key: BTreeMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// The rows of a customer.
    pub(super) fn of(&self, key: &str) -> &[usize] {
        self.by_key.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn column(&self, name: &str) -> Option<&ArrayRef> {
        self.batch.column_by_name(name)
    }

    /// A value as text; nothing where it is null or there is no such column.
    pub(super) fn text(&self, name: &str, row: usize) -> Option<String> {
        let column = self.column(name).filter(|column| column.is_valid(row))?;
        array_value_to_string(column, row).ok()
    }

    pub(super) fn integer(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// A value as JSON: numbers as numbers, everything else as text.
    pub(super) fn value(&self, name: &str, row: usize) -> Value {
        self.column(name)
            .map_or(Value::Null, |column| value(column, row))
    }
}

/// A value as JSON: numbers and truths as such, everything else as text.
pub(crate) fn value(column: &ArrayRef, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => json!(column.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => json!(column.as_boolean().value(row)),
        _ => json!(array_value_to_string(column, row).unwrap_or_default()),
    }
}

/// A value as a number: that of a number, or the days since 1970-01-01 of a date.
pub(super) fn number(column: &ArrayRef, row: usize) -> Option<f64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => Some(f64::from(column.as_primitive::<Date32Type>().value(row))),
        _ => None,
    }
}
