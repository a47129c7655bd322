//! Each step in turn fails, by an error of the operating system or by a simulated power loss.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants, leftovers};
use crate::step::{Hook, Step};
use crate::{Store, StoreError};

/// Counts steps, and fails the one of this number (from 1); remembers which that was.
fn failing(at: usize, errno: i32) -> (Hook, Arc<std::sync::Mutex<Vec<Step>>>) {
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    let count = AtomicUsize::new(0);
    let hook: Hook = Arc::new(move |step| {
        log.lock().unwrap().push(step);
        match count.fetch_add(1, Ordering::SeqCst) + 1 == at {
            true => Err(io::Error::from_raw_os_error(errno)),
            false => Ok(()),
        }
    });
    (hook, seen)
}

fn store_with(path: &Path, hook: Hook) -> Store {
    let mut store = Store::open(path).unwrap();
    store.steps.hook = Some(hook);
    store
}

/// Folder of the one run of a store.
fn only_run(store: &Path) -> PathBuf {
    let only = |folder: &Path| {
        let mut entries = std::fs::read_dir(folder).unwrap();
        entries.next().unwrap().unwrap().path()
    };
    only(&only(&store.join("data")))
}

/// Number of steps of one undisturbed run on a store of `before` versions.
pub(super) fn steps_of_a_run(before: u64) -> usize {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    (0..before).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
    let (hook, seen) = failing(0, 0);
    Run::new(before)
        .publish(&store_with(folder.path(), hook))
        .unwrap();
    seen.lock().unwrap().len()
}

#[test]
fn an_error_at_any_step_leaves_the_old_version_or_the_new_one() {
    const EIO: i32 = 5;
    let before = 2;
    let steps = steps_of_a_run(before);
    assert!(steps > 20, "{steps}");
    for at in 1..=steps {
        let folder = tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        (0..before).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
        let (hook, seen) = failing(at, EIO);
        let error = Run::new(before)
            .publish(&store_with(folder.path(), hook))
            .expect_err("the step failed");
        let reached = seen.lock().unwrap().clone();
        let step = reached[at - 1];
        // Hints of an earlier run are completed before the commit, its own after it.
        let committed = reached.contains(&Step::SyncCommits);
        assert_eq!(
            reached.len(),
            at,
            "{step:?}: nothing is done after a failure"
        );
        let message = error.to_string();
        assert!(message.contains("os error 5"), "{step:?}: {message}");
        assert!(
            message.contains(&folder.path().display().to_string()),
            "I8: {step:?}: {message}"
        );
        let versions = assert_invariants(folder.path());
        if !committed {
            assert_eq!((error.exit_code(), versions), (4, before), "I4: {step:?}");
            assert_eq!(leftovers(folder.path()), Vec::<String>::new(), "{step:?}");
        } else {
            assert_eq!(
                (error.exit_code(), versions),
                (6, before + 1),
                "I4: {step:?}"
            );
            let doubt = matches!(error, StoreError::InDoubt { .. });
            assert_eq!(doubt, step == Step::SyncCommits, "{step:?}: {error}");
            let latest = Store::open(folder.path())
                .unwrap()
                .latest()
                .unwrap()
                .unwrap()
                .number();
            assert!(
                !doubt || latest == before,
                "readers do not see what may not be durable"
            );
        }
        let again = Run::new(before)
            .publish(&Store::open(folder.path()).unwrap())
            .unwrap();
        assert_eq!(again.already, committed, "I5: {step:?}");
        assert_eq!(assert_invariants(folder.path()), before + 1);
        assert_complete(folder.path());
    }
}

#[test]
fn a_name_that_another_run_has_is_passed_over() {
    const EEXIST: i32 = 17;
    let folder = tempdir().unwrap();
    Store::open_or_create(folder.path()).unwrap();
    let (hook, seen) = failing(1, EEXIST);
    Run::new(0)
        .publish(&store_with(folder.path(), hook))
        .unwrap();
    assert_eq!(seen.lock().unwrap()[..2], [Step::MakeRun, Step::MakeRun]);
    assert_eq!(assert_invariants(folder.path()), 1);
}

#[test]
fn a_commit_number_taken_behind_the_lock_is_not_overwritten() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let path = folder.path().to_owned();
    let tries = AtomicUsize::new(0);
    // As on a file system whose locks do not work: another run commits between the listing and the link.
    let store_in_race = store_with(
        &path.clone(),
        Arc::new(move |step| {
            if step == Step::LinkCommit && tries.fetch_add(1, Ordering::SeqCst) == 0 {
                let other = tempdir().unwrap();
                let made = Store::open_or_create(other.path()).unwrap();
                let published = Run::new(7).publish(&made).unwrap();
                let relative = published
                    .version
                    .folder()
                    .strip_prefix(other.path())
                    .unwrap();
                std::fs::create_dir_all(path.join(relative)).unwrap();
                for name in ["customers", "models", "rejects"] {
                    let file = relative.join(format!("{name}.parquet"));
                    std::fs::copy(other.path().join(&file), path.join(&file)).unwrap();
                }
                let commit = format!("commits/{:020}.json", 1);
                std::fs::copy(other.path().join(&commit), path.join(&commit)).unwrap();
            }
            Ok(())
        }),
    );
    let published = Run::new(8).publish(&store_in_race).unwrap();
    assert_eq!(
        published.version.number(),
        2,
        "the run takes the next number"
    );
    assert_eq!(assert_invariants(folder.path()), 2);
    drop(store);
    assert_complete(folder.path());
}

#[test]
fn files_that_vanish_before_the_commit_are_missed() {
    let folder = tempdir().unwrap();
    Store::open_or_create(folder.path()).unwrap();
    let path = folder.path().to_owned();
    let store = store_with(
        folder.path(),
        Arc::new(move |step| {
            if step == Step::Lock {
                std::fs::remove_file(only_run(&path).join("models.parquet")).unwrap();
            }
            Ok(())
        }),
    );
    let error = Run::new(0).publish(&store).unwrap_err();
    assert_eq!(error.exit_code(), 4);
    assert!(
        error.to_string().contains("models.parquet: No such file"),
        "{error}"
    );
    assert_eq!(assert_invariants(folder.path()), 0);
}

#[test]
fn a_staged_file_that_was_changed_is_not_published() {
    let folder = tempdir().unwrap();
    Store::open_or_create(folder.path()).unwrap();
    let path = folder.path().to_owned();
    let changed = AtomicBool::new(false);
    let store = store_with(
        folder.path(),
        Arc::new(move |step| {
            if step == Step::ReadBack && !changed.swap(true, Ordering::SeqCst) {
                let file = only_run(&path).join("customers.parquet");
                let mut bytes = std::fs::read(&file).unwrap();
                bytes[10] ^= 1;
                std::fs::write(file, bytes).unwrap();
            }
            Ok(())
        }),
    );
    let error = Run::new(0).publish(&store).unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { path, .. } if path.ends_with("customers.parquet")),
        "{error}"
    );
    assert_eq!(assert_invariants(folder.path()), 0);
}
