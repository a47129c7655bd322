//! Questions about the rows of each key that no aggregate of a feature answers: which keys have several valid rows, and whose
//! newest row has a negative amount.

use std::path::PathBuf;

use polars::prelude::*;
use tessera_expr::rel::SourceRows;

use crate::aggregate::status;
use crate::error::EngineError;
use crate::lower::lower;
use crate::scan::{ROW, source_rows};

const STATUS: &str = "__status";
const KEY: &str = "__key";
const MICROS: &str = "__micros";
const ROWS: &str = "__rows";
const DIFFER: &str = "__differ";

/// Rows of one key that are shown as an example.
const EXAMPLE_ROWS: usize = 3;

/// Keys with several rows that are valid at the same time, in a source of which one row a key counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Several {
    /// Keys with more than one valid row.
    pub keys: u64,
    /// Of those, keys whose rows differ in a compared column.
    pub differing: u64,
    /// Of those, keys whose newest rows are equally new and differ.
    pub tied: u64,
    /// File and row, from 1, of rows of one key: one that is tied, else one that differs.
    pub example: Vec<(PathBuf, u64)>,
}

/// Compares the rows of each key that pass the checks and for which `valid` holds, in these columns. Without a time all rows
/// are equally new; so are those without a value of it, and older than all others.
pub(crate) fn several(
    rows: &SourceRows,
    valid: Option<&tessera_expr::Expr>,
    columns: &[String],
) -> Result<Several, EngineError> {
    let valid_rows = |files: &[PathBuf], numbered: bool| -> Result<LazyFrame, EngineError> {
        let mut frame = passing(rows, files, numbered)?;
        if let Some(valid) = valid {
            frame = frame.filter(lower(valid, rows));
        }
        Ok(frame)
    };
    let micros = match &rows.time {
        Some(time) => col(time.as_str())
            .cast(DataType::Datetime(TimeUnit::Microseconds, None))
            .cast(DataType::Int64)
            .fill_null(lit(i64::MIN)),
        None => lit(0_i64),
    };
    let mut selected = vec![col(rows.key.as_str()).alias(KEY), micros.alias(MICROS)];
    selected.extend(
        columns
            .iter()
            .map(|name| col(name.as_str()).alias(value(name))),
    );
    let Comparison {
        found,
        differ,
        tied,
    } = comparison(columns);
    let keys = valid_rows(&rows.scan.files, false)?
        .select(selected)
        .group_by([col(KEY)])
        .agg(found)
        .filter(col(ROWS).gt(lit(1)))
        .select([col(KEY), differ.alias(DIFFER), tied.alias("__tied")])
        .collect_with_engine(Engine::Streaming)?
        .unwrap_single();
    let flags = |name: &str| -> Result<BooleanChunked, EngineError> {
        Ok(keys.column(name)?.as_materialized_series().bool()?.clone())
    };
    let (differ, tied) = (flags(DIFFER)?, flags("__tied")?);
    let mut several = Several {
        keys: keys.height() as u64,
        differing: u64::from(differ.sum().unwrap_or(0)),
        tied: u64::from(tied.sum().unwrap_or(0)),
        example: Vec::new(),
    };
    let shown = if several.tied > 0 { tied } else { differ };
    let keys = keys.column(KEY)?.as_materialized_series().filter(&shown)?;
    let example = keys.sort(SortOptions::default())?.head(Some(1));
    if example.is_empty() {
        return Ok(several);
    }
    for file in &rows.scan.files {
        let origin = rows.scan.lake_file(file);
        let wanted = col(rows.key.as_str()).eq(lit(Scalar::new(
            example.dtype().clone(),
            example.get(0)?.into_static(),
        )));
        let numbers = valid_rows(std::slice::from_ref(file), true)?
            .filter(wanted)
            .select([col(ROW).cast(DataType::UInt64)])
            .collect_with_engine(Engine::Streaming)?
            .unwrap_single();
        let numbers = numbers.column(ROW)?.as_materialized_series();
        for number in numbers.u64()?.iter().flatten() {
            several.example.push((origin.to_owned(), number + 1));
            if several.example.len() == EXAMPLE_ROWS {
                return Ok(several);
            }
        }
    }
    Ok(several)
}

/// What is found of each key, and how it shows that rows differ.
struct Comparison {
    /// Counts of rows and of distinct values.
    found: Vec<Expr>,
    /// Its rows differ in a column.
    differ: Expr,
    /// Its newest rows differ in a column.
    tied: Expr,
}

fn comparison(columns: &[String]) -> Comparison {
    let newest = || col(MICROS).eq(col(MICROS).max());
    let mut found = vec![len().cast(DataType::UInt64).alias(ROWS)];
    let mut differ = lit(false);
    let mut tied = lit(false);
    for name in columns {
        let values = || col(value(name));
        found.push(values().n_unique().alias(format!("{DIFFER}_{name}")));
        found.push(
            values()
                .filter(newest())
                .n_unique()
                .alias(format!("__tied_{name}")),
        );
        differ = differ.or(col(format!("{DIFFER}_{name}")).gt(lit(1)));
        tied = tied.or(col(format!("__tied_{name}")).gt(lit(1)));
    }
    Comparison {
        found,
        differ,
        tied,
    }
}

/// Keys whose newest used day is later than the newest day with an amount that is not negative, or that have no such day.
pub(crate) fn newest_negative(
    rows: &SourceRows,
    amount: &tessera_expr::Expr,
) -> Result<u64, EngineError> {
    let Some(time) = &rows.time else {
        return Ok(0);
    };
    let day = || col(time.as_str()).cast(DataType::Date);
    let negative = lower(amount, rows).lt(lit(0)).fill_null(lit(false));
    let keys = passing(rows, &rows.scan.files, false)?
        .select([
            col(rows.key.as_str()).alias(KEY),
            day().alias("__day"),
            when(negative)
                .then(lit(NULL))
                .otherwise(day())
                .alias("__kept"),
        ])
        .group_by([col(KEY)])
        .agg([col("__day").max(), col("__kept").max()])
        .filter(col("__kept").is_null().or(col("__kept").lt(col("__day"))))
        .select([len().cast(DataType::UInt64).alias(ROWS)])
        .collect_with_engine(Engine::Streaming)?
        .unwrap_single();
    let count = keys.column(ROWS)?.as_materialized_series().u64()?.get(0);
    Ok(count.unwrap_or(0))
}

/// Visible rows that take part, but for keys of repeated rows that only their stored form tells apart.
fn passing(rows: &SourceRows, files: &[PathBuf], numbered: bool) -> Result<LazyFrame, EngineError> {
    let mut frame = source_rows(rows, files, numbered)?;
    if let Some(status) = status(rows) {
        frame = frame
            .with_column(status.alias(STATUS))
            .filter(col(STATUS).eq(lit(0_u32)));
    }
    let Some(dedup) = &rows.dedup else {
        return Ok(frame);
    };
    let names: Vec<&str> = match dedup.columns.as_slice() {
        [] => rows.scan.columns.iter().map(|c| c.name.as_str()).collect(),
        named => named.iter().map(String::as_str).collect(),
    };
    let identity = names.into_iter().map(col).collect();
    Ok(frame.unique_stable_generic(Some(identity), UniqueKeepStrategy::First))
}

fn value(name: &str) -> String {
    format!("__value_{name}")
}
