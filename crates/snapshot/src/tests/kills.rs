//! kill -9: at every step of a run, and at random moments of many runs, each in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tempfile::tempdir;

use super::faults::steps_of_a_run;
use super::{Run, assert_complete, assert_invariants};
use crate::Store;

/// How many times a publisher is killed at a random moment.
const KILLS: u64 = 48;

/// Publishes in a process of its own: runs from `first` to `last`; `kill_at` is the step at which the process kills itself.
fn victim_process(store: &Path, first: u64, last: u64, kill_at: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "tests::kills::victim",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("VICTIM_STORE", store)
        .env("VICTIM_RUNS", format!("{first} {last} {kill_at}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the publisher that the other tests start and kill"]
fn victim() {
    let (Ok(store), Ok(runs)) = (std::env::var("VICTIM_STORE"), std::env::var("VICTIM_RUNS"))
    else {
        return;
    };
    let numbers: Vec<u64> = runs
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect();
    let kill_at = numbers[2] as usize;
    let mut store = Store::open_or_create(Path::new(&store)).unwrap();
    let count = AtomicUsize::new(0);
    store.steps.hook = Some(Arc::new(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == kill_at {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        Ok(())
    }));
    println!("\nready");
    std::io::stdout().flush().unwrap();
    for seed in numbers[0]..=numbers[1] {
        Run::new(seed).publish(&store).unwrap();
    }
}

fn wait_until_ready(child: &mut Child) {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line == "ready"),
        "the publisher did not start"
    );
}

#[test]
fn killed_at_any_step_a_run_leaves_the_old_version_or_the_new_one() {
    for before in [0, 1] {
        let steps = steps_of_a_run(before);
        for at in 1..=steps {
            let folder = tempdir().unwrap();
            let store = Store::open_or_create(folder.path()).unwrap();
            (0..before).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
            let output = victim_process(folder.path(), before, before, at)
                .wait_with_output()
                .unwrap();
            assert!(!output.status.success(), "step {at} killed the run");
            let versions = assert_invariants(folder.path());
            assert!(
                (before..=before + 1).contains(&versions),
                "step {at}: {versions}"
            );
            let again = Run::new(before)
                .publish(&Store::open(folder.path()).unwrap())
                .unwrap();
            assert_eq!(
                again.already,
                versions == before + 1,
                "step {at}: a rerun needs no help"
            );
            assert_eq!(assert_invariants(folder.path()), before + 1);
            assert_complete(folder.path());
        }
    }
}

#[test]
fn killed_at_random_moments_a_store_stays_whole() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("store");
    let mut versions = 0;
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut within_a_run = 0;
    for kill in 0..KILLS {
        let mut child = victim_process(&path, versions, versions + 1_000, 0);
        if kill % 8 != 0 {
            wait_until_ready(&mut child);
        }
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((random >> 40) % 60_000));
        child.kill().unwrap();
        child.wait().unwrap();
        if !path.join("FORMAT").exists() {
            continue;
        }
        within_a_run += u64::from(!super::leftovers(&path).is_empty());
        let found = assert_invariants(&path);
        assert!(found >= versions, "kill {kill}: versions never vanish");
        let store = Store::open_or_create(&path).unwrap();
        versions = found;
        if versions > 0 {
            assert!(
                Run::new(versions - 1).publish(&store).unwrap().already,
                "kill {kill}: the last version counts"
            );
        }
        assert!(
            !Run::new(versions).publish(&store).unwrap().already,
            "kill {kill}: a rerun needs no help"
        );
        versions += 1;
        assert_complete(&path);
    }
    assert_eq!(assert_invariants(&path), versions);
    assert!(
        versions > KILLS / 2 && within_a_run > 0,
        "{versions} versions, leftovers after {within_a_run} kills"
    );
}

#[test]
fn processes_that_publish_the_same_runs_make_each_version_once() {
    let folder = tempdir().unwrap();
    let children: Vec<Child> = (0..3)
        .map(|_| victim_process(folder.path(), 0, 9, 0))
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(assert_invariants(folder.path()), 10);
    assert_complete(folder.path());
    assert_eq!(super::leftovers(folder.path()), Vec::<String>::new());
}
