//! Lakes of many small files, whose row groups are decoded together.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::program::tessera;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "shop"
timezone = "UTC"
currency = "EUR"
store = "${out}/shop"
[vars]
out = "."
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "${out}/lake"
key = "id"
time = "day"
[sources.orders.contract]
columns = { id = "string", day = "date", amount = "f64" }
missing_key = "quarantine"
rules = [{ name = "sane", check = "amount < 1000" }]
[features]
use = ["recency_days"]
spend = { from = "orders", agg = "sum", of = "amount" }
largest = { from = "orders", agg = "max", of = "amount", window = "90d" }
[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "spend > 500" }]
otherwise = "small"
"#;

/// 2026-10-31 in days since 1970-01-01.
const TODAY: i32 = 20_757;

/// The rows of file number `file`: customers, days (some in the future), amounts (some too large).
fn rows(file: usize) -> Vec<(String, i32, f64)> {
    let count = file % 7 * 3;
    let row = |row: usize| {
        let mixed = (file * 7_919 + row * 104_729) % 10_007;
        let amount = match mixed % 50 {
            0 => 2_000.0,
            _ => (mixed % 300) as f64 / 4.0,
        };
        let day = TODAY + 20 - (mixed % 400) as i32;
        (format!("C{:03}", mixed % 97), day, amount)
    };
    (0..count).map(row).collect()
}

/// How the files of a lake differ in their form.
#[derive(Clone, Copy)]
struct Form {
    has_more_columns: bool,
    is_compressed: bool,
    noted: Option<usize>,
}

impl Form {
    fn of(file: usize) -> Self {
        Self {
            has_more_columns: file % 11 == 3,
            is_compressed: file % 5 != 2,
            noted: (file % 3 == 1).then_some(file),
        }
    }
}

fn write(path: &Path, rows: &[(String, i32, f64)], form: Form) {
    write_groups(path, rows, form, 8);
}

/// Writes rows in row groups of so many.
fn write_groups(path: &Path, rows: &[(String, i32, f64)], form: Form, in_group: usize) {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.0)));
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.1)));
    let amounts = rows.iter().map(|row| row.2);
    let amounts: ArrayRef = Arc::new(Float64Array::from_iter_values(amounts));
    let mut columns = vec![("id", ids), ("day", days), ("amount", amounts)];
    if form.has_more_columns {
        let more = (0..rows.len() as i64).collect::<Int64Array>();
        columns.insert(1, ("note", Arc::new(more)));
    }
    let fields = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let compression = match form.is_compressed {
        true => Compression::ZSTD(ZstdLevel::default()),
        false => Compression::UNCOMPRESSED,
    };
    let note = |file: usize| vec![KeyValue::new("note".to_owned(), file.to_string())];
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(form.is_compressed)
        .set_max_row_group_row_count(Some(in_group))
        .set_key_value_metadata(form.noted.map(note))
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A lake of these files.
fn lake(folder: &Path, files: usize) {
    fs::create_dir_all(folder.join("lake")).unwrap();
    for file in 0..files {
        let path = folder.join(format!("lake/part-{file:04}.parquet"));
        write(&path, &rows(file), Form::of(file));
    }
}

fn run(folder: &Path, more: &[&str]) -> Output {
    let pipeline = folder.join("shop.toml");
    fs::write(&pipeline, PIPELINE).unwrap();
    let out = format!("out={}", folder.display());
    let mut call = tessera();
    call.arg("run").arg(&pipeline);
    call.args(["--as-of", "2026-10-31", "--var", &out])
        .args(more);
    call.output().unwrap()
}

#[test]
fn many_small_files_are_read_as_one_file_of_their_rows() {
    let dir = tempfile::tempdir().unwrap();
    let (many, one) = (dir.path().join("many"), dir.path().join("one"));
    const FILES: usize = 700;
    lake(&many, FILES);
    fs::create_dir_all(one.join("lake")).unwrap();
    let all: Vec<_> = (0..FILES).flat_map(rows).collect();
    write(&one.join("lake/all.parquet"), &all, Form::of(0));
    for folder in [&many, &one] {
        let output = run(folder, &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    let table = |folder: &Path, name: &str| folder.join(format!("shop/latest/{name}.parquet"));
    for name in ["customers", "memberships", "profiles"] {
        let [many, one] = [&many, &one].map(|folder| fs::read(table(folder, name)).unwrap());
        assert!(many == one, "{name} differs");
    }
    let sources = Table::read(&table(&many, "sources"));
    let future = all.iter().filter(|row| row.1 > TODAY).count();
    let rejected = all.iter().filter(|row| row.1 <= TODAY && row.2 >= 1_000.0);
    assert!(future > 100 && rejected.clone().count() > 50);
    assert_eq!(sources.ints("rows"), [Some((all.len() - future) as i64)]);
    assert_eq!(sources.ints("future"), [Some(future as i64)]);
    assert_eq!(sources.ints("quarantined"), [Some(rejected.count() as i64)]);
    // A rejected row is named by its own file and its place there.
    let rejects = Table::read(&table(&many, "rejects"));
    let (files, places) = (rejects.texts("file"), rejects.ints("row_number"));
    assert!(files.len() > 5);
    for (file, place) in files.iter().flatten().zip(places.iter().flatten()) {
        let number = file
            .rsplit('-')
            .next()
            .unwrap()
            .trim_end_matches(".parquet");
        let row = &rows(number.parse().unwrap())[*place as usize - 1];
        assert!(row.2 >= 1_000.0 && row.1 <= TODAY, "{file} {place} {row:?}");
    }
}

#[test]
fn of_files_that_are_decoded_together_the_damaged_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), 60);
    // The values of the amounts of one file are compressed; what is in the middle of them is overwritten.
    let victim = dir.path().join("lake/part-0034.parquet");
    let mut bytes = fs::read(&victim).unwrap();
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let frames: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| bytes[*at..].starts_with(&magic))
        .collect();
    assert!(frames.len() > 3, "{frames:?}");
    for at in frames {
        bytes[at + 4..at + 8].copy_from_slice(&[0xff; 4]);
    }
    fs::write(&victim, &bytes).unwrap();
    let output = run(dir.path(), &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("lake/part-0034.parquet"), "{said}");
}

/// Equal values take few bytes in a file, and many once decoded: such a file between others is decoded in parts, which they are no
/// part of.
#[test]
fn a_small_file_of_many_rows_among_others_is_read_once() {
    const ROWS: usize = 2_400_000;
    let dir = tempfile::tempdir().unwrap();
    lake(dir.path(), 40);
    let many = vec![("C001".to_owned(), TODAY - 3, 0.25); ROWS];
    let path = dir.path().join("lake/part-0020-b.parquet");
    let form = Form {
        has_more_columns: false,
        is_compressed: true,
        noted: None,
    };
    write_groups(&path, &many, form, ROWS);
    assert!(fs::metadata(&path).unwrap().len() < 200_000);
    let output = run(dir.path(), &["--memory", "600MiB"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let all: Vec<_> = (0..40).flat_map(rows).chain(many).collect();
    let used = all.iter().filter(|row| row.1 <= TODAY && row.2 < 1_000.0);
    let sources = Table::read(&dir.path().join("shop/latest/sources.parquet"));
    assert_eq!(sources.ints("used"), [Some(used.clone().count() as i64)]);
    let customers = Table::read(&dir.path().join("shop/latest/customers.parquet"));
    let (ids, spend) = (customers.texts("id"), customers.floats("spend"));
    for (id, spend) in ids.iter().flatten().zip(spend) {
        let own = used.clone().filter(|row| row.0 == *id);
        assert_eq!(spend, Some(own.map(|row| row.2).sum::<f64>()), "{id}");
    }
}
