//! Columns computed from the columns of one table.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::{Field, Schema};
use polars::prelude::{DataFrame, Expr, IntoColumn, IntoLazy};
use rayon::prelude::*;
use tessera_expr::{Expr as TypedExpr, Type};

use crate::aggregate::arrow_type;
use crate::bridge::{to_arrow, to_polars};
use crate::column::col;
use crate::error::EngineError;
use crate::lower::{Clock, lower};
use crate::types::polars_type;

/// Rows that are computed at a time.
const SLICE_ROWS: usize = 1 << 17;

/// Levels of columns in one plan.
const LEVELS_AT_ONCE: usize = 64;

/// A table with computed columns behind its own, each from those before it. Every column is a function of its row, so slices are
/// computed side by side.
pub(crate) fn extend(
    table: &RecordBatch,
    columns: &[(String, TypedExpr)],
    clock: Clock,
) -> Result<RecordBatch, EngineError> {
    let mut fields: Vec<Arc<Field>> = table.schema().fields().iter().cloned().collect();
    fields.extend(columns.iter().map(|(name, expr)| {
        let ty = arrow_type(stored(expr.ty));
        Arc::new(Field::new(name, ty, true))
    }));
    let schema = Arc::new(Schema::new(fields));
    if table.num_rows() == 0 {
        return Ok(RecordBatch::new_empty(schema));
    }
    let starts: Vec<usize> = (0..table.num_rows()).step_by(SLICE_ROWS).collect();
    let slice = |start: usize| {
        EngineError::go_on()?;
        let rows = SLICE_ROWS.min(table.num_rows() - start);
        compute(&table.slice(start, rows), columns, clock)
    };
    let made = starts.into_par_iter().map(slice);
    let made = made.collect::<Result<Vec<_>, EngineError>>()?;
    let mut all = table.columns().to_vec();
    for number in 0..columns.len() {
        let parts: Vec<&dyn Array> = made.iter().map(|slice| slice[number].as_ref()).collect();
        all.push(concat(&parts)?);
    }
    Ok(RecordBatch::try_new(schema, all)?)
}

/// The new columns.
fn compute(
    table: &RecordBatch,
    columns: &[(String, TypedExpr)],
    clock: Clock,
) -> Result<Vec<ArrayRef>, EngineError> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let used: BTreeSet<&str> = columns
        .iter()
        .flat_map(|(_, expr)| tessera_expr::columns(expr))
        .collect();
    let inputs = used
        .iter()
        .filter_map(|name| Some((*name, table.column_by_name(name)?)))
        .map(|(name, column)| Ok(to_polars(name, column)?.into_column()))
        .collect::<Result<Vec<_>, EngineError>>()?;
    let mut frame = DataFrame::new(table.num_rows(), inputs)?.lazy();
    let made = |(name, expr): &(String, TypedExpr)| {
        let made = lower(expr, clock).cast(polars_type(stored(expr.ty)));
        made.alias(name.as_str())
    };
    for (number, level) in levels(columns).into_iter().enumerate() {
        if number > 0 && number % LEVELS_AT_ONCE == 0 {
            frame = frame.collect()?.lazy();
        }
        frame = frame.with_columns(level.iter().map(made).collect::<Vec<_>>());
    }
    let wanted: Vec<Expr> = columns.iter().map(|(name, _)| col(name.as_str())).collect();
    let made = frame.select(wanted).collect()?;
    let finished = |(name, expr): &(String, TypedExpr)| {
        let series = made.column(name)?.as_materialized_series();
        let ty = arrow_type(stored(expr.ty));
        spread(to_arrow(series, &ty)?, table.num_rows())
    };
    columns.iter().map(finished).collect()
}

/// Consecutive columns of which none is made from another of them: together they are one step of a plan, whose cost grows with the
/// number of its steps times the number of columns.
fn levels(mut columns: &[(String, TypedExpr)]) -> Vec<&[(String, TypedExpr)]> {
    let mut levels = Vec::new();
    while !columns.is_empty() {
        let mut made: BTreeSet<&str> = BTreeSet::new();
        let mut count = 0;
        for (name, expr) in columns {
            let mut read = tessera_expr::columns(expr).into_iter();
            if read.any(|read| made.contains(read)) || !made.insert(name) {
                break;
            }
            count += 1;
        }
        let (level, rest) = columns.split_at(count);
        levels.push(level);
        columns = rest;
    }
    levels
}

/// A bare `null` is published as text, a decimal as what features of it are.
fn stored(ty: Type) -> Type {
    match ty {
        Type::Null => Type::String,
        other => other.published(),
    }
}

/// A constant expression yields one value; it holds for every row.
fn spread(column: ArrayRef, rows: usize) -> Result<ArrayRef, EngineError> {
    if column.len() == rows || column.len() != 1 {
        return Ok(column);
    }
    let zeros = arrow::array::UInt32Array::from(vec![0; rows]);
    Ok(arrow::compute::take(&column, &zeros, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_ends_where_a_column_is_made_from_one_of_it() {
        let column = |name: &str, of: &str| (name.to_owned(), TypedExpr::column(of, Type::Int));
        let columns = [
            column("a", "x"),
            column("b", "x"),
            column("c", "b"),
            column("c", "x"),
            column("d", "c"),
        ];
        let found: Vec<usize> = levels(&columns).into_iter().map(<[_]>::len).collect();
        assert_eq!(found, [2, 1, 1, 1]);
        assert!(levels(&[]).is_empty());
    }
}
