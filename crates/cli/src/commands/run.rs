//! `tessera run`

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use chrono::NaiveDate;
use tessera_pipeline::{PipelineError, Published, Reading, Records, RunOptions, WorkFolder};

use crate::arguments::{Output, Run};
use crate::interrupt::{self, GATE, INTERRUPTED};
use crate::output::{Failure, print, print_json, say};
use crate::progress::Progress;

/// Runs the pipeline and says where the version lies.
pub(crate) fn run(arguments: &Run, output: &Output) -> Result<ExitCode, Failure> {
    let published = publish(arguments, output).map_err(Failure::nothing_published)?;
    let shown = show(&published, output).map_err(|failure| failure.text());
    let mut incomplete = published.incomplete.clone();
    incomplete.extend(shown.err());
    if incomplete.is_empty() {
        return Ok(ExitCode::SUCCESS);
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

fn publish(arguments: &Run, output: &Output) -> Result<Published, Failure> {
    let mut reading = Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
        records: Records::default(),
        store: arguments.store.options(),
    };
    let threads = use_threads(output);
    let as_of = match arguments.as_of {
        Some(as_of) => {
            if !arguments.allow_future {
                tessera_pipeline::refuse_future(&arguments.pipeline.file, &reading, as_of)?;
            }
            as_of
        }
        None => tessera_pipeline::yesterday(&arguments.pipeline.file, &reading)?,
    };
    interrupt::watch();
    let work = WorkFolder::new(arguments.work.as_deref())?;
    interrupt::remove_at_end(work.path());
    reading.records = Records::Kept(work.path().to_owned());
    let mut retried = BTreeSet::new();
    loop {
        let error = match attempt(arguments, as_of, &reading, (threads, &work), output) {
            Ok(published) => return Ok(published),
            Err(error) => error,
        };
        // One more attempt for each source whose files change.
        let changed = error.changed();
        let again = !changed.is_empty() && changed.iter().all(|name| !retried.contains(*name));
        if !again || INTERRUPTED.load(Ordering::SeqCst) {
            return Err(error.into());
        }
        tracing::warn!("{error}; the run begins again");
        retried.extend(changed.into_iter().map(str::to_owned));
    }
}

/// Takes stock of the lake and runs.
fn attempt(
    arguments: &Run,
    as_of: NaiveDate,
    reading: &Reading,
    (threads, work): (usize, &WorkFolder),
    output: &Output,
) -> Result<Published, PipelineError> {
    let prepared = tessera_pipeline::prepare(&arguments.pipeline.file, as_of, reading)?;
    if !prepared.warnings.is_empty() && !output.quiet {
        say(prepared.warnings.render(false).trim_end());
    }
    let progress = Progress::new(output);
    let options = RunOptions {
        threads,
        work,
        interrupted: &INTERRUPTED,
        gate: &GATE,
        replace_damaged: arguments.replace_damaged,
    };
    let published = tessera_pipeline::run(&prepared, &options, &progress);
    progress.clear();
    published
}

/// Sets the number of threads everywhere, before anything starts one.
pub(crate) fn use_threads(output: &Output) -> usize {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = output.threads.map_or(available, usize::from);
    // SAFETY: commands call this first, on the thread that `main` runs on, and the program starts no other before.
    unsafe { tessera_pipeline::set_threads(threads) };
    threads
}

/// Says what was published.
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
            "; latest stays at {} (version {})",
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
