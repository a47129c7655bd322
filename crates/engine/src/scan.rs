//! Files of a source as a lazy frame whose columns have the types of the expression language.
//!
//! Where to look: `parquet` (what files hold), `convert` and `texts` (values in the types of the plan), `local` (instants and naive times to the pipeline's local
//! times), `visible` (which rows are visible at `as_of`), `windows` (decoded files, for one plan or several).

mod convert;
mod local;
mod parquet;
mod path_values;
mod skipped;
mod texts;
mod visible;
mod windows;

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use chrono::{Datelike, NaiveDate};
use polars::prelude::*;
use tessera_expr::rel::{
    Drawn, FAULT, FileGroup, Join, Sample, Scan, ScanColumn, ScanFormat, SourceRows, Stored,
};

use crate::column::col;
use crate::drawn::drawn;
use crate::error::EngineError;
use crate::join::with_joined;
use crate::lake::{Piece, Side};
use crate::lower::{lower, reads_skipped};
use crate::types::polars_type;
use convert::{beyond, codes, no_number, normalised, raw};
use path_values::path_columns;
use skipped::skipped_name;
pub(crate) use skipped::skipped_times;
pub(crate) use texts::{broken_text, is_converted, raw_name};
pub(crate) use visible::{FUTURE, PRUNED, UNKNOWN};
use visible::{is_decided, known_ends, raw_bounds, stored_column, unseen};
use windows::{Decoded, Over, group_of, windows};

/// Prefix of columns that only the engine sees.
const RAW: &str = "\u{1f}raw_";

/// Name of the column with the position of a row in its file.
pub(crate) const ROW: &str = "\u{1f}row";

/// Days since 1970-01-01.
pub(crate) fn epoch_day(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - 719_163
}

/// Name of the column that says why a row is not visible, 0 for one that is. It is there where [`has_unseen`] says so; else
/// every row of [`each_window`] is visible.
pub(crate) const UNSEEN: &str = "\u{1f}unseen";

/// How a frame of rows becomes the one that is run.
pub(crate) type Make<'m> = &'m dyn Fn(LazyFrame) -> Result<LazyFrame, EngineError>;

/// Reads rows of these files of the scan, by their places, with normalised and derived columns, in file and row order: window
/// after window, each made by `make` into a frame that `run` runs, until it says that no more is wanted (false). Rows that bounds
/// on the files' own columns keep out are not there; [`each_unseen`] has them. With `row_numbers`, a column [`ROW`] holds the
/// position in the file, from 0. There is at least one window. The result are the files that may have rows which bounds on their
/// own columns keep out; `None` where not all files were read.
pub(crate) fn each_window(
    rows: &SourceRows,
    files: Range<usize>,
    row_numbers: bool,
    make: Make<'_>,
    run: &mut dyn FnMut(LazyFrame) -> Result<bool, EngineError>,
) -> Result<Option<Vec<usize>>, EngineError> {
    let over = Over {
        rows,
        side: Side::Inside,
        row_numbers,
        make: &|decoded| make(inside(rows, decoded, row_numbers)?),
    };
    windows(&[over], files, &mut |_, frame| run(frame))
}

/// As [`each_window`] over all files, for several plans that differ in nothing that says how the files are read: these are read and
/// decoded once. `run` is called with the number of the plan. The files that may have rows which bounds keep out are those of the
/// first.
pub(crate) fn each_window_of(
    plans: &[(&SourceRows, Make<'_>)],
    run: &mut dyn FnMut(usize, LazyFrame) -> Result<bool, EngineError>,
) -> Result<Option<Vec<usize>>, EngineError> {
    let made = plans.iter().map(|&(rows, make)| of_visible(rows, make));
    let made: Vec<_> = made.collect();
    let over = plans.iter().zip(&made).map(|((rows, _), make)| Over {
        rows,
        side: Side::Inside,
        row_numbers: false,
        make,
    });
    let over: Vec<Over<'_>> = over.collect();
    let files = plans.first().map_or(0, |(rows, _)| rows.scan.files.len());
    windows(&over, 0..files, run)
}

/// Makes the frame of the rows of a window that [`each_window`] has.
fn of_visible<'p>(
    rows: &'p SourceRows,
    make: Make<'p>,
) -> impl Fn(Decoded<'_>) -> Result<LazyFrame, EngineError> + 'p {
    move |decoded| make(inside(rows, decoded, false)?)
}

/// Why each row of these files that [`each_window`] does not have is not visible, in a column [`UNSEEN`]; nothing where it has
/// them all.
pub(crate) fn each_unseen(
    rows: &SourceRows,
    files: Range<usize>,
    make: Make<'_>,
    run: &mut dyn FnMut(LazyFrame) -> Result<bool, EngineError>,
) -> Result<(), EngineError> {
    let mut forms = rows.scan.forms().into_iter();
    if forms.all(|group| raw_bounds(&held_by(rows, group).0).is_none()) {
        return Ok(());
    }
    let over = Over {
        rows,
        side: Side::Outside,
        row_numbers: false,
        make: &|decoded| {
            let frame = typed_rows(rows, decoded, false, Side::Outside)?;
            let frame = with_all_columns(rows, frame)?;
            make(frame.select([unseen(rows).alias(UNSEEN)]))
        },
    };
    windows(&[over], files, &mut |_, frame| run(frame)).map(drop)
}

fn inside(
    rows: &SourceRows,
    decoded: Decoded<'_>,
    row_numbers: bool,
) -> Result<LazyFrame, EngineError> {
    let frame = typed_rows(rows, decoded, row_numbers, Side::Inside)?;
    let mut frame = with_all_columns(rows, frame)?;
    if let Some(Drawn::Share(only)) = rows.only {
        frame = frame.filter(drawn(rows, move |hash| only.draws(hash)));
    }
    Ok(if has_unseen(rows) {
        frame.with_column(unseen(rows).alias(UNSEEN))
    } else {
        frame
    })
}

/// Whether the bounds on the columns of some files leave rows in that are not visible.
pub(crate) fn has_unseen(rows: &SourceRows) -> bool {
    let mut names = [&rows.time, &rows.known_at].into_iter().flatten();
    names.any(|name| {
        let decided = |group| is_decided(&held_by(rows, group).0, name);
        !rows.scan.forms().into_iter().all(decided)
    })
}

/// Adds what is derived from the columns of the files, and what is joined to them.
fn with_all_columns(rows: &SourceRows, mut frame: LazyFrame) -> Result<LazyFrame, EngineError> {
    let scan = &rows.scan;
    let until = rows.until.as_deref();
    if let Some(until) = until.filter(|until| stored_column(scan, until).is_some()) {
        frame = frame.with_columns(known_ends(rows, until));
    }
    let replaced = scan.columns.iter().filter(|c| is_derived(scan, &c.name));
    let kept = replaced.map(|c| col(c.name.as_str()).alias(file_name(&c.name)));
    frame = frame.with_columns(kept.collect::<Vec<_>>());
    let mut joins = scan.joins.iter().peekable();
    // Derived columns of which none is made from another: one step of the plan, whose cost grows with steps times columns.
    let (mut level, mut names) = (Vec::new(), BTreeSet::new());
    for (number, (name, expr)) in scan.derive.iter().enumerate() {
        let has_join = joins.peek().is_some_and(|join| join.after <= number);
        let mut read = tessera_expr::columns(expr).into_iter();
        if has_join || names.contains(name.as_str()) || read.any(|read| names.contains(read)) {
            frame = frame.with_columns(std::mem::take(&mut level));
            names.clear();
        }
        while let Some(join) = joins.next_if(|join| join.after <= number) {
            frame = with_join(frame, join, rows)?;
        }
        let made = lower(expr, rows).alias(name.as_str());
        // Of the columns as they are before the derived one can take the place of one of them.
        let nulled = inputs_present(expr).and(made.clone().is_null());
        level.extend([made, nulled.alias(nulled_name(name))]);
        let skipped = reads_skipped(expr, rows.into());
        level.extend(skipped.map(|skipped| skipped.alias(skipped_name(name))));
        if hides_operands(&scan.derive, number)
            && let Some(when) = tessera_expr::overflow(expr, None)
        {
            level.push(lower(&when, rows).alias(overflow_name(name)));
        }
        names.insert(name.as_str());
        if until == Some(name) {
            frame = frame.with_columns(std::mem::take(&mut level));
            names.clear();
            frame = frame.with_columns(known_ends(rows, name));
        }
    }
    frame = frame.with_columns(level);
    for join in joins {
        frame = with_join(frame, join, rows)?;
    }
    Ok(match rows.sample {
        Some(sample) => {
            let drawn = drawn(rows, move |hash| sample.draws(hash));
            frame.with_column(drawn.alias(Sample::DRAWN))
        }
        None => frame,
    })
}

/// Adds what a join adds.
fn with_join(frame: LazyFrame, join: &Join, rows: &SourceRows) -> Result<LazyFrame, EngineError> {
    let frame = with_joined(frame, join, rows)?;
    let is_until = |name: &&str| join.columns.iter().any(|column| column.name == **name);
    Ok(match rows.until.as_deref().filter(is_until) {
        Some(until) => frame.with_columns(known_ends(rows, until)),
        None => frame,
    })
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

/// Whether a derived column, or one behind it, takes the name of a column that it is made from, which cannot be seen any more then.
pub(crate) fn hides_operands(derive: &[(String, tessera_expr::Expr)], number: usize) -> bool {
    let Some((_, expr)) = derive.get(number) else {
        return false;
    };
    let read = tessera_expr::columns(expr);
    let mut taken = derive[number..].iter();
    taken.any(|(name, _)| read.contains(name.as_str()))
}

/// Name of the column that is true where a derived value overflowed; only there where [`hides_operands`] says so.
pub(crate) fn overflow_name(name: &str) -> String {
    format!("{RAW}overflow_{name}")
}

/// The rows of a window with columns in the types of the expression language, one part after the other.
fn typed_rows(
    rows: &SourceRows,
    decoded: Decoded<'_>,
    row_numbers: bool,
    side: Side,
) -> Result<LazyFrame, EngineError> {
    let scan = &rows.scan;
    let mut frames = Vec::with_capacity(decoded.len());
    for (part, frame) in decoded {
        let (_, group) = group_of(scan, part)?;
        frames.push(group_rows(rows, group, (part, frame), side));
    }
    if frames.len() == 1
        && let Some(frame) = frames.pop()
    {
        return Ok(frame);
    }
    let columns = same_columns(scan, row_numbers);
    let frames: Vec<LazyFrame> = frames
        .into_iter()
        .map(|frame| frame.select(columns.clone()))
        .collect();
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
        if is_told_apart_raw(column) {
            names.push(code_name(&column.name));
        }
        if column.may_hold_floats() {
            names.push(no_number_name(&column.name));
        }
        if is_converted(column) {
            names.push(raw_name(&column.name));
        }
        if shows_beyond(column) {
            names.push(beyond_name(&column.name));
        }
    }
    names.iter().map(|name| col(name.as_str())).collect()
}

/// The rows of a part of a window in the types of the expression language.
fn group_rows(
    rows: &SourceRows,
    group: &FileGroup,
    (part, mut frame): (&[Piece], LazyFrame),
    side: Side,
) -> LazyFrame {
    let (held, absent) = held_by(rows, group);
    let scan = &held.scan;
    frame = match (raw_bounds(&held), side) {
        (Some(bounds), Side::Inside) => frame.filter(bounds.inside),
        (Some(bounds), Side::Outside) => frame.filter(bounds.outside),
        (None, Side::Inside) => frame,
        (None, Side::Outside) => frame.filter(lit(false)),
    };
    // What nobody asks for is not computed: projections are pushed down.
    let mut made = path_columns(&rows.scan, part.first().map_or(0, Piece::file));
    let common = rows.scan.columns.iter().map(|c| (c.name.as_str(), c));
    let common: HashMap<&str, &ScanColumn> = common.collect();
    for column in &scan.columns {
        let common = common.get(column.name.as_str()).copied();
        made.extend(codes(column, common.unwrap_or(column)));
        made.extend(no_number(column));
        made.extend(beyond(scan, column, common.unwrap_or(column)));
        made.extend(raw(scan, column));
        made.extend(normalised(scan, column));
    }
    for column in absent {
        let null = |ty: DataType, name: &str| lit(NULL).cast(ty).alias(name);
        made.push(null(polars_type(column.ty), &column.name));
        if is_told_apart_raw(column) {
            let ty = match column.stored {
                Stored::Float { .. } => DataType::Float64,
                _ => DataType::Int64,
            };
            made.push(null(ty, &code_name(&column.name)));
        }
        if column.may_hold_floats() {
            made.push(lit(false).alias(no_number_name(&column.name)));
        }
        if is_converted(column) {
            made.push(null(DataType::String, &raw_name(&column.name)));
        }
        if shows_beyond(column) {
            made.push(null(DataType::String, &beyond_name(&column.name)));
        }
    }
    frame.with_columns(made)
}

/// The rows with their columns as the files of a group hold them, and the columns that these files lack.
fn held_by<'a>(rows: &'a SourceRows, group: &FileGroup) -> (SourceRows, Vec<&'a ScanColumn>) {
    let (scan, absent) = stored_in(&rows.scan, group);
    (rows.over(scan), absent)
}

/// A scan with its columns as the files of a group hold them, without the files, and the columns that these lack.
fn stored_in<'a>(scan: &'a Scan, group: &FileGroup) -> (Scan, Vec<&'a ScanColumn>) {
    let mut absent = Vec::new();
    let mut columns = Vec::new();
    for (column, stored) in scan.columns.iter().zip(&group.stored) {
        match stored {
            Some(stored) => columns.push(ScanColumn {
                stored: stored.clone(),
                ..column.clone()
            }),
            None => absent.push(column),
        }
    }
    (scan.of_columns(columns), absent)
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

/// True if a time of a Parquet file cannot be represented.
pub(crate) fn broken_time(scan: &Scan, column: &ScanColumn) -> Expr {
    let stored = col(code_name(&column.name)).is_not_null();
    stored.and(in_file(scan, &column.name).is_null())
}

/// Name of the column with the text of days and times that cannot be represented; there where [`shows_beyond`] says so.
pub(crate) fn beyond_name(name: &str) -> String {
    format!("{RAW}beyond_{name}")
}

/// Whether a column may hold days or times that cannot be represented, and has no [`raw_name`] that shows them.
pub(crate) fn shows_beyond(column: &ScanColumn) -> bool {
    is_time(column) && !is_converted(column)
}

/// Name of the column that is true where a file holds a float that is NaN or infinite, so that it is read as null.
pub(crate) fn no_number_name(name: &str) -> String {
    format!("{RAW}no_number_{name}")
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

/// Whether rows are compared by the column's values as the files hold them: local times are the same in the hour that comes twice,
/// times that cannot be represented have no local time, and NaN is read as null.
fn is_told_apart_raw(column: &ScanColumn) -> bool {
    is_time(column) || matches!(column.stored, Stored::Float { .. })
}

/// A column that decides whether rows are the same. What is derived, and ends that are not known yet, have no stored form.
pub(crate) fn as_stored(rows: &SourceRows, name: &str) -> Expr {
    let scan = &rows.scan;
    let column = scan.columns.iter().find(|c| c.name == name);
    let changed = rows.until.as_deref() == Some(name) || scan.derive.iter().any(|(d, _)| d == name);
    match column.filter(|c| !changed && is_told_apart_raw(c)) {
        Some(column) => col(code_name(&column.name)),
        None => col(name),
    }
}

/// A column of the files as they hold it, also where a derived one has taken its name. Ends that are not known yet have no stored
/// form.
pub(crate) fn as_held(rows: &SourceRows, name: &str) -> Expr {
    let scan = &rows.scan;
    let until = rows.until.as_deref() == Some(name) && !is_derived(scan, name);
    let column = scan.columns.iter().find(|c| c.name == name);
    match column.filter(|column| !until && is_told_apart_raw(column)) {
        Some(column) => col(code_name(&column.name)),
        None => in_file(scan, name),
    }
}

/// The ticks of a column's times, or its floats, as the files hold them.
pub(crate) fn code_name(name: &str) -> String {
    format!("{RAW}code_{name}")
}

pub(crate) fn date_literal(date: NaiveDate) -> Expr {
    lit(epoch_day(date)).cast(DataType::Date)
}
