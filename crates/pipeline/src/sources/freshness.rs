//! How old the data of a source is, and how old it may be.

use chrono::{DateTime, Days, NaiveDate, NaiveTime};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{Source, SourceKind, Through};

use super::{SourceOutcome, Weight};
use crate::error::PipelineError;

/// States the age of a source's newest used row and compares it with the limits of the pipeline file. Every kind of
/// source with a `time` has an age; a source without a used row has none, which is as bad as the worst age. Rows that are only
/// too old for every feature count: what is computed of a source does not change how fresh it is.
pub(super) fn judge(
    source: &Source,
    outcome: &mut SourceOutcome,
    as_of: NaiveDate,
) -> Result<(), PipelineError> {
    outcome.age_hours = outcome
        .counts
        .newest_micros
        .and_then(|newest| age(newest, as_of));
    let limits = source.freshness;
    let fail = limits.and_then(|limits| limits.fail_hours);
    let warn = limits.and_then(|limits| limits.warn_hours);
    let stale = |age: String, limit: f64| {
        Err(PipelineError::Stale {
            name: source.name.value.clone(),
            age,
            limit: hours_words(limit),
        })
    };
    let used = outcome.counts.used;
    let Some(age_hours) = outcome.age_hours else {
        let without = if used == 0 {
            "it has no used row"
        } else {
            "no used row has a time"
        };
        if let Some(limit) = fail {
            return stale(format!("{without}, so its age is not known"), limit);
        }
        outcome.status = if used == 0 { "empty" } else { "unjudged" };
        if used == 0 || limits.is_some() {
            outcome.warn(
                Weight::Missing,
                format!("{without} at the close of {as_of}"),
            );
        }
        return Ok(());
    };
    let age = hours_words(age_hours);
    let newest = match used {
        0 => "its newest row, which is too old for every feature,",
        _ => "its newest used row",
    };
    if let Some(limit) = fail.filter(|limit| age_hours > *limit) {
        return stale(format!("{newest} is {age} old"), limit);
    }
    if let Some(limit) = warn.filter(|limit| age_hours > *limit) {
        outcome.status = "stale";
        outcome.warn(Weight::Missing, format!(
            "{newest} is {age} old at the close of {as_of}, more than the {} of `freshness.warn`",
            hours_words(limit)
        ));
    } else if limits.is_some() {
        outcome.status = "ok";
    } else if used == 0 {
        outcome.status = "empty";
        outcome.warn(
            Weight::Missing,
            format!("it has no used row at the close of {as_of}; {newest} is {age} old"),
        );
    } else {
        outcome.status = "unjudged";
        outcome.notes.push(format!(
            "its newest used row is {age} old at the close of {as_of}; `freshness` is not set, so this is not judged"
        ));
    }
    Ok(())
}

/// Why a source is not complete through the day that the pipeline file states, as a text; `None` where it is complete. It is
/// complete if a used row is of that day or later, or any row is after `as_of`: data of later days has then been delivered.
pub(super) fn incomplete(
    pipeline: &Pipeline,
    source: &Source,
    outcome: &SourceOutcome,
    as_of: NaiveDate,
) -> Option<String> {
    let of_events = pipeline
        .run
        .data_through
        .filter(|_| source.kind == SourceKind::Events);
    let through = source.data_through.or(of_events)?;
    let Through::DaysBefore(days) = through else {
        return None;
    };
    let day = as_of.checked_sub_days(Days::new(days.into()))?;
    if outcome.counts.unseen.future > 0 {
        return None;
    }
    let newest = outcome.counts.newest_micros.and_then(local_day);
    let name = &source.name.value;
    match newest {
        Some(newest) if newest >= day => None,
        Some(newest) => Some(format!(
            "source `{name}` must be complete through {day}, and its newest used row is of {newest}"
        )),
        None => Some(format!(
            "source `{name}` must be complete through {day}, and it has no used row"
        )),
    }
}

/// The day of a local time.
fn local_day(micros: i64) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp_micros(micros)?.date_naive())
}

/// Hours from a local time to the end of a day.
fn age(newest_micros: i64, as_of: NaiveDate) -> Option<f64> {
    let end = as_of.checked_add_days(Days::new(1))?;
    let end = end.and_time(NaiveTime::MIN).and_utc().timestamp_micros();
    Some((end - newest_micros) as f64 / 3.6e9)
}

/// "36 hours", "12 days".
fn hours_words(hours: f64) -> String {
    let (number, unit) = if hours.abs() < 72.0 {
        (hours, "hours")
    } else {
        (hours / 24.0, "days")
    };
    let rounded = (number * 10.0).round() / 10.0;
    format!("{rounded} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_counted_to_the_close_of_the_day_and_read_as_hours_or_days() {
        let day = NaiveDate::from_ymd_opt(2026, 10, 31).unwrap();
        let noon = day.and_hms_opt(12, 0, 0).unwrap().and_utc();
        assert_eq!(age(noon.timestamp_micros(), day), Some(12.0));
        assert_eq!(hours_words(12.0), "12 hours");
        assert_eq!(hours_words(71.96), "72 hours");
        assert_eq!(hours_words(24.0 * 30.0 + 12.0), "30.5 days");
    }
}
