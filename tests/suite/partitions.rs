//! Partition columns in the path of a file.

use std::fs::{self, File};
use std::process::Output;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

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
[sources.visits]
kind = "events"
path = "${out}/PATH"
key = "id"
time = "day"
[sources.visits.contract]
columns = { id = "string", day = "date" COLUMNS }
missing_key = "quarantine"
[features]
visits = { from = "visits", agg = "count" }
FEATURES
[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "visits > 10" }]
otherwise = "small"
"#;

const COUNTRY: &str = r#"country = { from = "visits", agg = "last", of = "country" }"#;

/// A folder of files with one row each: the path, and the row's columns.
fn lake(files: &[(&str, &[(&str, &str)])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, columns) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, _)| Field::new(*name, DataType::Utf8, true))
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns
            .iter()
            .map(|(_, value)| Arc::new(StringArray::from(vec![*value])) as ArrayRef)
            .collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }
    dir
}

fn call(dir: &TempDir, path: &str, columns: &str, features: &str) -> Output {
    let pipeline = dir.path().join("shop.toml");
    let text = PIPELINE
        .replace("PATH", path)
        .replace("COLUMNS", columns)
        .replace("FEATURES", features);
    fs::write(&pipeline, text).unwrap();
    let out = format!("out={}", dir.path().display());
    let mut call = tessera();
    call.arg("run").arg(&pipeline);
    call.args(["--as-of", "2026-10-31", "--var", &out])
        .output()
        .unwrap()
}

fn run(dir: &TempDir, path: &str, columns: &str, features: &str) -> (Table, String) {
    let output = call(dir, path, columns, features);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let customers = dir.path().join("shop/latest/customers.parquet");
    (Table::read(&customers), said)
}

fn shown(values: &[Option<&str>]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

/// Dates in both forms, values with and without escapes, null in both forms, a file beside the folders.
#[test]
fn values_are_decoded_and_typed() {
    let dir = lake(&[
        (
            "lake/day=2026-10-01/country=United%20Kingdom/1.parquet",
            &[("id", "a")],
        ),
        ("lake/day=20261002/country=100%/1.parquet", &[("id", "b")]),
        (
            "lake/day=2026-10-03/country=__HIVE_DEFAULT_PARTITION__/1.parquet",
            &[("id", "c")],
        ),
        ("lake/day=2026-10-04/country=/1.parquet", &[("id", "d")]),
        ("lake/day=2026-10-05/fix.parquet", &[("id", "e")]),
        (
            "lake/day=2026-11-01/country=DE/later.parquet",
            &[("id", "f")],
        ),
    ]);
    let features =
        format!("{COUNTRY}\nlast_day = {{ from = \"visits\", agg = \"max\", of = \"day\" }}");
    let (customers, _) = run(&dir, "lake", "", &features);
    let expected = [Some("United Kingdom"), Some("100%"), None, None, None];
    assert_eq!(customers.texts("country"), shown(&expected));
    assert_eq!(customers.rows(), 5);
    assert_eq!(customers.shown("last_day"), "2026-10-01");
}

/// Folders above the path, and names of files, are not columns.
#[test]
fn only_folders_below_the_path_count() {
    let dir = lake(&[
        (
            "env=prod/lake/day=2026-10-01/country=DE/run=7.parquet",
            &[("id", "a")],
        ),
        (
            "env=prod/lake/day=2026-10-02/country=FR/run=8.parquet",
            &[("id", "b")],
        ),
    ]);
    for path in [
        "env=prod/lake",
        "env=prod/lake/day=*/country=*",
        "env=prod/lake/**/*.parquet",
    ] {
        let (customers, _) = run(&dir, path, "", COUNTRY);
        assert_eq!(
            customers.texts("country"),
            shown(&[Some("DE"), Some("FR")]),
            "{path}"
        );
    }
    for name in ["env", "run"] {
        let output = call(
            &dir,
            "env=prod/lake",
            "",
            &COUNTRY.replace("\"country\"", &format!("\"{name}\"")),
        );
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn a_value_that_is_none_of_its_type_is_an_error_with_the_folder() {
    let dir = lake(&[
        ("lake/day=2026-10-01/1.parquet", &[("id", "a")]),
        ("lake/day=october/1.parquet", &[("id", "b")]),
    ]);
    let output = call(&dir, "lake", "", "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("`day=october`") && said.contains("is not of type date"),
        "{said}"
    );
}

#[test]
fn a_number_of_the_path_fits_its_declared_type() {
    let dir = lake(&[
        ("lake/day=2026-10-01/part=127/1.parquet", &[("id", "a")]),
        ("lake/day=2026-10-01/part=128/1.parquet", &[("id", "b")]),
    ]);
    let part = r#"part = { from = "visits", agg = "last", of = "part" }"#;
    let (customers, _) = run(&dir, "lake", ", part = \"u8\"", part);
    assert_eq!(customers.ints("part"), [Some(127), Some(128)]);
    let output = call(&dir, "lake", ", part = \"i8\"", part);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    let expected = "the value of the folder `part=128` of source `visits` is not of type integer from -128 to 127";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn the_path_wins_over_the_file_and_says_so_where_they_differ() {
    let dir = lake(&[
        (
            "lake/day=2026-10-01/country=DE/1.parquet",
            &[("id", "a"), ("country", "DE")],
        ),
        (
            "lake/day=2026-10-02/country=FR/1.parquet",
            &[("id", "b"), ("country", "DE")],
        ),
    ]);
    let (customers, said) = run(&dir, "lake", ", country = \"string\"", COUNTRY);
    assert_eq!(customers.texts("country"), shown(&[Some("DE"), Some("FR")]));
    let file = "differ from the path in 1 file (day=2026-10-02/country=FR/1.parquet)";
    assert!(said.contains(file), "{said}");
}

/// A column of the path may be a key or a time like any other.
#[test]
fn columns_of_the_path_have_the_declared_type() {
    let dir = lake(&[
        ("lake/day=2026-10-01/shop=007/1.parquet", &[("id", "a")]),
        ("lake/day=2026-10-02/shop=8/1.parquet", &[("id", "a")]),
    ]);
    let features = r#"shops = { from = "visits", agg = "max", of = "shop" }"#;
    let (customers, _) = run(&dir, "lake", ", shop = \"i64\"", features);
    assert_eq!(customers.ints("shops"), [Some(8)]);
    let (customers, _) = run(&dir, "lake", "", &features.replace("max", "first"));
    assert_eq!(customers.texts("shops"), shown(&[Some("007")]));
}

/// A lake that was partitioned later: files of before lie beside the folders.
#[test]
fn a_file_beside_the_folders_with_the_column_is_an_error_and_one_without_it_is_named() {
    let new = (
        "lake/day=2026-10-01/region=eu/1.parquet",
        &[("id", "a")][..],
    );
    let old = |columns| lake(&[new, ("lake/day=2026-10-02/old.parquet", columns)]);
    let region = r#"region = { from = "visits", agg = "last", of = "region" }"#;
    let refused = |dir: &TempDir, columns: &str, features: &str| {
        let output = call(dir, "lake", columns, features);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    };
    let dir = old(&[("id", "b"), ("region", "us")]);
    let held = "within 1 file (day=2026-10-02/old.parquet) whose path does not state it";
    for columns in [
        ", region = \"string\"",
        ", region = { type = \"string\", required = true }",
    ] {
        let said = refused(&dir, columns, region);
        assert!(
            said.contains("error[TS-D013]") && said.contains(held),
            "{said}"
        );
    }
    // Where it is not used it does no harm.
    run(&dir, "lake", "", "");

    let dir = old(&[("id", "b")]);
    let (customers, said) = run(&dir, "lake", ", region = \"string\"", region);
    assert_eq!(customers.texts("region"), shown(&[Some("eu"), None]));
    let lacking = "is missing in 1 file (day=2026-10-02/old.parquet)";
    assert!(said.contains(lacking), "{said}");
    let required = ", region = { type = \"string\", required = true }";
    let said = refused(&dir, required, region);
    assert!(
        said.contains(lacking) && said.contains("the contract requires it"),
        "{said}"
    );
}
