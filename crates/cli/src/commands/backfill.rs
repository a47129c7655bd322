//! `tessera backfill`

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use chrono::NaiveDate;
use serde_json::{Value, json};
use tessera_pipeline::backfill::{MOST_DAYS, Standing, standing};
use tessera_pipeline::{PipelineError, Reading, Records};

use crate::arguments::{Backfill, LogFormat, Output};
use crate::output::{Failure, print, print_json, say_error, say_failure, tell};
use crate::signals;

/// The program itself, also where its file has another name by now, or none.
const PROGRAM: &str = "/proc/self/exe";

/// What became of the days so far.
#[derive(Default)]
struct Progress {
    days: Vec<Value>,
    published: usize,
    skipped: usize,
    /// What is wrong, where a day could not be done.
    diagnostics: Value,
}

/// Runs the pipeline for every day that has no version yet. Each run is a process of its own, so that it takes the memory of one
/// run, and a version is what `tessera run` makes of that day.
pub(crate) fn run(arguments: &Backfill, output: &Output) -> Result<ExitCode, Failure> {
    let days = days(arguments)?;
    let reading = Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
        records: Records::default(),
        store: arguments.store.options(),
        known_as_of: None,
    };
    // A day that has not come yet is refused before the first one is run.
    tessera_pipeline::day(
        &arguments.pipeline.file,
        &reading,
        days.last().copied(),
        false,
    )
    .map_err(of_last_day)?;
    pass_signals_on()?;
    let started = Instant::now();
    let mut progress = Progress::default();
    for (place, &day) in days.iter().enumerate() {
        let at = format!("{day}, day {} of {}", place + 1, days.len());
        let done = one(arguments, output, &reading, (day, &at), &mut progress);
        let code = match done {
            Ok(0) => continue,
            Ok(code) => code,
            Err(failure) => {
                progress.diagnostics = failure.to_json();
                say_failure(&failure)
            }
        };
        tell_end(&progress, output, started, code)?;
        say_error(&format!("backfill stopped at {at}; {}", what_next(code)));
        return Ok(ExitCode::from(code));
    }
    tell_end(&progress, output, started, 0)?;
    Ok(ExitCode::SUCCESS)
}

/// The days that are asked for, of which there is at least one.
fn days(arguments: &Backfill) -> Result<Vec<NaiveDate>, Failure> {
    let (from, to) = (arguments.from, arguments.to);
    let wrong = match arguments.every.days(from, to) {
        Some(days) if !days.is_empty() => return Ok(days),
        Some(_) => format!("there is no day from {from} to {to}; `--from` is the earlier one"),
        None => format!(
            "from {from} to {to} there are more than {MOST_DAYS} days with this `--every`, the most of one backfill; choose a later \
             `--from` or a longer step"
        ),
    };
    Err(Failure::new(wrong, 2))
}

/// From now on signals are forwarded to the run of the present day.
fn pass_signals_on() -> Result<(), Failure> {
    signals::pass_on().map_err(|error| Failure::new(format!("no signals are received: {error}"), 1))
}

/// What the same command does after a day that ended with this exit code.
fn what_next(code: u8) -> &'static str {
    match code {
        // The program, the pipeline file, the data: none of it changes by itself.
        1..=3 => "the same command ends there again until what is said above is corrected",
        // A damaged store or a full disk stays as it is, a folder that could not be reached may be there again.
        4 => {
            "the same command goes on from there once what is said above is corrected or has passed"
        }
        _ => "the same command goes on from there",
    }
}

/// The mistake of a last day that has not come yet, by the option that states it here.
fn of_last_day(error: PipelineError) -> PipelineError {
    match error {
        PipelineError::Future {
            day, today, zone, ..
        } => PipelineError::Future {
            option: "--to",
            can_be_allowed: false,
            day,
            today,
            zone,
        },
        other => other,
    }
}

/// Runs the pipeline for these days, whether they have a version or not; returns the exit code of the first run that does not
/// end with 0.
pub(crate) fn each(
    arguments: &Backfill,
    output: &Output,
    days: &[NaiveDate],
) -> Result<u8, Failure> {
    pass_signals_on()?;
    for &day in days {
        tell(output, &format!("running the pipeline as of {day}"));
        match day_run(arguments, output, day)? {
            // It had begun to commit when it was asked to end.
            (0, _) if signals::asked_to_end() => return Ok(130),
            (0, _) => {}
            (code, _) => return Ok(code),
        }
    }
    Ok(0)
}

/// Does one day; the exit code is that of its run.
fn one(
    arguments: &Backfill,
    output: &Output,
    reading: &Reading,
    (day, at): (NaiveDate, &str),
    progress: &mut Progress,
) -> Result<u8, Failure> {
    // The day before may have been completed nevertheless: it had begun to commit.
    if signals::asked_to_end() {
        return Ok(130);
    }
    let found = match arguments.again {
        true => Standing::Missing(None),
        false => standing(&arguments.pipeline.file, reading, day)?,
    };
    let why = match found {
        Standing::Made(version) => {
            progress.skipped += 1;
            progress
                .days
                .push(json!({"as_of": day.to_string(), "version": version, "state": "skipped"}));
            show(output, &format!("{day}: version {version}, made before\n"))?;
            return Ok(0);
        }
        Standing::Expired(version) => {
            progress.skipped += 1;
            progress
                .days
                .push(json!({"as_of": day.to_string(), "version": version, "state": "expired"}));
            let line = format!(
                "{day}: version {version} has expired, so the day is left out; --again publishes it again\n"
            );
            show(output, &line)?;
            return Ok(0);
        }
        Standing::Missing(why) => why.map_or_else(String::new, |why| format!(" ({why})")),
    };
    tell(output, &format!("backfill: {at}{why}"));
    let begun = Instant::now();
    let (code, published) = day_run(arguments, output, day)?;
    let seconds = begun.elapsed().as_secs_f64();
    if code == 0 {
        let already = published["already_published"] == true;
        let state = if already {
            "already published"
        } else {
            "published"
        };
        progress.published += usize::from(!already);
        progress.skipped += usize::from(already);
        let version = &published["version"];
        show(
            output,
            &format!("{day}: version {version}, {state} ({seconds:.1} s)\n"),
        )?;
        progress.days.push(json!({
            "as_of": day.to_string(), "version": version, "state": state, "seconds": seconds,
        }));
    } else {
        progress.diagnostics = published["diagnostics"].clone();
    }
    Ok(code)
}

fn show(output: &Output, line: &str) -> Result<(), Failure> {
    match output.json {
        true => Ok(()),
        false => print(line),
    }
}

/// States what was done.
fn tell_end(
    progress: &Progress,
    output: &Output,
    started: Instant,
    code: u8,
) -> Result<(), Failure> {
    let seconds = started.elapsed().as_secs_f64();
    let (published, skipped) = (progress.published, progress.skipped);
    if output.json {
        let mut done = json!({
            "ok": code == 0, "exit_code": code, "days": progress.days, "published": published, "skipped": skipped, "seconds": seconds,
        });
        if !progress.diagnostics.is_null() {
            done["diagnostics"] = progress.diagnostics.clone();
        }
        return print_json(&done);
    }
    let days = progress.days.iter();
    let expired = days.filter(|day| day["state"] == "expired").count();
    let there = skipped.saturating_sub(expired);
    let left_out = match expired {
        0 => String::new(),
        expired => format!(", {expired} expired"),
    };
    tell(
        output,
        &format!(
            "backfill: {published} published, {there} there before{left_out}, in {seconds:.1} s; each published day is a run of its own"
        ),
    );
    Ok(())
}

/// Runs one day in a process of its own: its exit code, and what it published.
fn day_run(arguments: &Backfill, output: &Output, day: NaiveDate) -> Result<(u8, Value), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(format!("the run of {day} could not be started: {error}"), 4)
    };
    let program = match Path::new(PROGRAM).exists() {
        true => PROGRAM.into(),
        false => std::env::current_exe().map_err(failed)?,
    };
    let mut command = Command::new(program);
    command
        .args(run_arguments(arguments, output, day))
        .stdout(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    signals::pass_to(i32::try_from(child.id()).unwrap_or(0));
    let mut printed = Vec::new();
    let read = child
        .stdout
        .take()
        .map(|mut stdout| stdout.read_to_end(&mut printed));
    // From here on the number may be that of another process.
    signals::pass_to(0);
    let ended = child.wait().map_err(failed)?;
    read.transpose().map_err(failed)?;
    // A run that a signal ended was interrupted.
    let code = ended.code().and_then(|code| u8::try_from(code).ok());
    let published = serde_json::from_slice(&printed).unwrap_or(Value::Null);
    Ok((code.unwrap_or(130), published))
}

/// The arguments of `tessera run` for a day.
fn run_arguments(arguments: &Backfill, output: &Output, day: NaiveDate) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["run".into(), arguments.pipeline.file.clone().into()];
    let mut add = |name: &str, value: OsString| all.extend([name.into(), value]);
    add("--as-of", day.to_string().into());
    for (name, value) in &arguments.pipeline.vars.vars {
        add("--var", format!("{name}={value}").into());
    }
    if let Some(bytes) = arguments.memory {
        add("--memory", format!("{}KiB", bytes >> 10).into());
    }
    if let Some(work) = &arguments.work {
        add("--work", work.clone().into());
    }
    let wait = arguments.store.lock_wait.as_secs();
    add("--lock-wait", format!("{wait}s").into());
    if let Some(threads) = output.threads {
        add("--threads", threads.to_string().into());
    }
    if output.log_format == LogFormat::Json {
        add("--log-format", "json".into());
    }
    for (is_set, name) in [
        (true, "--json"),
        (output.quiet, "--quiet"),
        (arguments.hash_inputs, "--hash-inputs"),
        (arguments.store.allow_network_store, "--allow-network-store"),
    ] {
        if is_set {
            all.push(name.into());
        }
    }
    all
}
