//! The built program, and the folders of the data.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// How long a command of the program may take before a test gives up.
const LIMIT: Duration = Duration::from_secs(300);

/// Prints that a test cannot be run here, and the caller returns. With `CI=true` the test fails instead.
pub(crate) fn skipped<T>(why: &str) -> Option<T> {
    let strict = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(!strict, "CI=true, and {why}");
    println!("skipped: {why}");
    None
}

/// Folder of the public data sets beside the repository.
pub(crate) fn public_data(folder: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(folder);
    if path.exists() {
        return Some(path);
    }
    skipped(&format!("there is no ../shared/data/{folder}"))
}

/// The program, built once for all tests with the profile they run in.
pub(crate) fn tessera() -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_tessera")))
}

/// The same, giving way to whatever else runs.
pub(crate) fn tessera_at_low_priority() -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19", env!("CARGO_BIN_EXE_tessera")]);
    prepared(command)
}

fn prepared(mut command: Command) -> Command {
    command
        .current_dir(root())
        .env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
        .env_remove("TESSERA_LOG")
        .env_remove("TESSERA_MEMORY")
        .env_remove("TESSERA_THREADS");
    command
}

/// The findings of a command: stderr without the lines that only a run logs and its summary.
pub(crate) fn findings(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_of_run = |line: &str| line.contains("Z  INFO ") || line.starts_with("summary: ");
    let lines = said.lines().filter(|line| !is_of_run(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Runs the program and returns its output; the exit code must be this one.
///
/// # Panics
/// The program cannot be started, or ends with another code.
pub(crate) fn run(arguments: &[&str], code: i32) -> Output {
    let output = bounded(tessera().args(arguments));
    assert_eq!(
        output.status.code(),
        Some(code),
        "tessera {}\nstdout:\n{}\nstderr:\n{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Makes the demo's lake and one version of it in a folder.
///
/// # Panics
/// The program cannot be started, or ends with an error.
pub(crate) fn demo(folder: &str, customers: u32) {
    let customers = customers.to_string();
    let which = ["--months", "1", "--customers", &customers];
    run(&[&["demo", folder, "--quiet"], &which[..]].concat(), 0);
}

/// Runs a command to its end, and no longer than the limit.
///
/// # Panics
/// The command cannot be started, or takes too long.
pub(crate) fn bounded(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let stdout = read(Box::new(child.stdout.take().unwrap()));
    let stderr = read(Box::new(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{command:?} took longer than {LIMIT:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output {
        status,
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    }
}

/// stdout of a run as JSON.
///
/// # Panics
/// It is not JSON.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
