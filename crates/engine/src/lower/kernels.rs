//! From functions of values to polars expressions over columns.

use polars::lazy::dsl::{max_horizontal, min_horizontal};
use polars::prelude::{
    BooleanChunked, ChunkCompareEq, ChunkFillNullValue, Column, DataType, Expr, Field, IdxCa,
    Int32Chunked, Int64Chunked, IntoColumn, IntoSeries, NewChunkedArray, PlSmallStr, PolarsResult,
    Schema, Series, TimeUnit, map_multiple,
};

use crate::repeats::{self, Repeats};

/// An expression that runs a function over one column.
pub(crate) fn unary(
    input: Expr,
    out: DataType,
    kernel: impl Fn(&Series) -> PolarsResult<Series> + Send + Sync + 'static,
) -> Expr {
    many(vec![input], out, move |columns| match columns {
        [one] => kernel(one),
        _ => Ok(Series::default()),
    })
}

/// An expression that runs a function over two columns, either of which may have one value for all rows.
pub(super) fn binary(
    left: Expr,
    right: Expr,
    out: DataType,
    kernel: impl Fn(&Series, &Series) -> PolarsResult<Series> + Send + Sync + 'static,
) -> Expr {
    many(vec![left, right], out, move |columns| match columns {
        [left, right] => kernel(left, right),
        _ => Ok(Series::default()),
    })
}

/// An expression that runs a function over several columns, any of which may have one value for all rows. The function makes each
/// row from the values of that row alone.
pub(crate) fn many(
    inputs: Vec<Expr>,
    out: DataType,
    kernel: impl Fn(&[Series]) -> PolarsResult<Series> + Send + Sync + 'static,
) -> Expr {
    let run = move |columns: &mut [Column]| {
        let series: Vec<Series> = columns
            .iter()
            .map(|c| c.as_materialized_series().clone())
            .collect();
        once_for_repeated(&series, &kernel).map(Series::into_column)
    };
    let field = move |_: &Schema, fields: &[Field]| {
        let name = fields.first().map(|f| f.name().clone()).unwrap_or_default();
        Ok(Field::new(name, out.clone()))
    };
    map_multiple(run, inputs, field)
}

/// What the function makes of the columns. Where rows repeat long texts and all else has one value, it sees each text once.
fn once_for_repeated(
    columns: &[Series],
    kernel: impl Fn(&[Series]) -> PolarsResult<Series>,
) -> PolarsResult<Series> {
    let varying = columns.iter().filter(|column| column.len() > 1);
    let texts: Option<Vec<_>> = varying.map(|column| column.str().ok()).collect();
    let texts: Vec<_> = texts.into_iter().flatten().map(|t| t.rechunk()).collect();
    let arrays: Option<Vec<_>> = texts.iter().map(|texts| repeats::array(texts)).collect();
    let Some(repeats) = arrays.and_then(|arrays| Repeats::of(arrays.as_slice())) else {
        return kernel(columns);
    };
    let firsts = IdxCa::from_vec(PlSmallStr::EMPTY, repeats.firsts);
    let once = |column: &Series| match column.len() {
        0 | 1 => Ok(column.clone()),
        _ => column.take(&firsts),
    };
    let made = kernel(&columns.iter().map(once).collect::<PolarsResult<Vec<_>>>()?)?;
    if made.len() != firsts.len() {
        return kernel(columns);
    }
    made.take(&IdxCa::from_vec(PlSmallStr::EMPTY, repeats.kinds))
}

/// Days of a date column.
pub(super) fn days(series: &Series) -> PolarsResult<&Int32Chunked> {
    Ok(series.date()?.physical())
}

/// Microseconds of a timestamp column.
pub(super) fn micros(series: &Series) -> PolarsResult<&Int64Chunked> {
    Ok(series.datetime()?.physical())
}

/// A date column of days.
pub(super) fn dates(days: Int32Chunked) -> Series {
    days.into_date().into_series()
}

/// A timestamp column of microseconds.
pub(super) fn timestamps(micros: Int64Chunked) -> Series {
    micros
        .into_datetime(TimeUnit::Microseconds, None)
        .into_series()
}

/// Rows of the result of columns, of which some may have one value for all rows.
pub(super) fn height(columns: &[Series]) -> usize {
    columns
        .iter()
        .map(|c| c.len())
        .find(|len| *len != 1)
        .unwrap_or(1)
}

/// Place of a row's value in a column of `len` values, which has one value for all rows if it has one.
pub(super) fn place(len: usize, row: usize) -> usize {
    if len == 1 { 0 } else { row }
}

/// Whether the first equals any of the others: true, or null where one of them is null, or false.
pub(super) fn any_equal(operands: Vec<Expr>) -> Expr {
    many(operands, DataType::Boolean, |columns| {
        let Some((of, list)) = columns.split_first() else {
            return Ok(Series::default());
        };
        let mut found = BooleanChunked::from_slice(of.name().clone(), &[false]);
        for item in list {
            // `|` is three-valued
            found = &found | &of.equal(item)?;
        }
        Ok(found.with_name(of.name().clone()).into_series())
    })
}

/// The smallest or largest, ignoring nulls.
pub(super) fn extreme(operands: Vec<Expr>, smallest: bool) -> Expr {
    let alone = operands.first().cloned();
    let found = if smallest {
        min_horizontal(operands)
    } else {
        max_horizontal(operands)
    };
    // refused only for no operands at all, which the checker does not let through
    found.unwrap_or_else(|_| alone.unwrap_or_else(|| polars::prelude::lit(polars::prelude::NULL)))
}

/// The first, but null where it equals the second.
pub(super) fn null_if(operands: Vec<Expr>, out: DataType) -> Expr {
    many(operands, out, |columns| {
        let [value, other] = columns else {
            return Ok(Series::default());
        };
        let keep = !value.equal(other)?.fill_null_with_values(false)?;
        let null = Series::full_null(value.name().clone(), 1, value.dtype());
        value.zip_with(&keep, &null)
    })
}
