//! Guarantees of the store, one behaviour per file. This file has the runs that are published and the invariants that hold after
//! every fault, kill or race.

mod damage;
mod delta;
mod faults;
mod gc;
mod hints;
mod history;
mod index;
mod inputs;
mod kills;
mod owners;
mod publishing;
mod races;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use chrono::{Days, NaiveDate};
use serde_json::json;

use crate::commit::sha256;
use crate::{Published, RunIdentity, Store, StoreError, tables};

/// A run whose content is determined by its number.
#[derive(Debug, Clone, Copy)]
struct Run {
    seed: u64,
    rows: usize,
    day: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            rows: 20 + (seed % 30) as usize,
            day: seed,
        }
    }

    fn as_of(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(self.day)
    }

    fn identity(self) -> RunIdentity {
        RunIdentity {
            run_key: sha256(format!("run {}", self.seed).as_bytes()),
            as_of: self.as_of(),
            program: "tessera".to_owned(),
            pipeline: json!({"seed": self.seed, "rows": self.rows, "day": self.day}),
            inputs: json!([{"path": "orders.parquet", "size": 1, "fingerprint": "00"}]),
        }
    }

    fn tables(self) -> Vec<(&'static str, RecordBatch)> {
        let day = self
            .as_of()
            .signed_duration_since(NaiveDate::default())
            .num_days() as i32;
        let batch = |rows: usize, columns: Vec<(&'static str, ArrayRef, bool)>| {
            let as_of: ArrayRef = Arc::new(Date32Array::from(vec![day; rows]));
            RecordBatch::try_from_iter_with_nullable(
                std::iter::once(("as_of", as_of, false)).chain(columns),
            )
            .unwrap()
        };
        let text = |value: &dyn Fn(usize) -> String, rows: usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values((0..rows).map(value)))
        };
        let spend = (0..self.rows).map(|row| (row as u64 + self.seed) as f64 / 4.0);
        let customers = batch(
            self.rows,
            vec![
                (
                    "customer_id",
                    text(&|row| format!("c{row:06}"), self.rows),
                    false,
                ),
                (
                    "spend",
                    Arc::new(Float64Array::from_iter_values(spend)),
                    true,
                ),
            ],
        );
        let models = batch(
            2,
            vec![
                ("score", text(&|_| "behaviour".into(), 2), false),
                ("model", text(&|_| "kmeans".into(), 2), false),
                ("name", text(&|row| format!("k{row}"), 2), false),
                (
                    "value",
                    Arc::new(Float64Array::from(vec![Some(self.seed as f64), None])),
                    true,
                ),
                (
                    "text",
                    Arc::new(StringArray::from(vec![None, Some("ward")])),
                    true,
                ),
                ("figure", text(&|_| "parameter".into(), 2), true),
                (
                    "figure_of",
                    Arc::new(StringArray::from(vec![None::<&str>; 2])),
                    true,
                ),
                (
                    "figure_days",
                    Arc::new(Int64Array::from(vec![None; 2])),
                    true,
                ),
            ],
        );
        let rejects = batch(
            1,
            vec![
                ("source", text(&|_| "orders".into(), 1), false),
                ("file", text(&|_| "a.csv".into(), 1), false),
                ("row_number", Arc::new(Int64Array::from(vec![7])), false),
                ("rule", text(&|_| "missing key".into(), 1), false),
                ("row", text(&|_| "{}".into(), 1), false),
            ],
        );
        vec![
            ("customers", customers),
            ("models", models),
            ("rejects", rejects),
        ]
    }

    /// sha256 of every table's file, as an undisturbed run writes it.
    fn sums(self) -> BTreeMap<String, String> {
        let sum = |(name, batch): (&'static str, RecordBatch)| {
            let layout = tables::layout(name, batch.schema_ref()).unwrap();
            let rows = std::iter::once(Ok(batch));
            let (_, written) =
                crate::writer::write_parquet(&layout, rows, std::io::sink(), Path::new(name))
                    .unwrap();
            (name.to_owned(), written.sha256)
        };
        self.tables().into_iter().map(sum).collect()
    }

    fn publish(self, store: &Store) -> Result<Published, StoreError> {
        let mut staging = store.stage(self.identity())?;
        for (name, batch) in self.tables() {
            staging.write(name, &batch.schema(), std::iter::once(Ok(batch.clone())))?;
        }
        staging.publish(json!([{"source": "orders", "rows": self.rows}]))
    }
}

/// I1, I2, I5 and I8 of the store's protocol, as a new process sees them; returns the number of versions.
#[track_caller]
fn assert_invariants(path: &Path) -> u64 {
    let store = Store::open(path).unwrap();
    let versions = store.versions().unwrap();
    let numbers: Vec<u64> = versions.iter().map(|version| version.number()).collect();
    assert_eq!(
        numbers,
        (1..=versions.len() as u64).collect::<Vec<_>>(),
        "I2: contiguous"
    );
    let report = store.verify(None).unwrap();
    assert!(
        report.is_sound(),
        "I2: chain, sha256, rows: {:?}",
        report.problems
    );
    let keys: BTreeSet<&str> = versions
        .iter()
        .map(|version| version.commit().idempotency_key.as_str())
        .collect();
    assert_eq!(keys.len(), versions.len(), "one version per run");
    for version in &versions {
        let field = |name: &str| version.commit().pipeline[name].as_u64().unwrap();
        let run = Run {
            seed: field("seed"),
            rows: field("rows") as usize,
            day: field("day"),
        };
        let found = version
            .tables()
            .iter()
            .map(|table| (table.name.clone(), table.files[0].sha256.clone()));
        assert_eq!(
            found.collect::<BTreeMap<_, _>>(),
            run.sums(),
            "I5: the same bytes whatever happened"
        );
    }
    let latest = store.latest().unwrap();
    assert_eq!(latest.is_some(), !versions.is_empty());
    if let Some(latest) = &latest {
        latest.verify().unwrap();
    }
    // The link that BI tools follow points to one complete version, or does not exist before the first one.
    if let Ok(target) = std::fs::read_link(path.join("latest")) {
        let version = versions
            .iter()
            .find(|version| version.folder() == path.join(&target))
            .expect("I1: latest is a version");
        for table in version.tables() {
            assert!(
                path.join("latest")
                    .join(format!("{}.parquet", table.name))
                    .is_file(),
                "I1: whole"
            );
        }
    }
    versions.len() as u64
}

/// After a successful run all hints are current and no temporary files are left.
#[track_caller]
fn assert_complete(path: &Path) {
    let store = Store::open(path).unwrap();
    let report = store.verify(None).unwrap();
    assert!(
        report.is_sound() && report.stale_hints.is_empty(),
        "{report:?}"
    );
    let newest = store
        .versions()
        .unwrap()
        .iter()
        .map(|version| (version.as_of(), version.number()))
        .max();
    assert_eq!(
        store
            .latest()
            .unwrap()
            .map(|version| (version.as_of(), version.number())),
        newest,
        "H6: the greatest as_of, its newest commit"
    );
}

/// Names of run folders in no commit, and of drafts: what killed runs left behind.
fn leftovers(path: &Path) -> Vec<String> {
    let store = Store::open(path).unwrap();
    let known: BTreeSet<String> = store
        .versions()
        .unwrap()
        .iter()
        .map(|version| format!("run={}", version.txid()))
        .collect();
    let mut found = store.tmp.list().unwrap();
    for day in store.data.list().unwrap() {
        found.extend(
            store
                .data
                .enter(&day)
                .unwrap()
                .list()
                .unwrap()
                .into_iter()
                .filter(|run| !known.contains(run)),
        );
    }
    found
}
