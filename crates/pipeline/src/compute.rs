//! Everything up to the finished tables of a version. The list of stages drives it: each stage is done by [`Job::perform`], which
//! takes what earlier stages made and leaves what later ones need. Nothing here makes a store.

mod customers;
mod reading;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_engine::PolarsEngine;
use tessera_expr::rel::Sample;
use tessera_model::interrupt;
use tessera_snapshot::{Replaced, RunIdentity, Store};
use tessera_spec::activity::{self, Fact};

use crate::base::Base;
use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::history::{Aged, History};
use crate::identity;
use crate::memory::Memory;
use crate::prepare::Prepared;
use crate::publish::{self, Published, Tables};
use crate::run::RunOptions;
use crate::scores::Scored;
use crate::sources::{RejectRow, SourceOutcome};
use crate::stage::{Observer, Stage, StageReport, stages};
use crate::work::Disclosure;

/// The customers at earlier dates.
pub(crate) type Past = BTreeMap<NaiveDate, RecordBatch>;

/// The earlier dates of which only a part of the customers was read.
pub(crate) type Samples = BTreeMap<NaiveDate, Sample>;

/// The finished tables of a version that is not published.
pub struct Computed<'a> {
    pub(crate) walk: Walk<'a>,
}

/// Computes the tables of a version: reads the lake, and from the pipeline's store, where there is one, the version before this
/// day. No store is made and nothing is written outside of the work folder.
pub fn compute<'a>(
    prepared: &'a Prepared,
    options: &RunOptions<'a>,
    observer: &'a dyn Observer,
) -> Result<Computed<'a>, PipelineError> {
    let store = publish::opened(prepared)?;
    let mut walk = Walk::new(prepared, options, observer, store);
    walk.until(|stage| *stage == Stage::Publish)?;
    Ok(Computed { walk })
}

impl Computed<'_> {
    /// Names of the tables, in alphabetical order.
    pub fn names(&self) -> Result<Vec<&'static str>, PipelineError> {
        let mut names: Vec<&str> = Vec::new();
        self.tables()?.each(&mut |name, _, _| {
            names.push(name);
            Ok(())
        })?;
        names.sort_unstable();
        Ok(names)
    }

    /// The rows of a table as they would be published; none where the version has no such table.
    pub fn table(&self, name: &str) -> Result<Option<Vec<RecordBatch>>, PipelineError> {
        let mut found = None;
        self.tables()?.each(&mut |known, _, rows| {
            if known == name {
                found = Some(rows.collect::<Result<Vec<_>, _>>()?);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Number of the version that the tables were made after; 0 for none.
    pub fn follows(&self) -> Result<u64, PipelineError> {
        Ok(self.tables()?.told.follows)
    }

    fn tables(&self) -> Result<&Tables, PipelineError> {
        needed(self.walk.made.tables.as_ref(), "tables")
    }
}

/// The list of stages, and what those before the next one made.
pub(crate) struct Walk<'a> {
    pub(crate) job: Job<'a>,
    pub(crate) made: Made,
    stages: Vec<Stage>,
    next: usize,
}

/// What every stage works with.
pub(crate) struct Job<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) engine: PolarsEngine,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) disclosure: Disclosure<'a>,
    pub(crate) memory: &'a Memory,
    pub(crate) work: &'a Path,
    pub(crate) identity: RunIdentity,
    /// The pipeline's store; none as long as there is none.
    pub(crate) store: Option<Store>,
    /// The damaged version that is published again.
    pub(crate) replaces: Option<Replaced>,
    gate: &'a tessera_snapshot::Gate,
}

/// What the stages made so far.
#[derive(Default)]
pub(crate) struct Made {
    passes: Vec<PassDone>,
    rejects: Vec<RejectRow>,
    /// Used rows up to the close of the previous day, by source.
    dated: BTreeMap<String, u64>,
    outcomes: Vec<SourceOutcome>,
    /// A row per customer: features, later scores too.
    table: Option<RecordBatch>,
    /// The customers without the rows since the previous version.
    aged: Option<Aged>,
    past: Past,
    samples: Samples,
    scored: Vec<(String, Scored)>,
    base: Option<Base>,
    history: Option<History>,
    assigned: Option<Assigned>,
    pub(crate) tables: Option<Tables>,
    pub(crate) published: Option<Published>,
}

/// A pass that was run.
struct PassDone {
    table: PathBuf,
    outcome: SourceOutcome,
    /// Used rows since the previous version, where they are counted.
    new_rows: Option<u64>,
}

/// What a stage needs of those before it.
pub(crate) fn needed<T>(made: Option<T>, what: &'static str) -> Result<T, PipelineError> {
    made.ok_or(PipelineError::Order { what })
}

impl<'a> Walk<'a> {
    pub(crate) fn new(
        prepared: &'a Prepared,
        options: &RunOptions<'a>,
        observer: &'a dyn Observer,
        store: Option<Store>,
    ) -> Self {
        let job = Job {
            prepared,
            engine: Prepared::engine(options.threads, options.memory),
            observer,
            disclosure: Disclosure {
                values: prepared.pipeline.log.values,
                folder: options.work.parent(),
                pipeline: &prepared.pipeline.name,
            },
            memory: options.memory,
            work: options.work.path(),
            identity: identity::identity(prepared),
            store,
            replaces: None,
            gate: options.gate,
        };
        Self {
            job,
            made: Made::default(),
            stages: stages(prepared),
            next: 0,
        }
    }

    /// Does the stages before the first that is `last`.
    pub(crate) fn until(&mut self, last: impl Fn(&Stage) -> bool) -> Result<(), PipelineError> {
        while self.stages.get(self.next).is_some_and(|stage| !last(stage)) {
            self.step()?;
        }
        Ok(())
    }

    /// Goes back to what depends on the version before this day.
    pub(crate) fn compare_again(&mut self) -> Result<(), PipelineError> {
        let first = self
            .stages
            .iter()
            .position(|stage| *stage == Stage::Previous);
        self.next = needed(first, "the previous version")?;
        self.until(|stage| *stage == Stage::Publish)
    }

    /// Does the next stage of the list, unless the process is asked to stop: it is only asked as long as the run can be stopped,
    /// which is until it commits.
    pub(crate) fn step(&mut self) -> Result<(), PipelineError> {
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let job = &self.job;
        let stage = &self.stages[self.next];
        activity::note(Fact::Stage, stage.to_string());
        job.observer.started(stage, self.next, self.stages.len());
        let spilled = job.memory.budget().spilled_bytes();
        let started = Instant::now();
        let done = job.perform(stage, &mut self.made);
        // Whatever was done until then is unfinished, and what failed because of that is no error.
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let mut report = done?;
        report.elapsed = started.elapsed();
        report.peak_bytes = job.memory.take_peak();
        report.spilled_bytes = job.memory.budget().spilled_bytes() - spilled;
        tracing::info!(
            stage = %stage,
            rows_in = report.rows_in,
            rows_out = report.rows_out,
            bytes = report.bytes,
            peak_bytes = report.peak_bytes,
            spilled_bytes = report.spilled_bytes,
            elapsed_ms = report.elapsed.as_millis() as u64,
            "{}",
            stage.words(&report)
        );
        self.next += 1;
        job.observer.finished(stage, &report);
        Ok(())
    }
}

impl Job<'_> {
    /// Does one stage: the only place that says what a stage is.
    fn perform(&self, stage: &Stage, made: &mut Made) -> Result<StageReport, PipelineError> {
        match stage {
            Stage::Aggregate { source } => self.aggregate(source, made),
            Stage::Rejects => self.rejects(made),
            Stage::Features => self.features(made),
            Stage::Past { as_of } => self.past(*as_of, made),
            Stage::Unchanged => self.unchanged(made),
            Stage::Score { score } => self.score(stage, score, made),
            Stage::Values => self.values(made),
            Stage::Previous => self.previous(made),
            Stage::Assign { scheme } => self.assign(stage, scheme, made),
            Stage::Profiles => self.profile(made),
            Stage::Publish => self.publish(stage, made),
            Stage::Report => self.report(made),
        }
    }
}
