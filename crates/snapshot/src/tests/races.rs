//! Publishers and readers at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants, leftovers};
use crate::Store;

#[test]
fn publishers_of_different_runs_all_get_a_version() {
    let folder = tempdir().unwrap();
    thread::scope(|scope| {
        for publisher in 0..4 {
            let path = folder.path();
            scope.spawn(move || {
                let store = Store::open_or_create(path).unwrap();
                (0..5).for_each(|run| {
                    assert!(
                        !Run::new(publisher * 100 + run)
                            .publish(&store)
                            .unwrap()
                            .already
                    )
                });
            });
        }
    });
    assert_eq!(assert_invariants(folder.path()), 20);
    assert_complete(folder.path());
}

#[test]
fn publishers_of_one_run_make_one_version() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let made = thread::scope(|scope| {
        let publishers: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| Run::new(5).publish(&store).unwrap().already))
            .collect();
        publishers
            .into_iter()
            .map(|publisher| publisher.join().unwrap())
            .filter(|already| !already)
            .count()
    });
    assert_eq!(made, 1);
    assert_eq!(assert_invariants(folder.path()), 1);
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
}

#[test]
fn readers_see_whole_versions_while_others_publish_and_old_data_goes() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    Run::new(0).publish(&store).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let store = Store::open(folder.path()).unwrap();
            let (mut reads, mut last) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let mut open = store.open_latest().unwrap().unwrap();
                let number = open.version().number();
                assert!(number >= last, "the latest version never goes back");
                last = number;
                // Versions are published in the order of their runs, so the number says what must be in every table.
                for (name, rows) in Run::new(number - 1).tables() {
                    assert_eq!(
                        open.read(name).unwrap()[0].columns(),
                        rows.columns(),
                        "version {number}, {name}"
                    );
                }
                reads += 1;
            }
            reads
        });
        for seed in 1..30 {
            let published = Run::new(seed).publish(&store).unwrap();
            if let Some(old) = published
                .version
                .number()
                .checked_sub(3)
                .filter(|&old| old > 0)
            {
                let version = store.versions().unwrap().swap_remove(old as usize - 1);
                std::fs::remove_dir_all(version.folder()).unwrap();
            }
        }
        done.store(true, Ordering::SeqCst);
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn what_is_open_can_be_read_after_its_names_are_gone() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let version = Run::new(4).publish(&store).unwrap().version;
    let mut open = store.open_latest().unwrap().unwrap();
    std::fs::remove_dir_all(version.folder()).unwrap();
    for (name, rows) in Run::new(4).tables() {
        assert_eq!(open.read(name).unwrap()[0].columns(), rows.columns());
        assert_eq!(
            open.read(name).unwrap()[0].columns(),
            rows.columns(),
            "and again"
        );
    }
    let error = store.open_latest().unwrap_err().to_string();
    assert!(
        error.contains("customers.parquet") && error.contains("os error 2"),
        "{error}"
    );
}
