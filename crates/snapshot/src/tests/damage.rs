//! Everything that does not match its commit is found and named.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use super::{Run, assert_invariants};
use crate::{Store, StoreError};

fn three_versions() -> (TempDir, Store, PathBuf) {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    (0..3).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
    let file = store.version(2).unwrap().folder().join("customers.parquet");
    (folder, store, file)
}

fn commit(folder: &Path, version: u64) -> PathBuf {
    folder.join(format!("commits/{version:020}.json"))
}

/// The only version with a problem, and the problem.
#[track_caller]
fn problem(store: &Store) -> (u64, String) {
    let report = store.verify(None).unwrap();
    assert!(!report.is_sound());
    let (version, problems) = report.problems.iter().next().unwrap();
    (*version, problems.join("; "))
}

#[test]
fn a_flipped_byte_anywhere_in_a_data_file_is_named() {
    let (_folder, store, file) = three_versions();
    let bytes = fs::read(&file).unwrap();
    for place in (0..bytes.len()).step_by(37).chain([bytes.len() - 1]) {
        let mut other = bytes.clone();
        other[place] ^= 0x10;
        fs::write(&file, other).unwrap();
        let (version, problem) = problem(&store);
        assert_eq!(version, 2);
        assert_eq!(
            problem,
            format!(
                "damaged: {}: its sha256 is not that of the commit",
                file.display()
            )
        );
        assert!(
            store.verify(Some(1)).unwrap().is_sound() && !store.verify(Some(2)).unwrap().is_sound()
        );
    }
    fs::write(&file, bytes).unwrap();
    assert!(store.verify(None).unwrap().is_sound());
}

#[test]
fn a_short_missing_or_linked_file_is_named() {
    let (folder, store, file) = three_versions();
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..100]).unwrap();
    assert!(
        problem(&store)
            .1
            .ends_with(&format!("100 bytes instead of {}", bytes.len()))
    );
    fs::remove_file(&file).unwrap();
    assert!(
        problem(&store)
            .1
            .contains("customers.parquet: No such file")
    );
    let error = store.version(2).unwrap().read("customers").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("customers.parquet: No such file"),
        "{error}"
    );
    // The right bytes, but through a link: published files are never elsewhere.
    let elsewhere = folder.path().join("elsewhere.parquet");
    fs::write(&elsewhere, bytes).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(
        problem(&store)
            .1
            .contains("customers.parquet: Too many levels of symbolic links")
    );
}

#[test]
fn changed_and_missing_commits_are_named() {
    let (folder, store, _) = three_versions();
    let path = commit(folder.path(), 2);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"seed\": 1", "\"seed\": 7")).unwrap();
    let (version, found) = problem(&store);
    assert_eq!(version, 2);
    assert!(
        found.contains(&path.display().to_string()) && found.contains("checksum does not match"),
        "{found}"
    );
    let error = store.version(2).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }) && error.exit_code() == 4);

    fs::remove_file(&path).unwrap();
    let (version, found) = problem(&store);
    assert_eq!(
        (version, found.as_str()),
        (
            3,
            "version 3 comes where version 2 was expected: commits are missing"
        )
    );
}

#[test]
fn a_commit_from_another_history_breaks_the_chain() {
    let (folder, store, _) = three_versions();
    let other = tempdir().unwrap();
    let stranger = Store::open_or_create(other.path()).unwrap();
    (10..13).for_each(|seed| drop(Run::new(seed).publish(&stranger).unwrap()));
    fs::copy(commit(other.path(), 2), commit(folder.path(), 2)).unwrap();
    let report = store.verify(None).unwrap();
    assert!(report.problems[&2][0].contains("its parent is not the commit before it"));
    assert!(report.problems[&3][0].contains("its parent is not the commit before it"));
}

#[test]
fn an_unknown_version_or_table_says_what_there_is() {
    let (_folder, store, _) = three_versions();
    let error = store.version(9).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has no version 9; it has versions 1 to 3"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 2);
    let error = store.version(1).unwrap().read("cohorts").unwrap_err();
    assert_eq!(error.to_string(), "version 1 has no table `cohorts`");
    assert_eq!(store.version(2).unwrap().rows("cohorts"), 0);
}

#[test]
fn an_expired_version_is_said_to_be_so_and_its_data_may_be_gone() {
    let (folder, store, _) = three_versions();
    let version = store.version(2).unwrap();
    fs::create_dir(folder.path().join("expired")).unwrap();
    fs::write(folder.path().join(format!("expired/{:020}.json", 2)), "{}").unwrap();
    fs::remove_dir_all(version.folder()).unwrap();
    let error = store.version(2).unwrap_err();
    assert!(matches!(error, StoreError::Expired { version: 2 }));
    assert!(store.verify(None).unwrap().is_sound());
    assert!(
        store.find(&Run::new(1).identity()).unwrap().is_none(),
        "an expired version does not count as published"
    );
    store.repair().unwrap();
    let views = fs::read_to_string(folder.path().join("views/duckdb.sql")).unwrap();
    assert!(!views.contains(version.txid()), "views leave it out");
    let again = Run::new(1).publish(&store).unwrap();
    assert_eq!((again.already, again.version.number()), (false, 4));
}

#[test]
fn foreign_names_in_the_commits_folder_are_not_versions() {
    let (folder, store, _) = three_versions();
    for name in [
        "4.json",
        "00000000000000000004.json.tmp",
        "0000000000000000000x.json",
        ".nfs0001",
        "notes.txt",
    ] {
        fs::write(folder.path().join("commits").join(name), "x").unwrap();
    }
    assert_eq!(store.versions().unwrap().len(), 3);
    Run::new(3).publish(&store).unwrap();
    assert_eq!(assert_invariants(folder.path()), 4);
}
