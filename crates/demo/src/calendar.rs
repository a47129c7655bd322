//! The days of the company's history, and times within them.

use chrono::{Datelike, Days, NaiveDate};

/// First day with an order.
pub const FIRST_DAY: NaiveDate = day(2024, 11, 1);

/// Last day with an order, and the `as_of` of `truth/`.
pub const LAST_DAY: NaiveDate = day(2026, 10, 31);

/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

const EPOCH: NaiveDate = day(1970, 1, 1);

const fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => NaiveDate::MIN,
    }
}

/// Number of days from [`FIRST_DAY`] to the end of [`LAST_DAY`]; times of this module run from 0 to here.
pub(crate) fn span_days() -> i32 {
    day_number(LAST_DAY) + 1 - day_number(FIRST_DAY)
}

/// Days since 1970-01-01.
pub(crate) fn day_number(date: NaiveDate) -> i32 {
    date.signed_duration_since(EPOCH).num_days() as i32
}

/// The date of a day since 1970-01-01.
pub(crate) fn date_of(day: i32) -> NaiveDate {
    let far = u64::from(day.unsigned_abs());
    let date = if day >= 0 {
        EPOCH.checked_add_days(Days::new(far))
    } else {
        EPOCH.checked_sub_days(Days::new(far))
    };
    date.unwrap_or(NaiveDate::MAX)
}

/// Day since 1970-01-01 of a time in days since [`FIRST_DAY`].
pub(crate) fn day_at(time: f64) -> i32 {
    day_number(FIRST_DAY) + time.floor() as i32
}

/// Local time in microseconds since 1970-01-01 of a time in days since [`FIRST_DAY`]. The fraction of a day is mapped to the
/// hours from 06:00 to 23:00, which keeps the order of times and avoids the hours of clock changes.
pub(crate) fn waking_micros(time: f64) -> i64 {
    let second = 6 * 3600 + ((time - time.floor()) * 17.0 * 3600.0) as i64;
    i64::from(day_at(time)) * DAY_MICROS + second * 1_000_000
}

/// Month of a day since 1970-01-01 as `2025-01`.
pub(crate) fn month_name(day: i32) -> String {
    let date = date_of(day);
    format!("{:04}-{:02}", date.year(), date.month())
}

/// Month of the year, 1 to 12, of a time in days since [`FIRST_DAY`].
pub(crate) fn month_of_year(time: f64) -> u32 {
    date_of(day_at(time)).month()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_years_between_first_and_last_day() {
        assert_eq!(FIRST_DAY.to_string(), "2024-11-01");
        assert_eq!(LAST_DAY.to_string(), "2026-10-31");
        assert_eq!(span_days(), 730);
        assert_eq!(date_of(day_number(LAST_DAY)), LAST_DAY);
        assert_eq!(date_of(-1).to_string(), "1969-12-31");
    }

    #[test]
    fn a_fraction_of_a_day_falls_into_waking_hours_and_keeps_its_order() {
        let start = i64::from(day_number(FIRST_DAY)) * DAY_MICROS;
        assert_eq!(waking_micros(0.0), start + 6 * 3_600_000_000);
        assert!(waking_micros(0.999_999_9) < start + 23 * 3_600_000_000);
        assert!(waking_micros(3.25) < waking_micros(3.26));
        assert_eq!(month_name(day_at(0.5)), "2024-11");
        assert_eq!(month_of_year(31.0), 12);
    }
}
