//! `--memory`: it is kept, changes no published byte, and what cannot be done within it is refused with words.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;

use crate::program::{bounded, run, tessera};

const CUSTOMERS: i64 = 20_000;
const ORDERS: i64 = 2_400_000;

const PIPELINE: &str = r#"
spec_version = 1
name     = "memory"
timezone = "UTC"
currency = "EUR"
store    = "${out}"

[vars]
lake = "lake"
out  = "store"

[customer]
key = "customer"

[sources.orders]
kind     = "events"
path     = "${lake}"
key      = "customer"
time     = "at"
time_zone = "UTC"
contract = { missing_key = "fail", duplicates = "drop_exact" }

[features]
use      = ["recency_days", "order_count"]
ids      = { from = "orders", agg = "count_distinct", of = "id" }
ids_90d  = { from = "orders", agg = "count_distinct", of = "id", window = "90d" }
codes    = { from = "orders", agg = "count_distinct", of = "code" }
prices   = { from = "orders", agg = "count_distinct", of = "price" }
price    = { from = "orders", agg = "median", of = "price", unit = "currency" }
weight   = { from = "orders", agg = "median", of = "weight" }
code     = { from = "orders", agg = "last", of = "id" }
deviates = { from = "orders", agg = "std", of = "weight" }
"#;

/// A lake whose orders have ids of their own, as numbers and as texts.
fn lake(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for part in 0..3 {
        let ids: Vec<i64> = (0..ORDERS).filter(|id| id % 3 == part).collect();
        let mixed = |id: i64, salt: i64| (id * 2_654_435_761 + salt).rem_euclid(1_000_003);
        let micros = ids
            .iter()
            .map(|id| 1_793_000_000_000_000 - mixed(*id, 1) * 31_000_000);
        let prices = ids.iter().map(|id| i128::from(mixed(*id, 2)));
        let prices = Decimal128Array::from_iter_values(prices);
        let columns: [(&str, ArrayRef); 6] = [
            (
                "customer",
                Arc::new(StringArray::from_iter_values(
                    ids.iter()
                        .map(|id| format!("C{:07}", mixed(*id, 3) % CUSTOMERS)),
                )),
            ),
            (
                "id",
                Arc::new(Int64Array::from_iter_values(ids.iter().copied())),
            ),
            (
                "code",
                Arc::new(StringArray::from_iter_values(
                    ids.iter().map(|id| format!("order {id} of the shop")),
                )),
            ),
            (
                "at",
                Arc::new(TimestampMicrosecondArray::from_iter_values(micros)),
            ),
            (
                "price",
                Arc::new(prices.with_precision_and_scale(12, 2).unwrap()),
            ),
            (
                "weight",
                Arc::new(Float64Array::from_iter_values(
                    ids.iter().map(|id| mixed(*id, 4) as f64 / 64.0),
                )),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = File::create(folder.join(format!("{part}.parquet"))).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        for start in (0..batch.num_rows()).step_by(50_000) {
            let rows = (batch.num_rows() - start).min(50_000);
            writer.write(&batch.slice(start, rows)).unwrap();
            writer.flush().unwrap();
        }
        writer.close().unwrap();
    }
}

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        lake(&dir.path().join("lake"));
        std::fs::write(dir.path().join("memory.toml"), PIPELINE).unwrap();
        Self { dir }
    }

    fn arguments(&self, store: &str, more: &[&str]) -> Vec<String> {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        let mut arguments = vec!["run".to_owned(), path("memory.toml")];
        arguments.extend(["--as-of".to_owned(), "2026-10-31".to_owned()]);
        arguments.extend(["--var".to_owned(), format!("lake={}", path("lake"))]);
        arguments.extend(["--var".to_owned(), format!("out={}", path(store))]);
        arguments.extend(["--work".to_owned(), path("work")]);
        arguments.extend(more.iter().map(|more| (*more).to_owned()));
        arguments
    }

    /// The published table of customers, and the largest peak and the sum of spilled bytes of the stages.
    fn publish(&self, store: &str, more: &[&str]) -> (Vec<u8>, u64, u64) {
        std::fs::create_dir_all(self.dir.path().join("work")).unwrap();
        let mut arguments = self.arguments(store, more);
        arguments.extend(["--log-format".to_owned(), "json".to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments, 0);
        let (mut peak, mut spilled) = (0, 0);
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            peak = peak.max(line["peak_bytes"].as_u64().unwrap_or(0));
            spilled += line["spilled_bytes"].as_u64().unwrap_or(0);
        }
        let table = self.dir.path().join(store).join("latest/customers.parquet");
        assert_eq!(left_over(&self.dir.path().join("work")), 0);
        (std::fs::read(table).unwrap(), peak, spilled)
    }
}

fn left_over(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

#[test]
fn limits_change_no_byte_and_are_kept_by_writing_to_files() {
    let place = Place::new();
    let (expected, _, spilled) = place.publish("unlimited", &["--memory", "1TiB"]);
    assert_eq!(spilled, 0);
    // How much two threads hold at once depends on which of them is ahead, so that they may stay below their limit by themselves.
    for (threads, memory, limit, least_spilled) in [
        ("1", "384MiB", 384 << 20, 10 << 20),
        ("2", "512MiB", 512 << 20, 0),
    ] {
        let more = ["--memory", memory, "--threads", threads];
        let (found, peak, spilled) = place.publish(memory, &more);
        assert!(
            found == expected,
            "the tables differ with {threads} threads"
        );
        assert!(
            spilled >= least_spilled,
            "{threads}: {spilled} bytes in files"
        );
        assert!(peak < limit / 20 * 21, "{threads}: {peak} bytes");
        assert!(peak > 32 << 20, "{threads}: {peak} bytes");
    }
    let (found, _, _) = place.publish("default", &[]);
    assert!(found == expected, "the tables differ without a limit");
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_published() {
    let place = Place::new();
    std::fs::create_dir_all(place.dir.path().join("work")).unwrap();
    let arguments = place.arguments("small", &["--memory", "128MiB", "--quiet"]);
    let output = bounded(tessera().args(&arguments));
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("nothing was published"), "{words}");
    assert!(words.contains("--memory"), "{words}");
    assert!(
        words.contains("128 MiB") || words.contains("128.0 MiB"),
        "{words}"
    );
    assert!(!place.dir.path().join("small/latest").exists());
    assert_eq!(left_over(&place.dir.path().join("work")), 0);
}

#[test]
fn amounts_that_are_none_are_refused_with_an_example() {
    for wrong in ["2", "lots", "1MiB"] {
        let arguments = ["run", "pipelines/demo.toml", "--memory", wrong];
        let output = bounded(tessera().args(arguments));
        let words = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(
            words.contains("2GiB") || words.contains("128MiB"),
            "{words}"
        );
    }
}
