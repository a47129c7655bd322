//! The stages of a run and their order. A run executes the list, `run --dry-run` prints it.

use std::fmt;
use std::time::Duration;

use tessera_spec::shown::grouped;

use crate::prepared::Prepared;
use crate::publish::Published;
use crate::sources::SourceOutcome;

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// One pass over a source: contract, filter, one row per customer; for the earlier dates as well.
    Aggregate {
        /// The source.
        source: String,
        /// Its rows are joined to those of other sources and give no customers.
        is_lookup: bool,
    },
    /// The first rows that each rule of a contract rejected.
    Rejects,
    /// Joins the tables of the sources by customer, then computes derived features.
    Features,
    /// Draws the customers of all earlier dates.
    LookBack {
        /// How many dates.
        dates: usize,
    },
    /// The features as they were at the close of an earlier day.
    Past {
        /// That day.
        as_of: chrono::NaiveDate,
    },
    /// Checks that the files of the lake have not changed since they were listed.
    Unchanged,
    /// Computes a score for each customer.
    Score {
        /// The score.
        score: String,
    },
    /// Computes the columns of `[value]` and which accounts are closed.
    Values,
    /// Reads the customers of the version before this day.
    Previous,
    /// Assigns every customer to one segment.
    Assign {
        /// The scheme.
        scheme: String,
    },
    /// The customers by the month of their first order.
    Cohorts,
    /// Computes the profiles of the segments and makes the tables.
    Profiles,
    /// Publishes the tables in the store, atomically.
    Publish,
    /// Writes the report of the published version.
    Report,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aggregate { source, .. } => write!(f, "read {source}"),
            Self::Rejects => f.write_str("collect rejects"),
            Self::Features => f.write_str("compute features"),
            Self::LookBack { dates: 1 } => f.write_str("look back to an earlier date"),
            Self::LookBack { dates } => write!(f, "look back to {dates} earlier dates"),
            Self::Past { as_of } => write!(f, "compute features as of {as_of}"),
            Self::Unchanged => f.write_str("list the lake again"),
            Self::Score { score } => write!(f, "score {score}"),
            Self::Values => f.write_str("compute values"),
            Self::Previous => f.write_str("read the previous version"),
            Self::Assign { scheme } => write!(f, "assign by {scheme}"),
            Self::Cohorts => f.write_str("count cohorts"),
            Self::Profiles => f.write_str("profile segments"),
            Self::Publish => f.write_str("publish"),
            Self::Report => f.write_str("write report"),
        }
    }
}

impl Stage {
    /// The kind of the stage and its source, score or scheme (empty if it has none): the same every day, for metrics.
    pub fn label(&self) -> (&'static str, &str) {
        match self {
            Self::Aggregate { source, .. } => ("read", source),
            Self::Rejects => ("collect rejects", ""),
            Self::Features => ("compute features", ""),
            Self::LookBack { .. } => ("look back", ""),
            Self::Past { .. } => ("compute earlier features", ""),
            Self::Unchanged => ("list the lake again", ""),
            Self::Score { score } => ("score", score),
            Self::Values => ("compute values", ""),
            Self::Previous => ("read the previous version", ""),
            Self::Assign { scheme } => ("assign", scheme),
            Self::Cohorts => ("count cohorts", ""),
            Self::Profiles => ("profile segments", ""),
            Self::Publish => ("publish", ""),
            Self::Report => ("write report", ""),
        }
    }

    /// The result in one line: "read orders: 12,345 rows give 400 customers, 1.2 MB, 0.52 s, 80.1 MB of memory at most".
    pub fn words(&self, report: &StageReport) -> String {
        let (rows_in, rows_out) = (grouped(report.rows_in), grouped(report.rows_out));
        let done = match self {
            Self::Aggregate {
                is_lookup: true, ..
            } => format!("{rows_in} rows"),
            Self::Aggregate { .. } => format!("{rows_in} rows give {rows_out} customers"),
            Self::Rejects => format!("{rows_out} of {rows_in} rejected rows are kept"),
            Self::Unchanged => format!("{rows_in} files are as they were"),
            Self::Features
            | Self::LookBack { .. }
            | Self::Past { .. }
            | Self::Score { .. }
            | Self::Values
            | Self::Previous
            | Self::Assign { .. }
            | Self::Publish => format!("{rows_out} customers"),
            Self::Cohorts | Self::Profiles => format!("{rows_in} customers give {rows_out} rows"),
            Self::Report => String::new(),
        };
        let passes = (report.further_passes > 0).then(|| {
            format!(
                "{} more passes to keep within the memory limit",
                report.further_passes
            )
        });
        let bytes = (report.bytes > 0).then(|| bytes_words(report.bytes));
        let seconds = format!("{:.2} s", report.elapsed.as_secs_f64());
        let memory = (report.peak_bytes > 0)
            .then(|| format!("{} of memory at most", bytes_words(report.peak_bytes)));
        let spilled = (report.spilled_bytes > 0)
            .then(|| format!("{} in temporary files", bytes_words(report.spilled_bytes)));
        let parts = [
            Some(done).filter(|done| !done.is_empty()),
            passes,
            bytes,
            Some(seconds),
            memory,
            spilled,
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        format!("{self}: {}", parts.join(", "))
    }
}

/// A size as a text: "1.2 MB".
pub(crate) fn bytes_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1e3;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1e3;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// The stages of a run, in order.
pub fn stages(prepared: &Prepared) -> Vec<Stage> {
    let reads = prepared
        .features
        .passes
        .iter()
        .map(|pass| Stage::Aggregate {
            source: pass.source.clone(),
            is_lookup: pass.is_lookup,
        });
    let assigns = prepared
        .pipeline
        .schemes
        .iter()
        .map(|scheme| Stage::Assign {
            scheme: scheme.name.value.clone(),
        });
    let dates = prepared.observations();
    let look_back = (!dates.is_empty()).then_some(Stage::LookBack { dates: dates.len() });
    let past = dates.into_keys().map(|as_of| Stage::Past { as_of });
    let scores = prepared.pipeline.scores.iter().map(|score| Stage::Score {
        score: score.name.value.clone(),
    });
    reads
        .chain([Stage::Rejects, Stage::Features])
        .chain(look_back)
        .chain(past)
        .chain([Stage::Unchanged])
        .chain(scores)
        .chain([Stage::Values, Stage::Previous])
        .chain(assigns)
        .chain(prepared.cohorts.as_ref().map(|_| Stage::Cohorts))
        .chain([Stage::Profiles, Stage::Publish, Stage::Report])
        .collect()
}

/// Numbers about a finished stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageReport {
    /// Rows that went in.
    pub rows_in: u64,
    /// Rows that came out.
    pub rows_out: u64,
    /// Bytes read by a stage that reads files, or written by one that writes files; otherwise 0.
    pub bytes: u64,
    /// Peak memory of the process during the stage, in bytes.
    pub peak_bytes: u64,
    /// Bytes written to temporary files because the memory limit was reached.
    pub spilled_bytes: u64,
    /// Passes over sources beyond one each, for a part of the customers each, because memory would have ended.
    pub further_passes: u64,
    /// Wall time.
    pub elapsed: Duration,
}

/// Receives the progress of a run.
pub trait Observer {
    /// A stage begins; it is number `index` (from 0) of `total`.
    fn started(&self, stage: &Stage, index: usize, total: usize);
    /// It ended.
    fn finished(&self, stage: &Stage, report: &StageReport);
    /// A source was read; the contract may still fail the run for it.
    fn source(&self, _: &SourceOutcome) {}
    /// A version is published, or was already; errors after this do not undo it.
    fn published(&self, _: &Published) {}
}

/// A no-op observer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn started(&self, _: &Stage, _: usize, _: usize) {}
    fn finished(&self, _: &Stage, _: &StageReport) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_says_in_one_line_what_it_did() {
        let report = StageReport {
            rows_in: 1_234_567,
            rows_out: 400,
            bytes: 999_960,
            peak_bytes: 80_100_000,
            spilled_bytes: 2_000,
            further_passes: 3,
            elapsed: Duration::from_millis(520),
        };
        let read = Stage::Aggregate {
            source: "orders".to_owned(),
            is_lookup: false,
        };
        assert_eq!(
            read.words(&report),
            "read orders: 1,234,567 rows give 400 customers, 3 more passes to keep within the memory limit, 1.0 MB, 0.52 s, 80.1 MB of memory at most, 2.0 kB in temporary files"
        );
        let lookup = Stage::Aggregate {
            source: "prices".to_owned(),
            is_lookup: true,
        };
        let rows = StageReport {
            rows_in: 2,
            rows_out: 1,
            ..StageReport::default()
        };
        assert_eq!(lookup.words(&rows), "read prices: 2 rows, 0.00 s");
        let bytes = StageReport {
            bytes: 999,
            ..StageReport::default()
        };
        assert_eq!(
            Stage::Report.words(&bytes),
            "write report: 999 bytes, 0.00 s"
        );
        assert_eq!(bytes_words(2_500_000_000_000_000), "2500.0 TB");
    }
}
