//! Per-key tables side by side, for the union of the base tables' keys.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use tessera_expr::rel::Assemble;

use crate::error::EngineError;
use crate::table::read_file;

/// The customers and everything known of them, sorted by key.
pub(crate) fn run(plan: &Assemble) -> Result<RecordBatch, EngineError> {
    let tables = plan
        .tables
        .iter()
        .map(|table| read_file(&table.path))
        .collect::<Result<Vec<_>, _>>()?;
    let base: Vec<&ArrayRef> = plan
        .tables
        .iter()
        .zip(&tables)
        .filter(|(table, _)| table.in_base)
        .map(|(_, batch)| batch.column(0))
        .collect();
    let keys = union(&base)?;
    let mut fields = vec![Field::new(&plan.key, keys.data_type().clone(), false)];
    let mut columns = vec![keys.clone()];
    for (table, batch) in plan.tables.iter().zip(&tables) {
        // A table that is the whole base is in its order already.
        let places = if Arc::ptr_eq(&keys, batch.column(0)) {
            None
        } else {
            Some(positions(&keys, batch.column(0))?)
        };
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()).skip(1) {
            let mut placed = match &places {
                Some(places) => take(column, places, None)?,
                None => column.clone(),
            };
            if placed.null_count() > 0 && table.zero_when_absent.contains(field.name()) {
                placed = zeros_for_nulls(&placed);
            }
            fields.push(Field::new(field.name(), placed.data_type().clone(), true));
            columns.push(placed);
        }
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// All keys of sorted key columns, each once, sorted.
fn union(columns: &[&ArrayRef]) -> Result<ArrayRef, EngineError> {
    let Some(first) = columns.first() else {
        return Err(EngineError::internal(
            "no source makes up the base of customers".to_owned(),
        ));
    };
    if columns.len() == 1 {
        return Ok((*first).clone());
    }
    match first.data_type() {
        DataType::Int64 => {
            let mut all: Vec<i64> = Vec::new();
            for column in columns {
                all.extend(typed(column.as_primitive_opt::<Int64Type>())?.values());
            }
            all.sort_unstable();
            all.dedup();
            Ok(Arc::new(Int64Array::from(all)))
        }
        _ => {
            let mut all: Vec<&str> = Vec::new();
            for column in columns {
                all.extend(typed(column.as_string_opt::<i32>())?.iter().flatten());
            }
            all.sort_unstable();
            all.dedup();
            Ok(Arc::new(StringArray::from(all)))
        }
    }
}

fn typed<T>(array: Option<T>) -> Result<T, EngineError> {
    array.ok_or_else(|| {
        EngineError::internal("sources disagree about the type of the customer's key".to_owned())
    })
}

/// For each key its row in the table, null where the table lacks it. Both are sorted.
fn positions(keys: &ArrayRef, table: &ArrayRef) -> Result<UInt32Array, EngineError> {
    let compare = arrow::array::make_comparator(keys, table, SortOptions::default())?;
    let mut row = 0;
    let mut places = Vec::with_capacity(keys.len());
    for key in 0..keys.len() {
        while row < table.len() && compare(key, row).is_gt() {
            row += 1;
        }
        let found = row < table.len() && compare(key, row).is_eq();
        places.push(found.then_some(row as u32));
    }
    Ok(UInt32Array::from(places))
}

fn zeros_for_nulls(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(
            column
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| v.unwrap_or(0)),
        )),
        DataType::Float64 => Arc::new(Float64Array::from_iter_values(
            column
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| v.unwrap_or(0.0)),
        )),
        _ => column.clone(),
    }
}
