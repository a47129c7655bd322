//! Files of a source as a lazy frame whose columns have the types of the expression language.
//!
//! Where to look: `parquet` (what files hold), `convert` and `texts` (values in the types of the plan), `local` (instants and naive times to the pipeline's local
//! times), `visible` (which rows are visible at `as_of`).

mod convert;
mod local;
mod parquet;
mod path_values;
mod texts;
mod visible;

use std::path::PathBuf;

use chrono::{Datelike, NaiveDate};
use polars::lazy::dsl::ScanSources;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{FAULT, FileGroup, Scan, ScanColumn, ScanFormat, SourceRows, Stored};

use crate::error::EngineError;
use crate::lower::{decimal_type, lower, reads_skipped};
use convert::{codes, normalised, raw};
use local::skipped_name;
pub(crate) use local::skipped_times;
use parquet::parquet;
use path_values::path_columns;
pub(crate) use texts::{broken_text, is_converted, raw_name};
pub(crate) use visible::{FUTURE, PRUNED, UNKNOWN};
use visible::{is_decided, known_ends, raw_bounds, stored_column, unseen};

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
        Type::Decimal { scale } => decimal_type(scale),
        Type::String => DataType::String,
        Type::Date => DataType::Date,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
        Type::Null => DataType::Null,
    }
}

/// Name of the column that says why a row is not visible, 0 for one that is. It is there where [`has_unseen`] says so; else
/// every row of [`source_rows`] is visible.
pub(crate) const UNSEEN: &str = "__unseen";

/// The rows of these files with normalised and derived columns, in file and row order. Rows that bounds on the files' own
/// columns keep out are not there; [`unseen_rows`] has them. With `row_numbers`, a column [`ROW`] holds the position in the
/// file, from 0 (one file only).
pub(crate) fn source_rows(
    rows: &SourceRows,
    files: &[PathBuf],
    row_numbers: bool,
) -> Result<LazyFrame, EngineError> {
    let frame = typed_rows(rows, files, row_numbers, Side::Inside)?;
    let frame = with_all_columns(rows, frame);
    Ok(if has_unseen(rows) {
        frame.with_column(unseen(rows).alias(UNSEEN))
    } else {
        frame
    })
}

/// Why each row that [`source_rows`] does not have is not visible, in a column [`UNSEEN`]; nothing where it has them all.
pub(crate) fn unseen_rows(rows: &SourceRows) -> Result<Option<LazyFrame>, EngineError> {
    let mut groups = rows.scan.groups.iter();
    if groups.all(|group| raw_bounds(&held_by(rows, group).0).is_none()) {
        return Ok(None);
    }
    let frame = typed_rows(rows, &rows.scan.files, false, Side::Outside)?;
    let frame = with_all_columns(rows, frame);
    Ok(Some(frame.select([unseen(rows).alias(UNSEEN)])))
}

/// Whether the bounds on the columns of some files leave rows in that are not visible.
pub(crate) fn has_unseen(rows: &SourceRows) -> bool {
    let mut names = [&rows.time, &rows.known_at].into_iter().flatten();
    names.any(|name| {
        let decided = |group| is_decided(&held_by(rows, group).0, name);
        !rows.scan.groups.iter().all(decided)
    })
}

/// Which rows of files a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// All but those that bounds on the files' own columns keep out.
    Inside,
    /// Those.
    Outside,
}

/// Adds what is derived from the columns of the files.
fn with_all_columns(rows: &SourceRows, mut frame: LazyFrame) -> LazyFrame {
    let scan = &rows.scan;
    let until = rows.until.as_deref();
    if let Some(until) = until.filter(|until| stored_column(scan, until).is_some()) {
        frame = frame.with_columns(known_ends(rows, until));
    }
    let replaced = scan.columns.iter().filter(|c| is_derived(scan, &c.name));
    let kept = replaced.map(|c| col(c.name.as_str()).alias(file_name(&c.name)));
    frame = frame.with_columns(kept.collect::<Vec<_>>());
    for (name, expr) in &scan.derive {
        let mut made = vec![lower(expr, rows).alias(name.as_str())];
        // Of the columns as they are before the derived one can take the place of one of them.
        let nulled = inputs_present(expr).and(made[0].clone().is_null());
        made.push(nulled.alias(nulled_name(name)));
        let skipped = reads_skipped(expr, rows.into());
        made.extend(skipped.map(|skipped| skipped.alias(skipped_name(name))));
        frame = frame.with_columns(made);
        if until == Some(name) {
            frame = frame.with_columns(known_ends(rows, name));
        }
    }
    frame
}

/// True where no column that the expression reads is null.
fn inputs_present(expr: &tessera_expr::Expr) -> Expr {
    let inputs = tessera_expr::columns(expr);
    let present = inputs.into_iter().map(|name| col(name).is_not_null());
    present.reduce(Expr::and).unwrap_or_else(|| lit(false))
}

/// Name of the column that is true where a derived value is null although what it is made from is not.
pub(crate) fn nulled_name(name: &str) -> String {
    format!("{RAW}nulled_{name}")
}

/// The rows of these files with columns in the types of the expression language: one scan for each group of files that are read
/// alike, one after the other.
fn typed_rows(
    rows: &SourceRows,
    files: &[PathBuf],
    row_numbers: bool,
    side: Side,
) -> Result<LazyFrame, EngineError> {
    let all = &rows.scan.files;
    // The files are some of those of the scan, most often all of them.
    let place = |file: &PathBuf| all.iter().position(|known| std::ptr::eq(known, file));
    let first = files
        .first()
        .and_then(|file| place(file).or_else(|| all.iter().position(|known| known == file)))
        .unwrap_or(0);
    let end = first + files.len();
    let mut begins = 0;
    let mut parts = Vec::new();
    for group in &rows.scan.groups {
        let (from, to) = (begins.max(first), (begins + group.files).min(end));
        begins += group.files;
        if from < to {
            let files = &files[from - first..to - first];
            parts.push((group, from, files));
        }
    }
    if let [(group, from, files)] = parts.as_slice() {
        return group_rows(rows, group, (*from, files), row_numbers, side);
    }
    let mut frames = Vec::with_capacity(parts.len());
    for (group, from, files) in parts {
        let frame = group_rows(rows, group, (from, files), row_numbers, side)?;
        frames.push(frame.select(same_columns(&rows.scan, row_numbers)));
    }
    let in_order = UnionArgs {
        rechunk: false,
        parallel: true,
        maintain_order: true,
        ..UnionArgs::default()
    };
    Ok(concat(frames, in_order)?)
}

/// The columns that every group must have, in one order.
fn same_columns(scan: &Scan, row_numbers: bool) -> Vec<Expr> {
    let mut names = Vec::new();
    if row_numbers {
        names.push(ROW.to_owned());
    }
    if scan.format == ScanFormat::Text {
        names.push(FAULT.to_owned());
    }
    for column in &scan.columns {
        names.push(column.name.clone());
        if has_codes(column) || is_told_apart_raw(column) {
            names.push(code_name(&column.name));
        }
        if is_converted(column) {
            names.push(raw_name(&column.name));
        }
    }
    names.iter().map(|name| col(name.as_str())).collect()
}

/// The rows of consecutive files of one group, the first of which has this place in the scan.
fn group_rows(
    rows: &SourceRows,
    group: &FileGroup,
    (first_file, files): (usize, &[PathBuf]),
    row_numbers: bool,
    side: Side,
) -> Result<LazyFrame, EngineError> {
    let (held, absent) = held_by(rows, group);
    let scan = &held.scan;
    let mut frame = parquet(scan, files, group.has_gaps)?;
    if row_numbers {
        frame = frame.with_row_index(ROW, None);
    }
    frame = match (raw_bounds(&held), side) {
        (Some(bounds), Side::Inside) => frame.filter(bounds.inside),
        (Some(bounds), Side::Outside) => frame.filter(bounds.outside),
        (None, Side::Inside) => frame,
        (None, Side::Outside) => frame.filter(lit(false)),
    };
    // What nobody asks for is not computed: projections are pushed down.
    let mut made = path_columns(scan, first_file, files)?;
    for column in &scan.columns {
        let common = rows.scan.columns.iter().find(|c| c.name == column.name);
        made.extend(codes(column, common.unwrap_or(column)));
        made.extend(raw(scan, column));
        made.extend(normalised(scan, column));
    }
    for column in absent {
        let null = |ty: DataType, name: &str| lit(NULL).cast(ty).alias(name);
        made.push(null(polars_type(column.ty), &column.name));
        if has_codes(column) || is_told_apart_raw(column) {
            let ty = match column.stored {
                Stored::Float { .. } => DataType::Float64,
                _ => DataType::Int64,
            };
            made.push(null(ty, &code_name(&column.name)));
        }
        if is_converted(column) {
            made.push(null(DataType::String, &raw_name(&column.name)));
        }
    }
    Ok(frame.with_columns(made))
}

/// The rows with their columns as the files of a group hold them, and the columns that these files lack.
fn held_by<'a>(rows: &'a SourceRows, group: &FileGroup) -> (SourceRows, Vec<&'a ScanColumn>) {
    let mut held = rows.clone();
    let mut absent = Vec::new();
    held.scan.columns.clear();
    for (column, stored) in rows.scan.columns.iter().zip(&group.stored) {
        match stored {
            Some(stored) => held.scan.columns.push(ScanColumn {
                stored: stored.clone(),
                ..column.clone()
            }),
            None => absent.push(column),
        }
    }
    (held, absent)
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
    let used = |column: &&ScanColumn| is_time(column) && rows.in_range.contains(&column.name);
    rows.scan.columns.iter().filter(used)
}

/// Whether the files hold days or times.
fn is_time(column: &ScanColumn) -> bool {
    matches!(
        column.stored,
        Stored::Timestamp { .. } | Stored::Date | Stored::DateMillis
    )
}

/// Whether the column's texts have codes, by which they can be told apart at less cost.
pub(crate) fn has_codes(column: &ScanColumn) -> bool {
    column.stored == Stored::Dictionary
}

/// Whether rows are compared by the column's values as the files hold them: local times are the same in the hour that comes twice,
/// times that cannot be represented have no local time, and NaN is read as null.
fn is_told_apart_raw(column: &ScanColumn) -> bool {
    is_time(column) || matches!(column.stored, Stored::Float { .. })
}

/// A column by which rows are the same or not. What is derived, and ends that are not known yet, have no stored form.
pub(crate) fn as_stored(rows: &SourceRows, name: &str) -> Expr {
    let scan = &rows.scan;
    let column = scan.columns.iter().find(|c| c.name == name);
    let changed = rows.until.as_deref() == Some(name) || scan.derive.iter().any(|(d, _)| d == name);
    match column.filter(|c| !changed && (has_codes(c) || is_told_apart_raw(c))) {
        Some(column) => col(code_name(&column.name)),
        None => col(name),
    }
}

/// The codes of a column's texts, equal for equal texts in all files of a scan, the ticks of its times, or its floats.
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

pub(crate) fn date_literal(date: NaiveDate) -> Expr {
    lit(epoch_day(date)).cast(DataType::Date)
}
