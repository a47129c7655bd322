//! Files of a source as a lazy frame whose columns have the types of the expression language.
//!
//! Where to look: `parquet` and `texts` (how each format is read), `local` (instants and naive times to the pipeline's local
//! times), `visible` (which rows are visible at `as_of`).

mod local;
mod parquet;
mod texts;
mod visible;

use std::path::PathBuf;

use chrono::{Datelike, NaiveDate};
use polars::lazy::dsl::ScanSources;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{Scan, ScanColumn, ScanFormat, SourceRows, Stored};

use crate::error::EngineError;
use crate::lower::{days_in_range, finite, lower, reads_skipped};
pub(crate) use local::skipped_times;
use local::{local_time, skipped_name};
use parquet::parquet;
pub(crate) use texts::{broken_text, is_converted, raw_name};
use texts::{csv, from_text, ndjson};
use visible::{known_ends, local_bound, raw_bounds, stored_column};

/// Prefix of columns that only the engine sees.
const RAW: &str = "__raw_";

/// Name of the column with the position of a row in its file.
pub(crate) const ROW: &str = "__row";

/// Days since 1970-01-01.
pub(crate) fn epoch_day(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// The polars type of a type of the expression language.
pub(crate) fn polars_type(ty: Type) -> DataType {
    match ty {
        Type::Bool => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::String => DataType::String,
        Type::Date => DataType::Date,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        Type::Null => DataType::Null,
    }
}

/// The rows of these files that are visible at `as_of`, with normalised and derived columns, in file and row order. With
/// `row_numbers`, a column [`ROW`] holds the position in the file, from 0 (one file only).
pub(crate) fn visible_rows(
    rows: &SourceRows,
    files: &[PathBuf],
    row_numbers: bool,
) -> Result<LazyFrame, EngineError> {
    let scan = &rows.scan;
    let mut frame = match scan.format {
        ScanFormat::Parquet => parquet(scan, files)?,
        ScanFormat::Csv => csv(scan, files)?,
        ScanFormat::Ndjson => ndjson(scan, files)?,
    };
    if row_numbers {
        frame = frame.with_row_index(ROW, None);
    }
    if let Some(predicate) = raw_bounds(rows) {
        frame = frame.filter(predicate);
    }
    let stands_for = |c: &ScanColumn| has_codes(c) || has_ticks(c);
    let codes = scan.columns.iter().filter(|c| stands_for(c)).map(|c| {
        let codes = col(c.name.as_str()).to_physical();
        codes.cast(DataType::Int64).alias(code_name(&c.name))
    });
    // What nobody asks for is not computed: projections are pushed down.
    frame = frame.with_columns(codes.chain(normalised(scan)).collect::<Vec<_>>());
    let until = rows.until.as_deref();
    if let Some(until) = until.filter(|until| stored_column(scan, until).is_some()) {
        frame = frame.with_columns(known_ends(rows, until));
    }
    let replaced = scan.columns.iter().filter(|c| is_derived(scan, &c.name));
    let kept = replaced.map(|c| col(c.name.as_str()).alias(file_name(&c.name)));
    frame = frame.with_columns(kept.collect::<Vec<_>>());
    for (name, expr) in &scan.derive {
        let mut made = vec![lower(expr, rows).alias(name.as_str())];
        let skipped = reads_skipped(expr, rows.into());
        made.extend(skipped.map(|skipped| skipped.alias(skipped_name(name))));
        frame = frame.with_columns(made);
        if until == Some(name) {
            frame = frame.with_columns(known_ends(rows, name));
        }
    }
    for name in [&rows.time, &rows.known_at].into_iter().flatten() {
        if let Some(bound) = local_bound(rows, name) {
            frame = frame.filter(col(name.as_str()).is_null().or(bound));
        }
    }
    Ok(frame)
}

/// Whether a derived column has this name, also where the files have a column of it.
fn is_derived(scan: &Scan, name: &str) -> bool {
    scan.derive.iter().any(|(derived, _)| derived == name)
}

/// Name of a file's column behind a derived one of the same name.
fn file_name(name: &str) -> String {
    format!("{RAW}file_{name}")
}

/// A column of the files in the type of the plan, also where a derived one has taken its name.
pub(crate) fn in_file(scan: &Scan, name: &str) -> Expr {
    if is_derived(scan, name) {
        col(file_name(name))
    } else {
        col(name)
    }
}

/// True where a time of a Parquet file is none that can be represented.
pub(crate) fn broken_time(scan: &Scan, column: &ScanColumn) -> Expr {
    let stored = col(code_name(&column.name)).is_not_null();
    stored.and(in_file(scan, &column.name).is_null())
}

/// Columns of times whose values must be ones that can be represented, since the plan uses them.
pub(crate) fn times_in_range(rows: &SourceRows) -> impl Iterator<Item = &ScanColumn> {
    let used = |column: &&ScanColumn| has_ticks(column) && rows.in_range.contains(&column.name);
    rows.scan.columns.iter().filter(used)
}

/// Whether the column's texts have codes, by which they can be told apart at less cost.
pub(crate) fn has_codes(column: &ScanColumn) -> bool {
    column.stored == Stored::Dictionary
}

/// Whether the column's times are compared as the files hold them: local times are not, in the hour that comes twice, and
/// those that cannot be represented have no local time.
fn has_ticks(column: &ScanColumn) -> bool {
    matches!(column.stored, Stored::Timestamp { .. } | Stored::Date)
}

/// A column by which rows are the same or not. What is derived, and ends that are not known yet, have no stored form.
pub(crate) fn as_stored(rows: &SourceRows, name: &str) -> Expr {
    let scan = &rows.scan;
    let column = scan.columns.iter().find(|c| c.name == name);
    let changed = rows.until.as_deref() == Some(name) || scan.derive.iter().any(|(d, _)| d == name);
    match column.filter(|c| !changed && (has_codes(c) || has_ticks(c))) {
        Some(column) => col(code_name(&column.name)),
        None => col(name),
    }
}

/// The codes of a column's texts, equal for equal texts in all files of a scan, or the ticks of its times.
pub(crate) fn code_name(name: &str) -> String {
    format!("{RAW}code_{name}")
}

fn paths(files: &[PathBuf]) -> Result<ScanSources, EngineError> {
    Ok(ScanSources::Paths(
        files
            .iter()
            .map(|file| PlRefPath::try_from_path(file))
            .collect::<PolarsResult<_>>()?,
    ))
}

/// Columns in the types of the expression language: integers of 64 bits, finite floats, local wall-clock times.
fn normalised(scan: &Scan) -> impl Iterator<Item = Expr> + '_ {
    scan.columns.iter().filter_map(move |column| {
        let name = column.name.as_str();
        let made = match (&column.stored, column.ty) {
            (Stored::Date, Type::Timestamp) => {
                days_in_range(col(name)).cast(polars_type(Type::Timestamp))
            }
            (Stored::Date, _) => days_in_range(col(name)),
            (Stored::Bool | Stored::String, _) => return None,
            (
                Stored::Int {
                    bits: 64,
                    signed: true,
                },
                Type::Int,
            ) => return None,
            (Stored::Int { .. } | Stored::Decimal { .. }, ty) => col(name).cast(polars_type(ty)),
            (Stored::Float { .. }, _) => finite(col(name).cast(DataType::Float64)),
            (Stored::Dictionary, _) => col(name).cast(DataType::String),
            (Stored::Timestamp { zone, .. }, _) => local_time(scan, col(name), zone.is_some()),
            (Stored::Text | Stored::HivePath, ty) => from_text(scan, name, ty),
        };
        Some(made.alias(name))
    })
}

pub(crate) fn date_literal(date: NaiveDate) -> Expr {
    lit(epoch_day(date)).cast(DataType::Date)
}
