//! Damage of a store is named with what heals it, and that does heal it: reports, commits, artifacts, the version before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::latest::shop;
use crate::program::{json, run};

/// A pipeline of two days that were run.
struct Nights {
    dir: tempfile::TempDir,
    file: String,
    store: String,
}

impl Nights {
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = shop(dir.path());
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}{more}")).unwrap();
        let store = dir.path().join("store").display().to_string();
        let nights = Self { dir, file, store };
        nights.run("2026-09-30", &[], 0);
        nights.run("2026-10-31", &[], 0);
        nights
    }

    fn run(&self, day: &str, more: &[&str], code: i32) -> Output {
        run(
            &[&["run", &self.file, "--as-of", day, "--quiet"], more].concat(),
            code,
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("store").join(name)
    }

    fn commit(&self, version: u64) -> PathBuf {
        self.path(&format!("commits/{version:020}.json"))
    }

    /// A table of the version that the day has first.
    fn table(&self, day: &str, table: &str) -> PathBuf {
        let runs = fs::read_dir(self.path(&format!("data/as_of={day}"))).unwrap();
        let mut runs: Vec<PathBuf> = runs.map(|run| run.unwrap().path()).collect();
        runs.sort();
        runs[0].join(format!("{table}.parquet"))
    }

    fn verify(&self, code: i32) -> String {
        stderr(&run(&["verify", &self.store], code))
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Cuts a file off.
fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// A scheme without the name of its method, which learns the edges of its scores.
const GRID: &str = "\n[schemes.rfm]\nkind = \"rfm_grid\"\ngrid = \"eleven\"\nscore_method = ";

/// What publishes the version of September again.
const SEPTEMBER: &str =
    "`tessera run --as-of 2026-09-30 --replace-damaged` publishes version 1 of 2026-09-30 again";

#[test]
fn a_report_that_compares_is_not_replaced_by_one_that_cannot() {
    let nights = Nights::new("");
    let report = nights.path("reports/version-2.html");
    let whole = fs::read(&report).unwrap();
    cut(&nights.table("2026-09-30", "customers"));
    let again = ["report", &nights.file, "--version", "2"];
    let said = stderr(&run(&again, 4));
    assert!(
        said.contains("customers.parquet")
            && said.contains(SEPTEMBER)
            && said.contains("the report that is there is kept"),
        "{said}"
    );
    let said = stderr(&nights.run("2026-10-31", &[], 0));
    assert!(
        said.contains(SEPTEMBER) && said.contains("the report that is there is kept"),
        "{said}"
    );
    assert_eq!(fs::read(&report).unwrap(), whole);
    // Where there is none, it is made without the comparison, and that is said.
    let to = nights.dir.path().join("elsewhere.html");
    let to_file = [&again[..], &["--to", to.to_str().unwrap()]].concat();
    let said = stderr(&run(&to_file, 0));
    assert!(said.contains(SEPTEMBER), "{said}");
    assert_ne!(fs::read(&to).unwrap(), whole);
    fs::remove_file(&report).unwrap();
    let said = stderr(&nights.run("2026-10-31", &[], 0));
    assert!(
        said.contains("the report compares nothing with it"),
        "{said}"
    );
    assert_eq!(fs::read(&report).unwrap(), fs::read(&to).unwrap());
    // After the remedy it is as it was.
    nights.run("2026-09-30", &["--replace-damaged"], 0);
    run(&again, 0);
    let healed = fs::read_to_string(&report).unwrap();
    assert!(healed.contains("30 September 2026"), "compared again");
}

#[test]
fn the_newest_version_without_its_commit_stops_runs_until_it_is_repaired() {
    let nights = Nights::new("");
    fs::remove_file(nights.commit(2)).unwrap();
    for said in [
        nights.verify(4),
        stderr(&nights.run("2026-11-15", &[], 4)),
        stderr(&nights.run("2026-10-31", &[], 4)),
        stderr(&run(&["path", &nights.store], 4)),
    ] {
        assert!(
            said.contains("version 2 of 2026-10-31 is lost")
                && said.contains("`tessera run --as-of 2026-10-31` publishes that day again"),
            "{said}"
        );
    }
    let output = run(&["repair", &nights.store], 0);
    assert!(stderr(&output).contains("version 2 of 2026-10-31 is lost"));
    assert!(stdout(&output).contains("latest is version 1 of 2026-09-30"));
    nights.run("2026-10-31", &[], 0);
    nights.verify(0);
}

#[test]
fn a_damaged_commit_is_named_with_the_way_out_and_hides_nothing() {
    let nights = Nights::new("");
    let whole = fs::read(nights.commit(1)).unwrap();
    cut(&nights.commit(1));
    let backup = "restore this file from a backup";
    let said = stderr(&nights.run("2026-10-31", &[], 4));
    assert!(said.contains(backup), "{said}");
    assert!(!said.contains("the same run again completes it"), "{said}");
    let said = stderr(&run(&["repair", &nights.store], 4));
    assert!(said.contains(backup), "{said}");
    cut(&nights.table("2026-10-31", "customers"));
    let said = nights.verify(4);
    assert!(
        said.contains(backup)
            && said.contains("customers.parquet")
            && said.contains("`tessera run --as-of 2026-10-31 --replace-damaged`"),
        "{said}"
    );
    fs::write(nights.commit(1), whole).unwrap();
    nights.run("2026-10-31", &[], 0);
    nights.verify(0);
    // Without a backup the runs go on without that version, and say so.
    fs::remove_file(nights.commit(1)).unwrap();
    let said = stderr(&nights.run("2026-11-15", &[], 0));
    assert!(said.contains("version 1 of 2026-09-30 is lost"), "{said}");
    assert!(nights.verify(4).contains("version 1"));
}

#[test]
fn artifacts_that_are_missing_are_made_again_by_the_run_that_fitted_them() {
    let nights = Nights::new(&format!("{GRID}\"midrank\"\n"));
    let remove = |nights: &Nights| {
        for found in fs::read_dir(nights.path("artifacts")).unwrap() {
            fs::remove_file(found.unwrap().path()).unwrap();
        }
    };
    remove(&nights);
    let said = nights.verify(4);
    for day in ["2026-09-30", "2026-10-31"] {
        let again = format!("`tessera run --as-of {day}` fits the artifact of schemes.rfm again");
        assert!(said.contains(&again), "{said}");
        assert!(stdout(&nights.run(day, &[], 0)).contains("which is damaged"));
    }
    nights.verify(0);

    // Edges that a later version applies are made by the version that fitted them.
    let nights = Nights::new(&format!("{GRID}\"frozen\"\n"));
    remove(&nights);
    let said = stderr(&nights.run("2026-10-31", &[], 4));
    assert!(said.contains("tessera verify"), "{said}");
    let said = nights.verify(4);
    assert!(
        said.contains("`tessera run --as-of 2026-09-30` fits"),
        "{said}"
    );
    nights.run("2026-09-30", &[], 0);
    nights.verify(0);
    assert!(stdout(&nights.run("2026-10-31", &[], 0)).contains("already published"));
}

#[test]
fn a_damaged_version_before_stops_a_night_with_the_command_that_heals_it() {
    let nights = Nights::new(&format!("{GRID}\"midrank\"\n"));
    for table in ["customers", "memberships"] {
        let path = nights.table("2026-10-31", table);
        let whole = fs::read(&path).unwrap();
        cut(&path);
        let again = "`tessera run --as-of 2026-10-31 --replace-damaged` publishes version 2 of 2026-10-31 again";
        for arguments in [
            &["run", &nights.file, "--as-of", "2026-11-15", "--json"][..],
            &["explain", &nights.store, "a"],
            &["verify", &nights.store],
        ] {
            let output = run(arguments, 4);
            assert!(stderr(&output).contains(again), "{}", stderr(&output));
            if arguments.contains(&"--json") {
                let said = json(&output)["diagnostics"][0]["message"].to_string();
                assert!(said.contains(again), "{said}");
            }
        }
        fs::write(&path, whole).unwrap();
    }
    cut(&nights.table("2026-10-31", "customers"));
    nights.run("2026-10-31", &["--replace-damaged"], 0);
    nights.run("2026-11-15", &[], 0);
    let output = run(&["verify", &nights.store, "--json"], 0);
    assert_eq!(json(&output)["remedies"], serde_json::json!([]));
    // Of the version that was replaced, the reader is told which one did.
    let said = stderr(&run(&["explain", &nights.store, "a", "--as-of", "2"], 4));
    assert!(said.contains("version 3 replaced version 2"), "{said}");
}
