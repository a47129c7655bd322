//! Columns computed from the columns of one table.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::Project;

use crate::aggregate::arrow_type;
use crate::error::EngineError;
use crate::lower::lower;
use crate::scan::{no_nan, polars_type};
use crate::table::read_file;

/// The table with the new columns behind its own.
pub(crate) fn run(plan: &Project) -> Result<(SchemaRef, RecordBatch), EngineError> {
    let table = read_file(&plan.table)?;
    let mut frame = LazyFrame::scan_parquet(
        PlRefPath::try_from_path(&plan.table)?,
        ScanArgsParquet::default(),
    )?;
    for (name, expr) in &plan.columns {
        let made = no_nan(lower(expr, plan.as_of), expr.ty).cast(polars_type(stored(expr.ty)));
        frame = frame.with_column(made.alias(name.as_str()));
    }
    let wanted: Vec<Expr> = plan
        .columns
        .iter()
        .map(|(name, _)| col(name.as_str()))
        .collect();
    let made = frame.select(wanted).collect()?;
    let mut fields: Vec<Arc<Field>> = table.schema().fields().iter().cloned().collect();
    let mut columns = table.columns().to_vec();
    for (name, expr) in &plan.columns {
        let ty = stored(expr.ty);
        let series = made.column(name)?.as_materialized_series();
        fields.push(Arc::new(Field::new(name, arrow_type(ty), true)));
        columns.push(spread(to_arrow(series, ty)?, table.num_rows())?);
    }
    let schema = Arc::new(Schema::new(fields));
    Ok((schema.clone(), RecordBatch::try_new(schema, columns)?))
}

/// A bare `null` is published as text.
fn stored(ty: Type) -> Type {
    if ty == Type::Null { Type::String } else { ty }
}

/// A constant expression yields one value; it holds for every row.
fn spread(column: ArrayRef, rows: usize) -> Result<ArrayRef, EngineError> {
    if column.len() == rows || column.len() != 1 {
        return Ok(column);
    }
    let zeros = arrow::array::UInt32Array::from(vec![0; rows]);
    Ok(arrow::compute::take(&column, &zeros, None)?)
}

fn to_arrow(series: &Series, ty: Type) -> Result<ArrayRef, EngineError> {
    Ok(match ty {
        Type::Bool => Arc::new(series.bool()?.iter().collect::<BooleanArray>()),
        Type::Int => Arc::new(series.i64()?.iter().collect::<Int64Array>()),
        Type::Float => Arc::new(series.f64()?.iter().collect::<Float64Array>()),
        Type::String | Type::Null => Arc::new(series.str()?.iter().collect::<StringArray>()),
        Type::Date => Arc::new(
            series
                .to_physical_repr()
                .i32()?
                .iter()
                .collect::<Date32Array>(),
        ),
        Type::Timestamp => Arc::new(
            series
                .to_physical_repr()
                .i64()?
                .iter()
                .collect::<TimestampMicrosecondArray>(),
        ),
    })
}
