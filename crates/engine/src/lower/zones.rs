//! Wall-clock times of a zone, and what texts, numbers and naive times mean by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use chrono::NaiveDate;
use chrono_tz::Tz;
use polars::prelude::arity::unary_elementwise;
use polars::prelude::{BooleanChunked, DataType, Expr, Int64Chunked, IntoSeries, TimeUnit};
use tessera_expr::rel::SourceRows;
use tessera_expr::temporal::{self, DAY_MICROS, Stated};
use tessera_expr::zone::{self, Instant};

use super::kernels::{micros, timestamps, unary};

/// What dates and times mean in an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    /// What `as_of()` stands for.
    pub(crate) as_of: NaiveDate,
    /// Zone of timestamps.
    pub(crate) zone: Tz,
    /// Zone of the times that texts state without one.
    pub(crate) text_zone: Tz,
}

impl Clock {
    /// Timestamps and texts of one zone.
    pub(crate) fn local(as_of: NaiveDate, zone: Tz) -> Self {
        let text_zone = zone;
        Self {
            as_of,
            zone,
            text_zone,
        }
    }
}

#[cfg(test)]
impl From<NaiveDate> for Clock {
    /// UTC.
    fn from(as_of: NaiveDate) -> Self {
        Self::local(as_of, Tz::UTC)
    }
}

impl From<&SourceRows> for Clock {
    /// Texts of a source state times of the source's zone.
    fn from(rows: &SourceRows) -> Self {
        let zone = rows.scan.timezone;
        Self {
            as_of: rows.as_of,
            zone,
            text_zone: rows.scan.naive_zone.unwrap_or(zone),
        }
    }
}

/// Timestamps from what texts and numbers state.
pub(super) struct Stating {
    from: Offsets,
    to: Offsets,
}

impl Stating {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            from: Offsets::new(clock.text_zone),
            to: Offsets::new(clock.zone),
        }
    }

    /// The local time in microseconds; none outside the years 1 to 9999.
    pub(super) fn timestamp(&self, stated: Stated) -> Option<i64> {
        let local = match stated {
            // A day is the same day in every zone.
            Stated::Day(day) => i64::from(day) * DAY_MICROS,
            Stated::Local(time) => self.to.local(self.from.instant(time)?.micros)?,
            Stated::Instant(at) => self.to.local(at)?,
        };
        temporal::in_range(local)
    }

    /// Whether it is a local time that does not exist because of a clock change.
    pub(super) fn skipped(&self, stated: Stated) -> bool {
        match stated {
            Stated::Local(time) => self.from.instant(time).is_some_and(|at| at.skipped),
            Stated::Day(_) | Stated::Instant(_) => false,
        }
    }
}

/// What clocks in `to` show when clocks in `from` show these times. Of two instants the earlier is meant; times that clocks in
/// `from` skipped are moved forward by the gap.
pub(crate) fn local_of(naive: Expr, from: Tz, to: Tz) -> Expr {
    let (from, to) = (Offsets::new(from), Offsets::new(to));
    let out = DataType::Datetime(TimeUnit::Microseconds, None);
    unary(naive, out, move |series| {
        let moved = |time: Option<i64>| to.local(from.instant(time?)?.micros);
        let local: Int64Chunked = unary_elementwise(micros(series)?, moved);
        Ok(timestamps(local))
    })
}

/// Whether these times do not exist in `zone` because of a clock change.
pub(crate) fn skipped(naive: Expr, zone: Tz) -> Expr {
    let offsets = Offsets::new(zone);
    unary(naive, DataType::Boolean, move |series| {
        let skipped = |time: Option<i64>| Some(offsets.instant(time?)?.skipped);
        let done: BooleanChunked = unary_elementwise(micros(series)?, skipped);
        Ok(done.into_series())
    })
}

/// What clocks in `zone` show at instants in microseconds; null beyond the years that a date can have.
pub(crate) fn wall_clock(instants: Expr, zone: Tz) -> Expr {
    let offsets = Arc::new(Offsets::new(zone));
    let out = DataType::Datetime(TimeUnit::Microseconds, None);
    unary(instants, out, move |series| {
        let instants = micros(series)?;
        if zone == Tz::UTC {
            return Ok(timestamps(instants.clone()));
        }
        let local: Int64Chunked = unary_elementwise(instants, |at| offsets.local(at?));
        Ok(timestamps(local))
    })
}

/// Days from 1970-01-01 whose offset is looked up once, to the year 2100.
const DAYS: usize = 131 * 366;

/// A day whose offset has not been computed.
const UNKNOWN: i32 = i32::MAX;

/// A day in which the offset changes.
const CHANGES: i32 = i32::MIN;

/// Offsets of a zone from UTC: one for each day (of UTC) but the few in which clocks change.
struct Offsets {
    zone: Tz,
    /// Seconds, [`UNKNOWN`] or [`CHANGES`]. Filled in on first use; several threads would write the same value.
    by_day: Vec<AtomicI32>,
}

impl Offsets {
    fn new(zone: Tz) -> Self {
        let by_day = (0..DAYS).map(|_| AtomicI32::new(UNKNOWN)).collect();
        Self { zone, by_day }
    }

    fn local(&self, instant: i64) -> Option<i64> {
        let seconds = match self.of_day(instant.div_euclid(DAY_MICROS)) {
            Some(CHANGES) | None => self.exact(instant)?,
            Some(seconds) => seconds,
        };
        instant.checked_add(i64::from(seconds) * 1_000_000)
    }

    /// The instant of a local time.
    fn instant(&self, local: i64) -> Option<Instant> {
        // A local day lies within three days of UTC, whose offset is mostly one.
        let day = local.div_euclid(DAY_MICROS);
        let known = self.of_day(day).filter(|seconds| *seconds != CHANGES);
        let constant =
            known.filter(|_| self.of_day(day - 1) == known && self.of_day(day + 1) == known);
        match constant {
            Some(seconds) => Some(Instant {
                micros: local.checked_sub(i64::from(seconds) * 1_000_000)?,
                skipped: false,
            }),
            None => zone::instant(self.zone, local),
        }
    }

    fn of_day(&self, day: i64) -> Option<i32> {
        let known = self.by_day.get(usize::try_from(day).ok()?)?;
        let mut seconds = known.load(Ordering::Relaxed);
        if seconds == UNKNOWN {
            // No zone ever changed its clocks and changed them back within an hour.
            let hours = (0..=24).map(|hour| day * DAY_MICROS + hour * (DAY_MICROS / 24));
            let mut offsets = hours.map(|hour| self.exact(hour));
            let first = offsets.next()?;
            let same = offsets.all(|other| other == first);
            seconds = first.filter(|_| same).unwrap_or(CHANGES);
            known.store(seconds, Ordering::Relaxed);
        }
        Some(seconds)
    }

    /// Seconds by which the zone is ahead of UTC.
    fn exact(&self, instant: i64) -> Option<i32> {
        i32::try_from(zone::offset(self.zone, instant)? / 1_000_000).ok()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use chrono_tz::TZ_VARIANTS;

    use super::*;

    /// Every zone at instants from 1960 to 2110, spread by the golden ratio.
    #[test]
    fn local_times_are_those_of_chrono() {
        let from = -10 * 366 * DAY_MICROS;
        let years = 150 * 366 * DAY_MICROS;
        for tz in TZ_VARIANTS {
            let offsets = Offsets::new(tz);
            for n in 1..2_000_u64 {
                let share = (n as f64 * 0.618_033_988_749_894_9).fract();
                let instant = from + (share * years as f64) as i64;
                let utc = DateTime::from_timestamp_micros(instant).unwrap();
                let local = utc.with_timezone(&tz).naive_local();
                let expected = local.and_utc().timestamp_micros();
                assert_eq!(offsets.local(instant), Some(expected), "{tz} {utc}");
                let read = zone::instant(tz, instant);
                assert_eq!(offsets.instant(instant), read, "{tz} {utc}");
            }
        }
    }

    #[test]
    fn clocks_change_within_their_day() {
        let berlin = Offsets::new(Tz::Europe__Berlin);
        let at = |text: &str| {
            let utc = DateTime::parse_from_rfc3339(text).unwrap();
            let local = berlin.local(utc.timestamp_micros()).unwrap();
            DateTime::from_timestamp_micros(local).unwrap().to_string()
        };
        assert_eq!(at("2026-10-25T00:59:59Z"), "2026-10-25 02:59:59 UTC");
        assert_eq!(at("2026-10-25T01:00:00Z"), "2026-10-25 02:00:00 UTC");
        assert_eq!(at("2026-03-29T01:00:00Z"), "2026-03-29 03:00:00 UTC");
    }

    #[test]
    fn instants_without_a_date_have_no_local_time() {
        let offsets = Offsets::new(Tz::Asia__Tokyo);
        assert_eq!(offsets.local(i64::MAX), None);
        assert_eq!(offsets.local(i64::MIN), None);
    }
}
