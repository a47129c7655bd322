//! Every zone of the database around every change of its clocks, against chrono minute by minute.

use chrono::{Datelike, Days};
use chrono_tz::TZ_VARIANTS;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn utc(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text)
        .unwrap()
        .timestamp_micros()
}

/// Days from 1970 to 2037 with a change of clocks nearby: on the day itself, the evening before, or the morning after.
fn days_of_change(zone: Tz) -> Vec<NaiveDate> {
    let mut found: Vec<NaiveDate> = Vec::new();
    let (first, last) = (day("1970-01-01"), day("2037-12-31"));
    let mut known = offset(zone, 0).unwrap();
    let mut at = 0;
    let end = i64::from(last.to_epoch_days()) * DAY_MICROS;
    while at < end {
        at += 6 * HOUR_MICROS;
        let now = offset(zone, at).unwrap();
        if now != known {
            let local = naive(at + now).unwrap().date();
            let around =
                (0..4).filter_map(|n| (local - Days::new(2)).checked_add_days(Days::new(n)));
            found.extend(around.filter(|day| (first..=last).contains(day)));
            known = now;
        }
    }
    found.dedup();
    found
}

/// Where the local date is earlier than `day` and where it is not, second by second where it matters.
fn walked(zone: Tz, day: NaiveDate) -> DayStart {
    let midnight = i64::from(day.to_epoch_days()) * DAY_MICROS;
    let local_day = |at: i64| {
        DateTime::from_timestamp_micros(at)
            .unwrap()
            .with_timezone(&zone)
            .date_naive()
    };
    let (mut first, mut settled) = (None, midnight - 17 * HOUR_MICROS);
    let minute = 60 * SECOND_MICROS;
    let mut at = midnight - 17 * HOUR_MICROS;
    while at < midnight + 17 * HOUR_MICROS {
        let (now, then) = (local_day(at), local_day(at + minute));
        if (now < day) != (then < day) {
            let seconds = (1..=60).map(|n| at + n * SECOND_MICROS);
            let change = seconds
                .clone()
                .find(|&s| (local_day(s) < day) != (now < day))
                .unwrap();
            if now < day {
                first = first.or(Some(change));
                settled = change;
            } else {
                settled = settled.max(change);
            }
        }
        at += minute;
    }
    DayStart {
        first: first.unwrap(),
        settled,
    }
}

#[test]
fn days_begin_where_chrono_shows_their_date_first() {
    let mut without_midnight = 0;
    for zone in TZ_VARIANTS {
        for day in days_of_change(zone) {
            let start = day_start(zone, day).unwrap();
            let shown = naive(start.first + offset(zone, start.first).unwrap()).unwrap();
            let usual = shown.time() == chrono::NaiveTime::MIN && shown.date() == day;
            if !usual || start.settled != start.first || day.day() == 1 {
                assert_eq!(start, walked(zone, day), "{zone} {day}");
            }
            without_midnight += usize::from(!usual);
            let before = naive(start.first - 1 + offset(zone, start.first - 1).unwrap()).unwrap();
            assert!(before.date() < day && shown.date() >= day, "{zone} {day}");
        }
    }
    assert!(without_midnight > 1_000, "{without_midnight}");
}

#[test]
fn a_day_without_midnight_begins_with_the_end_of_the_gap() {
    let santiago = day_start(Tz::America__Santiago, day("2026-09-06")).unwrap();
    assert_eq!(santiago.first, utc("2026-09-06T04:00:00Z"));
    let cairo = day_start(Tz::Africa__Cairo, day("2026-04-24")).unwrap();
    assert_eq!(cairo.first, utc("2026-04-23T22:00:00Z"));
    // The 30th of December 2011 never was.
    let apia = |text| day_start(Tz::Pacific__Apia, day(text)).unwrap().first;
    assert_eq!(apia("2011-12-30"), apia("2011-12-31"));
}

#[test]
fn an_evening_that_comes_twice_belongs_to_its_day() {
    // At one minute past midnight of the 28th clocks went back to 23:01 of the 27th.
    let start = day_start(Tz::America__St_Johns, day("2007-11-04")).unwrap();
    assert_eq!(start.first, utc("2007-11-04T02:30:00Z"));
    assert_eq!(start.settled, utc("2007-11-04T03:30:00Z"));
}

#[test]
fn times_that_clocks_skipped_are_moved_by_the_gap_and_the_first_of_two_is_taken() {
    let berlin = |text: &str| {
        let local: NaiveDateTime = text.parse().unwrap();
        instant(Tz::Europe__Berlin, local.and_utc().timestamp_micros()).unwrap()
    };
    let skipped = berlin("2026-03-29T02:30:00");
    assert_eq!(
        (skipped.micros, skipped.skipped),
        (utc("2026-03-29T01:30:00Z"), true)
    );
    let twice = berlin("2026-10-25T02:30:00");
    assert_eq!(
        (twice.micros, twice.skipped),
        (utc("2026-10-25T00:30:00Z"), false)
    );
    let plain = berlin("2026-07-01T12:00:00");
    assert_eq!(
        (plain.micros, plain.skipped),
        (utc("2026-07-01T10:00:00Z"), false)
    );
}

/// Every local quarter of an hour around every change of clocks reads back, or lies in a gap and is moved by its length.
#[test]
fn instants_show_the_local_time_they_stand_for() {
    let quarter = HOUR_MICROS / 4;
    for zone in TZ_VARIANTS {
        for day in days_of_change(zone) {
            let midnight = i64::from(day.to_epoch_days()) * DAY_MICROS;
            for n in 0..96 {
                let local = midnight + n * quarter;
                let found = instant(zone, local).unwrap();
                let shown = found.micros + offset(zone, found.micros).unwrap();
                let before = offset(zone, found.micros - 25 * HOUR_MICROS).unwrap();
                if found.skipped {
                    let gap = shown - local;
                    assert!(gap > 0 && gap <= 24 * HOUR_MICROS, "{zone} {day} {n}");
                } else {
                    assert_eq!(shown, local, "{zone} {day} {n}");
                    // no earlier instant shows it
                    let earlier = local - before;
                    let same = earlier + offset(zone, earlier).unwrap() == local;
                    assert!(!same || earlier >= found.micros, "{zone} {day} {n}");
                }
            }
        }
    }
}
