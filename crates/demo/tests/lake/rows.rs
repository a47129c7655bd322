//! Reading the lake back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tessera_demo::{DemoConfig, DemoSummary, LAST_DAY, generate};

pub const CUSTOMERS: u32 = 4_000;
pub const DAY_MICROS: i64 = 86_400_000_000;

pub struct Lake {
    _dir: tempfile::TempDir,
    pub root: PathBuf,
    pub summary: DemoSummary,
}

pub fn lake(config: DemoConfig) -> Lake {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let summary = generate(&root, &config).unwrap();
    Lake {
        _dir: dir,
        root,
        summary,
    }
}

pub fn default_lake() -> Lake {
    lake(DemoConfig {
        customers: CUSTOMERS,
        ..DemoConfig::default()
    })
}

pub fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), bytes);
            }
        }
    }
    found
}

/// All rows of the Parquet files below a folder, file by file.
pub fn batches(folder: &Path) -> Vec<(PathBuf, RecordBatch)> {
    let mut rows = Vec::new();
    for path in files(folder).into_keys() {
        let file = fs::File::open(folder.join(&path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap()
        {
            rows.push((path.clone(), batch.unwrap()));
        }
    }
    rows
}

pub fn text(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let values = batch.column_by_name(column).unwrap().as_string::<i32>();
    (!values.is_null(row)).then(|| values.value(row).to_owned())
}

pub fn float(batch: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let values = batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<Float64Type>();
    (!values.is_null(row)).then(|| values.value(row))
}

pub fn int(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<Int64Type>()
        .value(row)
}

pub fn micros(batch: &RecordBatch, column: &str, row: usize) -> i64 {
    batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<TimestampMicrosecondType>()
        .value(row)
}

pub fn date(batch: &RecordBatch, column: &str, row: usize) -> Option<i32> {
    let values = batch
        .column_by_name(column)
        .unwrap()
        .as_primitive::<Date32Type>();
    (!values.is_null(row)).then(|| values.value(row))
}

pub fn end_micros() -> i64 {
    LAST_DAY
        .succ_opt()
        .unwrap()
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    pub month: String,
    pub order_id: String,
    pub customer: Option<String>,
    pub at: i64,
    pub quantity: i32,
    pub cents: i64,
    pub channel: String,
    pub category: String,
}

pub fn orders(root: &Path) -> Vec<Order> {
    let mut rows = Vec::new();
    for (path, batch) in batches(&root.join("orders")) {
        let month = path
            .parent()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_start_matches("month=")
            .to_owned();
        for row in 0..batch.num_rows() {
            rows.push(Order {
                month: month.clone(),
                order_id: text(&batch, "order_id", row).unwrap(),
                customer: text(&batch, "customer_id", row),
                at: micros(&batch, "ordered_at", row),
                quantity: batch
                    .column_by_name("quantity")
                    .unwrap()
                    .as_primitive::<Int32Type>()
                    .value(row),
                cents: (float(&batch, "unit_price", row).unwrap() * 100.0).round() as i64,
                channel: text(&batch, "channel", row).unwrap(),
                category: text(&batch, "category", row).unwrap(),
            });
        }
    }
    rows
}

/// What is left after the contract and the filter of `pipelines/demo.toml`.
pub fn clean(rows: Vec<Order>) -> BTreeSet<Order> {
    rows.into_iter()
        .filter(|o| {
            o.customer.is_some()
                && o.cents > 0
                && o.quantity > 0
                && o.at < end_micros()
                && o.order_id.starts_with('O')
        })
        .collect()
}
