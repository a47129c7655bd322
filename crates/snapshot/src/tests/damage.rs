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
    assert!(matches!(error, StoreError::DamagedCommit { .. }) && error.exit_code() == 4);
    assert!(error.to_string().contains("from a backup"), "{error}");

    fs::remove_file(&path).unwrap();
    let (version, found) = problem(&store);
    assert_eq!(version, 2);
    assert!(
        found.contains(&path.display().to_string())
            && found.contains("version 2 of 2026-01-02 is lost")
            && found.contains("`tessera run --as-of 2026-01-02` publishes that day again"),
        "{found}"
    );
    let error = store.version(2).unwrap_err();
    assert!(matches!(error, StoreError::LostCommit(_)), "{error}");
    // Runs go on after those that are left, and nothing of the lost version is swept away.
    store.check_newest().unwrap();
    assert_eq!(Run::new(3).publish(&store).unwrap().version.number(), 4);
    assert_eq!(store.leftovers().unwrap(), crate::Leftovers::default());
}

#[test]
fn a_table_of_another_version_in_the_place_of_one_is_not_read() {
    let (_folder, store, file) = three_versions();
    let other = store.version(3).unwrap().folder().join("customers.parquet");
    fs::copy(other, &file).unwrap();
    let error = store.version(2).unwrap().read("customers").unwrap_err();
    assert!(error.to_string().contains("bytes instead of"), "{error}");
    assert!(error.is_damage());
}

#[test]
fn a_damaged_commit_hides_no_other_damage() {
    let (folder, _, file) = three_versions();
    fs::write(commit(folder.path(), 1), "{").unwrap();
    fs::remove_file(file).unwrap();
    let report = Store::open(folder.path()).unwrap().verify(None).unwrap();
    assert_eq!(report.problems.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert!(report.problems[&1][0].contains("restore this file from a backup"));
    assert!(report.problems[&2][0].contains("customers.parquet"));
    assert_eq!(report.problems[&2].len(), 1, "its parent is not known");
    let again = "`tessera run --as-of 2026-01-02 --replace-damaged` publishes version 2";
    assert!(report.remedies.iter().any(|one| one.starts_with(again)));
    // Of one version by itself, too, and for an error of a reader.
    fs::remove_file(commit(folder.path(), 1)).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let report = store.verify(Some(2)).unwrap();
    assert!(report.remedies.iter().any(|one| one.starts_with(again)));
    let error = store.version(2).unwrap().read("customers").unwrap_err();
    assert!(crate::remedy(&error).unwrap().starts_with(again));
    let error = store.version(9).unwrap_err();
    assert_eq!(crate::remedy(&error), None);
}

#[test]
fn a_newest_version_without_a_commit_is_lost_until_repair_says_so() {
    for without in [&[][..], &["INDEX"], &["LATEST"]] {
        let (folder, _, _) = three_versions();
        let store = Store::open(folder.path()).unwrap();
        let path = commit(folder.path(), 3);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        for hint in without {
            fs::remove_file(folder.path().join(hint)).unwrap();
        }
        let (version, found) = problem(&store);
        assert_eq!(version, 3);
        assert!(
            found.contains("version 3 of 2026-01-03 is lost") && found.contains("`tessera repair "),
            "{found}"
        );
        let error = store.check_newest().unwrap_err();
        assert!(matches!(error, StoreError::LostCommit(_)) && error.exit_code() == 4);
        assert!(matches!(store.latest(), Err(StoreError::LostCommit(_))));
        assert_eq!(store.remove_leftovers().unwrap().files, 0);
        // It is whole again with the file, and without it from `repair` on.
        fs::write(&path, bytes).unwrap();
        assert!(
            Store::open(folder.path())
                .unwrap()
                .verify(None)
                .unwrap()
                .is_sound()
        );
        fs::remove_file(&path).unwrap();
        let store = Store::open(folder.path()).unwrap();
        store.repair().unwrap();
        store.check_newest().unwrap();
        assert_eq!(store.latest().unwrap().unwrap().number(), 2);
        assert_eq!(Run::new(2).publish(&store).unwrap().version.number(), 3);
        assert_invariants(folder.path());
    }
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
