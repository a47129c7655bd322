//! `tessera run`, `check`, `plan` and `init` work in a child process. The libraries that read files can abort on a crafted file, and an
//! operating system that is out of memory kills processes: the parent, which only waits, then names the file.
//!
//! The child is this program again, with the same arguments, environment, working folder and standard streams. It ends with its
//! parent, receives the signals that the parent receives, and its exit code is the parent's. It records what it does in a file
//! that both have open ([`activity`]). Where no child can be started, the program works without one.

mod death;

use std::ffi::{OsString, c_int};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, ExitCode, Stdio};
use std::time::Instant;

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tessera_spec::activity;

use crate::arguments::{Arguments, Command as Asked, LogFormat};
use crate::output::{say_error, use_json_results};
use crate::signals;
use death::Death;

/// Environment variable of a child: the process number of its parent and the file descriptor of the record.
const MARK: &str = "_TESSERA_CHILD";

/// The program itself, even if its file was renamed or removed.
const PROGRAM: &str = "/proc/self/exe";

/// Runs the command in a child and returns its exit code; `None` where this process is to do the work itself.
pub(crate) fn supervise(arguments: &Arguments, given: &[OsString]) -> Option<ExitCode> {
    let supervised = matches!(
        arguments.command,
        Asked::Run(_) | Asked::Check(_) | Asked::Plan(_) | Asked::Init(_)
    );
    if !supervised || begin_as_child() {
        return None;
    }
    let begun = Instant::now();
    let kills_before = death::memory_kills();
    let has_json = arguments.output.log_format == LogFormat::Json;
    let record = record().ok()?;
    // A backfill that runs this day forwards signals, too.
    signals::passed_on_by(rustix::process::getppid().map_or(0, Pid::as_raw_pid));
    signals::pass_on().ok()?;
    let mut child = start(given, &record, has_json).ok()?;
    let number = c_int::try_from(child.id()).ok()?;
    signals::pass_to(number);
    if let Some(lines) = child.stderr.take() {
        copy_as_json(lines);
    }
    let status = wait(number);
    // From here on the operating system may give the process number to another process.
    signals::pass_to(0);
    let _ = child.wait();
    let status = status.ok()?;
    let Some(signal) = status.terminating_signal() else {
        let code = status
            .exit_status()
            .and_then(|code| u8::try_from(code).ok());
        return Some(ExitCode::from(code.unwrap_or(1)));
    };
    if arguments.output.json {
        use_json_results();
    }
    let death = Death {
        signal,
        for_memory: death::memory_kills() > kills_before,
        elapsed: begun.elapsed(),
        recorded: activity::Recorded::of(&record),
    };
    Some(death.report(arguments))
}

/// Whether this process is a child; if so, sets it up.
fn begin_as_child() -> bool {
    let Some((parent, record)) = std::env::var(MARK).ok().and_then(|mark| {
        let (parent, record) = mark.split_once(':')?;
        Some((parent.parse().ok()?, record.to_owned()))
    }) else {
        return false;
    };
    let is_child = || rustix::process::getppid().map(Pid::as_raw_pid) == Some(parent);
    if !is_child() {
        return false;
    }
    // A child is of no use without its parent.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    if !is_child() {
        std::process::exit(1);
    }
    signals::passed_on_by(parent);
    let path = format!("/proc/self/fd/{record}");
    if let Ok(file) = OpenOptions::new().write(true).open(path) {
        activity::record_in(file);
    }
    // Tools such as `ps` show this name, which would otherwise be `exe`.
    let _ = std::fs::write("/proc/self/comm", env!("CARGO_BIN_NAME"));
    true
}

/// A file in memory that a child inherits.
fn record() -> io::Result<File> {
    let file = rustix::fs::memfd_create("tessera-activity", MemfdFlags::empty())?;
    Ok(file.into())
}

fn start(given: &[OsString], record: &File, has_json: bool) -> io::Result<Child> {
    let mut command = Command::new(PROGRAM);
    if let Some((name, arguments)) = given.split_first() {
        command.arg0(name).args(arguments);
    }
    let mark = format!("{}:{}", std::process::id(), record.as_raw_fd());
    command.env(MARK, mark);
    if has_json {
        command.stderr(Stdio::piped());
    }
    command.spawn()
}

/// Copies the child's stderr until it ends. A library that aborts writes plain text, which is converted to JSON here.
fn copy_as_json(lines: ChildStderr) {
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    loop {
        line.clear();
        match lines.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        let text = line.trim_ascii();
        if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(text).is_ok() {
            // A closed pipe is ignored.
            let _ = io::stderr().write_all(&line);
        } else {
            say_error(&String::from_utf8_lossy(text));
        }
    }
}

/// Waits for the end of a child, without releasing its process number.
fn wait(child: c_int) -> io::Result<WaitIdStatus> {
    let child = Pid::from_raw(child).ok_or(io::ErrorKind::NotFound)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    loop {
        match rustix::process::waitid(WaitId::Pid(child), options) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
