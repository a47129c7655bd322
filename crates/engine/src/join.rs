//! Joins: a lookup is read once and held in memory, and streamed rows are joined to it.
//!
//! Where to look: `keys` (key columns as bytes, and where they lie), `chain` (keys that lead to keys), `table` (one row of the lookup for each key
//! and time), `near` (keys that do not meet because they are written differently).

mod chain;
mod keys;
mod near;
mod table;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use polars::prelude::*;
use tessera_expr::rel::{Join, OWN, SourceRows};

use crate::bridge::to_arrow;
use crate::column::col;
use crate::error::EngineError;
use crate::lower::{lower, many, unary};
use crate::types::polars_type;
pub(crate) use near::nearly_joined;
use table::Table;

/// Lookup tables that are still in use, each with the join it was read for.
static HELD: Mutex<Vec<(Join, Weak<Table>)>> = Mutex::new(Vec::new());

/// Reads the lookups of these rows, unless they are in memory already, and keeps them in memory until the result is dropped.
pub(crate) fn hold(rows: &SourceRows) -> Result<Vec<Arc<Table>>, EngineError> {
    rows.scan.joins.iter().map(held).collect()
}

fn held(join: &Join) -> Result<Arc<Table>, EngineError> {
    let lock = || HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let known = |(other, table): &(Join, Weak<Table>)| {
        let same = Table::is_shared(other, join);
        same.then(|| table.upgrade()).flatten()
    };
    if let Some(table) = lock().iter().find_map(known) {
        return Ok(table);
    }
    // Not under the lock: what is read may have joins of its own.
    let table = Arc::new(Table::read(join)?);
    let mut all = lock();
    all.retain(|(_, table)| table.strong_count() > 0);
    all.push((join.clone(), Arc::downgrade(&table)));
    Ok(table)
}

/// Adds the columns of the join to `rows`. The lookup is searched once per row; columns that are not used are not gathered.
pub(crate) fn with_joined(
    frame: LazyFrame,
    join: &Join,
    rows: &SourceRows,
) -> Result<LazyFrame, EngineError> {
    let table = held(join)?;
    let place = format!("{OWN}place_{}", join.name);
    let mut inputs: Vec<Expr> = join.on.iter().map(|(own, _)| lower(own, rows)).collect();
    inputs.extend(join.as_of.as_ref().map(|time| micros(lower(time, rows))));
    let searched = table.clone();
    let found = many(inputs, DataType::UInt32, move |columns| {
        searched.places(columns).map(UInt32Chunked::into_series)
    });
    let frame = frame.with_column(found.alias(place.as_str()));
    let mut made = vec![col(place.as_str()).is_not_null().alias(join.matched())];
    for (number, column) in join.columns.iter().enumerate() {
        let table = table.clone();
        let gathered = unary(col(place.as_str()), polars_type(column.ty), move |places| {
            table.gather(number, places.u32()?)
        });
        made.push(gathered.alias(column.name.as_str()));
    }
    Ok(frame.with_columns(made))
}

/// The keys that a chained join of these rows replaces, each with the last one that it leads to, by key; `None` without such a join.
pub(crate) fn replaced(rows: &SourceRows) -> Result<Option<RecordBatch>, EngineError> {
    let Some(join) = rows.scan.joins.iter().find(|join| join.is_chained) else {
        return Ok(None);
    };
    let Some((keys, ends)) = held(join)?.replaced()? else {
        return Ok(None);
    };
    let order = keys.arg_sort(SortOptions::default());
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (name, column) in [("key", keys), ("customer", ends)] {
        let ty = match column.dtype() {
            DataType::String => arrow::datatypes::DataType::Utf8,
            _ => arrow::datatypes::DataType::Int64,
        };
        arrays.push(to_arrow(&column.take(&order)?, &ty)?);
        fields.push(Field::new(name, ty, false));
    }
    Ok(Some(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        arrays,
    )?))
}

/// A date or timestamp as microseconds; a date is its midnight.
fn micros(time: Expr) -> Expr {
    let timestamp = DataType::Datetime(TimeUnit::Microseconds, None);
    time.cast(timestamp).cast(DataType::Int64)
}
