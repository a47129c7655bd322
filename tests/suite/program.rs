//! The built program, and where the data lies.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Folder of the public data sets beside the repository; says so where it is missing, and the caller returns.
pub(crate) fn public_data(folder: &str) -> Option<PathBuf> {
    let path = root().join("../shared/data").join(folder);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: no ../shared/data");
    None
}

/// The program, built once for all tests with the profile they run in.
pub(crate) fn tessera() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tessera"));
    command
        .current_dir(root())
        .env_remove("TESSERA_LOG")
        .env_remove("TESSERA_THREADS");
    command
}

/// Runs the program and returns what it said; the exit code must be this one.
///
/// # Panics
/// The program cannot be started, or ends with another code.
pub(crate) fn run(arguments: &[&str], code: i32) -> Output {
    let output = tessera().args(arguments).output().unwrap();
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

/// stdout of a run as JSON.
///
/// # Panics
/// It is not JSON.
pub(crate) fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap()
}
