//! Hints are hints: lost or wrong, readers still find the latest version, and the next run mends them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants};
use crate::Store;

/// What can befall the hints of a store of two versions, and which of them it makes stale.
type Mishap = (&'static str, fn(&Path), &'static [&'static str]);

const MISHAPS: &[Mishap] = &[
    (
        "LATEST is missing",
        |store| fs::remove_file(store.join("LATEST")).unwrap(),
        &["LATEST"],
    ),
    (
        "LATEST is empty",
        |store| fs::write(store.join("LATEST"), "").unwrap(),
        &["LATEST"],
    ),
    (
        "LATEST is garbage",
        |store| fs::write(store.join("LATEST"), [0xff, 0, 1]).unwrap(),
        &["LATEST"],
    ),
    (
        "LATEST names what is not there",
        |store| rewrite_latest(store, 99),
        &["LATEST"],
    ),
    (
        "LATEST names version 1 with another's sha256",
        |store| rewrite_latest(store, 1),
        &["LATEST"],
    ),
    (
        "LATEST is a link",
        |store| {
            fs::rename(store.join("LATEST"), store.join("elsewhere")).unwrap();
            symlink("elsewhere", store.join("LATEST")).unwrap();
        },
        &["LATEST"],
    ),
    (
        "latest is missing",
        |store| fs::remove_file(store.join("latest")).unwrap(),
        &["latest"],
    ),
    (
        "latest leads nowhere",
        |store| {
            fs::remove_file(store.join("latest")).unwrap();
            symlink("data/as_of=2001-01-01/run=0", store.join("latest")).unwrap();
        },
        &["latest"],
    ),
    (
        "the catalogue is garbage",
        |store| fs::write(store.join("catalog.parquet"), "PAR1").unwrap(),
        &["catalog.parquet"],
    ),
    (
        "the views are gone",
        |store| fs::remove_dir_all(store.join("views")).unwrap(),
        &["views/duckdb.sql"],
    ),
    (
        "all are gone",
        |store| {
            for hint in ["LATEST", "latest", "catalog.parquet", "views/duckdb.sql"] {
                fs::remove_file(store.join(hint)).unwrap();
            }
        },
        &["LATEST", "latest", "catalog.parquet", "views/duckdb.sql"],
    ),
];

/// What mends them.
type Mend = (&'static str, fn(&Store));

fn rewrite_latest(store: &Path, version: u64) {
    let text = fs::read_to_string(store.join("LATEST")).unwrap();
    fs::write(
        store.join("LATEST"),
        text.replace("\"version\":2", &format!("\"version\":{version}")),
    )
    .unwrap();
}

#[test]
fn readers_find_the_latest_version_and_the_next_run_mends() {
    for (name, mishap, stale) in MISHAPS {
        let mend: [Mend; 3] = [
            ("repair", |store| store.repair().unwrap()),
            ("the same run", |store| {
                assert!(Run::new(1).publish(store).unwrap().already)
            }),
            ("another run", |store| {
                assert!(!Run::new(2).publish(store).unwrap().already)
            }),
        ];
        for (by, mend) in mend {
            let folder = tempdir().unwrap();
            let store = Store::open_or_create(folder.path()).unwrap();
            (0..2).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
            mishap(folder.path());
            assert_eq!(store.verify(None).unwrap().stale_hints, *stale, "{name}");
            assert_eq!(store.latest().unwrap().unwrap().number(), 2, "{name}");
            if !stale.contains(&"latest") {
                assert_invariants(folder.path());
            }
            mend(&store);
            assert_invariants(folder.path());
            assert_complete(folder.path());
            assert_eq!(
                store.verify(None).unwrap().stale_hints,
                Vec::<&str>::new(),
                "{name}, mended by {by}"
            );
        }
    }
}

#[test]
fn a_version_that_is_committed_but_not_hinted_is_hidden_until_the_next_run() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    Run::new(0).publish(&store).unwrap();
    let hints: Vec<Vec<u8>> = ["LATEST", "catalog.parquet"]
        .iter()
        .map(|hint| fs::read(folder.path().join(hint)).unwrap())
        .collect();
    Run::new(1).publish(&store).unwrap();
    fs::write(folder.path().join("LATEST"), &hints[0]).unwrap();
    fs::write(folder.path().join("catalog.parquet"), &hints[1]).unwrap();
    assert_eq!(
        store.latest().unwrap().unwrap().number(),
        1,
        "readers follow LATEST where it verifies"
    );
    assert!(Run::new(1).publish(&store).unwrap().already);
    assert_eq!(store.latest().unwrap().unwrap().number(), 2);
    assert_complete(folder.path());
}
