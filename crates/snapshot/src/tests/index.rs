//! The index of commits: runs read few commits, and no decision rests on the index alone.

use std::fs;
use std::path::Path;

use chrono::Days;
use tempfile::tempdir;

use super::{Run, assert_complete};
use crate::Store;
use crate::commit::{file_name, sha256};
use crate::listed::Digested;

/// A store of many versions, one a day: the first is real, the others are copies of its commit.
fn long(path: &Path, versions: u64) {
    let store = Store::open_or_create(path).unwrap();
    let first = Run::new(0).publish(&store).unwrap().version;
    let mut before = fs::read(path.join("commits").join(file_name(1))).unwrap();
    for version in 2..=versions {
        let mut commit = first.commit().clone();
        commit.version = version;
        commit.parent = version - 1;
        commit.parent_sha256 = sha256(&before);
        commit.previous = version - 1;
        commit.idempotency_key = sha256(version.to_string().as_bytes());
        commit.as_of = first.as_of() + Days::new(version - 1);
        let (_, bytes) = commit.seal().unwrap();
        fs::write(path.join("commits").join(file_name(version)), &bytes).unwrap();
        before = bytes;
    }
    store.repair().unwrap();
    assert!(
        store.delta_fits().unwrap(),
        "more entries than are written at a time"
    );
}

fn last_day(path: &Path) -> Run {
    let latest = Store::open(path).unwrap().latest().unwrap().unwrap();
    let day = latest.as_of().signed_duration_since(Run::new(0).as_of());
    Run {
        day: day.num_days() as u64,
        ..Run::new(1)
    }
}

#[test]
fn a_run_reads_few_commits_of_many() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    long(path, 400);
    let newest = last_day(path);
    for (seed, day, already) in [
        (1, newest.day + 1, false),
        (1, newest.day + 1, true),
        (2, newest.day + 2, false),
        // A day long ago, and one that has a version.
        (3, 7, false),
        (3, 7, true),
        (4, newest.day + 2, false),
    ] {
        let store = Store::open(path).unwrap();
        let run = Run {
            day,
            ..Run::new(seed)
        };
        assert_eq!(
            run.publish(&store).unwrap().already,
            already,
            "{seed} {day}"
        );
        let read = store.commits_read();
        assert!(read <= 6, "{seed} {day}: {read} commits were read");
    }
    let store = Store::open(path).unwrap();
    assert_eq!(store.list().unwrap().len(), 404);
    assert_eq!(store.commits_read(), 1, "a list reads the newest");
    assert_eq!(store.standings().unwrap()[&8].superseded_by, Some(403));
}

/// Writes an index that is complete and of this store, but wrong about one version.
fn lie(path: &Path, version: u64, about: impl Fn(&mut Digested)) {
    let store = Store::open(path).unwrap();
    let mut commits = store.indexed().unwrap();
    about(&mut commits[version as usize - 1]);
    let bytes = store.index_of(commits.iter()).unwrap();
    fs::write(path.join("INDEX"), bytes).unwrap();
}

#[test]
fn what_the_index_says_of_a_commit_that_matters_is_compared_with_the_commit() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let store = Store::open_or_create(path).unwrap();
    for seed in 0..6 {
        Run::new(seed).publish(&store).unwrap();
    }
    // The version before the day of a run decides its key; a version with its key ends it.
    for version in [3, 4] {
        lie(path, version, |commit| {
            commit.idempotency_key.replace_range(..4, "0000")
        });
        let store = Store::open(path).unwrap();
        assert!(Run::new(3).publish(&store).unwrap().already, "{version}");
        assert_eq!(store.numbers().unwrap().len(), 6);
    }
    // The version that readers see is confirmed too.
    lie(path, 2, |commit| {
        commit.as_of = commit.as_of + Days::new(900)
    });
    let store = Store::open(path).unwrap();
    store.refresh_hints().unwrap();
    assert_eq!(
        Store::open(path)
            .unwrap()
            .latest()
            .unwrap()
            .unwrap()
            .number(),
        6
    );
    assert_complete(path);
}

#[test]
fn an_index_of_another_store_or_another_time_is_not_used() {
    let (folder, other) = (tempdir().unwrap(), tempdir().unwrap());
    let path = folder.path();
    for (path, seeds) in [(path, 0..3), (other.path(), 5..8)] {
        let store = Store::open_or_create(path).unwrap();
        seeds.for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
    }
    let own = fs::read(path.join("INDEX")).unwrap();
    fs::copy(other.path().join("INDEX"), path.join("INDEX")).unwrap();
    assert!(Store::open(path).unwrap().indexed().is_none());
    assert_eq!(
        Store::open(path).unwrap().list().unwrap()[2].as_of,
        Run::new(2).as_of()
    );
    // An older index of this store is used, and the commits after it are read.
    fs::write(path.join("INDEX"), &own).unwrap();
    let store = Store::open(path).unwrap();
    Run::new(3).publish(&store).unwrap();
    fs::write(path.join("INDEX"), &own).unwrap();
    let store = Store::open(path).unwrap();
    assert_eq!(store.list().unwrap().len(), 4);
    assert_eq!(store.commits_read(), 2);
    assert_eq!(store.verify(None).unwrap().stale_hints, ["INDEX"]);
    store.repair().unwrap();
    assert_complete(path);
}

#[test]
fn a_list_of_the_newest_versions_is_the_end_of_the_whole_list() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    long(path, 120);
    let all = Store::open(path).unwrap().list().unwrap();
    let compared = |count: usize| {
        let store = Store::open(path).unwrap();
        let (newest, older) = store.list_newest(count).unwrap();
        let at = all.len().saturating_sub(count);
        assert_eq!(older, at, "{count}");
        let told = |listed: &[crate::Listed]| format!("{listed:?}");
        assert_eq!(told(&newest), told(&all[at..]), "{count}");
        store.commits_read()
    };
    let whole = fs::read(path.join("INDEX")).unwrap();
    // More than the end of the index has: the whole of it is read.
    for count in [1, 30, 39, 40, 41, 120, 500] {
        compared(count);
    }
    // What is wrong with older commits does not matter to the newest, and is found where they are read.
    let mut damaged = whole.clone();
    damaged[300] ^= 1;
    fs::write(path.join("INDEX"), &damaged).unwrap();
    assert_eq!(compared(30), 0, "the rest of the index is not read");
    assert_eq!(compared(60), 120, "every commit is read");
    // What is wrong with the newest is found.
    for back in [10, 200, 1_000, 5_000] {
        let mut damaged = whole.clone();
        let at = damaged.len() - back;
        damaged[at] ^= 1;
        fs::write(path.join("INDEX"), &damaged).unwrap();
        assert!(Store::open(path).unwrap().indexed_end().is_none(), "{back}");
        compared(30);
    }
    // An index of fewer commits, and none.
    fs::write(path.join("INDEX"), &whole).unwrap();
    let run = last_day(path);
    let store = Store::open(path).unwrap();
    Run {
        day: run.day + 1,
        ..run
    }
    .publish(&store)
    .unwrap();
    fs::write(path.join("INDEX"), &whole).unwrap();
    let (newest, older) = Store::open(path).unwrap().list_newest(30).unwrap();
    assert_eq!((newest.len(), older, newest[29].version), (30, 91, 121));
    fs::remove_file(path.join("INDEX")).unwrap();
    let (newest, older) = Store::open(path).unwrap().list_newest(30).unwrap();
    assert_eq!((newest.len(), older, newest[29].version), (30, 91, 121));
}
