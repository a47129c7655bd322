//! The list of stages: `run --dry-run` prints the stages that a run executes, and a store is created only when there is a version
//! to publish.

use crate::latest::shop;
use crate::program::{json, run};

#[test]
fn a_dry_run_prints_the_stages_that_the_run_then_walks_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let day = ["--as-of", "2026-10-31"];
    let dry = ["run", &file, day[0], day[1], "--dry-run"];
    let printed = String::from_utf8(run(&dry, 0).stdout).unwrap();
    let printed: Vec<&str> = printed.lines().collect();
    let stages = json(&run(&[&dry[..], &["--json"]].concat(), 0));
    let stages = stages["stages"].as_array().unwrap();
    let texts: Vec<&str> = stages.iter().map(|s| s["text"].as_str().unwrap()).collect();
    assert_eq!(texts, printed);
    assert!(
        !dir.path().join("store").exists(),
        "a dry run makes no store"
    );

    let done = run(&["run", &file, day[0], day[1], "--log-format", "json"], 0);
    let log = String::from_utf8(done.stderr).unwrap();
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).ok();
    let walked: Vec<String> = log
        .lines()
        .filter_map(line)
        .filter_map(|line| {
            let stage = line.get("stage").or_else(|| line["fields"].get("stage"));
            stage.and_then(|stage| stage.as_str().map(str::to_owned))
        })
        .collect();
    assert_eq!(walked, printed, "{log}");
}

#[test]
fn a_run_whose_lake_is_refused_makes_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    std::fs::write(
        dir.path().join("lake/orders.csv"),
        "customer_id,ordered_at,amount\n",
    )
    .unwrap();
    run(&["run", &file, "--as-of", "2026-10-31"], 3);
    assert!(!dir.path().join("store").exists());
}
