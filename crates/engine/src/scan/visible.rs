//! Which rows are visible at `as_of`: bounds on times as the files hold them, and on local times, of files, paths or derived
//! columns.

use std::sync::Arc;

use chrono::NaiveDate;
use polars::prelude::*;
use tessera_expr::rel::{Scan, ScanColumn, SourceRows, Stored};
use tessera_expr::temporal::{DAY_MICROS, LAST_DAY};
use tessera_expr::zone;

use super::parquet::stored_type;
use super::{code_name, date_literal, epoch_day, is_converted, is_derived, raw_name};
use crate::column::col;
use crate::lake::{TimeBound, Unit};
use crate::lower::tick_range;

/// The column of the files with this name, unless a derived column has taken the name.
pub(super) fn stored_column<'a>(scan: &'a Scan, name: &str) -> Option<&'a ScanColumn> {
    let columns = &scan.columns;
    columns
        .iter()
        .find(|c| c.name == name && !is_derived(scan, name))
}

/// The row's time is after `as_of`.
pub(crate) const FUTURE: u32 = u32::MAX;
/// The row was not known yet.
pub(crate) const UNKNOWN: u32 = u32::MAX - 1;
/// No aggregate uses the row.
pub(crate) const PRUNED: u32 = u32::MAX - 2;

/// The first day whose rows are not visible by this time.
fn day_after(rows: &SourceRows, name: &str) -> Option<NaiveDate> {
    let bound = |column: &Option<String>, last: NaiveDate| {
        (column.as_deref() == Some(name)).then_some(last)
    };
    let last = [
        bound(&rows.time, rows.as_of),
        bound(&rows.known_at, rows.known_by),
    ];
    last.into_iter().flatten().min()?.succ_opt()
}

/// Bounds on times as the files hold them.
pub(super) struct RawBounds {
    /// True for every visible row, and for others that the bounds cannot decide.
    pub(super) inside: Expr,
    /// True for every other row; null and false are inside.
    pub(super) outside: Expr,
}

/// Bounds on times as the files hold them, so that row groups can be skipped by their statistics. They keep every visible row,
/// and every row whose time cannot be represented: that is a broken row. What they cannot decide, [`unseen`] does.
pub(super) fn raw_bounds(rows: &SourceRows) -> Option<RawBounds> {
    let mut all: Option<RawBounds> = None;
    for name in [&rows.time, &rows.known_at].into_iter().flatten() {
        let Some(column) = stored_column(&rows.scan, name) else {
            continue;
        };
        let Some(after) = raw_edge(&rows.scan, column, day_after(rows, name)) else {
            continue;
        };
        let ty = stored_type(&column.stored);
        let time = || col(name.as_str());
        let after = time_literal(after.settled_micros, &ty);
        let mut bound = time().lt(after.clone());
        let mut past = time().gt_eq(after);
        if let Some(from) = first_edge(rows, column) {
            let from = time_literal(from.first_micros, &ty);
            bound = bound.and(time().gt_eq(from.clone()));
            past = past.or(time().lt(from));
        }
        let inside = time().is_null().or(bound).or(beyond(name, &ty));
        let outside = past.and(beyond(name, &ty).not());
        all = Some(match all {
            Some(others) => RawBounds {
                inside: others.inside.and(inside),
                outside: others.outside.or(outside),
            },
            None => RawBounds { inside, outside },
        });
    }
    all
}

/// The same bounds for the statistics of row groups.
pub(super) fn time_bounds(rows: &SourceRows) -> Vec<TimeBound> {
    let names = [&rows.time, &rows.known_at].into_iter().flatten();
    let bound = |name: &String| {
        let column = stored_column(&rows.scan, name)?;
        let after = raw_edge(&rows.scan, column, day_after(rows, name))?;
        let ty = stored_type(&column.stored);
        let (unit, representable) = match &ty {
            DataType::Date => (Unit::Day, (i64::MIN, i64::from(LAST_DAY))),
            DataType::Datetime(unit, _) if column.stored != Stored::DateMillis => {
                let counted = match unit {
                    TimeUnit::Milliseconds => Unit::Milli,
                    TimeUnit::Microseconds => Unit::Micro,
                    TimeUnit::Nanoseconds => Unit::Nano,
                };
                (counted, tick_range(*unit))
            }
            _ => return None,
        };
        Some(TimeBound {
            name: name.clone(),
            unit,
            from: first_edge(rows, column).map(|from| ticks(from.first_micros, &ty)),
            after: ticks(after.settled_micros, &ty),
            representable,
        })
    };
    // If one bound is not known, no row group is skipped: whether a group is inside depends on all bounds.
    let bounds: Option<Vec<TimeBound>> = names
        .filter(|name| {
            let column = stored_column(&rows.scan, name);
            column.is_some_and(|c| raw_edge(&rows.scan, c, day_after(rows, name)).is_some())
        })
        .map(bound)
        .collect();
    bounds.unwrap_or_default()
}

/// The beginning of a local day among the times of a column, as the files hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    /// No time of this day or a later one lies before it.
    first_micros: i64,
    /// No time of an earlier day lies at or after it.
    settled_micros: i64,
}

impl Edge {
    /// Whether the times of the file alone say on which side a row is.
    fn is_exact(&self) -> bool {
        self.first_micros == self.settled_micros
    }
}

/// Where the local day begins; none where texts would have to be converted first.
fn raw_edge(scan: &Scan, column: &ScanColumn, day: Option<NaiveDate>) -> Option<Edge> {
    let day = day?;
    let midnight = i64::from(epoch_day(day)) * DAY_MICROS;
    let around = |before: i64, after: i64| Edge {
        first_micros: midnight - before,
        settled_micros: midnight + after,
    };
    match &column.stored {
        Stored::Date => Some(around(0, 0)),
        Stored::Timestamp { zone: Some(_), .. } => {
            let start = zone::day_start(scan.timezone, day)?;
            Some(Edge {
                first_micros: start.first,
                settled_micros: start.settled,
            })
        }
        Stored::Timestamp { zone: None, .. } => match scan.naive_zone {
            // No two zones are more than two days apart.
            Some(other) if other != scan.timezone => Some(around(2 * DAY_MICROS, 2 * DAY_MICROS)),
            // Times that the clocks skipped before midnight are moved into the day.
            Some(own) if zone::instant(own, midnight - 1)?.skipped => Some(around(DAY_MICROS, 0)),
            _ => Some(around(0, 0)),
        },
        _ => None,
    }
}

/// The beginning of the first day that is read, where that is bounded by this column.
fn first_edge(rows: &SourceRows, column: &ScanColumn) -> Option<Edge> {
    let bounded = rows.time.as_ref() == Some(&column.name);
    let day = rows.not_before.filter(|_| bounded)?;
    raw_edge(&rows.scan, column, Some(day))
}

/// True for times that cannot be represented.
fn beyond(name: &str, ty: &DataType) -> Expr {
    let time = || col(name);
    match ty {
        DataType::Datetime(unit, _) => {
            let (low, high) = tick_range(*unit);
            let early = time().lt(tick_literal(low, ty));
            early.or(time().gt(tick_literal(high, ty)))
        }
        _ => time().gt(lit(LAST_DAY).cast(DataType::Date)),
    }
}

/// A literal of the type `ty` itself: a cast around it would hide it from the statistics.
fn time_literal(micros: i64, ty: &DataType) -> Expr {
    match ty {
        DataType::Datetime(..) => tick_literal(ticks(micros, ty), ty),
        _ => tick_literal(micros, ty),
    }
}

/// A time in the unit of a type.
fn ticks(micros: i64, ty: &DataType) -> i64 {
    match ty {
        DataType::Datetime(TimeUnit::Milliseconds, _) => micros.div_euclid(1_000),
        DataType::Datetime(TimeUnit::Nanoseconds, _) => micros.saturating_mul(1_000),
        DataType::Datetime(TimeUnit::Microseconds, _) => micros,
        _ => micros.div_euclid(DAY_MICROS),
    }
}

fn tick_literal(ticks: i64, ty: &DataType) -> Expr {
    match ty {
        DataType::Datetime(unit, zone) => {
            let value = AnyValue::DatetimeOwned(ticks, *unit, zone.clone().map(Arc::new));
            lit(Scalar::new(ty.clone(), value))
        }
        _ => {
            let day = i32::try_from(ticks.div_euclid(DAY_MICROS)).unwrap_or(i32::MAX);
            lit(day).cast(DataType::Date)
        }
    }
}

/// Whether [`raw_bounds`] decide which rows are visible by this time.
pub(super) fn is_decided(rows: &SourceRows, name: &str) -> bool {
    let first_day = rows
        .not_before
        .filter(|_| rows.time.as_deref() == Some(name));
    stored_column(&rows.scan, name).is_some_and(|column| {
        let after = raw_edge(&rows.scan, column, day_after(rows, name));
        let from = first_day.map(|_| first_edge(rows, column));
        let exact = |edge: Option<Edge>| edge.is_some_and(|edge| edge.is_exact());
        exact(after) && from.is_none_or(exact)
    })
}

/// Why a row is not visible, from its local times, of the files or derived: [`FUTURE`], [`UNKNOWN`], [`PRUNED`], or 0 where it
/// is visible.
pub(super) fn unseen(rows: &SourceRows) -> Expr {
    let day = |name: &String| col(name.as_str()).cast(DataType::Date);
    let after = |name: &String, last: NaiveDate| day(name).gt(date_literal(last));
    let mut reasons: Vec<(Expr, u32)> = Vec::new();
    let time = rows.time.as_ref();
    reasons.extend(time.map(|time| (after(time, rows.as_of), FUTURE)));
    let known = rows.known_at.as_ref();
    reasons.extend(known.map(|known| (after(known, rows.known_by), UNKNOWN)));
    if let (Some(time), Some(first)) = (&rows.time, rows.not_before) {
        reasons.push((day(time).lt(date_literal(first)), PRUNED));
    }
    let classes = reasons.into_iter().rev();
    let class = classes.fold(lit(0_u32), |otherwise, (reason, code)| {
        when(reason).then(lit(code)).otherwise(otherwise)
    });
    class.cast(DataType::UInt32)
}

/// The ends of validity with nulls for those that are not known yet at `as_of`.
pub(super) fn known_ends(rows: &SourceRows, until: &str) -> Vec<Expr> {
    let known = col(until)
        .cast(DataType::Date)
        .lt_eq(date_literal(rows.as_of));
    let while_known = when(known.clone()).then(col(until)).otherwise(lit(NULL));
    let mut columns = vec![while_known.alias(until)];
    if let Some(column) = stored_column(&rows.scan, until) {
        // An end that is not known yet is no value that did not convert.
        let stored = if is_converted(column) {
            Some(raw_name(until))
        } else {
            super::is_told_apart_raw(column).then(|| code_name(until))
        };
        columns.extend(stored.map(|stored| {
            let broken = col(until).is_null();
            let kept = when(known.or(broken)).then(col(stored.as_str()));
            kept.otherwise(lit(NULL)).alias(stored.as_str())
        }));
    }
    columns
}
