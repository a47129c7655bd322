//! `tessera run`

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tessera_pipeline::{Published, Reading, Records, RunOptions, WorkFolder};

use crate::arguments::{Output, Run};
use crate::output::{Failure, print, print_json, say};
use crate::progress::Progress;

/// Set by an interrupt.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long a run may take to end by itself after an interrupt.
const PATIENCE: Duration = Duration::from_millis(700);

/// Runs the pipeline and says where the version lies.
pub(crate) fn run(arguments: &Run, output: &Output) -> Result<ExitCode, Failure> {
    let threads = use_threads(output);
    let work = WorkFolder::new(arguments.work.as_deref())?;
    let reading = Reading {
        vars: arguments.pipeline.vars.vars.clone(),
        hash_inputs: arguments.hash_inputs,
        records: Records::Kept(work.path().to_owned()),
    };
    let published = publish(arguments, &reading, threads, &work, output)?;
    show(&published, output)?;
    Ok(ExitCode::SUCCESS)
}

fn publish(
    arguments: &Run,
    reading: &Reading,
    threads: usize,
    work: &WorkFolder,
    output: &Output,
) -> Result<Published, Failure> {
    let as_of = match arguments.as_of {
        Some(as_of) => {
            if !arguments.allow_future {
                tessera_pipeline::refuse_future(&arguments.pipeline.file, reading, as_of)?;
            }
            as_of
        }
        None => tessera_pipeline::yesterday(&arguments.pipeline.file, reading)?,
    };
    watch_interrupts(work.path().to_owned());
    let prepared = tessera_pipeline::prepare(&arguments.pipeline.file, as_of, reading)?;
    if !prepared.warnings.is_empty() && !output.quiet {
        say(prepared.warnings.render(false).trim_end());
    }
    let progress = Progress::new(output);
    let options = RunOptions {
        threads,
        work,
        interrupted: &INTERRUPTED,
    };
    let published = tessera_pipeline::run(&prepared, &options, &progress);
    progress.clear();
    Ok(published?)
}

/// Ends the run at an interrupt: by itself where it looks at [`INTERRUPTED`], else the program ends after [`PATIENCE`]. Every
/// state of the store is one that a rerun completes.
fn watch_interrupts(work: PathBuf) {
    let handler = ctrlc::set_handler(move || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        say("interrupted: stopping");
        std::thread::sleep(PATIENCE);
        // What cannot be removed stays in the temporary folder.
        let _removed = std::fs::remove_dir_all(&work);
        say(
            "nothing was published, unless the tables were being written: `tessera verify` states which",
        );
        std::process::exit(130);
    });
    if let Err(error) = handler {
        tracing::debug!("no interrupt handler: {error}");
    }
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
