//! Many versions: numbers, chain, catalogue and views agree with what was published.

use std::collections::BTreeMap;
use std::fs::{self, File};

use arrow::array::AsArray;
use arrow::datatypes::{Date32Type, Int64Type};
use chrono::NaiveDate;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proptest::prelude::*;
use tempfile::tempdir;

use super::{Run, assert_complete, assert_invariants};
use crate::Store;
use crate::commit::sha256;

/// Version, day, txid, superseded by, rows, previous, outdated.
type Row = (i64, i32, String, Option<i64>, i64, Option<i64>, bool);

fn catalogue(path: &std::path::Path) -> Vec<Row> {
    let file = File::open(path.join("catalog.parquet")).unwrap();
    let mut rows = Vec::new();
    for batch in ParquetRecordBatchReaderBuilder::try_new(file)
        .unwrap()
        .build()
        .unwrap()
    {
        let batch = batch.unwrap();
        let number = |name: &str| {
            batch
                .column_by_name(name)
                .unwrap()
                .as_primitive::<Int64Type>()
                .clone()
        };
        let (version, by, count) = (number("version"), number("superseded_by"), number("rows"));
        let previous = number("previous");
        let outdated = batch.column_by_name("outdated").unwrap().as_boolean();
        let days = batch
            .column_by_name("as_of")
            .unwrap()
            .as_primitive::<Date32Type>();
        let txid = batch.column_by_name("txid").unwrap().as_string::<i32>();
        for (row, by) in by.iter().enumerate() {
            rows.push((
                version.value(row),
                days.value(row),
                txid.value(row).to_owned(),
                by,
                count.value(row),
                previous.iter().nth(row).flatten(),
                outdated.value(row),
            ));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn versions_chain_catalogue_and_views_agree(shapes in proptest::collection::vec((0_u64..4, 0_usize..40), 1..10)) {
        let folder = tempdir().unwrap();
        let store = Store::open_or_create(folder.path()).unwrap();
        let runs: Vec<Run> = shapes.iter().zip(0..).map(|(&(day, rows), seed)| Run { seed, rows, day }).collect();
        for (run, number) in runs.iter().zip(1..) {
            prop_assert_eq!(run.publish(&store).unwrap().version.number(), number);
        }
        prop_assert_eq!(assert_invariants(folder.path()), runs.len() as u64);
        assert_complete(folder.path());

        let versions = store.versions().unwrap();
        let mut parent = String::new();
        for version in &versions {
            prop_assert_eq!(&version.commit().parent_sha256, &parent);
            parent = sha256(&fs::read(folder.path().join(format!("commits/{:020}.json", version.number()))).unwrap());
        }

        let newest: BTreeMap<NaiveDate, i64> = runs.iter().zip(1..).map(|(run, number)| (run.as_of(), number)).collect();
        let expected: Vec<Row> = runs.iter().zip(&versions).zip(1..).map(|((run, version), number)| {
            let day = run.as_of().signed_duration_since(NaiveDate::default()).num_days() as i32;
            let by = newest[&run.as_of()];
            let before = |runs: &[Run]| {
                let earlier = runs.iter().zip(1..).filter(|(other, _)| other.day < run.day);
                earlier.map(|(other, number)| (other.day, number)).max().map(|(_, number)| number)
            };
            let (then, now) = (before(&runs[..number as usize - 1]), before(&runs));
            (number, day, version.txid().to_owned(), (by != number).then_some(by), run.rows as i64 + 3, then, then != now)
        }).collect();
        prop_assert_eq!(catalogue(folder.path()), expected);

        let views = fs::read_to_string(folder.path().join("views/duckdb.sql")).unwrap();
        for (version, number) in versions.iter().zip(1..) {
            let shown = newest.values().any(|&newest| newest == number);
            prop_assert_eq!(views.matches(version.txid()).count(), usize::from(shown), "one folder, which all views name");
        }
        let days = newest.len();
        for table in ["customers", "models", "rejects"] {
            for (schema, first) in [("main", 1), ("latest", days)] {
                let files = format!("tessera_files(tessera_runs()[{first}:{days}], '{table}.parquet')");
                let view = format!("view {schema}.{table} as select * from read_parquet({files}, ");
                prop_assert!(views.contains(&view), "{views}");
            }
        }
    }
}

#[test]
fn a_copied_store_is_the_same_store() {
    let folder = tempdir().unwrap();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let store = Store::open_or_create(&here).unwrap();
    (0..3).for_each(|seed| drop(Run::new(seed).publish(&store).unwrap()));
    fs::rename(&here, &there).unwrap();
    assert_eq!(assert_invariants(&there), 3);
    let moved = Store::open(&there).unwrap();
    assert_eq!(moved.latest().unwrap().unwrap().number(), 3);
    assert_eq!(
        moved.verify(None).unwrap().stale_hints,
        ["views/duckdb.sql"],
        "the views name the store's folder, in one place"
    );
    let views = || fs::read_to_string(there.join("views/duckdb.sql")).unwrap();
    assert_eq!(views().matches(here.to_str().unwrap()).count(), 1);
    moved.repair().unwrap();
    assert_eq!(views().matches(there.to_str().unwrap()).count(), 1);
    assert_complete(&there);
}
