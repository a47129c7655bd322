//! Past days that a pipeline is run for, one after the other: which they are, and which of them have their version already.

use std::path::Path;

use chrono::{Days, Months, NaiveDate};
use serde_json::Value;
use tessera_snapshot::{Store, StoreError};
use tessera_spec::diagnostic::Diagnostics;

use crate::error::PipelineError;
use crate::identity::{self, DECLARED, KNOWN_AS_OF, PINS};
use crate::pins::Pins;
use crate::pipeline_file::load;
use crate::prepare::Reading;
use crate::publish;

/// Most days of one backfill: a century of nights.
pub const MOST_DAYS: usize = 36_525;

/// How far two days lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// So many days.
    Days(u64),
    /// So many months: the same day of the month, the last one where a month has no such day.
    Months(u32),
}

impl Every {
    /// Reads `1d`, `2w`, `1mo`, `1y`.
    ///
    /// # Errors
    /// What is wrong with another text, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str = "expected a number with d, w, mo or y, such as 1mo";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(WANTED.to_owned());
        }
        let number: u32 = number.parse().unwrap_or(u32::MAX);
        let of = |times: u32, most: u32| {
            let step = number.checked_mul(times).filter(|step| *step <= most);
            step.ok_or_else(|| "the longest step is a century, such as 100y".to_owned())
        };
        let step = match unit {
            "d" => Self::Days(of(1, MOST_DAYS as u32)?.into()),
            "w" => Self::Days(of(7, MOST_DAYS as u32)?.into()),
            "mo" => Self::Months(of(1, 1_200)?),
            "y" => Self::Months(of(12, 1_200)?),
            "" => {
                let each = ["d", "w", "mo", "y"].map(|unit| format!("{number}{unit}"));
                let [days, weeks, months, years] = each;
                return Err(format!(
                    "the unit is missing: write {days}, {weeks}, {months} or {years}"
                ));
            }
            "m" | "M" | "month" | "months" => {
                return Err(format!("months are written mo: {number}mo"));
            }
            "s" | "min" | "h" => {
                return Err("versions are of whole days, so the shortest step is 1d".to_owned());
            }
            _ => return Err(WANTED.to_owned()),
        };
        match number {
            0 => Err("a step of 0 comes to no other day; the shortest is 1d".to_owned()),
            _ => Ok(step),
        }
    }

    /// The days from the first to the last, which is the last one only where a step meets it. Every step counts from the first
    /// day, so that the 31st stays the 31st after a shorter month. `None` where they are more than [`MOST_DAYS`].
    pub fn days(self, first: NaiveDate, last: NaiveDate) -> Option<Vec<NaiveDate>> {
        let at = |step: usize| {
            let step = u32::try_from(step).ok()?;
            match self {
                Self::Days(days) => first.checked_add_days(Days::new(days * u64::from(step))),
                Self::Months(months) => {
                    first.checked_add_months(Months::new(months.checked_mul(step)?))
                }
            }
        };
        let days = (0..=MOST_DAYS).map_while(at);
        let days: Vec<NaiveDate> = days.take_while(|day| *day <= last).collect();
        (days.len() <= MOST_DAYS).then_some(days)
    }
}

/// What the store has of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The version of this number, of the same pipeline and program.
    Made(u64),
    /// The version of this number, which has expired: the day was done, and is not made again unless it is asked for.
    Expired(u64),
    /// Nothing, or a version that is to be made again, and why.
    Missing(Option<String>),
}

/// Looks whether a day has a version that this pipeline and this program made, after the version that comes before it now, with
/// all its files and its report. The files of the lake are not looked at: a lake that has grown since is no reason to make past
/// days again.
pub fn standing(file: &Path, reading: &Reading, day: NaiveDate) -> Result<Standing, PipelineError> {
    let pipeline = load(file, &reading.vars)?.pipeline;
    let path = Path::new(&pipeline.store);
    if !path.join("FORMAT").exists() {
        return Ok(Standing::Missing(None));
    }
    let store = Store::open_with(path, reading.store.clone())?;
    let version = match store.of_day(day) {
        Ok(version) => version,
        Err(StoreError::NoDay { .. }) => return Ok(Standing::Missing(None)),
        Err(StoreError::Expired { version }) => return Ok(Standing::Expired(version)),
        Err(error) => return Err(error.into()),
    };
    let number = version.number();
    let commit = version.commit();
    let declared: Value =
        serde_json::from_str(&tessera_spec::canonical(&pipeline)).unwrap_or_default();
    let standing = store.standings()?.get(&number).copied().unwrap_or_default();
    // What is wrong with the file of pins, the run of the day says.
    let mut problems = Diagnostics::default();
    let pins = identity::pins(&Pins::read(&pipeline, day, &mut problems));
    let known_as_of = reading.known_as_of.unwrap_or(day).to_string();
    let again = if commit.pipeline[DECLARED] != declared {
        Some("is of an earlier state of the pipeline")
    } else if commit.pipeline[PINS].as_str() != pins.as_deref() {
        Some("has other pins")
    } else if commit.pipeline[KNOWN_AS_OF] != known_as_of.as_str() {
        Some("knew rows up to another day")
    } else if commit.program != identity::program() {
        Some("was made by another program")
    } else if standing.outdated {
        Some("does not follow the version that comes before it now")
    } else if !store.report_path(number).exists() {
        Some("has no report yet")
    } else {
        None
    };
    if let Some(why) = again {
        return Ok(Standing::Missing(Some(format!("version {number} {why}"))));
    }
    let kept = store.inputs(version.commit()).map(|_| ());
    let kept = kept.and_then(|()| publish::check_fitted(&store, &version));
    if let Err(error) = version.check().and(kept) {
        if !error.is_damage() {
            return Err(error.into());
        }
        return Ok(Standing::Missing(Some(format!(
            "version {number} is damaged: {error}"
        ))));
    }
    Ok(Standing::Made(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn days(every: &str, first: &str, last: &str) -> Vec<String> {
        let every = Every::parse(every).unwrap();
        every
            .days(day(first), day(last))
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn months_keep_their_day_where_there_is_one() {
        assert_eq!(
            days("1mo", "2026-01-31", "2026-04-30"),
            ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]
        );
        assert_eq!(days("3mo", "2026-01-15", "2026-12-31").len(), 4);
        assert_eq!(
            days("1y", "2024-02-29", "2026-03-01"),
            ["2024-02-29", "2025-02-28", "2026-02-28"]
        );
    }

    #[test]
    fn no_day_is_left_out_where_there_are_too_many() {
        let daily = |last: &str| Every::Days(1).days(day("1900-01-01"), day(last));
        // 1900 was no leap year: a century of nights ends a day later.
        let most = daily("2000-01-01").unwrap();
        assert_eq!(most.len(), MOST_DAYS);
        assert_eq!(daily("2000-01-02"), None);
        let weekly = Every::Days(7).days(day("1900-01-01"), day("2000-01-02"));
        assert_eq!(weekly.unwrap().len(), 5_218);
    }

    #[test]
    fn the_last_day_is_only_met_by_a_step() {
        assert_eq!(
            days("1w", "2026-01-01", "2026-01-21"),
            ["2026-01-01", "2026-01-08", "2026-01-15"]
        );
        assert_eq!(days("1d", "2026-02-27", "2026-03-01").len(), 3);
        assert!(days("1d", "2026-03-02", "2026-03-01").is_empty());
    }

    #[test]
    fn what_is_no_step_is_answered_with_what_to_write() {
        let wanted = "expected a number with d, w, mo or y, such as 1mo";
        let century = "the longest step is a century, such as 100y";
        let nowhere = "a step of 0 comes to no other day; the shortest is 1d";
        let hours = "versions are of whole days, so the shortest step is 1d";
        for (wrong, answer) in [
            ("", wanted),
            ("d", wanted),
            ("-1d", wanted),
            ("1.5d", wanted),
            ("1 mo", wanted),
            ("1q", wanted),
            ("0d", nowhere),
            ("0mo", nowhere),
            ("7", "the unit is missing: write 7d, 7w, 7mo or 7y"),
            ("3m", "months are written mo: 3mo"),
            ("12h", hours),
            ("36526d", century),
            ("5218w", century),
            ("101y", century),
            ("1201mo", century),
            ("99999999999999999999d", century),
        ] {
            assert_eq!(Every::parse(wrong), Err(answer.to_owned()), "{wrong}");
        }
        assert_eq!(Every::parse("36525d"), Ok(Every::Days(36_525)));
    }
}
