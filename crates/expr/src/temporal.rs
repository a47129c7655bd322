//! Dates and timestamps as text: one definition for literals, casts and printing.
//!
//! A date is days since 1970-01-01, a timestamp microseconds since 1970-01-01T00:00:00 on the local clock.
//! Both run from the first day of year 1 to the last of year 9999.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

/// Days since 1970-01-01 of 0001-01-01.
pub const FIRST_DAY: i32 = -719_162;
/// Days since 1970-01-01 of 9999-12-31.
pub const LAST_DAY: i32 = 2_932_896;
/// Microseconds in a day.
pub const DAY_MICROS: i64 = 86_400_000_000;

/// Days since 1970-01-01 if they are within the years 1 to 9999.
pub fn day_in_range(days: i64) -> Option<i32> {
    i32::try_from(days)
        .ok()
        .filter(|d| (FIRST_DAY..=LAST_DAY).contains(d))
}

/// Date written `YYYY-MM-DD`, exactly.
pub fn parse_date(text: &str) -> Option<i32> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| {
            if i == 4 || i == 7 {
                b == b'-'
            } else {
                b.is_ascii_digit()
            }
        });
    if !shaped {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    day_in_range(i64::from(date.to_epoch_days()))
}

/// What a text says about a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// A day without a time: the same day in every zone.
    Day(i32),
    /// A time without a zone, in microseconds.
    Local(i64),
    /// A time with its offset from UTC, as microseconds of UTC.
    Instant(i64),
}

/// Text as a time: what [`parse_timestamp`] reads, with up to nine decimals (those beyond six are dropped), and optionally `Z`
/// or a distance from UTC behind the time: `+02`, `+02:00` or `+0200`, after a blank or not.
pub fn read_timestamp(text: &str) -> Option<Stated> {
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    if rest.is_empty() {
        return Some(Stated::Day(date));
    }
    let rest = rest.strip_prefix([' ', 'T'])?;
    let (clock, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => (rest[..at].trim_end(), Some(parse_offset(&rest[at..])?)),
        None => (rest, None),
    };
    let micros = i64::from(date) * DAY_MICROS + parse_time(clock, 9)?;
    match offset {
        Some(seconds) => in_range(micros - seconds * 1_000_000).map(Stated::Instant),
        None => Some(Stated::Local(micros)),
    }
}

/// Seconds ahead of UTC of `Z`, `+02`, `+02:00` or `+0200`.
pub(crate) fn parse_offset(text: &str) -> Option<i64> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, minutes) = match digits.len() {
        2 => (digits, "00"),
        4 => (digits.get(..2)?, digits.get(2..)?),
        5 if digits.as_bytes()[2] == b':' => (digits.get(..2)?, digits.get(3..)?),
        _ => return None,
    };
    let number = |part: &str| -> Option<i64> {
        let digits = part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Microseconds of a time within the years 1 to 9999.
pub fn in_range(micros: i64) -> Option<i64> {
    day_in_range(micros.div_euclid(DAY_MICROS)).map(|_| micros)
}

/// Timestamp written `YYYY-MM-DD`, optionally followed by a blank or `T` and `HH:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff`
/// (one to six decimals).
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let micros = if rest.is_empty() {
        0
    } else {
        parse_time(rest.strip_prefix([' ', 'T'])?, 6)?
    };
    Some(i64::from(date) * DAY_MICROS + micros)
}

/// Microseconds since midnight; the text may have this many decimals, of which those beyond six are dropped.
fn parse_time(text: &str, decimals: usize) -> Option<i64> {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) if clock.len() == 8 => (clock, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    let shaped = (clock.len() == 5 || clock.len() == 8)
        && clock.bytes().enumerate().all(|(i, b)| {
            if i == 2 || i == 5 {
                b == b':'
            } else {
                b.is_ascii_digit()
            }
        })
        && (1..=decimals).contains(&fraction.len())
        && fraction.bytes().all(|b| b.is_ascii_digit());
    if !shaped {
        return None;
    }
    let part = |range: std::ops::Range<usize>| clock.get(range).map_or(Some(0), |p| p.parse().ok());
    let seconds = if clock.len() == 8 { part(6..8)? } else { 0 };
    let time = NaiveTime::from_hms_opt(part(0..2)?, part(3..5)?, seconds)?;
    let micros: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    Some(i64::from(chrono::Timelike::num_seconds_from_midnight(&time)) * 1_000_000 + micros)
}

/// `YYYY-MM-DD`; none outside the years 1 to 9999.
pub fn format_date(days: i32) -> Option<String> {
    let days = day_in_range(i64::from(days))?;
    let date = NaiveDate::from_epoch_days(days)?;
    Some(date.format("%Y-%m-%d").to_string())
}

/// `YYYY-MM-DD HH:MM:SS`, with six decimals where they are not all 0; none outside the years 1 to 9999.
pub fn format_timestamp(micros: i64) -> Option<String> {
    day_in_range(micros.div_euclid(DAY_MICROS))?;
    let time: NaiveDateTime = chrono::DateTime::from_timestamp_micros(micros)?.naive_utc();
    let pattern = if micros.rem_euclid(1_000_000) == 0 {
        "%Y-%m-%d %H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S%.6f"
    };
    Some(time.format(pattern).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_the_first_and_last_day_that_can_be_written() {
        assert_eq!(parse_date("0001-01-01"), Some(FIRST_DAY));
        assert_eq!(parse_date("9999-12-31"), Some(LAST_DAY));
        assert_eq!(parse_date("0000-12-31"), None);
        assert_eq!(format_date(FIRST_DAY).as_deref(), Some("0001-01-01"));
        assert_eq!(format_date(LAST_DAY).as_deref(), Some("9999-12-31"));
        assert_eq!(format_date(LAST_DAY + 1), None);
    }

    #[test]
    fn only_whole_iso_dates_are_dates() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        for wrong in [
            "",
            "2026-2-30",
            "2026-02-30",
            "2026-02-03 ",
            "20260203",
            "2026/02/03",
            "é026-02-03",
        ] {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn timestamps_take_seconds_and_microseconds_or_none() {
        assert_eq!(parse_timestamp("1970-01-01"), Some(0));
        assert_eq!(parse_timestamp("1970-01-01T00:01"), Some(60_000_000));
        assert_eq!(parse_timestamp("1970-01-01 00:00:01"), Some(1_000_000));
        assert_eq!(parse_timestamp("1970-01-01 00:00:01.5"), Some(1_500_000));
        assert_eq!(parse_timestamp("1969-12-31 23:59:59.999999"), Some(-1));
        for wrong in [
            "1970-01-01 24:00",
            "1970-01-01 1:00",
            "1970-01-01 00:00:60",
            "1970-01-01 00:00:01.",
            "1970-01-01  00:00",
            "1970-01-01 00:00.5",
            "1970-01-01 00:00:01.1234567",
        ] {
            assert_eq!(parse_timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_with_a_distance_from_utc_are_instants() {
        let hour = 3_600_000_000;
        for (text, stated) in [
            ("1970-01-02", Stated::Day(1)),
            ("1970-01-01 01:00", Stated::Local(hour)),
            (
                "1970-01-01T01:00:00.123456789",
                Stated::Local(hour + 123_456),
            ),
            ("1970-01-01T01:00:00Z", Stated::Instant(hour)),
            ("1970-01-01 01:00:00.5z", Stated::Instant(hour + 500_000)),
            ("1970-01-01T01:00:00+01:00", Stated::Instant(0)),
            ("1970-01-01 01:00:00 +0100", Stated::Instant(0)),
            ("1970-01-01T01:00-05", Stated::Instant(6 * hour)),
        ] {
            assert_eq!(read_timestamp(text), Some(stated), "{text}");
        }
        for wrong in [
            "1970-01-01Z",
            "1970-01-01T01:00:00+1",
            "1970-01-01T01:00:00+01:60",
            "1970-01-01T01:00:00+ 1:00",
            "1970-01-01T01:00:00.1234567890",
            "0001-01-01T01:00:00+02:00",
            "31.10.2026",
        ] {
            assert_eq!(read_timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn printed_timestamps_read_back() {
        for micros in [0, -1, 1, 1_000_000, -86_400_000_000, 1_700_000_000_123_456] {
            let text = format_timestamp(micros).unwrap();
            assert_eq!(parse_timestamp(&text), Some(micros), "{text}");
        }
    }
}
