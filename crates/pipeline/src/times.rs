//! Warnings about the times of a source.

use chrono::{DateTime, NaiveDate, TimeDelta};
use tessera_expr::rel::{Early, Gap, RowCounts};
use tessera_spec::pipeline::SourceKind;
use tessera_spec::shown::grouped;

use crate::sources::{SourceOutcome, Weight};

/// A newest row this many times the usual gap before `as_of` is late.
const LATE_GAPS: i64 = 3;

/// A source is late only from this number of days on.
const LEAST_DAYS: i64 = 2;

/// Rows that all are this many days before `as_of` have probably been read in another unit than they are in: 20 years.
const OLD_DAYS: i64 = 20 * 365;

/// Unusual runs of days that are named.
const NAMED: usize = 3;

/// Warns of local times that a clock change skipped, of events far before all others, of days without events among days that have
/// some, of events that end long before `as_of`, and of rows that all are decades old.
pub(crate) fn warn(outcome: &mut SourceOutcome, time: Option<&str>, as_of: NaiveDate) {
    let counts = outcome.counts.clone();
    for (column, skipped) in counts.skipped.iter().filter(|(_, rows)| *rows > 0) {
        let note = format!(
            "{} times of `{column}` do not exist because of a clock change; they were moved forward by the gap",
            grouped(*skipped)
        );
        outcome.warn(Weight::Changed, note);
    }
    if let Some((newest, days)) = newest(&counts, as_of).filter(|(_, days)| *days >= OLD_DAYS) {
        let note = format!(
            "its newest row is of {newest}, {} days before {as_of}: check the unit in which its times are read (`epoch`, `to_timestamp`)",
            grouped(days.unsigned_abs())
        );
        outcome.warn(Weight::Meaning, note);
        return;
    }
    if outcome.kind != SourceKind::Events {
        return;
    }
    if let Some((early, time)) = counts.early.as_ref().zip(time) {
        outcome.warn(Weight::Meaning, far_before(early, time));
    }
    if let Some(note) = without_rows(&counts) {
        outcome.warn(Weight::Missing, note);
    }
    if let Some(late) = late(&counts, as_of) {
        let note = format!(
            "its newest row is of {}, {} days before {as_of}, but days with rows are usually at most {} apart; \
             recency and windows count the missing days as days without events",
            late.newest, late.days, late.usual_gap_days
        );
        outcome.warn(Weight::Missing, note);
    }
}

/// Which days have no used row although the days around them have, the longest runs by name.
fn without_rows(counts: &RowCounts) -> Option<String> {
    let mut longest = counts.gaps.clone();
    longest.sort_by_key(|gap| (std::cmp::Reverse(gap.days()), gap.first_day));
    let days: u64 = longest.iter().map(|gap| u64::from(gap.days())).sum();
    let others = longest.len().saturating_sub(NAMED);
    longest.truncate(NAMED);
    longest.sort_by_key(|gap| gap.first_day);
    let mut named: Vec<String> = longest.iter().map(between).collect();
    if others > 0 {
        named.push(format!("{others} more"));
    }
    let last = named.pop()?;
    let when = match named.is_empty() {
        true => last,
        false => format!("{} and {last}", named.join(", ")),
    };
    let usual = counts.usual_gap_days.map_or_else(String::new, |usual| {
        let days = if usual == 1 { "day" } else { "days" };
        format!(", where days with rows are usually at most {usual} {days} apart")
    });
    Some(format!(
        "no used row is of {when} ({} {} in all){usual}. Recency, windows and sums count these as days without events: if files are \
         missing, bring them back and run this day again; if nothing happened then, nothing is to be done",
        grouped(days),
        if days == 1 { "day" } else { "days" },
    ))
}

/// That the first days are far before all others.
fn far_before(early: &Early, time: &str) -> String {
    let days = Gap {
        first_day: early.first_day,
        last_day: early.last_day,
    };
    let next = day(early.next_day);
    format!(
        "{} {} of {}, far before all others, which begin on {next}: probably a placeholder for a missing time. First days, tenure and \
         sums count {}; to reject such rows, add a rule to the contract, such as `check = \"{time} >= '{next}'\"`",
        grouped(early.rows),
        if early.rows == 1 {
            "row is"
        } else {
            "rows are"
        },
        between(&days),
        if early.rows == 1 { "it" } else { "them" },
    )
}

fn day(day: i32) -> NaiveDate {
    NaiveDate::default() + TimeDelta::days(day.into())
}

/// "2026-03-01 to 2026-03-31".
fn between(gap: &Gap) -> String {
    match gap.days() {
        1 => day(gap.first_day).to_string(),
        _ => format!("{} to {}", day(gap.first_day), day(gap.last_day)),
    }
}

/// A source whose rows end long before `as_of`.
#[derive(Debug, PartialEq, Eq)]
struct Late {
    newest: NaiveDate,
    days: i64,
    usual_gap_days: u32,
}

fn late(counts: &RowCounts, as_of: NaiveDate) -> Option<Late> {
    let usual_gap_days = counts.usual_gap_days?;
    let (newest, days) = newest(counts, as_of)?;
    let rhythm = i64::from(counts.longest_gap_days.unwrap_or(0));
    let usual = LEAST_DAYS.max(LATE_GAPS * i64::from(usual_gap_days));
    (days > usual.max(rhythm)).then_some(Late {
        newest,
        days,
        usual_gap_days,
    })
}

/// The day of the newest used row, and how many days it is before `as_of`.
fn newest(counts: &RowCounts, as_of: NaiveDate) -> Option<(NaiveDate, i64)> {
    let newest = DateTime::from_timestamp_micros(counts.newest_micros?)?.date_naive();
    Some((newest, (as_of - newest).num_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_late_after_three_of_its_usual_gaps() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let counts = |newest: &str, gap| RowCounts {
            newest_micros: Some(
                day(newest)
                    .and_hms_opt(23, 59, 0)
                    .unwrap()
                    .and_utc()
                    .timestamp_micros(),
            ),
            usual_gap_days: gap,
            ..RowCounts::default()
        };
        let as_of = day("2026-10-31");
        assert_eq!(late(&counts("2026-10-28", Some(1)), as_of), None);
        let found = late(&counts("2026-10-27", Some(1)), as_of).unwrap();
        assert_eq!((found.newest, found.days), (day("2026-10-27"), 4));
        assert_eq!(late(&counts("2026-10-10", Some(7)), as_of), None);
        assert!(late(&counts("2026-10-09", Some(7)), as_of).is_some());
        assert_eq!(late(&counts("2020-01-01", None), as_of), None);
        let waves = RowCounts {
            longest_gap_days: Some(162),
            ..counts("2026-07-04", Some(2))
        };
        assert_eq!(late(&waves, as_of), None);
    }

    #[test]
    fn the_longest_times_without_rows_are_named_by_their_days() {
        let gap = |first_day: i32, days: i32| Gap {
            first_day,
            last_day: first_day + days - 1,
        };
        let of = |gaps: &[Gap]| {
            let counts = RowCounts {
                gaps: gaps.to_vec(),
                usual_gap_days: Some(1),
                ..RowCounts::default()
            };
            without_rows(&counts).unwrap_or_default()
        };
        assert_eq!(of(&[]), "");
        let one = of(&[gap(31, 1)]);
        assert!(one.starts_with("no used row is of 1970-02-01 (1 day in all), where days with rows are usually at most 1 day apart."), "{one}");
        let all = of(&[gap(0, 2), gap(59, 31), gap(120, 3), gap(200, 3)]);
        assert!(all.starts_with("no used row is of 1970-03-01 to 1970-03-31, 1970-05-01 to 1970-05-03, 1970-07-20 to 1970-07-22 and 1 more (39 days in all)"), "{all}");
    }
}
