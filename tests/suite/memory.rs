//! `--memory`: the limit is kept, it changes no published byte, and a run that needs more ends with a message.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, DictionaryArray, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};

use crate::program::{bounded, json, run, tessera};
use crate::table::Table;

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

/// Writes this batch `times` times into one row group of a file.
fn one_row_group(file: &Path, batch: &RecordBatch, times: usize, how: WriterPropertiesBuilder) {
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    let how = how
        .set_max_row_group_row_count(Some(usize::MAX))
        .set_compression(zstd)
        .build();
    let file = File::create(file).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(how)).unwrap();
    for _ in 0..times {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
}

/// Rows of one customer at one time with this note.
fn notes(rows: usize, note: &str) -> RecordBatch {
    let texts = |text: &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
            text, rows,
        )))
    };
    let at = TimestampMicrosecondArray::from(vec![1_793_000_000_000_000; rows]);
    let amount = Float64Array::from(vec![0.0; rows]);
    RecordBatch::try_from_iter([
        ("customer", texts("C1")),
        ("at", Arc::new(at) as ArrayRef),
        ("amount", Arc::new(amount)),
        ("note", texts(note)),
    ])
    .unwrap()
}

/// A pipeline that reads every column of [`notes`].
const OF_NOTES: &str = r#"
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
contract = { missing_key = "fail" }

[features]
use    = ["order_count"]
amount = { from = "orders", agg = "sum", of = "amount", unit = "currency" }
notes  = { from = "orders", agg = "count_distinct", of = "note" }
listed = { from = "orders", agg = "count", where = "note in ('a', 'b') or note like '%short%'" }
short  = { from = "orders", agg = "count", where = "length(upper(note)) < 5" }
"#;

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

    /// A lake of one file, which `write` makes.
    fn of_notes(write: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("lake")).unwrap();
        write(&dir.path().join("lake/a.parquet"));
        std::fs::write(dir.path().join("memory.toml"), OF_NOTES).unwrap();
        Self { dir }
    }

    fn bytes(&self) -> u64 {
        let file = self.dir.path().join("lake/a.parquet");
        file.metadata().unwrap().len()
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
        let (table, [peak, spilled, _]) = self.published(store, more);
        (table, peak, spilled)
    }

    /// The published table of customers; the largest peak, and the sums of spilled bytes and of further passes of the stages.
    fn published(&self, store: &str, more: &[&str]) -> (Vec<u8>, [u64; 3]) {
        std::fs::create_dir_all(self.dir.path().join("work")).unwrap();
        let mut arguments = self.arguments(store, more);
        arguments.extend(["--log-format".to_owned(), "json".to_owned()]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments, 0);
        let (mut peak, mut spilled, mut passes) = (0, 0, 0);
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            peak = peak.max(line["peak_bytes"].as_u64().unwrap_or(0));
            spilled += line["spilled_bytes"].as_u64().unwrap_or(0);
            passes += line["further_passes"].as_u64().unwrap_or(0);
        }
        let table = self.dir.path().join(store).join("latest/customers.parquet");
        assert_eq!(left_over(&self.dir.path().join("work")), 0);
        (std::fs::read(table).unwrap(), [peak, spilled, passes])
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
    // The memory of two threads depends on their timing, so they may stay below the limit without spilling.
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

/// Very many customers, some of whose keys are long, with a dozen aggregates each.
const OF_MANY: &str = r#"
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
use     = ["recency_days", "tenure_days", "order_count", "spend_total"]
std     = { from = "orders", agg = "std", of = "amount" }
std_90  = { from = "orders", agg = "std", of = "amount", window = "90d" }
std_180 = { from = "orders", agg = "std", of = "amount", window = "180d" }
mean_30 = { from = "orders", agg = "mean", of = "amount", window = "30d" }
median  = { from = "orders", agg = "median", of = "amount" }
mode    = { from = "orders", agg = "mode", of = "note" }
high    = { from = "orders", agg = "quantile", q = 0.9, of = "amount" }
notes   = { from = "orders", agg = "count_distinct", of = "note" }
note    = { from = "orders", agg = "last", of = "note" }
doubled = { expr = "order_count * 2" }
"#;

/// Where the states of all customers take more than the run may take, the source is read several times, and nothing shows it.
#[test]
fn customers_beyond_the_limit_are_read_in_several_passes() {
    const MANY: i64 = 400_000;
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("lake")).unwrap();
    let rows = 3 * MANY;
    let key = |row: i64| match row * 7_919 % MANY {
        key if key % 5 == 0 => format!("a customer whose key is long {key}"),
        key => format!("c{key}"),
    };
    let texts = |text: &dyn Fn(i64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values((0..rows).map(text)))
    };
    let micros = (0..rows).map(|row| 1_793_000_000_000_000 - row % 331 * 86_400_000_000);
    let amounts = (0..rows).map(|row| (row * 31 % 10_007) as f64 / 7.0);
    let batch = RecordBatch::try_from_iter([
        ("customer", texts(&key)),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(micros)) as ArrayRef,
        ),
        ("amount", Arc::new(Float64Array::from_iter_values(amounts))),
        (
            "note",
            texts(&|row| format!("a note of some length {}", row % 97)),
        ),
    ]);
    let how = WriterProperties::builder();
    one_row_group(&dir.path().join("lake/a.parquet"), &batch.unwrap(), 1, how);
    std::fs::write(dir.path().join("memory.toml"), OF_MANY).unwrap();
    let place = Place { dir };
    let (expected, [_, _, passes]) = place.published("unlimited", &["--memory", "1TiB"]);
    assert_eq!(passes, 0);
    for threads in ["1", "2"] {
        let more = ["--memory", "320MiB", "--threads", threads];
        let (found, [peak, _, passes]) = place.published(threads, &more);
        assert!(passes > 0, "{threads}: one pass");
        assert!(peak < (320 << 20) / 20 * 21, "{threads}: {peak} bytes");
        assert!(
            found == expected,
            "the tables differ with {threads} threads"
        );
    }
}

/// A file of a few kB has rows that take a gigabyte when decoded at once: they are decoded in parts, with the same result.
#[test]
fn little_that_stands_for_much_is_decoded_in_parts() {
    const LIMIT: u64 = 384 << 20;
    let more = ["--memory", "384MiB", "--threads", "2"];
    let zeros = Place::of_notes(|file| {
        one_row_group(
            file,
            &notes(1 << 20, "none"),
            24,
            WriterProperties::builder(),
        );
    });
    assert!(zeros.bytes() < 1 << 20, "{}", zeros.bytes());
    let long = Place::of_notes(|file| {
        let how = WriterProperties::builder().set_dictionary_page_size_limit(4 << 20);
        one_row_group(file, &notes(100, &"long ".repeat(40_000)), 100, how);
    });
    assert!(long.bytes() < 1 << 20, "{}", long.bytes());
    // A text of 100 kB that the dictionary holds once, and each of very many rows by its number there: 26 GB if every row had it.
    let coded = Place::of_notes(|file| {
        let text = StringArray::from(vec!["long ".repeat(20_000)]);
        let rows = notes(1 << 16, "none");
        let codes = Int32Array::from(vec![0; rows.num_rows()]);
        let mut columns: Vec<(&str, ArrayRef)> = ["customer", "at", "amount"]
            .map(|name| (name, rows.column_by_name(name).unwrap().clone()))
            .to_vec();
        let note = DictionaryArray::new(codes, Arc::new(text));
        columns.push(("note", Arc::new(note)));
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let how = WriterProperties::builder().set_dictionary_page_size_limit(4 << 20);
        one_row_group(file, &batch, 4, how);
    });
    assert!(coded.bytes() < 1 << 20, "{}", coded.bytes());
    let many = f64::from(24 << 20);
    let repeated = f64::from(1 << 18);
    for (place, rows, short) in [
        (zeros, many, many),
        (long, 10_000.0, 0.0),
        (coded, repeated, 0.0),
    ] {
        let (_, peak, _) = place.publish("store", &more);
        assert!(peak < LIMIT / 20 * 21, "{rows} rows: {peak} bytes");
        let customers = Table::read(&place.dir.path().join("store/latest/customers.parquet"));
        let found = ["order_count", "short"].map(|name| customers.numbers(name));
        assert_eq!(found, [vec![Some(rows)], vec![Some(short)]], "{rows} rows");
    }
}

/// A page that needs more memory than the limit is named, with the memory it would need.
#[test]
fn a_page_that_does_not_fit_is_refused_by_name() {
    let place = Place::of_notes(|file| {
        let how = WriterProperties::builder()
            .set_dictionary_enabled(false)
            .set_data_page_size_limit(1 << 30)
            .set_write_batch_size(1 << 20);
        one_row_group(file, &notes(400, &"y".repeat(1 << 20)), 1, how);
    });
    assert!(place.bytes() < 1 << 20, "{}", place.bytes());
    std::fs::create_dir_all(place.dir.path().join("work")).unwrap();
    let output = bounded(tessera().args(place.arguments("small", &["--memory", "256MiB"])));
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{words}");
    for said in [
        "source `orders`",
        "a.parquet",
        "256.0 MiB",
        "nothing was published",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert!(!place.dir.path().join("small/latest").exists());
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_published() {
    let place = Place::new();
    std::fs::create_dir_all(place.dir.path().join("work")).unwrap();
    let arguments = place.arguments("small", &["--memory", "128MiB", "--quiet", "--json"]);
    let output = bounded(tessera().args(&arguments));
    let result = json(&output);
    assert_eq!(
        (&result["ok"], &result["exit_code"]),
        (&false.into(), &3.into())
    );
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{words}");
    assert!(words.contains("nothing was published"), "{words}");
    assert!(words.contains("--memory"), "{words}");
    let message = result["diagnostics"][0]["message"].as_str().unwrap();
    assert!(words.contains(message), "{result}: {words}");
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
