//! Lists of input files are stored once.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{Run, assert_invariants};
use crate::Store;
use crate::commit::sha256;

fn lake(files: usize) -> Value {
    let file = |number: usize| {
        json!({
            "path": format!("orders/day={number:06}/part-00000.parquet"), "bytes": 1_000_000 + number,
            "fingerprint": sha256(number.to_string().as_bytes()),
        })
    };
    json!([{"source": "orders", "files": (0..files).map(file).collect::<Vec<_>>()}])
}

fn publish(store: &Store, day: u64, inputs: Value) {
    let run = Run {
        day,
        ..Run::new(day)
    };
    let mut identity = run.identity();
    identity.inputs = inputs;
    let mut staging = store.stage(identity).unwrap();
    for (name, batch) in run.tables() {
        staging
            .write(name, &batch.schema(), std::iter::once(Ok(batch.clone())))
            .unwrap();
    }
    staging.publish(json!([])).unwrap();
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_night_on_twenty_thousand_files_costs_kilobytes() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    let sizes = || size(&folder.path().join("commits")) + size(&folder.path().join("inputs"));
    publish(&store, 1, lake(20_000));
    let first = sizes();
    for night in 2..=11 {
        publish(&store, night, lake(20_000 + 24 * night as usize));
    }
    let night = (sizes() - first) / 10;
    assert!(night < 120_000, "{night} bytes a night after {first}");
    assert_eq!(assert_invariants(folder.path()), 11);
    let version = store.version(11).unwrap();
    assert_eq!(store.inputs(version.commit()).unwrap(), lake(20_264));
    // A list that is damaged is found, and named by the versions that use it.
    let list = std::fs::read_dir(folder.path().join("inputs")).unwrap();
    let list = list.map(|entry| entry.unwrap().path()).min().unwrap();
    std::fs::write(&list, "[]").unwrap();
    let report = store.verify(None).unwrap();
    assert!(!report.is_sound());
    let name = list.file_name().unwrap().to_string_lossy().into_owned();
    assert!(
        report
            .problems
            .values()
            .flatten()
            .all(|problem| problem.contains(&name))
    );
}
