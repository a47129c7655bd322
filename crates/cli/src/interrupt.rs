//! SIGINT, SIGTERM and SIGHUP: a run ends within a second and publishes nothing, or, once it has begun to commit, completes
//! its version. A second signal ends it at once. Files of the run are removed in either case.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tessera_pipeline::Monitor;
use tessera_snapshot::{Gate, Stopped};
use tessera_spec::interrupt;

use crate::output::{Failure, fail, print_failure, say};
use crate::{signals, telemetry};

/// Decides between an interrupt and the commit.
pub(crate) static GATE: Gate = Gate::new();

/// The folder of the run's files, or the draft of a file, removed however the run ends.
static WORK: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Writes the end of the run to metrics and lineage.
static MONITOR: Mutex<Option<Arc<Monitor>>> = Mutex::new(None);

/// Set when [`end_unpublished`] ends the program.
static ENDING: AtomicBool = AtomicBool::new(false);

/// How long a run may take to end by itself after an interrupt.
const PATIENCE: Duration = Duration::from_millis(700);

/// How often the folder is removed while the run may still write into it.
const REMOVALS: usize = 20;

/// Names the folder, or the draft of a file, that is removed at an interrupt.
pub(crate) fn remove_at_end(work: &Path) {
    *WORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(work.to_owned());
}

/// Sets the monitor that writes the end of the run when an interrupt ends it.
pub(crate) fn tell_at_end(monitor: &Arc<Monitor>) {
    *MONITOR.lock().unwrap_or_else(PoisonError::into_inner) = Some(monitor.clone());
}

/// Handles signals from now on. Before the commit, a run that does not stop by itself is ended after [`PATIENCE`]: a rerun can
/// complete every state of the store.
pub(crate) fn watch() {
    let watched = signals::receive().and_then(|requests| {
        let named = std::thread::Builder::new().name("signals".to_owned());
        named.spawn(move || requests.enumerate().for_each(|(number, ())| stop(number)))
    });
    if let Err(error) = watched {
        tracing::debug!("signals are not handled: {error}");
    }
}

/// Handles the first and each further request to end.
fn stop(number: usize) {
    if number > 0 {
        end();
    }
    match GATE.stop() {
        Stopped::Before => {
            interrupt::request();
            say("interrupted: stopping; nothing is published");
            // The wait is on another thread, so that a second signal is handled.
            std::thread::spawn(|| {
                std::thread::sleep(PATIENCE);
                tracing::debug!("the run did not end by itself");
                end();
            });
        }
        Stopped::Committing => say(
            "interrupted while the version is being published: the run completes it; interrupt again to end at once",
        ),
        Stopped::After(version) => say(&format!(
            "interrupted, but version {version} is published: the run completes the report; interrupt again to end at once"
        )),
    }
}

/// Ends the program and prints what was published.
fn end() -> ! {
    remove_work();
    let (code, message) = match GATE.stop() {
        Stopped::Before => (130, "interrupted; nothing was published".to_owned()),
        Stopped::Committing => (
            6,
            "interrupted while the version was being published; `tessera snapshots STORE` lists it if it exists, and the same run \
             again completes it"
                .to_owned(),
        ),
        Stopped::After(version) => {
            if let Some(monitor) = &*MONITOR.lock().unwrap_or_else(PoisonError::into_inner) {
                monitor.left(version);
            }
            let message = format!(
                "interrupted; version {version} is published, but `latest`, the views or the report may be missing; the same run \
                 again completes it"
            );
            (6, message)
        }
    };
    let failure = Failure::new(&message, code);
    match code {
        130 => {
            fail(&failure);
        }
        // The run did what it was for.
        _ => {
            print_failure(&failure);
            say(&message);
        }
    }
    finish(code, "interrupted")
}

/// Ends the program from another thread than the run's, before its commit. The run stops first: until its files are removed it
/// would take more memory and write more files.
pub(crate) fn end_unpublished(code: u8, message: &str) -> ! {
    ENDING.store(true, Ordering::SeqCst);
    interrupt::request();
    remove_work();
    fail(&Failure::new(message, code));
    finish(code, message)
}

/// Waits for the end of the program if [`end_unpublished`] ends it: the run, which was stopped for it, says nothing.
pub(crate) fn wait_for_end() {
    while ENDING.load(Ordering::SeqCst) {
        std::thread::park();
    }
}

/// Writes the end of the run to metrics and lineage, prints its summary, and exits.
fn finish(code: u8, message: &str) -> ! {
    let monitor = MONITOR
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(monitor) = monitor {
        let finished = monitor.finish(code, Some(message), telemetry::warnings());
        finished.problems.iter().for_each(|problem| say(problem));
        say(&finished.summary);
    }
    std::process::exit(code.into());
}

/// Removes the folder; again if the run wrote into it meanwhile. Files that cannot be removed stay in the temporary folder.
fn remove_work() {
    let work = WORK.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(work) = work else { return };
    for _ in 0..REMOVALS {
        let removed = match work.is_dir() {
            true => std::fs::remove_dir_all(&work),
            false => std::fs::remove_file(&work),
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => return,
        }
    }
}
