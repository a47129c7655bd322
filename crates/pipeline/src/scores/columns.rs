//! Columns of a customer table as plain numbers.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Float64Type};

use crate::error::PipelineError;

/// A column as floats, NaN where null: integers, floats, booleans, dates as days.
pub(crate) fn floats(table: &RecordBatch, name: &str) -> Result<Vec<f64>, PipelineError> {
    let column = named(table, name)?;
    let column = match column.data_type() {
        DataType::Float64 => column.clone(),
        DataType::Date32 => cast(&cast(column, &DataType::Int32)?, &DataType::Float64)?,
        _ => cast(column, &DataType::Float64)?,
    };
    let values = column.as_primitive::<Float64Type>();
    Ok(values.iter().map(|v| v.unwrap_or(f64::NAN)).collect())
}

/// A column of dates as days since 1970-01-01.
pub(crate) fn days(table: &RecordBatch, name: &str) -> Result<Vec<Option<i32>>, PipelineError> {
    let column = cast(named(table, name)?, &DataType::Date32)?;
    Ok(column.as_primitive::<Date32Type>().iter().collect())
}

/// A column of texts.
pub(crate) fn texts(table: &RecordBatch, name: &str) -> Result<StringArray, PipelineError> {
    let column = cast(named(table, name)?, &DataType::Utf8)?;
    Ok(column.as_string::<i32>().clone())
}

fn named<'t>(table: &'t RecordBatch, name: &str) -> Result<&'t ArrayRef, PipelineError> {
    Ok(table.column(table.schema().index_of(name)?))
}
