//! The order of work: a plan is a list of stages, and `explain` and `run` walk the same list.

use std::fmt;
use std::time::Duration;

use crate::prepare::Prepared;

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// One pass over a source: contract, filter, one row per customer.
    Aggregate {
        /// The source.
        source: String,
    },
    /// The first rows that each rule of a contract rejected.
    Rejects,
    /// Per-source tables side by side, then derived features.
    Features,
    /// The features as they were at the close of an earlier day.
    Past {
        /// That day.
        as_of: chrono::NaiveDate,
    },
    /// What a model says of each customer.
    Score {
        /// The score.
        score: String,
    },
    /// Every customer into one segment.
    Assign {
        /// The scheme.
        scheme: String,
    },
    /// What the segments are like.
    Profiles,
    /// The tables into the store, in one atomic step.
    Publish,
    /// The report of the published version.
    Report,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aggregate { source } => write!(f, "read {source}"),
            Self::Rejects => f.write_str("collect rejects"),
            Self::Features => f.write_str("compute features"),
            Self::Past { as_of } => write!(f, "look back to {as_of}"),
            Self::Score { score } => write!(f, "score {score}"),
            Self::Assign { scheme } => write!(f, "assign by {scheme}"),
            Self::Profiles => f.write_str("profile segments"),
            Self::Publish => f.write_str("publish"),
            Self::Report => f.write_str("write report"),
        }
    }
}

/// The stages of a run, in order.
pub fn stages(prepared: &Prepared) -> Vec<Stage> {
    let reads = prepared
        .features
        .passes
        .iter()
        .map(|pass| Stage::Aggregate {
            source: pass.source.clone(),
        });
    let assigns = prepared
        .pipeline
        .schemes
        .iter()
        .map(|scheme| Stage::Assign {
            scheme: scheme.name.value.clone(),
        });
    let past = prepared.observations().into_iter();
    let past = past.map(|as_of| Stage::Past { as_of });
    let scores = prepared.pipeline.scores.iter().map(|score| Stage::Score {
        score: score.name.value.clone(),
    });
    reads
        .chain([Stage::Rejects, Stage::Features])
        .chain(past)
        .chain(scores)
        .chain(assigns)
        .chain([Stage::Profiles, Stage::Publish, Stage::Report])
        .collect()
}

/// What a stage did.
#[derive(Debug, Clone, Copy, Default)]
pub struct StageReport {
    /// Rows that went in.
    pub rows_in: u64,
    /// Rows that came out.
    pub rows_out: u64,
    /// Bytes read or written, where that is what the stage does.
    pub bytes: u64,
    /// Wall time.
    pub elapsed: Duration,
}

/// Told of the progress of a run.
pub trait Observer {
    /// A stage begins; it is number `index` (from 0) of `total`.
    fn started(&self, stage: &Stage, index: usize, total: usize);
    /// It ended.
    fn finished(&self, stage: &Stage, report: &StageReport);
}

/// An observer that looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn started(&self, _: &Stage, _: usize, _: usize) {}
    fn finished(&self, _: &Stage, _: &StageReport) {}
}
