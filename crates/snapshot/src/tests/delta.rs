//! Delta tables: entry N is what the store held after version N, whatever became of columns and days since.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::Run;
use crate::Store;

/// Publishes `customers` of two with this feature.
fn publish(store: &Store, seed: u64, day: u64, feature: (&str, ArrayRef)) {
    let run = Run {
        day,
        ..Run::new(seed)
    };
    let date = run.as_of().signed_duration_since(Default::default());
    let as_of: ArrayRef = Arc::new(Date32Array::from(vec![date.num_days() as i32; 2]));
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let columns = [
        ("as_of", as_of, false),
        ("customer_id", keys, false),
        (feature.0, feature.1, true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut staging = store.stage(run.identity()).unwrap();
    let rows = std::iter::once(Ok(batch.clone()));
    staging.write("customers", &batch.schema(), rows).unwrap();
    staging.publish(json!([])).unwrap();
}

fn floats() -> ArrayRef {
    Arc::new(Float64Array::from(vec![1.5, 2.5]))
}

fn entry(store: &Path, table: &str, number: u64) -> Vec<Value> {
    let path = store.join(format!("delta/{table}/_delta_log/{number:020}.json"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Days of the files that an entry adds or removes.
fn days(entry: &[Value], action: &str) -> Vec<String> {
    let paths = entry
        .iter()
        .filter_map(|line| line[action]["path"].as_str());
    paths
        .map(|path| path["2026-01-".len().."2026-01-01".len()].to_owned())
        .collect()
}

fn columns(entry: &[Value]) -> Vec<(String, String)> {
    let schema = entry
        .iter()
        .find_map(|line| line["metaData"]["schemaString"].as_str());
    let schema: Value = serde_json::from_str(schema.unwrap()).unwrap();
    let text = |field: &Value, key: &str| field[key].as_str().unwrap().to_owned();
    let fields = schema["fields"].as_array().unwrap().iter();
    fields
        .map(|field| (text(field, "name"), text(field, "type")))
        .collect()
}

#[test]
fn a_day_that_is_published_again_takes_the_place_of_its_file_and_columns_add_up() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    publish(&store, 1, 0, ("spend", floats()));
    publish(
        &store,
        2,
        1,
        ("orders", Arc::new(Int64Array::from(vec![1, 2]))),
    );
    publish(&store, 3, 0, ("spend", floats()));
    let entries: Vec<Vec<Value>> = (0..4)
        .map(|n| entry(folder.path(), "customers", n))
        .collect();
    assert!(days(&entries[0], "add").is_empty());
    assert_eq!(
        columns(&entries[0]),
        columns(&entries[1]),
        "known from the start"
    );
    assert_eq!(days(&entries[1], "add"), ["01"]);
    assert_eq!(
        (days(&entries[2], "add"), days(&entries[2], "remove")),
        (vec!["02".into()], vec![])
    );
    assert_eq!(
        (days(&entries[3], "add"), days(&entries[3], "remove")),
        (vec!["01".into()], vec!["01".into()])
    );
    let names: Vec<String> = columns(&entries[3])
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["as_of", "customer_id", "spend", "orders"]);
    let commit = store.version(3).unwrap().commit().finished_at.clone();
    let time = chrono::DateTime::parse_from_rfc3339(&commit)
        .unwrap()
        .timestamp_millis();
    assert_eq!(entries[3][0]["commitInfo"]["timestamp"], time);
}

#[test]
fn days_whose_columns_have_another_type_leave_the_newest_delta_version() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    publish(&store, 1, 0, ("spend", floats()));
    publish(
        &store,
        2,
        1,
        ("visits", Arc::new(Int64Array::from(vec![1, 2]))),
    );
    publish(
        &store,
        3,
        2,
        ("spend", Arc::new(StringArray::from(vec!["x", "y"]))),
    );
    let last = entry(folder.path(), "customers", 3);
    assert_eq!(
        days(&last, "remove"),
        ["01"],
        "the other day has no such column"
    );
    assert_eq!(
        last[0]["commitInfo"]["operationParameters"]["removedDays"],
        "2026-01-01"
    );
    assert!(columns(&last).contains(&("spend".into(), "string".into())));
    assert!(columns(&last).contains(&("visits".into(), "long".into())));
}

/// Days in the newest Delta version of `customers`, by all entries from the first on.
fn shown(store: &Path, last: u64) -> Vec<String> {
    let mut shown = Vec::new();
    for number in 0..=last {
        let entry = entry(store, "customers", number);
        for day in days(&entry, "remove") {
            let place = shown.iter().position(|known| *known == day);
            shown.remove(place.expect("only what is there is removed"));
        }
        shown.extend(days(&entry, "add"));
    }
    shown.sort();
    shown
}

#[test]
fn days_return_where_a_column_has_their_type_again() {
    let texts = || -> ArrayRef { Arc::new(StringArray::from(vec!["x", "y"])) };
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    publish(&store, 1, 0, ("spend", floats()));
    publish(&store, 2, 1, ("spend", floats()));
    publish(&store, 3, 2, ("spend", texts()));
    assert_eq!(shown(folder.path(), 3), ["03"]);
    // A day that is left out is made again, as it was and otherwise.
    publish(&store, 4, 1, ("spend", floats()));
    assert_eq!(shown(folder.path(), 4), ["01", "02"]);
    publish(&store, 5, 2, ("visits", floats()));
    assert_eq!(shown(folder.path(), 5), ["01", "02", "03"]);
    let last = entry(folder.path(), "customers", 4);
    let about = &last[0]["commitInfo"]["operationParameters"];
    assert_eq!(about["returnedDays"], "2026-01-01");
    assert_eq!(about["removedDays"], "2026-01-03");
    assert!(columns(&last).contains(&("spend".into(), "double".into())));
    // Written at once, it is the same.
    assert!(store.verify(None).unwrap().stale_hints.is_empty());
    std::fs::remove_dir_all(folder.path().join("delta")).unwrap();
    store.repair().unwrap();
    assert_eq!(shown(folder.path(), 5), ["01", "02", "03"]);
}

#[test]
fn a_lost_commit_takes_its_day_and_no_other_out_of_the_tables() {
    let lose = |store: &Path, number: u64| {
        std::fs::remove_file(store.join(format!("commits/{number:020}.json"))).unwrap();
    };
    let folder = tempdir().unwrap();
    let begun = Store::open_or_create(folder.path()).unwrap();
    for seed in 1..=4 {
        publish(&begun, seed, seed - 1, ("spend", floats()));
    }
    lose(folder.path(), 2);
    // The next run, without a repair.
    let store = Store::open(folder.path()).unwrap();
    publish(&store, 5, 4, ("spend", floats()));
    assert_eq!(shown(folder.path(), 5), ["01", "03", "04", "05"]);
    let lost = entry(folder.path(), "customers", 2);
    assert_eq!(
        lost[0]["commitInfo"]["operationParameters"]["lostVersion"],
        "2"
    );
    publish(&store, 6, 1, ("spend", floats()));
    assert_eq!(shown(folder.path(), 6), ["01", "02", "03", "04", "05"]);
    // The newest one.
    lose(folder.path(), 6);
    let store = Store::open(folder.path()).unwrap();
    store.repair().unwrap();
    let entries = folder.path().join("delta/customers/_delta_log");
    assert_eq!(std::fs::read_dir(entries).unwrap().count(), 6);
    assert_eq!(shown(folder.path(), 5), ["01", "03", "04", "05"]);
}

#[test]
fn a_table_that_comes_later_is_empty_until_then() {
    let folder = tempdir().unwrap();
    let store = Store::open_or_create(folder.path()).unwrap();
    publish(&store, 1, 0, ("spend", floats()));
    Run {
        day: 1,
        ..Run::new(2)
    }
    .publish(&store)
    .unwrap();
    let entries: Vec<Vec<Value>> = (0..3).map(|n| entry(folder.path(), "models", n)).collect();
    assert_eq!(
        entries
            .iter()
            .map(|e| days(e, "add").len())
            .collect::<Vec<_>>(),
        [0, 0, 1]
    );
    assert_eq!(columns(&entries[0]).len(), 9);
    let ids: Vec<&Value> = entries
        .iter()
        .map(|e| e.iter().find_map(|line| line.get("metaData")).unwrap())
        .collect();
    assert_eq!(ids[0]["id"], ids[2]["id"]);
}
