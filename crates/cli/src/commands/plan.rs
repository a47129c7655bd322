//! `tessera plan`

use std::path::Path;
use std::process::ExitCode;

use tessera_pipeline::plan::{Plan as Planned, plan};
use tessera_pipeline::{Memory, Reading, Records, RunOptions, WorkFolder};
use tessera_snapshot::Store;

use super::run::use_threads;
use crate::arguments::{Output, Plan, PlanFormat};
use crate::interrupt::{self, GATE};
use crate::memory;
use crate::output::{Failure, print, print_json, tell};
use crate::progress::Progress;
use crate::telemetry;

/// Exit code where the plan exceeds what `--fail-if` allows, and where the run would publish nothing.
const EXCEEDED: u8 = 3;

/// Computes what a run would change, and shows it.
pub(crate) fn run(arguments: &Plan, output: &Output) -> Result<ExitCode, Failure> {
    let threads = use_threads(output);
    let file = &arguments.pipeline.file;
    let mut reading = Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
        records: Records::default(),
        store: tessera_snapshot::Options::default(),
        known_as_of: arguments.known_as_of,
    };
    let asked = match arguments.as_of {
        Some(day) => Some(day),
        None => newest_day(arguments)?,
    };
    let day = tessera_pipeline::day(file, &reading, asked, arguments.allow_future)?;
    tell(output, &day.words);
    interrupt::watch();
    let work = WorkFolder::new(arguments.work.as_deref())?;
    interrupt::remove_at_end(work.path());
    let limited = Memory::new(
        arguments.memory.unwrap_or_else(memory::default_bytes),
        work.path(),
    );
    if let Err(error) = limited.watch(memory::HOOKS) {
        tracing::warn!("the memory of the plan is not measured: {error}");
    }
    reading.records = Records::Kept(work.path().to_owned());
    let prepared = tessera_pipeline::prepare_run(file, day.as_of, &reading)?;
    telemetry::show_warnings(&prepared.warnings);
    let options = RunOptions {
        threads,
        work: &work,
        gate: &GATE,
        replace_damaged: false,
        planned: None,
        memory: &limited,
    };
    let progress = Progress::new(output);
    let planned = plan(&prepared, &options, &progress, arguments.sample);
    progress.clear();
    interrupt::wait_for_end();
    let planned = planned?;
    show(&planned, arguments, output)?;
    keep(&planned, arguments)?;
    let exceeded = exceeded(&planned, arguments)?;
    ended(&planned).map_or(Ok(exceeded), Err)
}

/// The day of the newest version of the pipeline's store, so that the plan shows the edit alone.
fn newest_day(arguments: &Plan) -> Result<Option<chrono::NaiveDate>, Failure> {
    let pipeline = &arguments.pipeline;
    let loaded = tessera_pipeline::load(&pipeline.file, &pipeline.vars.vars)?;
    let path = Path::new(&loaded.pipeline.store);
    if !path.join("FORMAT").exists() {
        return Ok(None);
    }
    let latest = Store::open(path)?.latest()?;
    Ok(latest.map(|version| version.as_of()))
}

fn show(planned: &Planned, arguments: &Plan, output: &Output) -> Result<(), Failure> {
    let format = match output.json {
        true => PlanFormat::Json,
        false => arguments.format,
    };
    match format {
        PlanFormat::Text => print(&planned.to_text()),
        PlanFormat::Markdown => print(&planned.to_markdown()),
        PlanFormat::Json => {
            let mut value = serde_json::to_value(planned)?;
            value["empty"] = planned.is_empty().into();
            print_json(&value)
        }
    }
}

/// Writes the plan to the file of `--out`, for `run --plan`.
fn keep(planned: &Planned, arguments: &Plan) -> Result<(), Failure> {
    let Some(file) = &arguments.out else {
        return Ok(());
    };
    let text = serde_json::to_string_pretty(planned)?;
    std::fs::write(file, text + "\n")
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display()), 4))
}

/// That the run would publish nothing, by its gates and expectations.
fn ended(planned: &Planned) -> Option<Failure> {
    let judged = &planned.judged;
    judged.ends_the_run().then(|| {
        let reasons = judged.reasons().join("; ");
        Failure::new(
            format!("the run would publish nothing: {reasons}"),
            EXCEEDED,
        )
    })
}

/// The exit code by `--fail-if`.
fn exceeded(planned: &Planned, arguments: &Plan) -> Result<ExitCode, Failure> {
    let mut found = Vec::new();
    for limit in &arguments.fail_if {
        let over = limit.exceeded(planned);
        found.extend(over.map_err(|error| Failure::new(format!("--fail-if: {error}"), 2))?);
    }
    if found.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let found = found.join("; ");
    Err(Failure::new(
        format!("more customers would move, leave or come than `--fail-if` allows: {found}"),
        EXCEEDED,
    ))
}
