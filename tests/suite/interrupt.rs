//! An interrupted run ends with exit code 130 and publishes nothing, and a rerun succeeds without manual repair.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::program::{json, run, tessera};

/// Number of interrupts at random moments; `TESSERA_INTERRUPTS` takes another.
const INTERRUPTS: usize = 6;

/// How long a run may take to end on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whatever a run does at that moment, it soon ends by itself, removes its files and states that nothing was published.
#[test]
fn an_interrupt_at_any_moment_ends_the_run_within_a_second() {
    let interrupts = std::env::var("TESSERA_INTERRUPTS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(INTERRUPTS);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let (lake, work_text) = (format!("lake={path}/lake"), work.display().to_string());
    let start = |store: &str| {
        let out = format!("out={path}/{store}");
        tessera()
            .args(["run", "pipelines/demo.toml", "--as-of", "2026-09-30"])
            .args([
                "--quiet", "--work", &work_text, "--var", &lake, "--var", &out,
            ])
            .env("TESSERA_LOG", "tessera=debug")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let began = Instant::now();
    assert!(start("whole").wait_with_output().unwrap().status.success());
    let whole = began.elapsed();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let (mut ended, mut forced, mut slowest) = (0, 0, Duration::ZERO);
    for number in 0..interrupts {
        let child = start(&number.to_string());
        std::thread::sleep(whole.mul_f64(random.random_range(0.02..1.0)));
        let signal = ["-INT", "-TERM"][number % 2];
        let sent = Instant::now();
        let pid = child.id().to_string();
        // It may have ended already.
        let _ = Command::new("kill").args([signal, &pid]).status();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let left: Vec<_> = std::fs::read_dir(&work).unwrap().collect();
        assert!(left.is_empty(), "{left:?}: {said}");
        if output.status.code() == Some(0) {
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert!(said.contains("nothing was published"), "{said}");
        let commits = std::fs::read_dir(dir.path().join(format!("{number}/demo/commits")));
        assert_eq!(commits.map_or(0, Iterator::count), 0, "{said}");
        slowest = slowest.max(sent.elapsed());
        forced += usize::from(said.contains("the run did not end by itself"));
        ended += 1;
    }
    println!("{ended} runs ended, {forced} of them by force, the slowest after {slowest:?}");
    assert!(ended > interrupts / 3, "{ended}");
    assert!(slowest < PATIENCE, "{slowest:?}");
    assert!(
        forced * 4 <= ended,
        "{forced} of {ended} did not end by themselves"
    );
}

#[test]
fn an_interrupt_ends_the_run_with_130_and_publishes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 4_000);
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
    // After the first stage the signal handler is installed and many stages remain.
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
