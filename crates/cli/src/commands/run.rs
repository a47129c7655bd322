//! `tessera run`

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use tessera_pipeline::{Published, Reading, RunOptions};

use crate::arguments::{Output, Run};
use crate::output::{Failure, print, print_json, say};
use crate::progress::Progress;

/// Set by an interrupt.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the pipeline and says where the version lies.
pub(crate) fn run(arguments: &Run, output: &Output) -> Result<ExitCode, Failure> {
    let reading = Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
    };
    let published = publish(arguments, &reading, output)?;
    show(&published, output)?;
    Ok(ExitCode::SUCCESS)
}

fn publish(arguments: &Run, reading: &Reading, output: &Output) -> Result<Published, Failure> {
    let threads = use_threads(output);
    let as_of = match arguments.as_of {
        Some(as_of) => as_of,
        None => tessera_pipeline::yesterday(&arguments.pipeline.file, reading)?,
    };
    // A second interrupt ends the program at once: every state of the store is one that a rerun completes.
    let handler = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        say("interrupted: stopping after this stage (again to stop at once)");
    });
    if let Err(error) = handler {
        tracing::debug!("no interrupt handler: {error}");
    }
    let prepared = tessera_pipeline::prepare(&arguments.pipeline.file, as_of, reading)?;
    if !prepared.warnings.is_empty() && !output.quiet {
        say(prepared.warnings.render(false).trim_end());
    }
    let progress = Progress::new(output);
    let options = RunOptions {
        threads,
        work: arguments.work.clone(),
        interrupted: &INTERRUPTED,
    };
    let published = tessera_pipeline::run(&prepared, &options, &progress);
    progress.clear();
    Ok(published?)
}

/// Sets the number of threads everywhere, before anything starts one.
pub(crate) fn use_threads(output: &Output) -> usize {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = output.threads.map_or(available, usize::from);
    tessera_pipeline::set_threads(threads);
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
    let latest = if published.latest == published.version {
        String::new()
    } else {
        format!(
            "; latest stays at {} (version {})",
            published.latest_as_of, published.latest
        )
    };
    print(&format!(
        "{state}: version {} of {}{latest}\ntables: {}\nreport: {}\n",
        published.version,
        published.as_of,
        published.tables.display(),
        published.report.display()
    ))
}
