//! Garbage collection: old versions go, and runs, readers and other commands find what they need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::backfill::bytes;
use crate::oracle::{python, script};
use crate::program::{json, run};
use crate::versions::Case;

/// A scheme that every night fits again.
const TIER: &str = "[schemes.tier]\nkind = \"quantile\"\nby = \"spend_total\"\ntiers = { top = 0.25, rest = 1.0 }\n";

/// Schemes that are fitted once.
const FITTED_ONCE: &str = r#"
[schemes.rfm]
kind = "rfm_grid"
grid = "eleven"
score_method = "frozen"

[schemes.spend]
kind = "kmeans"
features = ["spend_total"]
k = 2
transform = "none"
refit = "never"
"#;

fn store(case: &Case) -> String {
    case.path("store").display().to_string()
}

fn gc(case: &Case, more: &[&str], code: i32) -> Output {
    run(&[&["gc", &store(case)], more].concat(), code)
}

/// Keeps the last two days and removes the rest at once.
const AT_ONCE: [&str; 9] = [
    "--keep-last",
    "2",
    "--keep-days",
    "0",
    "--keep-monthly",
    "0",
    "--grace",
    "0s",
    "--force",
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs a command on the pipeline of a case.
fn of_case(case: &Case, command: &str, more: &[&str], code: i32) -> Output {
    let arguments = case.arguments(command, more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments, code)
}

/// A copy of a store beside it.
fn copy(case: &Case, name: &str) -> PathBuf {
    let to = case.path(name);
    let done = Command::new("cp")
        .args([Path::new("-a"), &case.path("store"), &to])
        .status();
    assert!(done.unwrap().success());
    to
}

/// Six nights of February.
fn nights() -> Case {
    let case = Case::new();
    (1..=6).for_each(|day| drop(case.day(&format!("2026-02-0{day}"))));
    case
}

fn folders_of_runs(case: &Case) -> usize {
    let days = fs::read_dir(case.path("store/data")).unwrap();
    days.map(|day| fs::read_dir(day.unwrap().path()).unwrap().count())
        .sum()
}

#[test]
fn what_would_go_is_shown_and_only_apply_removes_it_and_only_after_the_grace_period() {
    let case = nights();
    // Everything was published today.
    let shown = text(&gc(&case, &[], 0).stdout);
    assert!(shown.contains(
        "stays: latest, the newest commit, of the last 30 days, published within 14 days"
    ));
    assert!(shown.ends_with("--apply: 0 versions expire, 6 stay; the files of 0 versions are removed: 0 files, 0 bytes\n"));
    let policy = [
        "--keep-last",
        "4",
        "--keep-days",
        "0",
        "--keep-monthly",
        "0",
    ];
    let plan = json(&gc(&case, &[&policy[..], &["--json"]].concat(), 0));
    assert_eq!(
        (&plan["applied"], &plan["expired"]),
        (&false.into(), &serde_json::json!([1, 2]))
    );
    assert_eq!(plan["versions"][0]["state"], "expires");
    assert_eq!(plan["versions"][4]["reasons"][0], "comes before latest");
    assert_eq!(folders_of_runs(&case), 6);
    assert!(!case.path("store/expired").exists());

    let applied = [&policy[..], &["--apply"]].concat();
    let said = text(&gc(&case, &applied, 0).stdout);
    assert!(
        said.contains("       1  2026-02-01") && said.contains("expires: older than what is kept"),
        "{said}"
    );
    assert!(
        said.contains("2 versions expired, 4 stay; the files of 0 versions are removed"),
        "{said}"
    );
    assert!(
        said.contains("removed by a `tessera gc --apply` in 60 minutes or later"),
        "{said}"
    );
    let again = text(&gc(&case, &applied, 0).stdout);
    assert!(
        again.contains("expired; its files are removed from 20"),
        "{again}"
    );
    assert_eq!(folders_of_runs(&case), 6);
    // A reader who found version 1 before can still finish; nobody is given it any more.
    let message = text(&run(&["path", &store(&case), "--version", "1"], 2).stderr);
    assert!(
        message.contains("version 1 has expired: garbage collection removes its tables"),
        "{message}"
    );
    let swept = json(&gc(
        &case,
        &[&applied[..], &["--grace", "0s", "--json"]].concat(),
        0,
    ));
    assert_eq!(swept["removed"]["versions"], serde_json::json!([1, 2]));
    assert!(swept["removed"]["bytes"].as_u64() > Some(10_000));
    assert_eq!(folders_of_runs(&case), 4);
    let verified = text(&run(&["verify", &store(&case), "--deep"], 0).stdout);
    assert!(
        verified.starts_with("sound: 6 versions (2 expired), "),
        "{verified}"
    );
    let last = text(&gc(&case, &applied, 0).stdout);
    assert!(
        last.contains("2 expired versions are gone already\n"),
        "{last}"
    );
}

#[test]
fn too_much_is_refused_and_a_store_that_is_not_sound_is_left_alone() {
    let case = nights();
    let none = [
        "--keep-last",
        "0",
        "--keep-days",
        "0",
        "--keep-monthly",
        "0",
    ];
    let message = text(&gc(&case, &none, 2).stderr);
    assert!(
        message.contains(
            "state `--keep-last`, `--keep-days` or `--keep-monthly`; nothing was removed"
        ),
        "{message}"
    );
    let two = &AT_ONCE[..8];
    let shown = text(&gc(&case, two, 0).stdout);
    assert!(
        shown.ends_with("more than half of the versions would expire, which takes --force\n"),
        "{shown}"
    );
    let refused = gc(&case, &[two, &["--apply", "--json"]].concat(), 2);
    let message = json(&refused)["diagnostics"][0]["message"].to_string();
    assert!(
        message.contains("4 of 6 versions would expire, more than half"),
        "{message}"
    );
    let latest = case.path("store/LATEST");
    let whole = fs::read(&latest).unwrap();
    fs::write(&latest, "{").unwrap();
    let message = text(&gc(&case, &[&AT_ONCE[..], &["--apply"]].concat(), 4).stderr);
    assert!(
        message.contains("`LATEST` does not name version 6 of 2026-02-06"),
        "{message}"
    );
    fs::write(&latest, whole).unwrap();
    assert_eq!(folders_of_runs(&case), 6);
    assert!(!case.path("store/expired").exists());
    gc(&case, &[&AT_ONCE[..], &["--apply"]].concat(), 0);
    assert_eq!(folders_of_runs(&case), 2);
}

#[test]
fn the_next_night_publishes_the_same_bytes_as_without_it() {
    let case = Case::new();
    case.pipeline(&format!("{TIER}{FITTED_ONCE}"));
    case.day("2026-02-01");
    // Some nights lack the schemes that were fitted once.
    case.pipeline(TIER);
    (10..=15).for_each(|day| drop(case.day(&format!("2026-02-{day}"))));
    let apart = copy(&case, "apart");
    let done = json(&gc(
        &case,
        &[&AT_ONCE[..], &["--apply", "--json"]].concat(),
        0,
    ));
    assert_eq!(
        done["removed"]["versions"],
        serde_json::json!([1, 2, 3, 4, 5])
    );
    let more = |number: usize| (format!("small{number:02}"), "2026-02-12", 5_000.0);
    case.orders("b.csv", &(0..30).map(more).collect::<Vec<_>>());
    let later = || {
        case.pipeline(&format!("{TIER}{FITTED_ONCE}"));
        case.day("2026-02-15");
        case.day("2026-02-16");
        // The edges of a version that has expired by now.
        let stated = "{ kind = \"frozen\", version = 1 }";
        let stated = FITTED_ONCE.replace("\"frozen\"", stated);
        case.pipeline(&format!("{TIER}{stated}"));
        case.day("2026-02-17");
        bytes(&case.path("store"))
    };
    let after = later();
    run(&["verify", &store(&case), "--deep"], 0);
    fs::rename(case.path("store"), case.path("collected")).unwrap();
    fs::rename(apart, case.path("store")).unwrap();
    run(&["repair", &store(&case)], 0);
    assert_eq!(later(), after);
}

/// Which versions `snapshots` lists as expired, oldest first.
fn listed_as_expired(store: &str) -> Vec<bool> {
    let listed = json(&run(&["snapshots", store, "--json"], 0));
    let expired = listed.as_array().unwrap().iter().map(|one| &one["expired"]);
    expired.map(|one| one == &Value::Bool(true)).collect()
}

/// Who asks for such a day gets it, and is told.
fn an_expired_day_is_published_again(case: &Case) {
    let output = of_case(case, "run", &["--as-of", "2026-02-04", "--quiet"], 0);
    let message = text(&output.stderr);
    assert!(
        message.contains("version 4 of 2026-02-04 has expired, so the day is published again"),
        "{message}"
    );
    assert!(
        message.contains("version 3, which comes before this day, has expired"),
        "{message}"
    );
    assert!(text(&output.stdout).starts_with("published: version 7 of 2026-02-04"));
}

#[test]
fn every_command_says_that_a_version_has_expired() {
    let case = nights();
    gc(&case, &[&AT_ONCE[..], &["--apply"]].concat(), 0);
    let store = store(&case);
    let expired = listed_as_expired(&store);
    assert_eq!(expired, [true, true, true, true, false, false]);
    let shown = text(&run(&["snapshots", &store], 0).stdout);
    assert_eq!(shown.matches("  expired\n").count(), 4, "{shown}");

    let has_expired = |output: Output| {
        let message = text(&output.stderr);
        assert!(message.contains("version 4 has expired: "), "{message}");
    };
    has_expired(run(&["diff", &store, "4", "latest"], 2));
    has_expired(run(&["diff", &store, "2026-02-04", "latest"], 2));
    has_expired(run(
        &["explain", &store, "small00", "--as-of", "2026-02-04"],
        2,
    ));
    has_expired(run(&["verify", &store, "--version", "4"], 2));
    has_expired(of_case(&case, "report", &["--version", "4"], 2));
    run(&["diff", &store, "5", "6"], 0);
    // The stay began before: the earlier days are not there to be read.
    run(&["explain", &store, "small00", "--as-of", "2026-02-05"], 0);
    // Version 5 follows an expired one; it is there, and so is its report.
    let report = fs::read(case.path("store/reports/version-5.html")).unwrap();
    assert!(
        case.day("2026-02-05")
            .starts_with("already published: version 5")
    );
    assert!(fs::read(case.path("store/reports/version-5.html")).unwrap() == report);
    for day in ["2026-02-04", "2026-02-05", "2026-02-06", "2026-02-07"] {
        of_case(&case, "plan", &["--as-of", day], 0);
    }

    let backfill = [
        "--from",
        "2026-02-02",
        "--to",
        "2026-02-06",
        "--every",
        "1d",
    ];
    let done = json(&of_case(
        &case,
        "backfill",
        &[&backfill[..], &["--json"]].concat(),
        0,
    ));
    assert_eq!(
        (&done["published"], &done["skipped"]),
        (&0.into(), &5.into())
    );
    let states: Vec<&Value> = done["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| &day["state"])
        .collect();
    assert_eq!(
        states,
        ["expired", "expired", "expired", "skipped", "skipped"]
    );
    let output = of_case(&case, "backfill", &backfill, 0);
    let said = text(&output.stdout);
    let line =
        "2026-02-03: version 3 has expired, so the day is left out; --again publishes it again\n";
    assert!(said.contains(line), "{said}");
    let all = "0 published, 2 there before, 3 expired, in ";
    assert!(text(&output.stderr).contains(all), "{output:?}");

    an_expired_day_is_published_again(&case);
    run(&["repair", &store], 0);
    let verified = json(&run(&["verify", &store, "--json"], 0));
    assert_eq!(
        (&verified["expired"], &verified["stale_hints"]),
        (&4.into(), &serde_json::json!([]))
    );
}

#[test]
fn views_and_delta_tables_are_read_by_other_programs_while_versions_wait_and_after() {
    let Some(python) = python() else { return };
    let case = nights();
    // A day that was published twice, and columns and tables that later days lack.
    case.pipeline(TIER);
    case.day("2026-02-05");
    case.day("2026-02-07");
    let store = store(&case);
    for grace in ["1h", "0s"] {
        let mut policy = AT_ONCE;
        policy[7] = grace;
        gc(&case, &[&policy[..], &["--apply"]].concat(), 0);
        script(&python, "after_gc.py", &[&store]);
        script(&python, "delta_readers.py", &[&store]);
    }
    assert_eq!(folders_of_runs(&case), 2);
    case.day("2026-02-08");
    script(&python, "after_gc.py", &[&store]);
    script(&python, "delta_readers.py", &[&store]);
}
