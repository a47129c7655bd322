//! Warnings about the times of a source.

use chrono::{DateTime, NaiveDate};
use tessera_expr::rel::RowCounts;
use tessera_spec::pipeline::{Source, SourceKind};
use tessera_spec::shown::grouped;

/// A newest row this many times the usual gap before `as_of` is late.
const LATE_GAPS: i64 = 3;

/// A source is late only from this number of days on.
const LEAST_DAYS: i64 = 2;

/// Rows that all are this many days before `as_of` have probably been read in another unit than they are in: 20 years.
const OLD_DAYS: i64 = 20 * 365;

/// Warns of local times that a clock change skipped, of events that end long before `as_of`, and of rows that all are decades old.
pub(crate) fn warn(source: &Source, counts: &RowCounts, as_of: NaiveDate) {
    let name = source.name.value.as_str();
    for (column, skipped) in counts.skipped.iter().filter(|(_, rows)| *rows > 0) {
        tracing::warn!(
            source = name,
            column,
            rows = skipped,
            "source `{name}`: {} times of `{column}` do not exist because of a clock change; they were moved forward by the gap",
            grouped(*skipped)
        );
    }
    if let Some((newest, days)) = newest(counts, as_of).filter(|(_, days)| *days >= OLD_DAYS) {
        tracing::warn!(
            source = name,
            newest = %newest,
            days,
            "source `{name}`: its newest row is of {newest}, {} days before {as_of}: check the unit in which its times are read (`epoch`, `to_timestamp`)",
            grouped(days.unsigned_abs())
        );
        return;
    }
    if let (SourceKind::Events, Some(late)) = (source.kind, late(counts, as_of)) {
        tracing::warn!(
            source = name,
            newest = %late.newest,
            days = late.days,
            "source `{name}`: its newest row is of {}, {} days before {as_of}, but days with rows are usually at most {} apart; \
             recency and windows count the missing days as days without events",
            late.newest,
            late.days,
            late.usual_gap_days
        );
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
    (days > LEAST_DAYS.max(LATE_GAPS * i64::from(usual_gap_days))).then_some(Late {
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
    }
}
