//! Garbage collection: what goes, what stays, and that a fault or a kill at any step is completed by the same command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use super::{Run, assert_complete, assert_invariants, leftovers};
use crate::commit::CommittedArtifact;
use crate::step::{Hook, Step};
use crate::{
    Collected, NewArtifact, Policy, Retention, State, Store, StoreError, artifact_id, inputs,
};

/// Keeps the last days; half of the versions may go and more.
fn last(days: usize, grace_seconds: u64) -> Policy {
    Policy {
        retention: Retention {
            last: days,
            days: 0,
            months: 0,
        },
        grace: Duration::from_secs(grace_seconds),
        force: true,
    }
}

fn now() -> DateTime<Utc> {
    "2026-12-01T12:00:00Z".parse().unwrap()
}

fn collect(path: &Path, policy: &Policy, at: DateTime<Utc>) -> Result<Collected, StoreError> {
    Store::open(path).unwrap().gc_at(policy, true, at)
}

/// A store of six nights, of which the third was run twice: versions 1 to 7, each with a report.
fn nights() -> TempDir {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    for (seed, day) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 5)] {
        let run = Run {
            day,
            ..Run::new(seed)
        };
        let published = run.publish(&store).unwrap();
        let number = published.version.number();
        store.write_report(number, "<html></html>").unwrap();
    }
    folder
}

/// Every file below a folder with its content, links with their targets; without the lock and the store's own path.
fn tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                add(root, &path, found);
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap().display().to_string();
                found.insert(name, target.into_bytes());
            } else if name != "LOCK" {
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(root, root, &mut found);
    if let Some(views) = found.get_mut("views/duckdb.sql") {
        let text = String::from_utf8(views.clone()).unwrap();
        let own = root.canonicalize().unwrap().display().to_string();
        *views = text.replace(&own, "").into_bytes();
    }
    found
}

/// A copy of a store at another place.
fn copied(from: &Path) -> TempDir {
    let folder = tempdir().unwrap();
    let done = Command::new("cp")
        .arg("-a")
        .arg(from.join("."))
        .arg(folder.path())
        .status();
    assert!(done.unwrap().success());
    Store::open(folder.path()).unwrap().repair().unwrap();
    folder
}

fn states(done: &Collected) -> String {
    let one = |state: &State| match state {
        State::Stays(_) => "stays",
        State::Expires { .. } => "expires",
        State::Waits { .. } => "waits",
        State::Leaves => "leaves",
        State::HeldBack(_) => "held",
    };
    let all = done.versions.iter();
    let all = all.map(|judged| format!("{} {}", judged.version, one(&judged.state)));
    all.collect::<Vec<_>>().join(", ")
}

/// Days of the files that the Delta table adds, entry by entry.
fn added(store: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for number in 0..=7 {
        let path = store.join(format!("delta/customers/_delta_log/{number:020}.json"));
        for line in fs::read_to_string(path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(path) = line["add"]["path"].as_str() {
                assert!(store.join("delta/customers").join(path).exists(), "{path}");
                found.push(path[.."2026-01-01".len()].to_owned());
            }
        }
    }
    found
}

/// After the removal of versions 1 to 5 nothing but hints was changed, and of the others everything is there.
fn assert_swept(whole: &BTreeMap<String, Vec<u8>>, left: &BTreeMap<String, Vec<u8>>) {
    for (name, content) in left {
        let is_hint = ["catalog.parquet", "INDEX", "views/", "delta/", "expired/"];
        let is_hint = is_hint.iter().any(|hint| name.starts_with(hint));
        assert!(
            is_hint || whole.get(name) == Some(content),
            "{name} was changed"
        );
    }
    let count = |start: &str| left.keys().filter(|name| name.starts_with(start)).count();
    assert_eq!(count("reports/version-"), 2);
    assert_eq!(
        count("data/as_of="),
        2 * (1 + 1 + 3),
        "two days, their run, its tables"
    );
    assert_eq!(count("delta/customers/2026"), 2);
    assert_eq!(
        (count("commits/"), count("expired/"), count("tmp/")),
        (8, 6, 1)
    );
}

#[test]
fn versions_are_marked_and_after_the_grace_period_removed() {
    let folder = nights();
    let path = folder.path();
    let whole = tree(path);
    let policy = last(2, 3_600);
    let plan = Store::open(path)
        .unwrap()
        .gc_at(&policy, false, now())
        .unwrap();
    let expected = "1 expires, 2 expires, 3 expires, 4 expires, 5 expires, 6 stays, 7 stays";
    assert_eq!((states(&plan).as_str(), plan.removed.files), (expected, 0));
    assert!(tree(path) == whole, "without `apply` nothing changes");

    let marked = collect(path, &policy, now()).unwrap();
    assert_eq!(
        (states(&marked).as_str(), marked.removed.files),
        (expected, 0)
    );
    let store = Store::open(path).unwrap();
    let error = store.version(5).unwrap_err();
    assert!(matches!(error, StoreError::Expired { version: 5 }));
    assert_eq!(store.latest().unwrap().unwrap().number(), 7);
    assert_complete(path);
    assert_eq!(added(path), ["2026-01-05", "2026-01-06"]);
    let views = fs::read_to_string(path.join("views/duckdb.sql")).unwrap();
    for listed in store.list().unwrap() {
        assert_eq!(listed.expired, listed.version <= 5);
        assert!(
            listed.folder.join("customers.parquet").is_file(),
            "readers finish"
        );
        let run = listed
            .folder
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(views.contains(&run), !listed.expired);
    }

    let early = collect(path, &policy, now() + TimeDelta::minutes(59)).unwrap();
    let waiting = "1 waits, 2 waits, 3 waits, 4 waits, 5 waits, 6 stays, 7 stays";
    assert_eq!((states(&early).as_str(), early.removed.files), (waiting, 0));
    let late = now() + TimeDelta::minutes(60);
    let foreseen = Store::open(path)
        .unwrap()
        .gc_at(&policy, false, late)
        .unwrap();
    let removed = collect(path, &policy, late).unwrap();
    assert_eq!(removed.removed_versions, [1, 2, 3, 4, 5]);
    assert_eq!(
        removed.removed, foreseen.removed,
        "the plan's figures are those of the deed"
    );
    assert_eq!(removed.removed.files, 5 * 4, "three tables and a report");
    assert_invariants(path);
    assert_complete(path);
    let left = tree(path);
    assert_swept(&whole, &left);
    let again = collect(path, &policy, late + TimeDelta::days(9)).unwrap();
    assert_eq!(
        (states(&again).as_str(), again.gone),
        ("6 stays, 7 stays", 5)
    );
    assert!(again.removed_versions.is_empty() && again.removed.files == 0);
    assert!(tree(path) == left, "nothing is left to do");
    // The next night, and the same one again.
    let store = Store::open(path).unwrap();
    assert_eq!(Run::new(7).publish(&store).unwrap().version.number(), 8);
    assert!(Run::new(7).publish(&store).unwrap().already);
    assert_complete(path);
}

#[test]
fn a_run_of_an_expired_day_or_after_one_is_another_run() {
    let folder = nights();
    collect(folder.path(), &last(2, 0), now()).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let run = |seed, day| Run {
        day,
        ..Run::new(seed)
    };
    // Version 6 follows version 5, which has expired since; it is there, and better than a run that compares nothing.
    assert!(run(5, 4).publish(&store).unwrap().already);
    let key = |number: u64| {
        store
            .committed(number)
            .unwrap()
            .commit()
            .idempotency_key
            .clone()
    };
    let error = store.of_day(run(4, 3).as_of()).unwrap_err();
    assert!(
        matches!(error, StoreError::Expired { version: 5 }),
        "{error}"
    );
    let again = run(4, 3).publish(&store).unwrap();
    assert_eq!((again.already, again.version.number()), (false, 8));
    assert_ne!(key(8), key(5), "nothing was compared with version 4");
    assert!(run(4, 3).publish(&store).unwrap().already);
    let standings = store.standings().unwrap();
    assert!(standings[&6].outdated, "it followed another version 5");
}

/// Counts steps and fails the one of this number, from 1.
fn failing(at: usize, count: Arc<AtomicUsize>) -> Hook {
    Arc::new(
        move |_| match count.fetch_add(1, Ordering::SeqCst) + 1 == at {
            true => Err(io::Error::from_raw_os_error(5)),
            false => Ok(()),
        },
    )
}

/// Runs garbage collection with a hook.
fn with_hook(path: &Path, hook: Hook) -> Result<Collected, StoreError> {
    let mut store = Store::open(path).unwrap();
    store.steps.hook = Some(hook);
    store.gc_at(&last(2, 0), true, now())
}

/// The store after an undisturbed run, and the number of its steps.
fn undisturbed(base: &Path) -> (BTreeMap<String, Vec<u8>>, usize) {
    let whole = copied(base);
    let count = Arc::new(AtomicUsize::new(0));
    with_hook(whole.path(), failing(0, count.clone())).unwrap();
    (tree(whole.path()), count.load(Ordering::SeqCst))
}

/// What holds after a disturbed run, and that the same command completes it.
fn assert_completes(path: &Path, expected: &BTreeMap<String, Vec<u8>>, at: usize) {
    assert_eq!(assert_invariants(path), 7, "step {at}");
    let store = Store::open(path).unwrap();
    for listed in store
        .list()
        .unwrap()
        .iter()
        .filter(|listed| !listed.expired)
    {
        store.version(listed.version).unwrap().verify().unwrap();
    }
    // Readers of views and Delta tables find every file that these name, whenever it stopped.
    added(path);
    collect(path, &last(2, 0), now()).unwrap();
    assert!(
        tree(path) == *expected,
        "step {at}: the same as without a fault"
    );
    assert_complete(path);
}

#[test]
fn an_error_at_any_step_is_completed_by_the_same_command() {
    let base = nights();
    let (expected, steps) = undisturbed(base.path());
    assert!(steps > 50, "{steps}");
    for at in 1..=steps {
        let copy = copied(base.path());
        let count = Arc::new(AtomicUsize::new(0));
        let error = with_hook(copy.path(), failing(at, count.clone())).unwrap_err();
        assert_eq!(
            count.load(Ordering::SeqCst),
            at,
            "nothing is done after a failure"
        );
        let message = error.to_string();
        assert!(message.contains("os error 5"), "{message}");
        assert!(leftovers(copy.path()).is_empty());
        assert_completes(copy.path(), &expected, at);
    }
}

#[test]
#[ignore = "the process that the next test starts and kills"]
fn victim() {
    let (Ok(store), Ok(at)) = (std::env::var("GC_STORE"), std::env::var("GC_AT")) else {
        return;
    };
    let (at, count) = (at.parse::<usize>().unwrap(), AtomicUsize::new(0));
    let hook: Hook = Arc::new(move |_| {
        if count.fetch_add(1, Ordering::SeqCst) + 1 == at {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        Ok(())
    });
    with_hook(Path::new(&store), hook).unwrap();
}

#[test]
fn killed_at_any_step_it_is_completed_by_the_same_command() {
    let base = nights();
    let (expected, steps) = undisturbed(base.path());
    for at in 1..=steps {
        let copy = copied(base.path());
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "tests::gc::victim",
                "--ignored",
                "--test-threads=1",
            ])
            .env("GC_STORE", copy.path())
            .env("GC_AT", at.to_string())
            .output()
            .unwrap()
            .status;
        assert!(!status.success(), "step {at} killed it");
        // A draft that it wrote is removed as those of killed runs are.
        for draft in fs::read_dir(copy.path().join("tmp")).unwrap() {
            fs::remove_file(draft.unwrap().path()).unwrap();
        }
        assert_completes(copy.path(), &expected, at);
    }
}

#[test]
fn it_refuses_what_would_remove_too_much_or_where_something_is_wrong() {
    let folder = nights();
    let path = folder.path();
    let whole = tree(path);
    let refused = |policy: &Policy, code: u8, says: &str| {
        let error = collect(path, policy, now()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(says), "{message}");
        assert_eq!(error.exit_code(), code, "{message}");
        assert!(tree(path) == whole, "{message}");
    };
    refused(&last(0, 0), 2, "keeps nothing beside what readers");
    let careful = Policy {
        force: false,
        ..last(3, 0)
    };
    refused(&careful, 2, "4 of 7 versions would expire, more than half");
    let restored = |name: &str, content: &str, policy: &Policy, says: &str| {
        let file = path.join(name);
        let before = fs::read(&file).ok();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let error = collect(path, policy, now()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(says), "{message}");
        assert_eq!(error.exit_code(), 4, "{message}");
        assert!(!path.join("expired").exists());
        match before {
            Some(before) => fs::write(&file, before).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
    };
    restored(
        "LATEST",
        "{}",
        &last(2, 0),
        "`LATEST` does not name version 7",
    );
    restored(
        "latest/customers.parquet",
        "PAR1",
        &last(2, 0),
        "does not verify",
    );
    restored(
        "pins/a",
        "{\"version\": 1",
        &last(2, 0),
        "a pin is {\"version\": 7",
    );
    restored(
        "pins/a",
        "{\"version\": 1, \"until\": 3}",
        &last(2, 0),
        "unknown field",
    );
    let until = "{\"version\": 1, \"expires_at\": \"tomorrow\"}";
    restored("pins/a", until, &last(2, 0), "a pin is");
    fs::remove_dir(path.join("pins")).unwrap();
    assert!(tree(path) == whole);
    let commit = path.join(format!("commits/{:020}.json", 3));
    fs::rename(&commit, path.join("aside")).unwrap();
    let error = collect(path, &last(2, 0), now()).unwrap_err();
    assert!(matches!(error, StoreError::LostCommit(_)), "{error}");
}

#[test]
fn pins_and_unreadable_marks_hold_files_and_strangers_are_left() {
    let folder = nights();
    let path = folder.path();
    fs::create_dir(path.join("pins")).unwrap();
    let pin = |name: &str, text: &str| fs::write(path.join("pins").join(name), text).unwrap();
    pin(
        "audit.json",
        "{\"version\": 3, \"expires_at\": \"2026-12-01T12:30:00Z\"}",
    );
    pin(
        "old.json",
        "{\"version\": 1, \"expires_at\": \"2026-11-30T00:00:00+01:00\"}",
    );
    let policy = last(2, 3_600);
    // Version 4 supersedes version 3, which readers would be shown otherwise.
    let marked = collect(path, &policy, now()).unwrap();
    let expected = "1 expires, 2 expires, 3 stays, 4 stays, 5 expires, 6 stays, 7 stays";
    assert_eq!(states(&marked), expected);
    // Somebody still needs version 2, and the mark of version 5 was damaged.
    pin("mine.json", "{\"version\": 2}");
    fs::write(path.join(format!("expired/{:020}.json", 5)), "{}").unwrap();
    let stranger = Store::open(path).unwrap().list().unwrap()[0]
        .folder
        .join("notes.txt");
    fs::write(&stranger, "mine").unwrap();
    let done = collect(path, &policy, now() + TimeDelta::hours(1)).unwrap();
    let expected = "1 leaves, 2 held, 3 expires, 4 expires, 5 held, 6 stays, 7 stays";
    assert_eq!(states(&done), expected);
    assert_eq!(done.left, [stranger.parent().unwrap()]);
    assert!(stranger.exists());
    let why = |version: usize| match &done.versions[version - 1].state {
        State::HeldBack(why) => why.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(2), "pinned by pins/mine.json");
    assert!(
        why(5).contains("remove it, and the version is marked again"),
        "{}",
        why(5)
    );
    fs::remove_file(path.join("pins/mine.json")).unwrap();
    fs::remove_file(path.join(format!("expired/{:020}.json", 5))).unwrap();
    fs::remove_file(&stranger).unwrap();
    for hours in [2, 3] {
        collect(path, &policy, now() + TimeDelta::hours(hours)).unwrap();
    }
    assert_complete(path);
    let days = fs::read_dir(path.join("data")).unwrap().count();
    assert_eq!(days, 2);
}

/// Publishes a night that fits or applies artifacts and reads so many files; what the artifacts say is their content.
fn learning(store: &Store, day: u64, artifacts: &[(&str, &str, bool)], files: u64) {
    let run = Run::new(day);
    let list: Vec<Value> = (0..files)
        .map(|file| json!({"path": format!("{day}/{file}"), "size": day}))
        .collect();
    let mut identity = run.identity();
    identity.inputs = json!([{"source": "orders", "files": list}]);
    let mut staging = store.stage(identity).unwrap();
    for (name, batch) in run.tables() {
        let rows = std::iter::once(Ok(batch.clone()));
        staging.write(name, &batch.schema(), rows).unwrap();
    }
    let made = artifacts.iter().map(|(of, content, is_new)| NewArtifact {
        committed: CommittedArtifact {
            of: (*of).to_owned(),
            id: artifact_id(content.as_bytes()),
            fitted_on: run.as_of(),
            version: 1,
            tried_on: run.as_of(),
            basis: BTreeMap::new(),
        },
        content: is_new.then(|| content.as_bytes().to_vec()),
    });
    staging.apply(made.collect());
    staging.publish(json!([])).unwrap();
}

/// The files of the lists of inputs that versions name.
fn lists(store: &Store, versions: &[u64]) -> BTreeSet<String> {
    let of = |&version: &u64| inputs::lists(&store.committed(version).unwrap().commit().inputs);
    let named = versions.iter().flat_map(of);
    named.map(|id| format!("{id}.json")).collect()
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap();
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string();
    names.map(|entry| name(entry).unwrap()).collect()
}

#[test]
fn what_versions_that_stay_need_of_expired_ones_stays() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let store = Store::open_or_create(path).unwrap();
    let is_there = |content: &str| {
        let name = format!("artifacts/{}.json", artifact_id(content.as_bytes()));
        path.join(name).exists()
    };
    learning(
        &store,
        0,
        &[("scores.churn", "a", true), ("schemes.rest", "r", true)],
        70,
    );
    learning(
        &store,
        1,
        &[("scores.churn", "b", true), ("schemes.tier", "t", true)],
        70,
    );
    // The scheme is left out for some nights: the next one that has it applies the artifact of version 2.
    for day in 2..5 {
        learning(&store, day, &[("scores.churn", "c", day == 2)], 70);
    }
    let before = names_in(&path.join("inputs"));
    assert_eq!(before, lists(&store, &[1, 2, 3, 4, 5]));
    let done = collect(path, &last(2, 0), now()).unwrap();
    assert_eq!(done.removed_versions, [1, 2, 3]);
    let kept = ["a", "b", "c", "t", "r"].map(is_there);
    assert_eq!(kept, [false, false, true, true, true]);
    let after = names_in(&path.join("inputs"));
    assert_eq!(after, lists(&store, &[4, 5]));
    assert!(store.verify(None).unwrap().is_sound());
    let gone = before.len() - after.len();
    assert!(gone >= 3);
    assert_eq!(
        done.removed.files as usize,
        3 * 3 + gone + 2,
        "tables, lists, artifacts"
    );
}

#[test]
fn a_run_that_learns_what_an_expired_version_had_learned_keeps_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().to_owned();
    let store = Store::open_or_create(&path).unwrap();
    learning(&store, 0, &[("scores.churn", "a", true)], 70);
    (1..4).for_each(|day| learning(&store, day, &[("scores.churn", "b", day == 1)], 70));
    // Between the moment at which the run finds that the files are there and its commit they are removed.
    let mut slow = Store::open(&path).unwrap();
    let (is_done, at) = (AtomicBool::new(false), path.clone());
    slow.steps.hook = Some(Arc::new(move |step: Step| {
        if step == Step::Lock && !is_done.swap(true, Ordering::SeqCst) {
            let done = collect(&at, &last(2, 0), now()).unwrap();
            assert_eq!(done.removed_versions, [1, 2]);
            let of_first = format!("artifacts/{}.json", artifact_id(b"a"));
            assert!(!at.join(of_first).exists());
        }
        Ok(())
    }));
    learning(&slow, 4, &[("scores.churn", "a", true)], 70);
    assert!(store.verify(None).unwrap().is_sound());
    assert_eq!(store.artifact(&artifact_id(b"a")).unwrap(), b"a");
}
