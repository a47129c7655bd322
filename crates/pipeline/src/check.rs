//! `tessera check`: everything that can be known without reading a row.

use std::path::Path;

use chrono::{Days, NaiveDate, Utc};
use tessera_spec::diagnostic::Diagnostics;

use crate::error::PipelineError;
use crate::labels;
use crate::prepare::{Reading, prepare};

/// A pipeline file without mistakes.
#[derive(Debug)]
pub struct Checked {
    /// Warnings.
    pub warnings: Diagnostics,
    /// What it consists of, in one line.
    pub summary: String,
}

/// Checks a pipeline file; with `lake` also against the files of its sources, which must be there, and its store, as a run would.
pub fn check(file: &Path, reading: &Reading, lake: bool) -> Result<Checked, PipelineError> {
    let loaded = tessera_spec::load(file, &reading.vars)
        .map_err(|found| PipelineError::Invalid(Box::new(found)))?;
    let pipeline = &loaded.pipeline;
    let declared = format!(
        "{} sources, {} scores, {} schemes, {} playbooks",
        pipeline.sources.len(),
        pipeline.scores.len(),
        pipeline.schemes.len(),
        pipeline.playbooks.len()
    );
    if !lake {
        let mut found = loaded.warnings.clone();
        labels::playbooks(pipeline, &mut found);
        if found.has_errors() {
            return Err(PipelineError::Invalid(Box::new(found)));
        }
        return Ok(Checked {
            summary: format!("{declared}; the lake was not looked at"),
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
        number => format!(" ({number} of them without a row)"),
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

/// Yesterday in the pipeline's time zone: the last day that is over.
pub fn yesterday(file: &Path, reading: &Reading) -> Result<NaiveDate, PipelineError> {
    let loaded = tessera_spec::load(file, &reading.vars)
        .map_err(|found| PipelineError::Invalid(Box::new(found)))?;
    Ok(yesterday_in(loaded.pipeline.timezone))
}

/// Refuses a date later than today in the pipeline's time zone.
pub fn refuse_future(
    file: &Path,
    reading: &Reading,
    as_of: NaiveDate,
) -> Result<(), PipelineError> {
    let loaded = tessera_spec::load(file, &reading.vars)
        .map_err(|found| PipelineError::Invalid(Box::new(found)))?;
    let zone = loaded.pipeline.timezone;
    let today = today_in(zone);
    if as_of <= today {
        return Ok(());
    }
    Err(PipelineError::Future {
        as_of,
        today,
        zone: zone.to_string(),
    })
}

fn today_in(zone: chrono_tz::Tz) -> NaiveDate {
    Utc::now().with_timezone(&zone).date_naive()
}

fn yesterday_in(zone: chrono_tz::Tz) -> NaiveDate {
    let today = today_in(zone);
    today.checked_sub_days(Days::new(1)).unwrap_or(today)
}
