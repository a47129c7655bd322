//! Which rows are visible at `as_of`: bounds on times as the files hold them, and after conversion.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, TimeZone};
use polars::prelude::*;
use tessera_expr::rel::{Scan, ScanColumn, SourceRows, Stored};

use super::date_literal;
use super::parquet::stored_type;
use crate::error::EngineError;

/// Bounds on times as the files hold them, so that row groups can be skipped by their statistics. Exact for instants, dates
/// and wall-clock times of the pipeline's own zone; other zones are bounded after conversion.
pub(super) fn raw_bounds(rows: &SourceRows) -> Result<Option<Expr>, EngineError> {
    let mut all: Option<Expr> = None;
    for name in [&rows.time, &rows.known_at].into_iter().flatten() {
        let Some(column) = rows.scan.columns.iter().find(|c| &c.name == name) else {
            continue;
        };
        let Some(after) = raw_midnight(&rows.scan, column, rows.as_of.succ_opt()) else {
            continue;
        };
        let mut bound = col(name.as_str()).lt(after);
        if let (Some(first), true) = (rows.not_before, rows.time.as_ref() == Some(name))
            && let Some(from) = raw_midnight(&rows.scan, column, Some(first))
        {
            bound = bound.and(col(name.as_str()).gt_eq(from));
        }
        let visible = col(name.as_str()).is_null().or(bound);
        all = Some(match all {
            Some(others) => others.and(visible),
            None => visible,
        });
    }
    Ok(all)
}

/// The beginning of a local day as a literal of the stored type.
fn raw_midnight(scan: &Scan, column: &ScanColumn, day: Option<NaiveDate>) -> Option<Expr> {
    let day = day?;
    let ty = stored_type(&column.stored);
    match &column.stored {
        Stored::Date => Some(date_literal(day)),
        Stored::Timestamp { zone: None, .. }
            if scan.naive_zone.is_none_or(|zone| zone == scan.timezone) =>
        {
            Some(time_literal(
                day.and_time(NaiveTime::MIN).and_utc().timestamp_micros(),
                ty,
            ))
        }
        Stored::Timestamp { zone: Some(_), .. } => {
            let local = day.and_time(NaiveTime::MIN);
            let instant = scan
                .timezone
                .from_local_datetime(&local)
                .earliest()
                .unwrap_or_else(|| scan.timezone.from_utc_datetime(&local));
            Some(time_literal(instant.timestamp_micros(), ty))
        }
        _ => None,
    }
}

/// A literal of the type `ty` itself: a cast around it would hide it from the statistics.
fn time_literal(micros: i64, ty: DataType) -> Expr {
    let DataType::Datetime(unit, zone) = &ty else {
        return lit(micros).cast(ty);
    };
    let ticks = match unit {
        TimeUnit::Milliseconds => micros.div_euclid(1_000),
        TimeUnit::Microseconds => micros,
        TimeUnit::Nanoseconds => micros.saturating_mul(1_000),
    };
    let value = AnyValue::DatetimeOwned(ticks, *unit, zone.clone().map(Arc::new));
    lit(Scalar::new(ty, value))
}

/// The bound on a local time where [`raw_bounds`] could not give one.
pub(super) fn local_bound(scan: &Scan, name: &str, as_of: NaiveDate) -> Option<Expr> {
    let column = scan.columns.iter().find(|c| c.name == name)?;
    if raw_midnight(scan, column, as_of.succ_opt()).is_some() {
        return None;
    }
    Some(col(name).cast(DataType::Date).lt_eq(date_literal(as_of)))
}
