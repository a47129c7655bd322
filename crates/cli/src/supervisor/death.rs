//! Messages and cleanup after a child was ended by a signal.

use std::ffi::c_int;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tessera_pipeline::Monitor;
use tessera_snapshot::Store;
use tessera_spec::activity::{Fact, Recorded};
use tessera_spec::shown;

use crate::arguments::{Arguments, Command, Run};
use crate::output::{Failure, fail, say};
use crate::signals;

/// Signals that end a process because of its own fault.
const FAULTS: [(c_int, &str); 7] = [
    (libc::SIGABRT, "SIGABRT"),
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGTRAP, "SIGTRAP"),
    (libc::SIGSYS, "SIGSYS"),
];

/// Largest number of files that are named when one of many ended the child.
const MOST_NAMED: usize = 8;

/// How a child was ended.
pub(super) struct Death {
    pub(super) signal: c_int,
    /// Whether the operating system killed a process meanwhile because it was out of memory.
    pub(super) for_memory: bool,
    pub(super) elapsed: Duration,
    pub(super) recorded: Recorded,
}

/// What the child has published.
enum Left {
    Nothing,
    Version(u64),
    /// The store cannot be read: why not.
    Unknown(String),
}

impl Death {
    /// Prints what happened, removes files of the child, and returns the exit code. If the signal was sent by a user, this process
    /// ends by the same signal.
    pub(super) fn report(&self, arguments: &Arguments) -> ExitCode {
        if let Some(work) = self.recorded.fact(Fact::Work) {
            tessera_pipeline::remove_left(Path::new(work));
        }
        let fault = FAULTS.iter().find(|(signal, _)| *signal == self.signal);
        let is_kill = self.signal == libc::SIGKILL;
        let (what, code) = match fault {
            Some((_, name)) => self.fault(name),
            None if is_kill => self.killed(),
            None => return self.end(),
        };
        let run = match &arguments.command {
            Command::Run(run) => Some(run),
            _ => None,
        };
        let left = run.map(|_| self.left());
        let (message, code) = match &left {
            None => (what, code),
            Some(Left::Nothing) => (format!("{what}; nothing was published"), code),
            Some(Left::Version(version)) => (
                format!(
                    "version {version} is published, but its report may be missing: {what}; the same run again completes it"
                ),
                6,
            ),
            Some(Left::Unknown(why)) => (
                format!(
                    "{what}; whether a version was published is not known, since the store cannot be read: {why}; the same run again completes it"
                ),
                6,
            ),
        };
        let failure = Failure::new(shown::one_line(&message), code);
        let exit_code = fail(&failure);
        if let Some(run) = run {
            self.monitor(run, &failure, left);
        }
        if is_kill && !self.for_memory {
            return self.end();
        }
        exit_code
    }

    /// Ends this process as the child ended.
    fn end(&self) -> ExitCode {
        signals::end_by(self.signal);
        ExitCode::from(u8::try_from(128 + self.signal).unwrap_or(1))
    }

    /// The message and the exit code where a library aborted, or the program has a fault.
    fn fault(&self, name: &str) -> (String, u8) {
        let mut files = self.recorded.reading.clone();
        files.sort();
        files.dedup();
        let Some((source, first)) = files.first() else {
            let stage = self.recorded.text(Fact::Stage);
            let stage = stage.map_or_else(String::new, |stage| format!(" in the stage `{stage}`"));
            return (
                format!(
                    "internal error: the process ended by {name}{stage}; please report it with what TESSERA_LOG=debug writes to stderr"
                ),
                1,
            );
        };
        if source.is_empty() {
            let file = first.display();
            let what = format!(
                "{file}: reading this pipeline file ended the process by {name}; make it smaller or less deeply nested"
            );
            return (what, 2);
        }
        let file = match files.as_slice() {
            [(_, file)] => format!("{}", file.display()),
            several => format!(
                "one of {} files that were being read: {}",
                several.len(),
                names(several)
            ),
        };
        let what = format!(
            "source `{source}`: reading {file} ended the process by {name}: the file is damaged in a way that crashes the library \
            which reads it, or there is less memory than it needs; replace the file, or remove it from the source"
        );
        (what, 3)
    }

    /// The message and the exit code where a user or the operating system killed the child.
    fn killed(&self) -> (String, u8) {
        let mut files = self.recorded.reading.clone();
        files.sort();
        files.dedup();
        let reading = match files.first() {
            Some((source, _)) if !source.is_empty() => {
                format!(" while it read source `{source}`: {}", names(&files))
            }
            _ => String::new(),
        };
        let advice = "set `--memory`, such as `--memory 2GiB`, to less than the memory of the machine or its control group, or give \
        it more memory";
        if self.for_memory {
            let what = format!(
                "the operating system killed the process{reading}, because it was out of memory; {advice}"
            );
            (what, 3)
        } else {
            let what = format!(
                "the process was killed (SIGKILL){reading}; if the operating system did this because it was out of memory, {advice}"
            );
            (what, 137)
        }
    }

    /// What the child published, read from the store.
    fn left(&self) -> Left {
        let store = self.recorded.fact(Fact::Store);
        let (Some(store), Some(txid)) = (store, self.recorded.text(Fact::Transaction)) else {
            return Left::Nothing;
        };
        let asked = Store::open(Path::new(store)).and_then(|store| store.committed_by(&txid));
        match asked {
            Ok(Some(version)) => Left::Version(version),
            Ok(None) => Left::Nothing,
            Err(error) => Left::Unknown(error.to_string()),
        }
    }

    /// Writes the end of the run to metrics and lineage, as the child would have done.
    fn monitor(&self, run: &Run, failure: &Failure, left: Option<Left>) {
        let version = match left {
            Some(Left::Version(version)) => Some(version),
            _ => None,
        };
        let files = (run.metrics.clone(), run.lineage.clone());
        let file = &run.pipeline.file;
        let monitor = Monitor::of_dead(file, files, self.elapsed, &self.recorded, version);
        match monitor {
            Ok(monitor) => {
                let finished = monitor.finish(failure.code(), Some(&failure.first_line()), 0);
                finished.problems.iter().for_each(|problem| say(problem));
                say(&finished.summary);
            }
            Err(error) => say(&error.to_string()),
        }
    }
}

/// The names of the first files, and how many more there are.
fn names(files: &[(String, PathBuf)]) -> String {
    let named = files.iter().take(MOST_NAMED);
    let named: Vec<String> = named.map(|(_, file)| file.display().to_string()).collect();
    let more = files.len() - named.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}

/// How often the operating system has killed a process because it was out of memory.
pub(super) fn memory_kills() -> u64 {
    let counted = std::fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let mut lines = counted.lines();
    let count = lines.find_map(|line| line.strip_prefix("oom_kill "));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0)
}
