//! Repeated rows of a source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;

use crate::program::run;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "calls"
timezone = "Europe/Berlin"
currency = "EUR"
store = "${out}/calls"
[vars]
out = "."
[customer]
key = "id"
[sources.calls]
kind = "events"
path = "${out}/calls.parquet"
key = "id"
time = "called_at"
contract = { missing_key = "fail", duplicates = "drop_exact" }
[features]
all_calls = { from = "calls", agg = "count" }
last_called_at = { from = "calls", agg = "max", of = "called_at" }
"#;

/// Runs this pipeline beside its lake; the tables of its version.
fn published(dir: &Path, pipeline: &str) -> PathBuf {
    let file = dir.join("calls.toml");
    std::fs::write(&file, pipeline).unwrap();
    let (file, out) = (file.display().to_string(), format!("out={}", dir.display()));
    run(
        &[
            "run",
            &file,
            "--as-of",
            "2026-10-31",
            "--var",
            &out,
            "--quiet",
        ],
        0,
    );
    dir.join("calls/latest")
}

/// On 25 October 2026 clocks in Berlin show 02:30 twice, at 00:30 and at 01:30 UTC: two calls, one of which is delivered twice.
#[test]
fn calls_in_the_hour_that_comes_twice_are_two() {
    let dir = tempfile::tempdir().unwrap();
    let midnight = 1_792_886_400_000_000;
    let half_hours = [1, 3, 3].map(|n| midnight + n * 1_800_000_000);
    let times = TimestampMicrosecondArray::from(half_hours.to_vec()).with_timezone("UTC");
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![7, 7, 7]));
    let columns = [("id", ids), ("called_at", Arc::new(times) as ArrayRef)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = std::fs::File::create(dir.path().join("calls.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let latest = published(dir.path(), PIPELINE);
    let customers = Table::read(&latest.join("customers.parquet"));
    assert_eq!(customers.ints("all_calls"), [Some(2)]);
    assert_eq!(customers.shown("last_called_at"), "2026-10-25T02:30:00");
    let sources = Table::read(&latest.join("sources.parquet"));
    assert_eq!(sources.ints("dropped"), [Some(1)]);
}

/// Values that do not convert are null, and are not the same for that: four rows of which one is delivered twice.
#[test]
fn texts_that_do_not_convert_are_compared_as_they_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let day = "2026-10-01T10:00:00";
    let rows = ["abc", "xyz", "", "abc", "7", "7.0"];
    let rows = rows.map(|price| format!("7,{day},{price}\n"));
    let text = format!("id,called_at,price\n{}", rows.concat());
    std::fs::write(dir.path().join("calls.csv"), text).unwrap();
    let contract = "columns = { id = \"i64\", called_at = \"timestamp\", price = \"f64\" }, conversions = \"null\"";
    let text = PIPELINE
        .replace("calls.parquet", "calls.csv")
        .replace("time = ", "time_zone = \"UTC\"\ntime = ")
        .replace("contract = { ", &format!("contract = {{ {contract}, "));
    let latest = published(dir.path(), &text);
    let sources = Table::read(&latest.join("sources.parquet"));
    assert_eq!(sources.ints("used"), [Some(4)]);
    assert_eq!(sources.ints("dropped"), [Some(2)]);
}
