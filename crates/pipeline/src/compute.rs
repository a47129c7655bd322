//! A run up to the finished tables of a version. It executes the list of stages: [`Job::perform`] executes one stage, with the
//! results of earlier stages in [`Made`], to which it adds its own. Nothing here creates a store.

mod customers;
#[cfg(test)]
mod month_ends;
mod reading;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_engine::PolarsEngine;
use tessera_expr::rel::Sample;
use tessera_model::interrupt;
use tessera_snapshot::{NewArtifact, Replaced, RunIdentity, Store};
use tessera_spec::activity::{self, Fact};

use crate::base::Base;
use crate::cohorts::Firsts;
use crate::customers::Assigned;
use crate::error::{PipelineError, needed};
use crate::gates;
use crate::held::Served;
use crate::history::{Aged, History};
use crate::identity;
use crate::memory::Memory;
use crate::options::RunOptions;
use crate::plan::basis::Basis;
use crate::prepared::Prepared;
use crate::publish::{self, Published, Tables};
use crate::scores::{LearnedScores, Scored};
use crate::sources::{RejectRow, SourceOutcome};
use crate::stage::{Observer, Stage, StageReport, stages};
use crate::table;
use crate::work::Disclosure;

/// The customers at earlier dates.
pub(crate) type Past = BTreeMap<NaiveDate, RecordBatch>;

/// The earlier dates of which only a part of the customers was read.
pub(crate) type Samples = BTreeMap<NaiveDate, Sample>;

/// The finished tables of a version that is not published.
pub struct Computed<'a> {
    pub(crate) walk: Walk<'a>,
}

/// Computes the tables of a version: reads the lake and, if the pipeline's store exists, the version before this day. Does not
/// create a store and writes nothing outside the work folder.
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

    /// The rows of a table as they would be published; `None` if the version has no such table.
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

    /// Number of the version before this day, with which the tables are compared; 0 if there is none.
    pub fn follows(&self) -> Result<u64, PipelineError> {
        Ok(self.tables()?.told.follows)
    }

    fn tables(&self) -> Result<&Tables, PipelineError> {
        needed(self.walk.made.tables.as_ref(), "tables")
    }
}

/// The list of stages, and the results of the stages before the next one.
pub(crate) struct Walk<'a> {
    pub(crate) job: Job<'a>,
    pub(crate) made: Made,
    stages: Vec<Stage>,
    next: usize,
}

/// The inputs of every stage.
pub(crate) struct Job<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) engine: PolarsEngine,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) disclosure: Disclosure<'a>,
    pub(crate) memory: &'a Memory,
    pub(crate) work: &'a Path,
    pub(crate) identity: RunIdentity,
    /// The pipeline's store; `None` until it is created.
    pub(crate) store: Option<Store>,
    /// The damaged version that is published again.
    pub(crate) replaces: Option<Replaced>,
    /// The plan that the run must follow.
    pub(crate) planned: Option<&'a Basis>,
    gate: &'a tessera_snapshot::Gate,
}

/// The results of the stages so far.
#[derive(Default)]
pub(crate) struct Made {
    passes: Vec<PassDone>,
    rejects: Vec<RejectRow>,
    /// Used rows up to the close of the previous day, by source.
    dated: BTreeMap<String, u64>,
    outcomes: Vec<SourceOutcome>,
    /// One row per customer: features, then also scores.
    table: Option<RecordBatch>,
    /// The customers without the rows since the previous version.
    aged: Option<Aged>,
    /// What the customers on later days are computed from, where that is wanted.
    later: Option<RecordBatch>,
    /// The sources at the earlier dates on which scores are trained.
    earlier: BTreeMap<NaiveDate, table::Earlier>,
    /// The customers with an order; none where the pipeline has no features of orders.
    firsts: Option<Firsts>,
    /// The table of cohorts.
    cohorts: Option<RecordBatch>,
    past: Past,
    samples: Samples,
    scored: Vec<(String, Scored)>,
    /// What the scores learned and applied, as the commit names it.
    artifacts: Vec<NewArtifact>,
    /// The same by the names of the scores; none where nothing is read of the lake.
    learned: Option<LearnedScores>,
    base: Option<Base>,
    history: Option<History>,
    assigned: Option<Assigned>,
    /// Earlier definitions of schemes that serve, where today's fall short of their gates.
    served: Option<Served>,
    /// Why schemes end the run by their gates.
    failed: Vec<String>,
    pub(crate) tables: Option<Tables>,
    pub(crate) published: Option<Published>,
}

/// A pass that was run.
struct PassDone {
    table: PathBuf,
    outcome: SourceOutcome,
    /// Used rows since the previous version, where they are counted.
    new_rows: Option<u64>,
    /// Used rows of the days that a run of the previous day read and this one does not.
    pruned: u64,
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
            engine: options.memory.engine(options.threads),
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
            planned: options.planned,
            gate: options.gate,
        };
        Self {
            job,
            made: Made::default(),
            stages: stages(prepared),
            next: 0,
        }
    }

    /// Executes the stages up to the first one for which `last` is true, which is not executed.
    pub(crate) fn until(&mut self, last: impl Fn(&Stage) -> bool) -> Result<(), PipelineError> {
        while self.stages.get(self.next).is_some_and(|stage| !last(stage)) {
            self.step()?;
        }
        Ok(())
    }

    /// Begins with customers whose features, scores and values are known: nothing is read of the lake. Only the stages up to
    /// the assignments can be done then.
    pub(crate) fn begin_with(&mut self, customers: RecordBatch) -> Result<(), PipelineError> {
        let first = self
            .stages
            .iter()
            .position(|stage| *stage == Stage::Previous);
        self.next = needed(first, "the previous version")?;
        self.made.base = Some(Base {
            active: gates::with_conditions(self.job.prepared, &self.job.engine, &customers)?,
            closed: None,
        });
        Ok(())
    }

    /// Why schemes would end the run by their gates.
    pub(crate) fn failed(&mut self) -> Vec<String> {
        std::mem::take(&mut self.made.failed)
    }

    /// Makes the tables of customers already assigned; cohorts only where the lake was read.
    pub(crate) fn make_tables(&mut self) -> Result<(), PipelineError> {
        if self.made.firsts.is_none() {
            let profiles = self
                .stages
                .iter()
                .position(|stage| *stage == Stage::Profiles);
            self.next = needed(profiles, "profiles")?;
        }
        self.until(|stage| *stage == Stage::Publish)
    }

    /// The customers with their segments, once every scheme has assigned them.
    pub(crate) fn assigned(&self) -> Result<&Assigned, PipelineError> {
        needed(self.made.assigned.as_ref(), "assignments")
    }

    /// Executes the stages that depend on the version before this day once more.
    pub(crate) fn compare_again(&mut self) -> Result<(), PipelineError> {
        let first = self
            .stages
            .iter()
            .position(|stage| *stage == Stage::Previous);
        self.next = needed(first, "the previous version")?;
        self.until(|stage| *stage == Stage::Publish)
    }

    /// Executes the next stage of the list, unless the process was asked to stop, which it can be until the run commits.
    pub(crate) fn step(&mut self) -> Result<(), PipelineError> {
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let job = &self.job;
        let stage = &self.stages[self.next];
        activity::note(Fact::Stage, stage.to_string());
        job.observer.started(stage, self.next, self.stages.len());
        let budget = job.memory.budget();
        let (spilled, passes) = (budget.spilled_bytes(), budget.further_passes());
        let started = Instant::now();
        let done = job.perform(stage, &mut self.made);
        // The stage may be unfinished because of the request, and an error may be a consequence of it.
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let mut report = done?;
        report.elapsed = started.elapsed();
        report.peak_bytes = job.memory.take_peak();
        report.spilled_bytes = budget.spilled_bytes() - spilled;
        report.further_passes = budget.further_passes() - passes;
        tracing::info!(
            stage = %stage,
            rows_in = report.rows_in,
            rows_out = report.rows_out,
            bytes = report.bytes,
            peak_bytes = report.peak_bytes,
            spilled_bytes = report.spilled_bytes,
            further_passes = report.further_passes,
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
    /// Executes one stage.
    fn perform(&self, stage: &Stage, made: &mut Made) -> Result<StageReport, PipelineError> {
        match stage {
            Stage::Aggregate { source, .. } => self.aggregate(source, made),
            Stage::Rejects => self.rejects(made),
            Stage::Features => self.features(made),
            Stage::LookBack { .. } => self.look_back(made),
            Stage::Past { as_of } => self.past(*as_of, made),
            Stage::Unchanged => self.unchanged(made),
            Stage::Score { score } => self.score(stage, score, made),
            Stage::Values => self.values(made),
            Stage::Previous => self.previous(made),
            Stage::Assign { scheme } => self.assign(stage, scheme, made),
            Stage::Cohorts => self.cohorts(made),
            Stage::Profiles => self.profile(made),
            Stage::Publish => self.publish(stage, made),
            Stage::Report => self.report(made),
        }
    }
}
