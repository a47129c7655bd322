//! If hints are lost or wrong, readers still find the latest version, and the next run restores them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants};
use crate::Store;

/// A loss or change of hints of a store of two versions, and which hints it makes stale.
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
        "latest is a folder, as a copy that followed links has it",
        |store| {
            fs::remove_file(store.join("latest")).unwrap();
            fs::create_dir(store.join("latest")).unwrap();
            fs::write(store.join("latest/customers.parquet"), "PAR1").unwrap();
        },
        &["latest"],
    ),
    (
        "the catalogue is garbage",
        |store| fs::write(store.join("catalog.parquet"), "PAR1").unwrap(),
        &["catalog.parquet"],
    ),
    (
        "the Delta tables are missing",
        |store| fs::remove_dir_all(store.join("delta")).unwrap(),
        &["delta"],
    ),
    (
        "the last entry of a Delta table is cut off",
        |store| fs::write(last_entry(store), "{").unwrap(),
        &["delta"],
    ),
    (
        "the last entry of a Delta table is missing",
        |store| fs::remove_file(last_entry(store)).unwrap(),
        &["delta"],
    ),
    (
        "the index is missing",
        |store| fs::remove_file(store.join("INDEX")).unwrap(),
        &["INDEX"],
    ),
    (
        "the index is cut off",
        |store| {
            let text = fs::read(store.join("INDEX")).unwrap();
            fs::write(store.join("INDEX"), &text[..text.len() / 2]).unwrap();
        },
        &["INDEX"],
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

/// The last entry of the log of a Delta table of a store of two versions.
fn last_entry(store: &Path) -> std::path::PathBuf {
    store.join("delta/customers/_delta_log/00000000000000000002.json")
}

/// What restores them.
type Restore = (&'static str, fn(&Store));

fn rewrite_latest(store: &Path, version: u64) {
    let text = fs::read_to_string(store.join("LATEST")).unwrap();
    fs::write(
        store.join("LATEST"),
        text.replace("\"version\":2", &format!("\"version\":{version}")),
    )
    .unwrap();
}

#[test]
fn readers_find_the_latest_version_and_the_next_run_restores_the_hints() {
    for (name, mishap, stale) in MISHAPS {
        let restore: [Restore; 3] = [
            ("repair", |store| store.repair().unwrap()),
            ("the same run", |store| {
                assert!(Run::new(1).publish(store).unwrap().already)
            }),
            ("another run", |store| {
                assert!(!Run::new(2).publish(store).unwrap().already)
            }),
        ];
        for (by, restore) in restore {
            let folder = tempdir().unwrap();
            let store = Store::open_or_create(folder.path()).unwrap();
            (0..2).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
            mishap(folder.path());
            assert_eq!(store.verify(None).unwrap().stale_hints, *stale, "{name}");
            assert_eq!(store.latest().unwrap().unwrap().number(), 2, "{name}");
            if !stale.contains(&"latest") {
                assert_invariants(folder.path());
            }
            restore(&store);
            assert_invariants(folder.path());
            assert_complete(folder.path());
            assert_eq!(
                store.verify(None).unwrap().stale_hints,
                Vec::<&str>::new(),
                "{name}, restored by {by}"
            );
        }
    }
}

#[test]
fn hints_that_a_run_is_about_to_write_are_not_stale() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    (0..2).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
    let latest = folder.path().join("LATEST");
    let whole = fs::read(&latest).unwrap();
    // As between the commit of a run and its hints.
    let lock = store.lock().unwrap();
    fs::write(&latest, "").unwrap();
    std::thread::scope(|scope| {
        let verified = scope.spawn(|| Store::open(folder.path()).unwrap().verify(None).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(300));
        fs::write(&latest, &whole).unwrap();
        drop(lock);
        let report = verified.join().unwrap();
        assert_eq!(report.stale_hints, Vec::<&str>::new());
    });
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

/// The day that readers see by the hints, and by the commits.
fn shown(path: &Path) -> (u64, String, String) {
    let latest = Store::open(path).unwrap().latest().unwrap().unwrap();
    let target = fs::read_link(path.join("latest")).unwrap();
    let target = target.display().to_string();
    (
        latest.number(),
        latest.as_of().to_string(),
        target[.."data/as_of=2026-01-01".len()].to_owned(),
    )
}

#[test]
fn an_older_day_run_later_moves_no_hint_back() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let day = |seed, day| Run {
        day,
        ..Run::new(seed)
    };
    let expected = |version, day: &str| {
        (
            version,
            format!("2026-01-{day}"),
            format!("data/as_of=2026-01-{day}"),
        )
    };
    day(1, 20).publish(&store).unwrap();
    let inode = || {
        use std::os::unix::fs::MetadataExt;
        fs::symlink_metadata(folder.path().join("LATEST"))
            .unwrap()
            .ino()
    };
    let before = inode();
    day(2, 10).publish(&store).unwrap();
    assert_eq!(shown(folder.path()), expected(1, "21"));
    assert_eq!(inode(), before, "LATEST is not even written again");
    assert_complete(folder.path());
    // Publishing the same old day again changes nothing either; the shown day again does, and so does a newer day.
    day(3, 10).publish(&store).unwrap();
    assert_eq!(shown(folder.path()), expected(1, "21"));
    day(4, 20).publish(&store).unwrap();
    assert_eq!(shown(folder.path()), expected(4, "21"));
    day(5, 21).publish(&store).unwrap();
    assert_eq!(shown(folder.path()), expected(5, "22"));
    // Without any hint, readers and `repair` follow the same rule.
    day(6, 1).publish(&store).unwrap();
    for hint in ["LATEST", "latest", "catalog.parquet", "views/duckdb.sql"] {
        fs::remove_file(folder.path().join(hint)).unwrap();
    }
    assert_eq!(store.latest().unwrap().unwrap().number(), 5);
    store.repair().unwrap();
    assert_eq!(shown(folder.path()), expected(5, "22"));
    assert_complete(folder.path());
}

#[test]
fn a_run_knows_whether_the_version_before_it_changed() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let day = |seed, day| Run {
        day,
        ..Run::new(seed)
    };
    day(1, 20).publish(&store).unwrap();
    assert!(day(1, 20).publish(&store).unwrap().already);
    day(2, 10).publish(&store).unwrap();
    assert!(store.standings().unwrap()[&1].outdated);
    let again = day(1, 20).publish(&store).unwrap();
    assert!(!again.already, "another version comes before it now");
    assert_eq!(again.version.commit().previous, 2);
    let standings = store.standings().unwrap();
    assert_eq!(standings[&1].superseded_by, Some(3));
    assert!(!standings[&3].outdated);
    assert!(day(1, 20).publish(&store).unwrap().already);
    assert!(
        day(2, 10).publish(&store).unwrap().already,
        "later days do not concern it"
    );
}
