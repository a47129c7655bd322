//! Wall-clock times of a zone.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use polars::prelude::arity::unary_elementwise;
use polars::prelude::{DataType, Expr, Int64Chunked, TimeUnit};
use tessera_expr::temporal::DAY_MICROS;

use super::kernels::{micros, timestamps, unary};

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

/// A day whose offset nobody has asked for.
const UNKNOWN: i32 = i32::MAX;

/// A day in which the offset changes.
const CHANGES: i32 = i32::MIN;

/// Offsets of a zone from UTC: one for each day (of UTC) but the few in which clocks change.
struct Offsets {
    zone: Tz,
    /// Seconds, [`UNKNOWN`] or [`CHANGES`]. Whoever asks first fills in; all would fill in the same.
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
        let at = DateTime::from_timestamp_micros(instant)?.naive_utc();
        let offset = self.zone.offset_from_utc_datetime(&at);
        Some(offset.fix().local_minus_utc())
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::TZ_VARIANTS;

    use super::*;

    /// Every zone at instants from 1960 to 2110, spread by the golden ratio.
    #[test]
    fn local_times_are_those_of_chrono() {
        let from = -10 * 366 * DAY_MICROS;
        let years = 150 * 366 * DAY_MICROS;
        for zone in TZ_VARIANTS {
            let offsets = Offsets::new(zone);
            for n in 1..2_000_u64 {
                let share = (n as f64 * 0.618_033_988_749_894_9).fract();
                let instant = from + (share * years as f64) as i64;
                let utc = DateTime::from_timestamp_micros(instant).unwrap();
                let local = utc.with_timezone(&zone).naive_local();
                let expected = local.and_utc().timestamp_micros();
                assert_eq!(offsets.local(instant), Some(expected), "{zone} {utc}");
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
