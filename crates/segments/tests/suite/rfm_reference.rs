//! The published result of the R package `rfm`: thresholds and the segments of all 995 customers, exact.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use chrono::NaiveDate;
use tessera_segments::{
    Assignment, Closed, Customers, Extra, Fit, FrozenEdges, Grid, ScoreMethod, assign, restored,
};

use crate::customer_base::{rfm, scheme};

fn read(file: &str) -> Option<Vec<HashMap<String, String>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/rfm")
        .join(file);
    let Ok(text) = std::fs::read_to_string(path) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "CI=true, and there is no ../shared/data"
        );
        println!("skipped: no ../shared/data");
        return None;
    };
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let row = |line: &str| {
        header
            .iter()
            .zip(line.split(','))
            .map(|(name, cell)| ((*name).into(), cell.into()))
            .collect()
    };
    Some(lines.map(row).collect())
}

/// recency_days, order_count, spend_total.
type Facts = (i64, i64, i64);

/// Every customer at 2006-12-31, as a table and as facts in the same order.
fn orders_by_customer() -> Option<(Customers, Vec<Facts>)> {
    let as_of = NaiveDate::from_ymd_opt(2006, 12, 31)?;
    let mut facts: BTreeMap<String, Facts> = BTreeMap::new();
    for order in read("rfm_data_orders.csv")? {
        let date: NaiveDate = order["order_date"].parse().unwrap();
        let revenue: i64 = order["revenue"].parse().unwrap();
        let fact = facts
            .entry(order["customer_id"].clone())
            .or_insert((i64::MAX, 0, 0));
        *fact = (
            fact.0.min((as_of - date).num_days()),
            fact.1 + 1,
            fact.2 + revenue,
        );
    }
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "customer_id",
            Arc::new(StringArray::from_iter_values(facts.keys())),
        ),
        (
            "recency_days",
            Arc::new(Int64Array::from_iter_values(facts.values().map(|f| f.0))),
        ),
        (
            "order_count",
            Arc::new(Int64Array::from_iter_values(facts.values().map(|f| f.1))),
        ),
        (
            "spend_total",
            Arc::new(Float64Array::from_iter_values(
                facts.values().map(|f| f.2 as f64),
            )),
        ),
    ];
    let customers = Customers::new(RecordBatch::try_from_iter(columns).unwrap()).unwrap();
    Some((customers, facts.into_values().collect()))
}

fn edges(assignment: &Assignment, dimension: &str) -> Vec<f64> {
    let edge = |place| {
        let name = format!("{dimension}_edge_{place}");
        assignment
            .parameters
            .iter()
            .find(|row| row.name == name)
            .unwrap()
            .value
            .unwrap()
    };
    (1..=4).map(edge).collect()
}

fn close(found: &[f64], expected: [f64; 4]) -> bool {
    found
        .iter()
        .zip(expected)
        .all(|(a, b)| (a - b).abs() < 1e-9)
}

/// Customers per segment, as the package publishes them.
const PUBLISHED: [(&str, u64); 11] = [
    ("Champions", 35),
    ("Potential Loyalist", 342),
    ("Loyal Customers", 170),
    ("Promising", 9),
    ("New Customers", 104),
    ("Can't Lose Them", 47),
    ("At Risk", 28),
    ("Need Attention", 10),
    ("About To Sleep", 102),
    ("Lost", 148),
    ("Others", 0),
];

#[test]
fn rfm_package_thresholds_and_all_995_segments() {
    let Some((customers, facts)) = orders_by_customer() else {
        return;
    };
    assert_eq!(customers.len(), 995);
    let method = ScoreMethod::Quantile {
        closed: Closed::Left,
        edge_offset: 1.0,
    };
    let scheme = scheme("rfm", rfm(method, Grid::IntervalReadme, 5));
    let assignment = assign(&scheme, &customers, &Extra::default()).unwrap();

    assert!(close(
        &edges(&assignment, "recency"),
        [115.0, 181.0, 297.4, 482.0]
    ));
    assert!(close(
        &edges(&assignment, "frequency"),
        [4.0, 5.0, 6.0, 8.0]
    ));
    assert!(close(
        &edges(&assignment, "monetary"),
        [255.8, 382.0, 506.4, 666.0]
    ));

    let scores = assignment.columns[0].values.as_string::<i32>();
    let mut found: Vec<(i64, i64, i64, String, String)> = facts
        .iter()
        .enumerate()
        .map(|(row, f)| {
            (
                f.0,
                f.1,
                f.2,
                scores.value(row).to_owned(),
                assignment.segment(row).name.clone(),
            )
        })
        .collect();
    let number = |row: &HashMap<String, String>, name: &str| row[name].parse::<i64>().unwrap();
    let mut expected: Vec<(i64, i64, i64, String, String)> =
        read("expected_rfm_segments_from_docs.csv")
            .unwrap()
            .iter()
            .map(|row| {
                let facts = (
                    number(row, "recency_days"),
                    number(row, "transaction_count"),
                    number(row, "amount"),
                );
                (
                    facts.0,
                    facts.1,
                    facts.2,
                    row["rfm_score"].clone(),
                    row["segment"].clone(),
                )
            })
            .collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);

    let counts: Vec<(String, u64)> = assignment
        .segments
        .iter()
        .map(|s| s.name.clone())
        .zip(assignment.counts())
        .collect();
    assert_eq!(
        counts,
        PUBLISHED.map(|(name, customers)| (name.to_owned(), customers))
    );
}

#[test]
fn frozen_edges_that_were_stored_and_loaded_give_the_same_segments() {
    let Some((customers, _)) = orders_by_customer() else {
        return;
    };
    let method = ScoreMethod::Quantile {
        closed: Closed::Left,
        edge_offset: 1.0,
    };
    let first = assign(
        &scheme("rfm", rfm(method, Grid::Eleven, 5)),
        &customers,
        &Extra::default(),
    )
    .unwrap();
    // Stored and loaded, as between two versions.
    let stored = serde_json::to_vec(&first.fit).unwrap();
    let read: Fit = serde_json::from_slice(&stored).unwrap();
    let loaded = restored(read).unwrap();
    assert_eq!(loaded, first.fit);
    assert!(loaded.get::<FrozenEdges>().is_some());
    let again = scheme(
        "rfm",
        rfm(ScoreMethod::Frozen { version: None }, Grid::Eleven, 5),
    );
    let extra = Extra {
        learned: Some(&loaded),
        ..Extra::default()
    };
    let second = assign(&again, &customers, &extra).unwrap();
    assert_eq!(first.segment_of, second.segment_of);
}
