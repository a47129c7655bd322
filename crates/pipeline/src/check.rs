//! `tessera check`: everything that can be known without reading a row.

use std::path::Path;

use chrono::{Days, NaiveDate, Utc};
use tessera_ingest::IngestError;
use tessera_spec::diagnostic::Diagnostics;

use crate::error::PipelineError;
use crate::prepare::{Reading, prepare};

/// A pipeline file without mistakes.
#[derive(Debug)]
pub struct Checked {
    /// What is odd without being wrong.
    pub warnings: Diagnostics,
    /// What it consists of, in one line.
    pub summary: String,
}

/// Checks a pipeline file; with `lake` also against the files of its sources, where they are at hand.
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
        return Ok(Checked {
            summary: format!("{declared}; the lake was not looked at"),
            warnings: loaded.warnings,
        });
    }
    match prepare(file, yesterday_in(pipeline.timezone), reading) {
        Ok(prepared) => {
            let files: usize = prepared
                .inventories
                .iter()
                .map(|inventory| inventory.files.len())
                .sum();
            let summary = format!(
                "{declared}, {} features; {files} files of the lake fit it",
                prepared.features.published.len()
            );
            Ok(Checked {
                summary,
                warnings: prepared.warnings,
            })
        }
        Err(PipelineError::Ingest(IngestError::Io { path, error, .. }))
            if error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(Checked {
                summary: format!(
                    "{declared}; the lake is not at hand ({} does not exist), so columns and types were not checked",
                    path.display()
                ),
                warnings: loaded.warnings,
            })
        }
        Err(error) => Err(error),
    }
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
