//! Runs the program with a fault at one of its system calls: see `tests/faults/inject.c`, which is built once with `cc`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::program::{bounded, root, skipped};

/// What happens at a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: the calls are counted.
    Count,
    /// It fails with this error number.
    Errno(i32),
    /// The program gets this signal.
    Signal(i32),
    /// The program gets this signal, and again a moment later.
    Twice(i32),
    /// The program is killed.
    Kill,
    /// The process that opens a file, to read or to write it, gets this signal.
    Die(i32),
}

/// A call that was seen: its name, its path below the folder, and the path that the file had if the call gives it another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) from: Option<String>,
}

/// The built injector; `None` where this machine cannot build or run it.
pub(crate) fn injector() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(build).as_deref()
}

fn build() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = folder.join(format!("inject-{}", std::process::id()));
    let built = Command::new("cc")
        .args(["-O2", "-o"])
        .arg(&program)
        .arg(root().join("tests/faults/inject.c"))
        .output();
    if !built.is_ok_and(|built| built.status.success()) {
        return skipped("tests/faults/inject.c cannot be built with cc (it needs x86-64 Linux)");
    }
    let tried = Command::new(&program)
        .args(["/dev/null", "/nowhere", "count", "0", "--", "true"])
        .output();
    if !tried.is_ok_and(|tried| tried.status.success()) {
        return skipped("the system does not let a test trace system calls");
    }
    Some(program)
}

/// Runs the program with a fault at the `number`-th call on files below `folder`, and returns the calls that were seen.
pub(crate) fn run_with(
    folder: &Path,
    fault: Fault,
    number: usize,
    arguments: &[&str],
) -> (Output, Vec<Call>) {
    run_at(folder, fault, &number.to_string(), arguments)
}

/// The same, where `at` is the number of a call, or a number and a pattern, as in `1:fsync *commits`: the first call of this name
/// on a path that matches.
pub(crate) fn run_at(
    folder: &Path,
    fault: Fault,
    at: &str,
    arguments: &[&str],
) -> (Output, Vec<Call>) {
    let injector = injector().expect("callers ask first");
    let log = tempfile::NamedTempFile::new().unwrap();
    let mode = match fault {
        Fault::Count => "count".to_owned(),
        Fault::Errno(errno) => format!("errno:{errno}"),
        Fault::Signal(signal) => format!("signal:{signal}"),
        Fault::Twice(signal) => format!("twice:{signal}"),
        Fault::Kill => "kill".to_owned(),
        Fault::Die(signal) => format!("die:{signal}"),
    };
    let mut command = Command::new(injector);
    command
        .arg(log.path())
        .arg(folder)
        .args([&mode, at, "--", env!("CARGO_BIN_EXE_tessera")])
        .args(arguments)
        .current_dir(root());
    let output = bounded(&mut command);
    let text = std::fs::read_to_string(log.path()).unwrap();
    let below = folder.display().to_string();
    let calls = text.lines().map(|line| {
        let mut fields = line.splitn(3, ' ').skip(1);
        let name = fields.next().unwrap().to_owned();
        let paths = fields.next().unwrap().replace(&below, "");
        let (path, from) = match paths.split_once('\t') {
            Some((path, from)) => (path.to_owned(), Some(from.to_owned())),
            None => (paths, None),
        };
        Call { name, path, from }
    });
    (output, calls.collect())
}
