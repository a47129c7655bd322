//! The job: from the lake to a published version.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_engine::{Engine, Materialized, PolarsEngine};
use tessera_expr::rel::{Rel, Sample};
use tessera_model::interrupt::{self, Interrupt};
use tessera_snapshot::{Gate, Replaced, RunIdentity, Store, StoreError};
use tessera_spec::activity::{self, Fact};

use crate::base::{Base, Closed};
use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::history::{self, Aged, Evidence, History};
use crate::identity;
use crate::memory::Memory;
use crate::prepare::Prepared;
use crate::publish::{self, Published};
use crate::scores::{self, Scored};
use crate::sources::{self, RejectRow, SourceOutcome};
use crate::stage::{Observer, Stage, StageReport, stages};
use crate::work::{Disclosure, WorkFolder};
use crate::{table, times, value};

/// How a run is done.
#[derive(Debug)]
pub struct RunOptions<'a> {
    /// Threads of the engine; their number does not show in any published byte.
    pub threads: usize,
    /// Folder of stage files.
    pub work: &'a WorkFolder,
    /// Whether the content of a version that an equal run published is checked, and published again where it is damaged.
    pub replace_damaged: bool,
    /// Whether the run has committed, and where it is stopped before it does.
    pub gate: &'a Gate,
    /// What the run may take; it does not show in any published byte.
    pub memory: &'a Memory,
}

/// Runs the pipeline and publishes one version, unless the very same run has been published before.
pub fn run(
    prepared: &Prepared,
    options: &RunOptions<'_>,
    observer: &dyn Observer,
) -> Result<Published, PipelineError> {
    let store = publish::open(prepared)?;
    let identity = identity::identity(prepared);
    let replaces = match publish::before(
        &store,
        &identity,
        options.replace_damaged,
        prepared.pipeline.report,
    )? {
        publish::Before::Nothing => None,
        publish::Before::Damaged(damaged) => Some(damaged),
        publish::Before::Done(found) => {
            observer.published(&found);
            return Ok(*found);
        }
    };
    let work = options.work;
    let disclosure = Disclosure {
        values: prepared.pipeline.log.values,
        folder: work.parent(),
        pipeline: &prepared.pipeline.name,
    };
    let mut job = Job {
        prepared,
        engine: Prepared::engine(options.threads, options.memory),
        observer,
        disclosure,
        gate: options.gate,
        memory: options.memory,
        stages: stages(prepared),
        next: 0,
    };
    let mut passes = job.passes(work.path())?;
    let outcomes = passes.iter().map(|pass| &pass.outcome);
    sources::complete(&prepared.pipeline, outcomes, prepared.as_of)?;
    let rejects = job.rejects(&mut passes)?;
    let features = job.features(&mut passes, work.path())?;
    let (features, aged) = history::split(prepared, features)?;
    let (past, samples) = job.past(features.num_rows(), work.path())?;
    // Nothing is read of the lake after this.
    for (source, inventory) in prepared.pipeline.sources.iter().zip(&prepared.inventories) {
        tessera_ingest::unchanged(source, inventory)?;
    }
    let (scored_table, scored) = job.scores(features, (&past, &samples))?;
    drop(past);
    let scored_table = value::add(prepared, &scored_table, &job.engine, work.path())?;
    let Base { active, closed } = Base::part(prepared, scored_table)?;
    let dated = dated(&passes);
    let outcomes: Vec<SourceOutcome> = passes.into_iter().map(|pass| pass.outcome).collect();
    let found = Found {
        aged,
        dated,
        active,
        closed,
        outcomes,
        rejects,
        scored,
    };
    let published =
        job.after_previous(&store, &identity, &found, replaces.as_ref(), work.path())?;
    for source in &prepared.pipeline.sources {
        disclosure.forget(&source.name.value);
    }
    Ok(published)
}

/// The customers at earlier dates.
type Past = BTreeMap<NaiveDate, RecordBatch>;

/// The earlier dates of which only a part of the customers was read.
type Samples = BTreeMap<NaiveDate, Sample>;

/// What a run found before it looked at the previous version.
struct Found {
    /// The customers without the rows since the previous version.
    aged: Option<Aged>,
    /// Used rows up to the close of the previous day, by source.
    dated: BTreeMap<String, u64>,
    active: RecordBatch,
    closed: Option<Closed>,
    outcomes: Vec<SourceOutcome>,
    rejects: Vec<RejectRow>,
    scored: Vec<(String, Scored)>,
}

/// How often a run compares itself again with the version before its day, where others publish one meanwhile.
const COMPARISONS: u32 = 10;

/// A pass that was run.
struct PassDone {
    table: PathBuf,
    outcome: SourceOutcome,
    /// Used rows since the previous version, where they are counted.
    new_rows: Option<u64>,
}

/// Used rows up to the close of the previous day, by source.
fn dated(passes: &[PassDone]) -> BTreeMap<String, u64> {
    let rows = |pass: &PassDone| {
        let outcome = &pass.outcome;
        let dated = outcome.counts.used.checked_sub(pass.new_rows?)?;
        Some((outcome.name.clone(), dated))
    };
    passes.iter().filter_map(rows).collect()
}

struct Job<'a> {
    prepared: &'a Prepared,
    engine: PolarsEngine,
    observer: &'a dyn Observer,
    disclosure: Disclosure<'a>,
    gate: &'a Gate,
    memory: &'a Memory,
    stages: Vec<Stage>,
    next: usize,
}

/// How much a score takes beside the tables, in tables of the customers: its matrix, what it is fitted on, its columns.
const SCORE_COPIES: f64 = 2.0;

/// How much a scheme takes, in tables of the customers: the prepared features of a clustering are the most.
const ASSIGN_COPIES: f64 = 2.0;

/// How much the tables of a version take while they are written, in tables of the customers.
const PUBLISH_COPIES: f64 = 1.0;

impl Job<'_> {
    /// The stage that is done.
    fn current(&self) -> &Stage {
        &self.stages[self.next]
    }

    /// Runs `work` as the next stage of the list, unless the process is asked to stop: it is only asked as long as the run can
    /// be stopped, which is until it commits.
    fn stage<T>(
        &mut self,
        work: impl FnOnce(&Self) -> Result<(T, StageReport), PipelineError>,
    ) -> Result<T, PipelineError> {
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let stage = self.stages[self.next].clone();
        activity::note(Fact::Stage, stage.to_string());
        self.observer.started(&stage, self.next, self.stages.len());
        let spilled = self.memory.budget().spilled_bytes();
        let started = Instant::now();
        let made = work(self);
        // Whatever was done until then is unfinished, and what failed because of that is no error.
        if interrupt::requested() {
            return Err(PipelineError::Interrupted);
        }
        let (made, mut report) = made?;
        report.elapsed = started.elapsed();
        report.peak_bytes = self.memory.take_peak();
        report.spilled_bytes = self.memory.budget().spilled_bytes() - spilled;
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
        self.observer.finished(&stage, &report);
        Ok(made)
    }

    fn passes(&mut self, work: &Path) -> Result<Vec<PassDone>, PipelineError> {
        let prepared = self.prepared;
        let mut done = Vec::new();
        for (number, pass) in prepared.features.passes.iter().enumerate() {
            let source = &prepared.pipeline.sources[number];
            let inventory = &prepared.inventories[number];
            done.push(self.stage(|job| {
                let table = work.join(format!("{number}-{}.parquet", pass.source));
                let aggregate = Rel::Aggregate(pass.aggregate.clone());
                let Materialized {
                    table: made,
                    counts,
                    ..
                } = job
                    .engine
                    .materialize(&aggregate, &table)
                    .map_err(|error| sources::without_key(error, job.disclosure))?;
                let rows = &pass.aggregate.rows;
                let mut counts = counts.unwrap_or_default();
                counts.unseen = counts.unseen.plus(job.engine.unseen(rows)?);
                times::warn(source, &counts, prepared.as_of);
                let from = (source, inventory);
                let mut outcome = sources::outcome(&job.engine, from, rows, counts)?;
                sources::findings_of_the_lake(&prepared.pipeline, from, &mut outcome);
                let case = sources::Case {
                    engine: &job.engine,
                    from,
                    rows,
                    disclosure: job.disclosure,
                };
                let judged = sources::judge(&case, &mut outcome, prepared.as_of);
                job.observer.source(&outcome);
                judged?;
                sources::one_row_each(&job.engine, from, rows, &mut outcome, made.rows)?;
                sources::refunds(&job.engine, source, rows, &mut outcome)?;
                let report = StageReport {
                    rows_in: outcome.file_rows,
                    rows_out: made.rows,
                    bytes: outcome.bytes,
                    ..StageReport::default()
                };
                let aged = prepared.aged.as_ref();
                let aged = aged.and_then(|aged| aged.sources.get(&pass.source));
                let new_rows = aged.map(|aged| history::new_rows(&made, &aged.new_rows));
                let done = PassDone {
                    table,
                    outcome,
                    new_rows: new_rows.transpose()?,
                };
                Ok((done, report))
            })?);
        }
        Ok(done)
    }

    fn rejects(&mut self, passes: &mut [PassDone]) -> Result<Vec<RejectRow>, PipelineError> {
        let prepared = self.prepared;
        self.stage(|job| {
            let mut kept = Vec::new();
            let mut rejected = 0;
            for (number, (pass, done)) in prepared.features.passes.iter().zip(passes).enumerate() {
                let source = (
                    &prepared.pipeline.sources[number],
                    &prepared.inventories[number],
                );
                let (rows, outcome) = (&pass.aggregate.rows, &mut done.outcome);
                let case = sources::Case {
                    engine: &job.engine,
                    from: source,
                    rows,
                    disclosure: job.disclosure,
                };
                kept.extend(sources::rejects(&case, outcome)?);
                rejected += outcome.rejected();
            }
            let report = StageReport {
                rows_in: rejected,
                rows_out: kept.len() as u64,
                ..StageReport::default()
            };
            Ok((kept, report))
        })
    }

    /// The table of customers with every feature, hidden ones too.
    fn features(
        &mut self,
        passes: &mut [PassDone],
        work: &Path,
    ) -> Result<RecordBatch, PipelineError> {
        let prepared = self.prepared;
        self.stage(|job| {
            let paths: Vec<PathBuf> = passes.iter().map(|pass| pass.table.clone()).collect();
            let plan = &prepared.features;
            let table = table::assemble(&job.engine, prepared, plan, prepared.as_of, &paths, work);
            let table = table.map_err(|error| match error {
                PipelineError::NoCustomers { as_of, .. } => PipelineError::NoCustomers {
                    as_of,
                    sources: passes
                        .iter()
                        .map(|pass| sources::outcome_text(&pass.outcome))
                        .collect(),
                },
                other => other,
            })?;
            let (table, outside) = table;
            table::warn_of_failures(&table);
            let customers = plan.passes.iter().zip(passes);
            let customers = customers.filter(|(pass, _)| !pass.is_lookup);
            for ((pass, done), outside) in customers.zip(outside) {
                if !pass.in_base {
                    sources::outside_the_base(&mut done.outcome, outside);
                }
            }
            let rows = table.num_rows() as u64;
            let report = StageReport {
                rows_in: rows,
                rows_out: rows,
                ..StageReport::default()
            };
            Ok((table, report))
        })
    }

    /// The customers at the earlier dates that scores learn from: of very many, as many as are enough.
    fn past(&mut self, customers: usize, work: &Path) -> Result<(Past, Samples), PipelineError> {
        let prepared = self.prepared;
        let (mut past, mut samples) = (BTreeMap::new(), BTreeMap::new());
        for (date, enough) in prepared.observations() {
            let found = self.stage(|job| {
                let plan = prepared.features_at(date)?;
                let share = enough.map(|enough| enough as f64 / customers.max(1) as f64);
                let sample = share.and_then(|share| table::sample(&plan, prepared, share));
                samples.extend(sample.map(|sample| (date, sample)));
                let found = match table::at(&job.engine, prepared, (date, plan), sample, work) {
                    Ok(found) => Some(found),
                    // Nobody was there yet: the score says what it makes of that.
                    Err(PipelineError::NoCustomers { .. }) => None,
                    Err(error) => return Err(error),
                };
                let rows = found.as_ref().map_or(0, |table| table.num_rows() as u64);
                let report = StageReport {
                    rows_out: rows,
                    ..StageReport::default()
                };
                Ok((found, report))
            })?;
            past.extend(found.map(|found| (date, found)));
        }
        Ok((past, samples))
    }

    /// The table with the columns of every score behind it.
    fn scores(
        &mut self,
        mut table: RecordBatch,
        (past, samples): (&Past, &Samples),
    ) -> Result<(RecordBatch, Vec<(String, Scored)>), PipelineError> {
        let prepared = self.prepared;
        let mut all = Vec::new();
        for score in &prepared.pipeline.scores {
            let (made, scored) = self.stage(|job| {
                let held: Vec<&RecordBatch> = [&table].into_iter().chain(past.values()).collect();
                job.memory.require(job.current(), &held, SCORE_COPIES)?;
                let given = (past, samples);
                let made = scores::compute(score, prepared, &table, given, Interrupt::PROCESS)?;
                let rows = table.num_rows() as u64;
                let report = StageReport {
                    rows_in: rows,
                    rows_out: rows,
                    ..StageReport::default()
                };
                Ok((made, report))
            })?;
            table = made;
            all.push((score.name.value.clone(), scored));
        }
        Ok((table, all))
    }

    /// Everything that depends on the version before this day. Where another run publishes one meanwhile, it is done again.
    fn after_previous(
        &mut self,
        store: &Store,
        identity: &RunIdentity,
        found: &Found,
        replaces: Option<&Replaced>,
        work: &Path,
    ) -> Result<Published, PipelineError> {
        let first = self.next;
        let mut comparisons = 1;
        loop {
            let assigned = Assigned::new(self.prepared, &found.active)?;
            let mut history = History::new(self.prepared, store, assigned.customers())?;
            let assigned = self
                .assign(assigned, &found.active, &mut history, work)?
                .beside(found.closed.clone());
            let tables = self.profile(assigned, history, found, work)?;
            match self.publish(store, identity, tables, replaces.cloned()) {
                Err(PipelineError::Store(StoreError::Overtaken { now, .. }))
                    if comparisons < COMPARISONS =>
                {
                    tracing::info!(
                        "version {now} was published meanwhile and now comes before this day: compared again"
                    );
                    comparisons += 1;
                    self.next = first;
                }
                done => return done,
            }
        }
    }

    fn assign(
        &mut self,
        mut assigned: Assigned,
        features: &RecordBatch,
        history: &mut History,
        work: &Path,
    ) -> Result<Assigned, PipelineError> {
        let prepared = self.prepared;
        for scheme in &prepared.pipeline.schemes {
            assigned = self.stage(|job| {
                job.memory
                    .require(job.current(), &[features], ASSIGN_COPIES)?;
                let matches = match prepared.rules.get(&scheme.name.value) {
                    Some(rules) => {
                        let (day, rules) = (prepared.as_of, (scheme, rules.as_slice()));
                        Some(assigned.ruled(prepared, day, rules, &job.engine, work)?)
                    }
                    None => None,
                };
                assigned.assign(
                    scheme,
                    prepared.pipeline.seed,
                    matches.as_ref(),
                    prepared.frozen.get(&scheme.name.value),
                    history,
                )?;
                let rows = assigned.len() as u64;
                Ok((
                    assigned,
                    StageReport {
                        rows_in: rows,
                        rows_out: rows,
                        ..StageReport::default()
                    },
                ))
            })?;
        }
        Ok(assigned)
    }

    fn profile(
        &mut self,
        assigned: Assigned,
        history: History,
        found: &Found,
        work: &Path,
    ) -> Result<publish::Tables, PipelineError> {
        let prepared = self.prepared;
        self.stage(|job| {
            if let Some(warning) = value::undeclared(prepared) {
                tracing::warn!("{warning}");
            }
            let rows_in = assigned.len() as u64;
            let evidence = Evidence {
                engine: &job.engine,
                work,
                table: &found.active,
                aged: found.aged.as_ref(),
                dated: &found.dated,
            };
            let (customers, assignments) = (assigned.customers(), assigned.assignments());
            let told = history.tell(prepared, customers, assignments, &evidence)?;
            let (rejects, scored) = (found.rejects.clone(), found.scored.clone());
            let tables =
                publish::Tables::new(prepared, assigned, told, &found.outcomes, rejects, scored)?;
            let rows_out = tables.profile_rows();
            Ok((
                tables,
                StageReport {
                    rows_in,
                    rows_out,
                    ..StageReport::default()
                },
            ))
        })
    }

    fn publish(
        &mut self,
        store: &Store,
        identity: &RunIdentity,
        tables: publish::Tables,
        replaces: Option<Replaced>,
    ) -> Result<Published, PipelineError> {
        let mut published = self.stage(|job| {
            let rows_in = tables.rows();
            job.memory
                .require(job.current(), &[tables.customers()], PUBLISH_COPIES)?;
            let published = publish::publish(store, identity, tables, replaces, job.gate)?;
            job.observer.published(&published);
            let report = StageReport {
                rows_in,
                rows_out: rows_in,
                bytes: published.bytes,
                ..StageReport::default()
            };
            Ok((published, report))
        })?;
        // The version exists: a later failure is not an error of its publication.
        let written = self.stage(|_| {
            let bytes =
                publish::write_report(store, published.version, self.prepared.pipeline.report)?;
            Ok((
                (),
                StageReport {
                    bytes,
                    ..StageReport::default()
                },
            ))
        });
        published.note(publish::NO_REPORT, written);
        Ok(published)
    }
}

/// Sets the number of threads of every pool. Must be called before anything runs.
///
/// # Safety
/// No other thread runs yet, as [`tessera_engine::set_threads`] states.
pub unsafe fn set_threads(threads: usize) {
    // SAFETY: as the caller promises.
    unsafe { tessera_engine::set_threads(threads) };
    if let Err(error) = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
    {
        tracing::debug!("the thread pool already exists: {error}");
    }
}
