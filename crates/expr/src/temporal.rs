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

/// Timestamp written `YYYY-MM-DD`, optionally followed by a blank or `T` and `HH:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff`
/// (one to six decimals).
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let date = parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?;
    let micros = if rest.is_empty() {
        0
    } else {
        parse_time(rest.strip_prefix([' ', 'T'])?)?
    };
    Some(i64::from(date) * DAY_MICROS + micros)
}

/// Microseconds since midnight.
fn parse_time(text: &str) -> Option<i64> {
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
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|b| b.is_ascii_digit());
    if !shaped {
        return None;
    }
    let part = |range: std::ops::Range<usize>| clock.get(range).map_or(Some(0), |p| p.parse().ok());
    let seconds = if clock.len() == 8 { part(6..8)? } else { 0 };
    let time = NaiveTime::from_hms_opt(part(0..2)?, part(3..5)?, seconds)?;
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
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
    fn printed_timestamps_read_back() {
        for micros in [0, -1, 1, 1_000_000, -86_400_000_000, 1_700_000_000_123_456] {
            let text = format_timestamp(micros).unwrap();
            assert_eq!(parse_timestamp(&text), Some(micros), "{text}");
        }
    }
}
