//! The day of a run compared with the days of the data and with today.

use std::fs;
use std::path::Path;

use crate::program::run;

fn pipeline(dir: &Path, days: &str) -> String {
    fs::write(dir.join("orders.csv"), format!("id,day,amount\n{days}")).unwrap();
    let at = dir.display();
    let text = format!(
        "spec_version = 1\nname = \"days\"\ntimezone = \"Pacific/Auckland\"\ncurrency = \"NZD\"\nstore = \"{at}/store\"\n\
                [customer]\nkey = \"id\"\n[sources.orders]\nkind = \"events\"\npath = \"{at}/orders.csv\"\nkey = \"id\"\ntime = \"day\"\n\
                [sources.orders.contract]\ncolumns = {{ id = \"string\", day = \"date\", amount = \"f64\" }}\nmissing_key = \"fail\"\n\
                [features]\nuse = [\"recency_days\"]\n"
    );
    let file = dir.join("days.toml");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

#[test]
fn a_day_that_has_not_come_needs_to_be_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path(), "a,2026-01-01,1\n");
    let refused = run(&["run", &file, "--as-of", "2199-12-31"], 2);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("2199-12-31 is later than today"), "{said}");
    assert!(
        said.contains("--allow-future") && said.contains("Pacific/Auckland"),
        "{said}"
    );
    assert!(!dir.path().join("store").exists());
    run(
        &[
            "run",
            &file,
            "--as-of",
            "2199-12-31",
            "--allow-future",
            "--quiet",
        ],
        0,
    );
}

/// Orders of every day; the last is four days before the first day of the run, and three before the second.
#[test]
fn a_day_long_after_the_newest_row_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let days: String = (1..=20)
        .map(|day| format!("a,2026-01-{day:02},1\n"))
        .collect();
    let file = pipeline(dir.path(), &days);
    let late = run(&["run", &file, "--as-of", "2026-01-24"], 0);
    let said = String::from_utf8_lossy(&late.stderr);
    assert!(
        said.contains("newest row is of 2026-01-20, 4 days before 2026-01-24"),
        "{said}"
    );
    let usual = run(&["run", &file, "--as-of", "2026-01-23"], 0);
    assert!(!String::from_utf8_lossy(&usual.stderr).contains("newest row"));
}
