//! The columns `figure`, `figure_of` and `figure_days` of `models`: what each row states, held against the names of the rows, which
//! the program itself never reads.

use std::collections::BTreeSet;
use std::path::Path;

use crate::program::{public_data, run};
use crate::table::Table;

/// One row: score, model and name; figure, what it is of, days.
#[derive(Debug)]
struct Row {
    key: [String; 3],
    is_number: bool,
    figure: String,
    of: Option<String>,
    days: Option<i64>,
}

fn rows(version: &Path) -> Vec<Row> {
    let models = Table::read(&version.join("models.parquet"));
    let key = ["score", "model", "name"].map(|column| models.texts(column));
    let (figures, of) = (models.texts("figure"), models.texts("figure_of"));
    let (values, days) = (models.floats("value"), models.ints("figure_days"));
    let row = |row: usize| {
        let key = [0, 1, 2].map(|column| key[column][row].clone().unwrap());
        Row {
            is_number: values[row].is_some(),
            figure: figures[row].clone().unwrap_or_else(|| panic!("{key:?}")),
            of: of[row].clone(),
            days: days[row],
            key,
        }
    };
    (0..models.rows()).map(row).collect()
}

/// What the name of a row says of the figure: `None` where it says nothing.
fn named(row: &Row) -> Option<(String, Option<String>, Option<i64>)> {
    let [_, model, name] = row.key.each_ref().map(String::as_str);
    let of = |figure: &str, of: &str, days| Some((figure.to_owned(), Some(of.to_owned()), days));
    if model == "choice" && ["served", "reason"].contains(&name) {
        return Some((name.to_owned(), None, None));
    }
    if let Some(parameter) = name.strip_suffix("_standard_error") {
        return of("standard_error", parameter, None);
    }
    if let Some(column) = name.strip_prefix("standard_error ") {
        return of("standard_error", &format!("coefficient {column}"), None);
    }
    if let Some(week) = name.strip_prefix("tracking_week_") {
        let (week, sum) = week.split_once('_').unwrap();
        let week: i64 = week.parse().unwrap();
        // The last week may be a part of one.
        let days = row.days.filter(|days| (days + 6) / 7 == week);
        return Some((format!("tracking_{sum}"), None, Some(days.unwrap())));
    }
    let test = ["test_", "backtest_"]
        .iter()
        .find_map(|begin| name.strip_prefix(begin))?;
    let slices = ["rows", "churned", "date"];
    // Sizes of the test slice, and what the published fit says of buyers whose holdout it has learned from.
    if model == "churn" && slices.contains(&test) || test.starts_with("silence_") {
        return Some(("parameter".to_owned(), None, None));
    }
    let (days, metric) = match test.split_once("d_") {
        Some((days, metric)) if days.parse::<i64>().is_ok() => (days.parse().ok(), metric),
        _ => (None, test),
    };
    for end in ["low_95", "high_95"] {
        if let Some(metric) = metric.strip_suffix(&format!("_{end}")) {
            return of(&format!("test_{end}"), metric, days);
        }
    }
    match metric.strip_prefix("x_") {
        Some(bin) => of("test_of_some", bin.split_once('_').unwrap().1, days),
        None => {
            let some = ["_customers", "_churn_rate", "_lift"];
            let band = some.iter().find(|end| metric.ends_with(*end));
            match band.filter(|_| days.is_some()) {
                Some(end) => of("test_of_some", &end[1..], days),
                None => of("test", metric, days),
            }
        }
    }
}

/// Holds the rows of a version against their names, and returns the figures that are there.
fn check(version: &Path) -> BTreeSet<String> {
    let rows = rows(version);
    for row in &rows {
        let stated = (row.figure.clone(), row.of.clone(), row.days);
        if let Some(named) = named(row) {
            assert_eq!(stated, named, "{row:?}");
        } else if row.figure == "estimate" {
            let error = rows.iter().find(|other| {
                other.key[..2] == row.key[..2]
                    && (&*other.figure, &other.of) == ("standard_error", &row.of)
            });
            assert!(error.is_some(), "{row:?} has a standard error");
            assert_eq!(row.of.as_ref(), Some(&row.key[2]), "{row:?}");
        } else {
            assert_eq!(stated, ("parameter".to_owned(), None, None), "{row:?}");
        }
        let is_text = ["served", "reason"].contains(&row.figure.as_str());
        assert!(
            row.figure == "parameter" || row.is_number != is_text,
            "{row:?}"
        );
    }
    rows.into_iter().map(|row| row.figure).collect()
}

#[test]
fn every_row_states_what_its_name_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 2_000);
    let figures = check(&dir.path().join("store/demo/latest"));
    assert_eq!(
        figures.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "estimate",
            "parameter",
            "reason",
            "served",
            "standard_error",
            "test",
            "test_high_95",
            "test_low_95",
            "test_of_some",
            "tracking_actual",
            "tracking_predicted",
        ]
    );
}

/// Contracts, health and churn of accounts, where the base rate is used.
#[test]
fn every_row_of_subscriptions_states_what_its_name_says() {
    let Some(data) = public_data("ravenstack") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let lake = format!("lake={}", data.display());
    let store = format!("out={}", out.path().display());
    let file = "pipelines/ravenstack.toml";
    run(
        &[
            "run",
            file,
            "--as-of",
            "2024-12-31",
            "--var",
            &lake,
            "--var",
            &store,
            "--quiet",
        ],
        0,
    );
    let figures = check(&out.path().join("ravenstack/latest"));
    assert!(figures.contains("estimate") && figures.contains("test_of_some"));
}
