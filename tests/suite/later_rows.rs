//! Rows dated after the day of a run change no byte of its version, whatever they say.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::backfill::{bytes, case};
use crate::versions::Case;

const DAY: &str = "2026-03-31";

/// Replaces every order after the day by one of another customer, another day after it and another amount.
fn rewrite_later(case: &Case) -> usize {
    let file = case.path("lake/a.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut rewritten = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            if fields[1] <= DAY || fields[1] == "ordered_at" {
                return line.to_owned();
            }
            rewritten += 1;
            format!(
                "late{rewritten},2026-05-{:02},{}",
                1 + rewritten % 28,
                9_000 + rewritten
            )
        })
        .collect();
    std::fs::write(&file, lines.join("\n") + "\n").unwrap();
    rewritten
}

/// The tables of the version of a day, but for `sources`, which counts the files and the rows that it does not use.
fn tables(case: &Case, day: &str) -> BTreeMap<String, Value> {
    let mut tables = bytes(&case.path("store")).remove(day).unwrap();
    assert!(tables.remove("sources").is_some() && tables.len() > 10);
    tables
}

#[test]
fn a_version_and_the_one_after_it_do_not_know_later_rows() {
    let case = case();
    case.day("2026-02-28");
    case.day(DAY);
    let before = [tables(&case, "2026-02-28"), tables(&case, DAY)];
    std::fs::remove_dir_all(case.path("store")).unwrap();
    assert!(rewrite_later(&case) > 20);
    case.day("2026-02-28");
    case.day(DAY);
    assert_eq!([tables(&case, "2026-02-28"), tables(&case, DAY)], before);
    // What is rewritten does matter to the day after it.
    case.day("2026-05-31");
    assert!(
        case.table("customers")
            .texts("customer_id")
            .iter()
            .flatten()
            .any(|key| key == "late1")
    );
}
