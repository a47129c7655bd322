//! An interrupted run ends with 130, publishes nothing and leaves nothing that a rerun needs help with.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{json, run, tessera};

#[test]
fn an_interrupt_ends_the_run_with_130_and_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    run(&["demo", &path, "--customers", "4000", "--quiet"], 0);
    let (lake, out) = (format!("lake={path}/lake"), format!("out={path}/store"));
    let arguments = [
        "run",
        "pipelines/demo.toml",
        "--as-of",
        "2026-09-30",
        "--var",
        &lake,
        "--var",
        &out,
    ];
    let mut child = tessera()
        .args(arguments)
        .args(["--log-format", "json", "--work", &path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The first stage is done, so the handler is there and many stages are to come.
    let mut told = lines.by_ref().map_while(Result::ok);
    assert!(told.any(|line| line.contains("\"stage\":")));
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let started = Instant::now();
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{}", rest.join("\n"));
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(
        rest.iter()
            .any(|line| line.contains("nothing was published"))
    );
    let store = format!("{path}/store/demo");
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(versions.as_array().map(Vec::len), Some(1));
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("tessera-"))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "stage files are removed");
    run(&arguments, 0);
    assert_eq!(json(&run(&["verify", &store, "--json"], 0))["sound"], true);
}
