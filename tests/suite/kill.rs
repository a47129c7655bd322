//! kill -9 at random moments: `latest` is always a version that verifies, and a rerun succeeds without manual repair.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::program::{json, run, tessera};

/// Number of kills; `TESSERA_KILLS` takes another.
const KILLS: usize = 40;

#[test]
fn a_killed_run_leaves_the_old_version_or_the_new_one_and_a_rerun_completes_it() {
    let kills = std::env::var("TESSERA_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(KILLS);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 400);
    let (lake, out, store) = (
        format!("lake={path}/lake"),
        format!("out={path}/store"),
        format!("{path}/store/demo"),
    );
    let day = |number: usize| {
        chrono::NaiveDate::from_ymd_opt(2026, 10, 30).unwrap() - chrono::Days::new(number as u64)
    };
    let arguments = |as_of: &str| -> Vec<String> {
        [
            "run",
            "pipelines/demo.toml",
            "--as-of",
            as_of,
            "--var",
            &lake,
            "--var",
            &out,
            "--quiet",
        ]
        .map(str::to_owned)
        .to_vec()
    };
    let started = Instant::now();
    assert!(
        tessera()
            .args(arguments(&day(0).to_string()))
            .status()
            .unwrap()
            .success()
    );
    let whole = started.elapsed();

    let mut random = ChaCha8Rng::seed_from_u64(9);
    for number in 1..=kills {
        let as_of = day(number).to_string();
        let mut child = tessera()
            .args(arguments(&as_of))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs_f64(
            whole.as_secs_f64() * random.random_range(0.0..1.1),
        ));
        let _ = child.kill();
        child.wait().unwrap();
        // A reader sees a complete version at any moment.
        let before = json(&run(&["snapshots", &store, "--json"], 0));
        let latest = before
            .as_array()
            .unwrap()
            .iter()
            .find(|v| v["latest"] == true)
            .unwrap()["version"]
            .to_string();
        run(&["verify", &store, "--version", &latest, "--quiet"], 0);
        // The same run again succeeds, and then the store verifies and the hints are right.
        let status = tessera().args(arguments(&as_of)).status().unwrap();
        assert!(status.success(), "rerun after kill {number}");
        if number % 10 == 0 {
            assert_eq!(
                json(&run(&["verify", &store, "--json"], 0))["sound"],
                true,
                "after kill {number}"
            );
        }
    }
    let versions = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(versions.as_array().map(Vec::len), Some(kills + 2));
    assert_eq!(json(&run(&["verify", &store, "--json"], 0))["sound"], true);
}
