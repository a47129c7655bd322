//! `tessera run`

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Value, json};
use tessera_pipeline::plan::Basis;
use tessera_pipeline::{
    Memory, Monitor, Observer, PipelineError, Published, Reading, Records, RunOptions,
    SourceOutcome, Stage, StageReport, WorkFolder,
};
use tessera_spec::interrupt::requested as interrupted;

use crate::arguments::{Output, Run};
use crate::interrupt::{self, GATE};
use crate::memory;
use crate::output::{Failure, fail, print, print_json, say, tell};
use crate::panics;
use crate::progress::Progress;
use crate::telemetry;

/// How often a run starts again at most because others published versions that come before its day.
const MOST_RESTARTS: u32 = 10;

/// Runs the pipeline and prints where the version is; the last line is a summary.
pub(crate) fn run(arguments: &Run, output: &Output) -> Result<ExitCode, Failure> {
    let threads = use_threads(output);
    if arguments.dry_run {
        return dry_run(arguments, output).map_err(Failure::nothing_published);
    }
    let (metrics, lineage) = (arguments.metrics.clone(), arguments.lineage.clone());
    let monitor = Monitor::new(&arguments.pipeline.file, metrics, lineage)
        .map_err(|error| Failure::from(error).nothing_published())?;
    let monitor = Arc::new(monitor);
    let work = || {
        job(arguments, threads, &monitor, output)
            .map_err(Failure::nothing_published)
            .and_then(|published| complete(&published, output))
    };
    // Metrics and lineage also record a panic.
    let done = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        // Code that was interrupted may panic on incomplete data.
        Err(match interrupted() {
            true => PipelineError::Interrupted.into(),
            false => panics::failure(),
        })
    });
    interrupt::wait_for_end();
    let (exit_code, message) = match &done {
        Ok(()) => (0, None),
        Err(failure) => {
            fail(failure);
            (failure.code(), Some(failure.first_line()))
        }
    };
    let finished = monitor.finish(exit_code, message.as_deref(), telemetry::warnings());
    for problem in &finished.problems {
        tracing::warn!("{problem}");
    }
    if exit_code == 0 {
        tell(output, &finished.summary);
    } else {
        say(&finished.summary);
    }
    Ok(ExitCode::from(exit_code))
}

/// Prints the stages that the run would walk through.
fn dry_run(arguments: &Run, output: &Output) -> Result<ExitCode, Failure> {
    let file = &arguments.pipeline.file;
    let reading = reading(arguments);
    let day = tessera_pipeline::day(file, &reading, arguments.as_of, arguments.allow_future)?;
    tell(output, &day.words);
    let prepared = tessera_pipeline::prepare_run(file, day.as_of, &reading)?;
    telemetry::show_warnings(&prepared.warnings);
    let stages = tessera_pipeline::stages(&prepared);
    if output.json {
        let row = |stage: &Stage| {
            let (kind, of) = stage.label();
            json!({"stage": kind, "of": of, "text": stage.to_string()})
        };
        let rows: Vec<Value> = stages.iter().map(row).collect();
        print_json(&json!({"as_of": day.as_of.to_string(), "stages": rows}))?;
    } else {
        let lines: String = stages.iter().map(|stage| format!("{stage}\n")).collect();
        print(&lines)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How the pipeline file of the run is read.
fn reading(arguments: &Run) -> Reading {
    Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
        records: Records::default(),
        store: arguments.store.options(),
        known_as_of: arguments.known_as_of,
    }
}

/// Shows the version. An error after publication says that the version is published.
fn complete(published: &Published, output: &Output) -> Result<(), Failure> {
    let shown = show(published, output).map_err(|failure| failure.text());
    let mut incomplete = published.incomplete.clone();
    incomplete.extend(shown.err());
    if incomplete.is_empty() {
        return Ok(());
    }
    let state = if published.already {
        "was published already"
    } else {
        "is published"
    };
    Err(Failure::new(
        format!(
            "version {} {state}; {}; the same run again completes it",
            published.version,
            incomplete.join("; ")
        ),
        6,
    ))
}

/// What the plan of `--plan` depends on.
fn planned(arguments: &Run) -> Result<Option<Basis>, Failure> {
    let Some(file) = &arguments.plan else {
        return Ok(None);
    };
    let wrong = |error: String| Failure::new(format!("--plan {}: {error}", file.display()), 2);
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    tessera_pipeline::plan::read_basis(&text)
        .map(Some)
        .map_err(wrong)
}

fn job(
    arguments: &Run,
    threads: usize,
    monitor: &Arc<Monitor>,
    output: &Output,
) -> Result<Published, Failure> {
    let file = &arguments.pipeline.file;
    let mut reading = reading(arguments);
    let planned = planned(arguments)?;
    let asked = arguments.as_of.or(planned.as_ref().map(Basis::as_of));
    let day = tessera_pipeline::day(file, &reading, asked, arguments.allow_future)?;
    monitor.day(&day.pipeline, day.as_of);
    tell(output, &day.words);
    interrupt::watch();
    interrupt::tell_at_end(monitor);
    let work = WorkFolder::new(arguments.work.as_deref())?;
    interrupt::remove_at_end(work.path());
    let limit_bytes = arguments.memory.unwrap_or_else(memory::default_bytes);
    let limited = Memory::new(limit_bytes, work.path());
    if let Err(error) = limited.watch(memory::HOOKS) {
        tracing::warn!("the run's memory is not measured: {error}");
    }
    reading.records = Records::Kept(work.path().to_owned());
    let (mut retried, mut restarts) = (BTreeSet::new(), 0);
    loop {
        let error = match attempt(
            arguments,
            day.as_of,
            &reading,
            (threads, &work, &limited, planned.as_ref()),
            (monitor, output),
        ) {
            Ok(published) => return Ok(published),
            Err(error) => error,
        };
        if interrupted() {
            return Err(PipelineError::Interrupted.into());
        }
        if let Some(version) = error.overtaken_by().filter(|_| restarts < MOST_RESTARTS) {
            restarts += 1;
            tracing::warn!(
                "version {version} was published meanwhile and comes before this day; the run starts again"
            );
            continue;
        }
        // One more attempt per source, if its files changed while they were read.
        if let (PipelineError::Expectations { checked, unmet }, true) = (&error, output.json) {
            let unmet: Vec<Value> = unmet.iter().map(tessera_pipeline::Unmet::to_json).collect();
            print_json(&json!({
                "ok": false, "exit_code": error.exit_code(),
                "published": false, "expectations": checked, "unmet": unmet,
            }))?;
        }
        let changed = error.changed();
        let again = !changed.is_empty() && changed.iter().all(|name| !retried.contains(*name));
        if !again {
            return Err(error.into());
        }
        tracing::warn!("{error}; the run starts again");
        retried.extend(changed.into_iter().map(str::to_owned));
    }
}

/// Lists the files of the lake and runs the pipeline.
fn attempt(
    arguments: &Run,
    as_of: NaiveDate,
    reading: &Reading,
    (threads, work, limited, planned): (usize, &WorkFolder, &Memory, Option<&Basis>),
    (monitor, output): (&Monitor, &Output),
) -> Result<Published, PipelineError> {
    let prepared = tessera_pipeline::prepare_run(&arguments.pipeline.file, as_of, reading)?;
    monitor.prepared(&prepared);
    telemetry::show_warnings(&prepared.warnings);
    let watch = Watch {
        progress: Progress::new(output),
        monitor,
    };
    let options = RunOptions {
        threads,
        work,
        gate: &GATE,
        replace_damaged: arguments.replace_damaged,
        planned,
        memory: limited,
    };
    let published = tessera_pipeline::run(&prepared, &options, &watch);
    watch.progress.clear();
    published
}

/// The observers of the run: the progress display, and the files of `--metrics` and `--lineage`.
struct Watch<'a> {
    progress: Progress,
    monitor: &'a Monitor,
}

impl Observer for Watch<'_> {
    fn started(&self, stage: &Stage, index: usize, total: usize) {
        self.progress.started(stage, index, total);
        self.monitor.started(stage, index, total);
    }

    fn finished(&self, stage: &Stage, report: &StageReport) {
        self.monitor.finished(stage, report);
        self.progress.finished(stage, report);
    }

    fn source(&self, outcome: &SourceOutcome) {
        self.monitor.source(outcome);
    }

    fn published(&self, published: &Published) {
        self.monitor.published(published);
    }
}

/// Sets the number of threads everywhere, before anything starts one.
pub(crate) fn use_threads(output: &Output) -> usize {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = output.threads.map_or(available, usize::from);
    // SAFETY: commands call this first, on the main thread, and the program starts no other thread before.
    unsafe { tessera_pipeline::set_threads(threads) };
    threads
}

/// Prints what was published.
pub(crate) fn show(published: &Published, output: &Output) -> Result<(), Failure> {
    if output.json {
        return print_json(&published.to_json());
    }
    if !output.quiet {
        say(published.summary.trim_end_matches('\n'));
    }
    let state = if published.already {
        "already published"
    } else {
        "published"
    };
    let replaces = published.replaces.map_or_else(String::new, |damaged| {
        format!(" in place of version {damaged}, which is damaged")
    });
    let latest = if published.latest == published.version {
        String::new()
    } else {
        format!(
            "; latest is still {} (version {})",
            published.latest_as_of, published.latest
        )
    };
    print(&format!(
        "{state}: version {} of {}{replaces}{latest}\ntables: {}\nreport: {}\n",
        published.version,
        published.as_of,
        published.tables.display(),
        published.report.display()
    ))
}
