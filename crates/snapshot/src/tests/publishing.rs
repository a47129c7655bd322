//! An undisturbed run: the files it writes, in which order, and what a second run finds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants, leftovers};
use crate::step::Step::{self, *};
use crate::{Options, Store, StoreError};

#[test]
fn tables_come_back_as_they_were_staged() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    assert!(store.latest().unwrap().is_none());
    let run = Run::new(3);
    let published = run.publish(&store).unwrap();
    assert!(!published.already);
    assert_eq!(published.version.number(), 1);
    assert_eq!(published.version.as_of(), run.as_of());
    let store = Store::open(folder.path()).unwrap();
    let latest = store.latest().unwrap().unwrap();
    for (name, batch) in run.tables() {
        assert_eq!(latest.rows(name), batch.num_rows() as u64);
        let read = latest.read(name).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].columns(), batch.columns(), "{name}");
    }
    let commit = latest.commit();
    let column = &commit.tables[0].schema[1];
    assert_eq!(
        (column.name.as_str(), column.ty.as_str(), column.nullable),
        ("customer_id", "Utf8", false)
    );
    assert_eq!(commit.counts[0]["rows"], run.rows);
    assert_invariants(folder.path());
    assert_complete(folder.path());
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
}

#[test]
fn steps_come_in_the_order_of_the_protocol() {
    let folder = tempdir().unwrap();
    let mut store = Store::open_or_create(folder.path()).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    store.steps.hook = Some(Arc::new(move |step| {
        log.lock().unwrap().push(step);
        Ok(())
    }));
    Run::new(0).publish(&store).unwrap();
    let steps: Vec<Step> = std::mem::take(&mut *seen.lock().unwrap());
    let mut expected = vec![MakeRun];
    expected.extend([CreateTable, SyncTable].repeat(3));
    expected.extend([ReadBack; 3]);
    expected.extend([SyncFolders; 4]);
    expected.push(Lock);
    expected.extend([LookAgain; 3]);
    expected.extend([
        DraftCommit,
        LinkCommit,
        SyncCommits,
        ReplaceLatest,
        PointLatest,
        SyncRoot,
        ReplaceIndex,
        ReplaceCatalogue,
        ReplaceViews,
    ]);
    // Per table: the empty one, then the version.
    expected.extend([ReplaceDelta, NameData, ReplaceDelta].repeat(3));
    expected.push(SyncRoot);
    assert_eq!(steps, expected);
}

#[test]
fn the_same_run_twice_is_one_version() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let first = Run::new(1).publish(&store).unwrap();
    Run::new(2).publish(&store).unwrap();
    let again = Run::new(1).publish(&store).unwrap();
    assert!(again.already);
    assert_eq!(again.version.txid(), first.version.txid());
    assert_eq!(
        store
            .find(&Run::new(1).identity())
            .unwrap()
            .unwrap()
            .number(),
        1
    );
    assert!(store.find(&Run::new(9).identity()).unwrap().is_none());
    assert_eq!(assert_invariants(folder.path()), 2);
    assert_eq!(
        leftovers(folder.path()),
        Vec::<String>::new(),
        "the second run takes its files away"
    );
}

#[test]
fn a_run_whose_version_was_replaced_publishes_again() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let first = Run::new(1);
    let edited = Run {
        seed: 2,
        ..Run::new(1)
    };
    first.publish(&store).unwrap();
    edited.publish(&store).unwrap();
    assert!(store.find(&first.identity()).unwrap().is_none());
    let back = first.publish(&store).unwrap();
    assert!(!back.already, "the edit was taken back");
    assert_eq!(back.version.number(), 3);
    assert_eq!(store.latest().unwrap().unwrap().txid(), back.version.txid());
    assert!(first.publish(&store).unwrap().already);
    assert_complete(folder.path());
}

#[test]
fn a_run_that_is_given_up_leaves_nothing() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut staging = store.stage(Run::new(1).identity()).unwrap();
    let (name, batch) = Run::new(1).tables().remove(0);
    staging
        .write(name, &batch.schema(), std::iter::once(Ok(batch.clone())))
        .unwrap();
    assert_eq!(
        staging.read(name).unwrap()[0].columns(),
        batch.columns(),
        "contracts run on what was staged"
    );
    assert_eq!(leftovers(folder.path()).len(), 1);
    drop(staging);
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
    assert_eq!(assert_invariants(folder.path()), 0);
}

#[test]
fn what_contracts_said_is_committed() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut staging = store.stage(Run::new(1).identity()).unwrap();
    staging.began(std::time::UNIX_EPOCH);
    staging.record_contracts(
        serde_json::json!([{"contract": "customers are unique", "passed": true}]),
    );
    let published = staging.publish(serde_json::Value::Null).unwrap();
    assert_eq!(published.version.commit().contracts[0]["passed"], true);
    assert_eq!(
        published.version.commit().started_at,
        "1970-01-01T00:00:00.000Z"
    );
}

#[test]
fn a_held_lock_ends_the_run_and_nothing_is_published() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let held = store.lock().unwrap();
    let options = Options {
        lock_wait: Duration::from_millis(60),
        ..Options::default()
    };
    let other = Store::open_with(folder.path(), options).unwrap();
    let error = Run::new(1).publish(&other).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    assert_eq!(error.exit_code(), 5);
    assert_eq!(assert_invariants(folder.path()), 0);
    drop(held);
    Run::new(1).publish(&other).unwrap();
    assert_eq!(assert_invariants(folder.path()), 1);
}

#[test]
fn only_an_empty_folder_or_a_store_of_this_format_is_taken() {
    let folder = tempdir().unwrap();
    assert!(matches!(
        Store::open(folder.path()),
        Err(StoreError::NotAStore { .. })
    ));
    std::fs::write(folder.path().join("holiday.jpg"), "x").unwrap();
    let error = Store::open_or_create(folder.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("holds `holiday.jpg` but no file `FORMAT`"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 4);
    let deep = folder.path().join("a/b/c");
    Store::open_or_create(&deep).unwrap();
    Store::open_or_create(&deep).unwrap();
    std::fs::write(deep.join("FORMAT"), "tessera-store 2\n").unwrap();
    let error = Store::open(&deep).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`tessera-store 2`, and this program knows `tessera-store 1`"),
        "{error}"
    );
    assert!(
        Store::open(&folder.path().join("nowhere"))
            .unwrap_err()
            .to_string()
            .contains("os error 2")
    );
}

#[test]
fn a_table_that_breaks_its_definition_is_not_staged() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let mut staging = store.stage(Run::new(1).identity()).unwrap();
    let (name, batch) = Run::new(1).tables().remove(0);
    let falling = [batch.slice(5, 5), batch.slice(0, 5)].map(Ok);
    let error = staging
        .write(name, &batch.schema(), falling.into_iter())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table `customers`: row 6 is not in the order of the table"
    );
    drop(staging);
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
}

#[test]
fn what_was_made_after_another_version_is_not_committed() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let late = Run::new(9);
    assert!(store.previous(late.as_of()).unwrap().is_none());
    let mut staging = store.stage(late.identity()).unwrap();
    for (name, batch) in late.tables() {
        let rows = std::iter::once(Ok(batch.clone()));
        staging.write(name, &batch.schema(), rows).unwrap();
    }
    staging.follow(0);
    Run::new(3).publish(&store).unwrap();
    let error = staging.publish(serde_json::json!([])).unwrap_err();
    let overtaken = matches!(
        error,
        StoreError::Overtaken {
            followed: 0,
            now: 1
        }
    );
    assert!(overtaken, "{error}");
    assert_eq!(assert_invariants(folder.path()), 1);
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
    let before = store.previous(late.as_of()).unwrap().unwrap();
    assert_eq!(before.number(), 1);
}
