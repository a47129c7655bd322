//! `tessera check`: everything that can be checked without a run.

use std::path::Path;

use chrono::{Days, NaiveDate, Utc};
use tessera_spec::diagnostic::Diagnostics;

use crate::error::PipelineError;
use crate::labels;
use crate::pipeline_file::{load, load_as_advised};
use crate::prepare::{Reading, customer_key, prepare};

/// A pipeline file without mistakes.
#[derive(Debug)]
pub struct Checked {
    /// Warnings.
    pub warnings: Diagnostics,
    /// What the pipeline consists of, in one line.
    pub summary: String,
}

/// Checks a pipeline file; with `lake` also the files of its sources, which must exist, and its store, as a run would do.
pub fn check(file: &Path, reading: &Reading, lake: bool) -> Result<Checked, PipelineError> {
    let loaded = load_as_advised(file, &reading.vars)?;
    let pipeline = &loaded.pipeline;
    let experiments = match pipeline.experiments.len() {
        0 => String::new(),
        1 => ", 1 experiment".to_owned(),
        several => format!(", {several} experiments"),
    };
    let declared = format!(
        "{} sources, {} scores, {} schemes, {} playbooks{experiments}",
        pipeline.sources.len(),
        pipeline.scores.len(),
        pipeline.schemes.len(),
        pipeline.playbooks.len()
    );
    if !lake {
        let mut found = loaded.warnings.clone();
        labels::segment_names(pipeline, &mut found);
        customer_key(pipeline, &mut found);
        if found.has_errors() {
            return Err(PipelineError::Invalid(Box::new(found)));
        }
        return Ok(Checked {
            summary: format!("{declared}; the lake was not checked"),
            warnings: loaded.warnings,
        });
    }
    let prepared = prepare(file, yesterday_in(pipeline.timezone), reading)?;
    let files: usize = prepared
        .inventories
        .iter()
        .map(|inventory| inventory.files.len())
        .sum();
    let without_rows: u64 = prepared
        .inventories
        .iter()
        .map(|inventory| inventory.files_without_rows())
        .sum();
    let empty = match without_rows {
        0 => String::new(),
        number => format!(" ({number} of them without rows)"),
    };
    let summary = format!(
        "{declared}, {} features; {files} files of the lake fit it{empty}",
        prepared.features.published.len()
    );
    Ok(Checked {
        summary,
        warnings: prepared.warnings,
    })
}

/// The day of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The first line of a run: pipeline, day, and where the day comes from.
    pub words: String,
}

/// The day of a run: the one asked for, otherwise yesterday in the pipeline's time zone, which is the last complete day. A day
/// later than today is an error unless that is allowed.
pub fn day(
    file: &Path,
    reading: &Reading,
    asked: Option<NaiveDate>,
    allow_future: bool,
) -> Result<Day, PipelineError> {
    let loaded = load(file, &reading.vars)?;
    let pipeline = loaded.pipeline;
    let zone = pipeline.timezone;
    let (as_of, whence) = match asked {
        Some(as_of) => (as_of, String::new()),
        None => (yesterday_in(zone), format!(", yesterday in {zone}")),
    };
    let today = today_in(zone);
    let known = reading.known_as_of;
    if known.is_some() && pipeline.sources.iter().all(|s| s.known_at.is_none()) {
        return Err(PipelineError::NothingKnown);
    }
    for (option, day) in [("--as-of", Some(as_of)), ("--known-as-of", known)] {
        if let Some(day) = day.filter(|day| *day > today && !allow_future) {
            return Err(PipelineError::Future {
                option,
                can_be_allowed: true,
                day,
                today,
                zone: zone.to_string(),
            });
        }
    }
    let known = known.map_or_else(String::new, |known| {
        format!(", with what was known at the close of {known}")
    });
    Ok(Day {
        words: format!("{}: as of {as_of}{whence}{known}", pipeline.name),
        as_of,
        pipeline: pipeline.name,
    })
}

fn today_in(zone: chrono_tz::Tz) -> NaiveDate {
    Utc::now().with_timezone(&zone).date_naive()
}

fn yesterday_in(zone: chrono_tz::Tz) -> NaiveDate {
    let today = today_in(zone);
    today.checked_sub_days(Days::new(1)).unwrap_or(today)
}
