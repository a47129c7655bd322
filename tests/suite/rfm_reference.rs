//! The published result of the R package `rfm` (README, data `rfm_data_orders`), reproduced exactly.

use std::collections::BTreeMap;
use std::path::Path;

use crate::program::{public_data, run};
use crate::table::Table;

#[test]
fn thresholds_and_all_995_segments_are_those_of_r_rfm() {
    let Some(data) = public_data("rfm") else {
        return;
    };
    let out = tempfile::tempdir().unwrap();
    let var = |name: &str, path: &Path| format!("{name}={}", path.display());
    let (lake, store) = (var("lake", &data), var("out", out.path()));
    run(
        &[
            "run",
            "pipelines/rfm_reference.toml",
            "--as-of",
            "2006-12-31",
            "--var",
            &lake,
            "--var",
            &store,
            "--quiet",
        ],
        0,
    );
    let latest = out.path().join("rfm_reference/latest");

    let customers = Table::read(&latest.join("customers.parquet"));
    assert_eq!(customers.rows(), 995);
    let segments = customers.texts("rfm");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for segment in segments.iter().flatten() {
        *counts.entry(segment.clone()).or_default() += 1;
    }
    let published = [
        ("About To Sleep", 102),
        ("At Risk", 28),
        ("Can't Lose Them", 47),
        ("Champions", 35),
        ("Lost", 148),
        ("Loyal Customers", 170),
        ("Need Attention", 10),
        ("New Customers", 104),
        ("Potential Loyalist", 342),
        ("Promising", 9),
    ];
    assert_eq!(
        counts,
        published
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    );
    rows_are_those_published(&customers, &data);
    edges_are_those_published(&latest);
}

fn rows_are_those_published(customers: &Table, data: &Path) {
    let segments = customers.texts("rfm");
    // Names have titles in the published file, so rows are matched by their three numbers.
    let expected =
        std::fs::read_to_string(data.join("expected_rfm_segments_from_docs.csv")).unwrap();
    let mut lines = expected.lines();
    let header: Vec<&str> = lines
        .next()
        .unwrap()
        .split(',')
        .map(|name| name.trim_matches('"'))
        .collect();
    let place = |name: &str| {
        header
            .iter()
            .position(|column| *column == name)
            .unwrap_or_else(|| panic!("{header:?}"))
    };
    let (segment, recency, count, amount) = (
        place("segment"),
        place("recency_days"),
        place("transaction_count"),
        place("amount"),
    );
    let mut wanted: BTreeMap<(i64, i64, i64), Vec<String>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
        let number = |place: usize| cells[place].parse::<f64>().unwrap() as i64;
        wanted
            .entry((number(recency), number(count), number(amount)))
            .or_default()
            .push(cells[segment].to_owned());
    }
    let (r, f, m) = (
        customers.ints("recency_days"),
        customers.ints("order_count"),
        customers.floats("spend_total"),
    );
    for row in 0..customers.rows() {
        let key = (r[row].unwrap(), f[row].unwrap(), m[row].unwrap() as i64);
        let names = wanted
            .get(&key)
            .unwrap_or_else(|| panic!("no published row {key:?}"));
        assert!(
            names.contains(segments[row].as_ref().unwrap()),
            "{key:?}: {names:?} published, {:?} here",
            segments[row]
        );
    }
}

fn edges_are_those_published(latest: &Path) {
    let models = Table::read(&latest.join("models.parquet"));
    let (names, values) = (models.texts("name"), models.floats("value"));
    let edges = |dimension: &str| -> Vec<f64> {
        let prefix = format!("{dimension}_edge_");
        (0..names.len())
            .filter(|&i| names[i].as_ref().unwrap().starts_with(&prefix))
            .filter_map(|i| values[i])
            .collect()
    };
    assert_eq!(edges("recency"), [115.0, 181.0, 297.4, 482.0]);
    assert_eq!(edges("frequency"), [4.0, 5.0, 6.0, 8.0]);
    assert_eq!(edges("monetary"), [255.8, 382.0, 506.4, 666.0]);
}
