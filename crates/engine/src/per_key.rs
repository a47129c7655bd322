//! Findings about the rows of each key that no aggregate of a feature gives: which keys have several valid rows, and whose
//! newest row has a negative amount.

use std::ops::Range;
use std::path::PathBuf;

use polars::prelude::*;
use tessera_expr::rel::SourceRows;

use crate::aggregate::status;
use crate::column::col;
use crate::duplicates;
use crate::error::EngineError;
use crate::lower::lower;
use crate::narrow::{Narrowing, each_file};
use crate::scan::{ROW, each_window};

const STATUS: &str = "__status";
const KEY: &str = "__key";
const MICROS: &str = "__micros";
const ROWS: &str = "__rows";
const DIFFER: &str = "__differ";
const KEPT: &str = "__kept_row";

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
    /// File and row, from 1, of rows of one key: one that is tied, else one that differs, unless newer rows supersede older ones.
    pub example: Vec<(PathBuf, u64)>,
}

/// Compares the rows of each key that pass the checks and for which `valid` holds, in these columns. Without a time all rows
/// are equally new; so are those without a value of it, and older than all others.
pub(crate) fn several(
    rows: &SourceRows,
    valid: Option<&tessera_expr::Expr>,
    columns: &[String],
) -> Result<Several, EngineError> {
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
    let valid = valid.map(|valid| lower(valid, rows));
    let all = Passing {
        rows,
        columns: &selected,
        kept: valid.clone(),
        files: 0..rows.scan.files.len(),
        numbered: false,
    };
    let keys = all
        .collect(&|frame| frame)?
        .lazy()
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
    // In a history without ends a newer row supersedes older ones, so that nothing has to be shown of them.
    if several.tied == 0 && rows.time.is_some() && rows.until.is_none() {
        return Ok(several);
    }
    let shown = if several.tied > 0 { tied } else { differ };
    let keys = keys.column(KEY)?.as_materialized_series().filter(&shown)?;
    let example = keys.sort(SortOptions::default())?.head(Some(1));
    if example.is_empty() {
        return Ok(several);
    }
    let wanted = col(rows.key.as_str()).eq(lit(Scalar::new(
        example.dtype().clone(),
        example.get(0)?.into_static(),
    )));
    let kept = valid.map_or(wanted.clone(), |valid| wanted.clone().and(valid));
    let mut examples = Examples {
        rows,
        kept,
        found: Vec::new(),
    };
    each_file(&rows.scan.files, &mut examples)?;
    several.example = examples.found;
    Ok(several)
}

/// The first rows of one key.
struct Examples<'a> {
    rows: &'a SourceRows,
    kept: Expr,
    found: Vec<(PathBuf, u64)>,
}

impl Examples<'_> {
    fn rows_of(&self, files: Range<usize>, number: Option<Expr>) -> Result<DataFrame, EngineError> {
        let of_key = Passing {
            rows: self.rows,
            columns: &[number
                .clone()
                .unwrap_or_else(|| col(self.rows.key.as_str()))],
            kept: Some(self.kept.clone()),
            files,
            numbered: number.is_some(),
        };
        of_key.collect(&|frame| frame)
    }
}

impl Narrowing for Examples<'_> {
    fn look(&mut self, files: Range<usize>) -> Result<u64, EngineError> {
        Ok(self.rows_of(files, None)?.height() as u64)
    }

    fn take(&mut self, number: usize) -> Result<bool, EngineError> {
        let origin = self.rows.scan.lake_file_at(number);
        let row = col(ROW).cast(DataType::UInt64);
        let numbers = self.rows_of(number..number + 1, Some(row))?;
        let numbers = numbers.column(ROW)?.as_materialized_series().u64()?.clone();
        let wanted = EXAMPLE_ROWS - self.found.len();
        let found = numbers.iter().flatten().take(wanted);
        self.found
            .extend(found.map(|number| (origin.to_owned(), number + 1)));
        Ok(self.found.len() < EXAMPLE_ROWS)
    }
}

/// The findings per key, and how differing rows are recognised.
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
    let columns = [
        col(rows.key.as_str()).alias(KEY),
        day().alias("__day"),
        when(negative)
            .then(lit(NULL))
            .otherwise(day())
            .alias("__kept"),
    ];
    let newest = |frame: LazyFrame| {
        frame
            .group_by([col(KEY)])
            .agg([col("__day").max(), col("__kept").max()])
    };
    let all = Passing {
        rows,
        columns: &columns,
        kept: None,
        files: 0..rows.scan.files.len(),
        numbered: false,
    };
    let keys = newest(all.collect(&newest)?.lazy())
        .filter(col("__kept").is_null().or(col("__kept").lt(col("__day"))))
        .select([len().cast(DataType::UInt64).alias(ROWS)])
        .collect_with_engine(Engine::Streaming)?
        .unwrap_single();
    let count = keys.column(ROWS)?.as_materialized_series().u64()?.get(0);
    Ok(count.unwrap_or(0))
}

/// Visible rows that are used, and repeated rows that differ only in their stored form.
pub(crate) struct Passing<'a> {
    pub(crate) rows: &'a SourceRows,
    /// What is wanted of each row.
    pub(crate) columns: &'a [Expr],
    /// Rows that are wanted; all without it.
    pub(crate) kept: Option<Expr>,
    /// Places of the files.
    pub(crate) files: Range<usize>,
    /// The rows have their numbers.
    pub(crate) numbered: bool,
}

impl Passing<'_> {
    /// The rows; where no row repeats another, those of each window are first reduced.
    pub(crate) fn collect(
        &self,
        reduce: &dyn Fn(LazyFrame) -> LazyFrame,
    ) -> Result<DataFrame, EngineError> {
        let rows = self.rows;
        // None where rows may be repeated.
        let identity = rows.dedup.as_ref();
        let identity = identity.map_or_else(Vec::new, |dedup| duplicates::identity(rows, dedup));
        let names: Vec<Expr> = (0..identity.len())
            .map(|n| col(duplicates::identity_name(n)))
            .collect();
        let first = |frame: LazyFrame| {
            frame.unique_stable_generic(Some(names.clone()), UniqueKeepStrategy::First)
        };
        let kept = || self.kept.clone().unwrap_or_else(|| lit(true));
        let make = |mut frame: LazyFrame| {
            if let Some(status) = status(rows) {
                frame = frame
                    .with_column(status.alias(STATUS))
                    .filter(col(STATUS).eq(lit(0_u32)));
            }
            if identity.is_empty() {
                return Ok(reduce(frame.filter(kept()).select(self.columns)));
            }
            let mut columns = self.columns.to_vec();
            columns.extend(identity.iter().cloned());
            columns.push(kept().alias(KEPT));
            Ok(first(frame.select(columns)))
        };
        let mut found: Option<DataFrame> = None;
        each_window(
            rows,
            self.files.clone(),
            self.numbered,
            &make,
            &mut |frame| {
                let frame = frame
                    .collect_with_engine(Engine::Streaming)?
                    .unwrap_single();
                match &mut found {
                    Some(found) => {
                        found.vstack_mut_owned(frame)?;
                    }
                    None => found = Some(frame),
                }
                Ok(true)
            },
        )?;
        let found = found.unwrap_or_default();
        if identity.is_empty() {
            return Ok(found);
        }
        let kept = first(found.lazy()).filter(col(KEPT));
        Ok(kept.collect_with_engine(Engine::Streaming)?.unwrap_single())
    }
}

fn value(name: &str) -> String {
    format!("__value_{name}")
}
