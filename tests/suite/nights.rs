//! A long row of nights: what a night writes does not grow with the versions before it, and a list of many stays readable.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Days, NaiveDate};

use crate::inject::{Fault, injector, run_with};
use crate::latest::shop;
use crate::program::{json, run};

/// How many nights there are: more than `tessera snapshots` shows people.
const NIGHTS: u64 = 33;

fn night(number: u64) -> String {
    let first = NaiveDate::from_ymd_opt(2026, 8, 31).unwrap();
    (first + Days::new(number)).to_string()
}

/// How often the run of a night calls the system to change a file, by the call.
fn changes(dir: &Path, file: &str, number: u64) -> BTreeMap<String, usize> {
    let day = night(number);
    let arguments = ["run", file, "--as-of", &day, "--quiet", "--threads", "1"];
    let (output, calls) = run_with(dir, Fault::Count, 0, &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(call.name).or_default() += 1;
    }
    counts
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn the_thirty_third_night_changes_as_many_files_as_the_second_and_its_list_is_short() {
    let dir = tempfile::tempdir().unwrap();
    let file = shop(dir.path());
    let publish = |number| {
        drop(run(
            &["run", &file, "--as-of", &night(number), "--quiet"],
            0,
        ))
    };
    publish(1);
    let traced = injector().is_some();
    let second = traced.then(|| changes(dir.path(), &file, 2));
    let store = dir.path().join("store").display().to_string();
    let text = |more: &[&str]| {
        let stdout = run(&[&["snapshots", &store], more].concat(), 0).stdout;
        String::from_utf8(stdout).unwrap()
    };
    (2 + u64::from(traced)..NIGHTS - 1).for_each(publish);
    let told = "1 older version is not shown: --all lists it\n";
    assert!(text(&[]).ends_with(told), "{}", text(&[]));
    publish(NIGHTS - 1);
    let hints = ["INDEX", "views/duckdb.sql"].map(|name| dir.path().join("store").join(name));
    let before = hints.each_ref().map(|path| lines(path));
    match second {
        Some(second) => assert_eq!(changes(dir.path(), &file, NIGHTS), second),
        None => publish(NIGHTS),
    }
    let added: Vec<usize> = hints
        .iter()
        .zip(before)
        .map(|(path, before)| lines(path) - before)
        .collect();
    assert_eq!(
        added,
        [1, 2],
        "a line in the index; its folder and its row of `runs` in the views"
    );

    let short = text(&[]);
    assert_eq!(short.lines().count(), 1 + 30 + 1, "{short}");
    assert!(short.contains(&night(4)) && !short.contains(&night(3)));
    assert!(short.ends_with("3 older versions are not shown: --all lists them\n"));
    assert_eq!(text(&["--all"]).lines().count(), 1 + 33);
    let listed = json(&run(&["snapshots", &store, "--json"], 0));
    assert_eq!(listed.as_array().map(Vec::len), Some(33));

    // Days before them are run later: the version that `latest` names is shown although thirty are newer.
    for number in 1..=31 {
        let day = NaiveDate::from_ymd_opt(2026, 7, 31).unwrap() + Days::new(number);
        run(&["run", &file, "--as-of", &day.to_string(), "--quiet"], 0);
    }
    let short = text(&[]);
    assert!(short.contains(&format!("{}  ", night(NIGHTS))), "{short}");
    assert!(short.contains("<- latest") && short.contains("\n33 older versions are not shown"));
}
