//! Local days and local times of a zone as instants: one definition for everything that bounds a day.
//!
//! Local times and instants are microseconds since 1970-01-01T00:00:00, on the clock of the zone and in UTC.

use chrono::{DateTime, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use crate::temporal::DAY_MICROS;

const SECOND_MICROS: i64 = 1_000_000;
const HOUR_MICROS: i64 = 3_600 * SECOND_MICROS;

/// More than the offset from UTC that any zone ever had.
const FARTHEST_MICROS: i64 = 17 * HOUR_MICROS;

/// The instant at which a local day begins, and whether all before it is earlier and all after it is that day or later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayStart {
    /// The first instant whose local date is the day or a later one: midnight, or the end of a gap that holds midnight.
    pub first: i64,
    /// The first instant from which on no local date is earlier. Later than `first` only where clocks were set back over
    /// midnight, so that the evening before came twice.
    pub settled: i64,
}

/// Where the local day begins; none beyond the years that instants have.
pub fn day_start(zone: Tz, day: NaiveDate) -> Option<DayStart> {
    let midnight = i64::from(day.to_epoch_days()) * DAY_MICROS;
    let from = midnight - FARTHEST_MICROS;
    let to = midnight + FARTHEST_MICROS;
    let (mut first, mut settled) = (i64::MAX, i64::MIN);
    let mut start = from;
    while start < to {
        let offset = offset(zone, start)?;
        let end = segment_end(zone, start, offset, to)?;
        let begins = midnight - offset;
        if begins.max(start) < end {
            first = first.min(begins.max(start));
        }
        if begins.min(end) > start {
            settled = settled.max(begins.min(end));
        }
        start = end;
    }
    Some(DayStart { first, settled })
}

/// An instant that a local time stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instant {
    /// Microseconds.
    pub micros: i64,
    /// The local time did not exist (clock change): it was moved forward by the gap.
    pub skipped: bool,
}

/// The instant of a local time: of two the earlier; a time that the clocks skipped is moved forward by the gap. None beyond
/// the years that instants have.
pub fn instant(zone: Tz, local: i64) -> Option<Instant> {
    let time = naive(local)?;
    let (offset, skipped) = match zone.offset_from_local_datetime(&time) {
        LocalResult::Single(offset) => (offset, false),
        LocalResult::Ambiguous(a, b) => {
            let earlier = a.fix().local_minus_utc() >= b.fix().local_minus_utc();
            (if earlier { a } else { b }, false)
        }
        LocalResult::None => {
            // The offset before the gap: no gap is longer than a day, and no two transitions are this close.
            let before = (1..=100).find_map(|quarters| {
                let earlier = naive(local - quarters * (HOUR_MICROS / 4))?;
                zone.offset_from_local_datetime(&earlier).latest()
            })?;
            (before, true)
        }
    };
    let seconds = i64::from(offset.fix().local_minus_utc());
    let micros = local.checked_sub(seconds * SECOND_MICROS)?;
    Some(Instant { micros, skipped })
}

/// Microseconds by which the zone's clocks are ahead of UTC.
pub fn offset(zone: Tz, instant: i64) -> Option<i64> {
    let offset = zone.offset_from_utc_datetime(&naive(instant)?);
    Some(i64::from(offset.fix().local_minus_utc()) * SECOND_MICROS)
}

fn naive(micros: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc())
}

/// The first instant after `start`, at most `limit`, at which the offset is another. No zone ever changed its clocks and
/// changed them back within an hour; changes are at whole seconds.
fn segment_end(zone: Tz, start: i64, known: i64, limit: i64) -> Option<i64> {
    let mut same = start;
    loop {
        let next = (same + HOUR_MICROS).min(limit);
        if offset(zone, next)? != known {
            let (mut low, mut high) = (same, next);
            while high - low > SECOND_MICROS {
                let middle = low + (high - low) / 2 / SECOND_MICROS * SECOND_MICROS;
                if offset(zone, middle)? == known {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            return Some(high);
        }
        if next >= limit {
            return Some(limit);
        }
        same = next;
    }
}

#[cfg(test)]
mod tests;
