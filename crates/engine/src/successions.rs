//! How rows that are valid for a time follow on the row before them of the same key.

use polars::prelude::*;
use tessera_expr::rel::SourceRows;

use crate::column::col;
use crate::drawn::drawn;
use crate::error::EngineError;
use crate::per_key::Passing;

const KEY: &str = "__key";
const FROM: &str = "__from";
const UNTIL: &str = "__until";

/// Rows up to which those of all keys are compared; of more rows, those of a share of the keys.
const MOST_ROWS: u64 = 1 << 22;

/// Rows that follow on the row before them of the same key, where that ended at midnight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Successions {
    /// They begin on the day on which that row ended.
    pub on_the_day: u64,
    /// They begin on the day after it.
    pub on_the_next: u64,
}

/// Counts the successions of rows that pass the checks, of which there are `used`. Ends later than the day of the rows are not known.
pub(crate) fn successions(
    rows: &SourceRows,
    until: &str,
    used: u64,
) -> Result<Successions, EngineError> {
    let Some(time) = &rows.time else {
        return Ok(Successions::default());
    };
    let date = |name: &str| col(name).cast(DataType::Date);
    let at_midnight =
        col(until).eq(date(until).cast(DataType::Datetime(TimeUnit::Microseconds, None)));
    let end = when(at_midnight).then(date(until)).otherwise(lit(NULL));
    let days = |date: Expr| date.cast(DataType::Int32);
    let share = used.div_ceil(MOST_ROWS).max(1);
    let part = Passing {
        rows,
        columns: &[
            col(rows.key.as_str()).alias(KEY),
            days(date(time)).alias(FROM),
            days(end).alias(UNTIL),
        ],
        kept: (share > 1).then(|| drawn(rows, move |hash| hash % share == 0)),
        files: 0..rows.scan.files.len(),
        numbered: false,
    };
    let before = |name: &str| col(name).shift(lit(1));
    let gap = col(FROM) - before(UNTIL);
    let is_next = col(KEY).eq(before(KEY));
    let count = |gap_days: i32| {
        let found = is_next.clone().and(gap.clone().eq(lit(gap_days)));
        found.sum().cast(DataType::UInt64)
    };
    let counted = part
        .collect(&|frame| frame)?
        .lazy()
        .sort([KEY, FROM, UNTIL], SortMultipleOptions::default())
        .select([count(0).alias("__same"), count(1).alias("__next")])
        .collect()?;
    let number = |name: &str| -> Result<u64, EngineError> {
        let column = counted.column(name)?.as_materialized_series();
        Ok(column.u64()?.get(0).unwrap_or(0))
    };
    Ok(Successions {
        on_the_day: number("__same")?,
        on_the_next: number("__next")?,
    })
}
