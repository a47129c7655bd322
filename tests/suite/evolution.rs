//! Files of one source whose schemas differ: columns that some files lack, and types that change.

use std::fs::{self, File};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Date64Array, Decimal128Array, DictionaryArray,
    FixedSizeBinaryArray, Float64Array, Int8Array, Int32Array, Int64Array, LargeStringArray,
    NullArray, RecordBatch, StringArray, StringViewArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{Field, Int32Type, Schema};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::program::tessera;
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "shop"
timezone = "Europe/Berlin"
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
time = "at"
time_zone = "Europe/Berlin"
[sources.orders.contract]
columns = { COLUMNS }
missing_key = "quarantine"
duplicates = "DUPLICATES"
[features]
order_rows = { from = "orders", agg = "count" }
FEATURES
[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "order_rows > 10" }]
otherwise = "small"
"#;

/// Noon of 2026-10-01 in Berlin, in seconds.
pub(crate) const NOON: i64 = 1_790_848_800;

pub(crate) type Columns<'a> = &'a [(&'a str, ArrayRef)];

/// A lake of files in Parquet.
pub(crate) struct Lake {
    pub(crate) dir: TempDir,
    pub(crate) duplicates: &'static str,
}

impl Lake {
    pub(crate) fn of(files: &[Columns<'_>]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lake")).unwrap();
        for (number, columns) in files.iter().enumerate() {
            write(&dir.path().join(format!("lake/{number}.parquet")), columns);
        }
        Self {
            dir,
            duplicates: "keep",
        }
    }

    pub(crate) fn call(&self, command: &str, columns: &str, features: &str) -> Output {
        let pipeline = self.dir.path().join("shop.toml");
        let text = PIPELINE
            .replace("COLUMNS", columns)
            .replace("FEATURES", features)
            .replace("DUPLICATES", self.duplicates);
        fs::write(&pipeline, text).unwrap();
        let mut call = tessera();
        call.arg(command).arg(&pipeline);
        if command == "run" {
            call.args(["--as-of", "2026-10-31"]);
        }
        let out = format!("out={}", self.dir.path().display());
        call.args(["--var", &out]).output().unwrap()
    }

    /// The customers, and the messages.
    pub(crate) fn run(&self, columns: &str, features: &str) -> (Table, String) {
        let output = self.call("run", columns, features);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        (self.table("customers"), said)
    }

    pub(crate) fn table(&self, name: &str) -> Table {
        let latest = format!("shop/latest/{name}.parquet");
        Table::read(&self.dir.path().join(latest))
    }

    /// The messages with which `check` fails.
    pub(crate) fn refused(&self, columns: &str, features: &str) -> String {
        let output = self.call("check", columns, features);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        said
    }
}

fn write(path: &Path, columns: Columns<'_>) {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.iter().map(|(_, array)| array.clone()).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

/// Noon of the first day, once per row.
pub(crate) fn noon(rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(vec![NOON * 1_000_000; rows]).with_timezone("UTC"))
}

/// The columns of every file.
pub(crate) const BASE: &str = r#"id = "string", at = "timestamp""#;

#[test]
fn a_column_that_some_files_lack_is_null_there_and_said_where_it_is_used() {
    let lake = Lake::of(&[
        &[
            ("id", texts(&["a"])),
            ("at", noon(1)),
            ("x", texts(&["old"])),
            ("gone", texts(&["1"])),
        ],
        &[
            ("at", noon(2)),
            ("id", texts(&["a", "b"])),
            ("channel", texts(&["app", "web"])),
        ],
    ]);
    let (customers, said) = lake.run(
        &format!("{BASE}, channel = \"string\""),
        r#"apps = { from = "orders", agg = "count", where = "channel = 'app'" }
           channels = { from = "orders", agg = "count", of = "channel" }"#,
    );
    assert_eq!(customers.ints("order_rows"), [Some(2), Some(1)]);
    assert_eq!(customers.ints("apps"), [Some(1), Some(0)]);
    assert_eq!(customers.ints("channels"), [Some(1), Some(1)]);
    assert!(
        said.contains("`channel` of source `orders` is missing in 1 file (0.parquet)"),
        "{said}"
    );
    assert!(!said.contains("gone"), "{said}");
    let sources = lake.table("sources");
    assert_eq!(sources.ints("columns_absent"), [Some(1)]);
    let notes = sources.texts("notes")[0].clone().unwrap();
    assert!(
        notes.contains("`channel`") && notes.contains("0.parquet"),
        "{notes}"
    );
}

#[test]
fn a_required_column_is_in_every_file() {
    let day = |channel: Option<&str>| {
        let mut columns = vec![("id", texts(&["a"])), ("at", noon(1))];
        columns.extend(channel.map(|channel| ("channel", texts(&[channel]))));
        columns
    };
    let (with, without) = (day(Some("app")), day(None));
    let columns = format!("{BASE}, channel = {{ type = \"string\", required = true }}");
    let features = r#"channels = { from = "orders", agg = "count", of = "channel" }"#;

    let said = Lake::of(&[&with, &without]).refused(&columns, features);
    assert!(said.contains("error[TS-D008]"), "{said}");
    assert!(
        said.contains("`channel` of source `orders` is missing in 1 file (1.parquet)"),
        "{said}"
    );
    assert!(!said.contains("TS-L003"), "said twice: {said}");

    let (customers, said) = Lake::of(&[&with, &with]).run(&columns, features);
    assert_eq!(customers.ints("channels"), [Some(2)]);
    assert!(!said.contains("missing in"), "{said}");
}

/// Daily files of pandas: integers are floats on days with missing values, and have no type on days with only missing values.
#[test]
fn ids_and_numbers_are_read_from_integers_floats_and_nothing() {
    let id =
        |array: ArrayRef, amount: ArrayRef| [("id", array), ("at", noon(2)), ("items", amount)];
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    let gaps = Float64Array::from(vec![Some(17_850.0), None]);
    let files = [
        id(
            Arc::new(Int64Array::from(vec![17_850, 13_047])),
            floats(&[1.5, 2.0]),
        ),
        id(Arc::new(gaps), nothing),
        id(
            Arc::new(UInt32Array::from(vec![13_047, 7])),
            Arc::new(Int64Array::from(vec![4, (1 << 53) + 1])),
        ),
        id(floats(&[7.0, 7.5]), Arc::new(Int8Array::from(vec![-1, 1]))),
    ];
    let lake = Lake::of(&[&files[0], &files[1], &files[2], &files[3]]);
    let (customers, _) = lake.run(
        r#"id = "i64", at = "timestamp", items = "f64""#,
        r#"items = { from = "orders", agg = "sum", of = "items" }"#,
    );
    assert_eq!(customers.ints("id"), [Some(7), Some(13_047), Some(17_850)]);
    assert_eq!(
        customers.floats("items"),
        [Some(-1.0), Some(6.0), Some(1.5)]
    );
    assert_eq!(customers.ints("order_rows"), [Some(1), Some(2), Some(2)]);
    // A missing key, 2^53 + 1 as a float, and 7.5 as an id.
    let rejects = lake.table("rejects");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rejects.texts("file"),
        [text("1.parquet"), text("2.parquet"), text("3.parquet")]
    );
    assert!(
        rejects
            .texts("row")
            .iter()
            .flatten()
            .any(|row| row.contains("7.5"))
    );
}

/// Integers are never converted through floats: neighbours beyond 2^53 stay two customers.
#[test]
fn an_undeclared_id_that_is_integer_and_float_stays_an_integer() {
    let big = (1_i64 << 53) + 1;
    let lake = Lake::of(&[
        &[
            ("id", Arc::new(Int64Array::from(vec![big, big + 1]))),
            ("at", noon(2)),
        ],
        &[("id", floats(&[3.0])), ("at", noon(1))],
    ]);
    let (customers, _) = lake.run(r#"at = "timestamp""#, "");
    assert_eq!(customers.ints("id"), [Some(3), Some(big), Some(big + 1)]);
}

#[test]
fn times_of_all_units_zones_and_days_are_one_time() {
    let millis = |zone: &str| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from(vec![NOON * 1_000]).with_timezone(zone))
    };
    let nanos = TimestampNanosecondArray::from(vec![NOON * 1_000_000_000]).with_timezone("Etc/UTC");
    // Berlin's noon is 10:00 in UTC; without a zone the source's applies.
    let naive = TimestampMicrosecondArray::from(vec![(NOON + 7_200) * 1_000_000]);
    let zulu = TimestampNanosecondArray::from(vec![NOON * 1_000_000_000]).with_timezone("Zulu");
    let at: [ArrayRef; 10] = [
        noon(1),
        millis("+00:00"),
        millis("Z"),
        millis("UTC"),
        Arc::new(nanos),
        millis("America/New_York"),
        Arc::new(naive),
        Arc::new(Date32Array::from(vec![20_727])),
        Arc::new(Date64Array::from(vec![20_727 * 86_400_000])),
        Arc::new(zulu),
    ];
    let files: Vec<Vec<(&str, ArrayRef)>> = at
        .into_iter()
        .map(|at| vec![("id", texts(&["a"])), ("at", at)])
        .collect();
    let files: Vec<Columns<'_>> = files.iter().map(Vec::as_slice).collect();
    let lake = Lake::of(&files);
    let features = r#"first_at = { from = "orders", agg = "min", of = "at" }
        last_at = { from = "orders", agg = "max", of = "at" }
        times = { from = "orders", agg = "count_distinct", of = "at" }"#;
    let (customers, _) = lake.run(BASE, features);
    assert_eq!(customers.ints("order_rows"), [Some(10)]);
    assert_eq!(customers.ints("times"), [Some(2)]);
    assert_eq!(customers.shown("last_at"), "2026-10-01T12:00:00");
    assert_eq!(customers.shown("first_at"), "2026-10-01T00:00:00");
}

#[test]
fn texts_of_all_kinds_are_one_text() {
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let bytes: Vec<u8> = (0..16).map(|n| n * 17).collect();
    let dictionary: DictionaryArray<Int32Type> = vec![uuid].into_iter().collect();
    let ids: [ArrayRef; 6] = [
        texts(&[uuid]),
        Arc::new(LargeStringArray::from(vec![uuid])),
        Arc::new(StringViewArray::from(vec![uuid])),
        Arc::new(dictionary),
        Arc::new(BinaryArray::from(vec![uuid.as_bytes()])),
        Arc::new(FixedSizeBinaryArray::try_from_iter(std::iter::once(&bytes)).unwrap()),
    ];
    let mut files: Vec<Vec<(&str, ArrayRef)>> = ids
        .into_iter()
        .map(|id| vec![("id", id), ("at", noon(1))])
        .collect();
    let invalid: ArrayRef = Arc::new(BinaryArray::from(vec![[0xff_u8].as_slice()]));
    files.push(vec![("id", invalid), ("at", noon(1))]);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![17]));
    files.push(vec![("id", numbers), ("at", noon(1))]);
    let files: Vec<Columns<'_>> = files.iter().map(Vec::as_slice).collect();
    let lake = Lake::of(&files);
    let (customers, _) = lake.run(BASE, "");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(customers.texts("id"), [text(uuid), text("17")]);
    assert_eq!(customers.ints("order_rows"), [Some(6), Some(1)]);
    assert_eq!(lake.table("rejects").texts("file"), [text("6.parquet")]);
}

#[test]
fn decimals_of_any_scale_and_large_integers_are_numbers() {
    let decimals = |value: i128, scale: i8| -> ArrayRef {
        let array = Decimal128Array::from(vec![value]);
        Arc::new(array.with_precision_and_scale(38, scale).unwrap())
    };
    let amounts = [
        decimals(1_050, 2),
        decimals(3, 0),
        decimals(25_000, 4),
        floats(&[0.25]),
        Arc::new(UInt64Array::from(vec![4])),
    ];
    let files: Vec<Vec<(&str, ArrayRef)>> = amounts
        .into_iter()
        .map(|amount| vec![("id", texts(&["a"])), ("at", noon(1)), ("amount", amount)])
        .collect();
    let files: Vec<Columns<'_>> = files.iter().map(Vec::as_slice).collect();
    let lake = Lake::of(&files);
    let (customers, _) = lake.run(
        &format!("{BASE}, amount = \"f64\""),
        r#"spend = { from = "orders", agg = "sum", of = "amount" }"#,
    );
    assert_eq!(customers.floats("spend"), [Some(20.25)]);
}

/// A column with types that no single type can hold is rejected once, naming all files; it is ignored where the pipeline does not
/// name it.
/// A declared type of fewer than 64 bits holds for every value, whatever width the files have.
#[test]
fn integers_outside_of_the_declared_type_are_rejected() {
    let file = |items: ArrayRef, rows: usize| {
        let ids = texts(&vec!["a"; rows]);
        [("id", ids), ("at", noon(rows)), ("items", items)]
    };
    let wide = file(Arc::new(Int64Array::from(vec![127, 128, -128, -129])), 4);
    let unsigned = file(Arc::new(UInt64Array::from(vec![1, u64::MAX])), 2);
    let narrow = file(Arc::new(Int8Array::from(vec![5])), 1);
    let written = file(floats(&[2.0, 300.0, 0.5]), 3);
    let lake = Lake::of(&[&wide, &unsigned, &narrow, &written]);
    let columns = format!("{BASE}, items = \"i8\"");
    let (customers, said) = lake.run(
        &columns,
        r#"total = { from = "orders", agg = "sum", of = "items" }"#,
    );
    assert_eq!(customers.ints("total"), [Some(7)]);
    assert_eq!(lake.table("sources").ints("quarantined"), [Some(5)]);
    let rule = "items is not an integer from -128 to 127";
    assert!(said.contains(rule), "{said}");
    let rules = lake.table("reject_rules");
    assert_eq!(rules.texts("rule"), [Some(rule.to_owned())]);
    assert_eq!(rules.ints("rows"), [Some(5)]);
}

/// A pipeline file that made the newest version is not wrong where the lake changes: a scheduler tries again.
#[test]
fn a_column_that_the_last_version_had_is_missing_data() {
    let file = |x: ArrayRef| [("id", texts(&["a", "b"])), ("at", noon(2)), ("x", x)];
    let columns = format!("{BASE}, x = \"f64\"");
    let sum = "x = { from = \"orders\", agg = \"sum\", of = \"x\" }";
    let lake = Lake::of(&[&file(floats(&[1.0, 2.0]))]);
    lake.run(&columns, sum);
    let path = lake.dir.path().join("lake/0.parquet");
    let without: Columns<'_> = &[("id", texts(&["a", "b"])), ("at", noon(2))];
    let other = file(texts(&["1", "2"]));
    for changed in [without, &other] {
        write(&path, changed);
        for command in ["run", "plan"] {
            let output = lake.call(command, &columns, sum);
            let said = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{command}: {said}");
            let note = "the same pipeline file made version 1 of 2026-10-31, so the files of the lake have changed since";
            assert!(said.contains(note), "{command}: {said}");
        }
        // `check` judges the file alone, and an edited one may be wrong.
        assert_eq!(lake.call("check", &columns, sum).status.code(), Some(2));
        let edited = format!("{sum}\ny = {{ from = \"orders\", agg = \"max\", of = \"x\" }}");
        let said = stderr(&lake.call("run", &columns, &edited));
        assert!(!said.contains("the same pipeline file"), "{said}");
    }
    let mistaken = lake.call("run", &columns.replace("x = ", "y = "), sum);
    assert_eq!(mistaken.status.code(), Some(2));
}

/// Repeated rows are found across files whose columns have different types.
#[test]
fn repeated_rows_are_found_across_forms() {
    let millis = TimestampMillisecondArray::from(vec![NOON * 1_000; 2]).with_timezone("Z");
    let ids: DictionaryArray<Int32Type> = vec!["a", "b"].into_iter().collect();
    let mut lake = Lake::of(&[
        &[
            ("id", texts(&["a", "a"])),
            ("at", noon(2)),
            ("x", floats(&[1.0, 2.0])),
        ],
        &[
            ("id", Arc::new(ids)),
            ("at", Arc::new(millis)),
            ("x", Arc::new(Int64Array::from(vec![1, 1]))),
        ],
    ]);
    lake.duplicates = "drop_exact";
    let (customers, _) = lake.run(BASE, "");
    assert_eq!(customers.ints("order_rows"), [Some(2), Some(1)]);
}

#[test]
fn columns_that_differ_in_capital_letters_are_two_and_repeated_names_are_refused() {
    let lake = Lake::of(&[&[
        ("id", texts(&["a"])),
        ("ID", texts(&["z"])),
        ("at", noon(1)),
    ]]);
    let (customers, _) = lake.run(
        BASE,
        r#"other = { from = "orders", agg = "last", of = "\"ID\"" }"#,
    );
    assert_eq!(customers.texts("other"), [Some("z".to_owned())]);
}

/// Writers of data frames store categories, also those of numbers, as dictionaries.
#[test]
fn numbers_in_a_dictionary_are_read_as_numbers() {
    let values: ArrayRef = floats(&[2.5, 4.0]);
    let keys = Int32Array::from(vec![Some(0), Some(1), None, Some(0)]);
    let x: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    let number: ArrayRef = Arc::new(Int64Array::from(vec![30, 40]));
    let keys = Int32Array::from(vec![1, 0, 1, 0]);
    let y: ArrayRef = Arc::new(DictionaryArray::new(keys, number));
    let lake = Lake::of(&[&[
        ("id", texts(&["a", "a", "b", "b"])),
        ("at", noon(4)),
        ("x", x),
        ("y", y),
    ]]);
    let columns = format!("{BASE}, x = \"f64\", y = \"i64\"");
    let (customers, _) = lake.run(
        &columns,
        "x = { from = \"orders\", agg = \"sum\", of = \"x\" }\ny = { from = \"orders\", agg = \"sum\", of = \"y\" }",
    );
    assert_eq!(customers.floats("x"), [Some(6.5), Some(2.5)]);
    assert_eq!(customers.numbers("y"), [Some(70.0), Some(70.0)]);
}

/// As a text that is no number, which is rejected, such a value is in no sum without being counted.
#[test]
fn floats_that_are_no_numbers_are_counted() {
    let x = [f64::NAN, f64::INFINITY, -f64::INFINITY, 1.5];
    let lake = Lake::of(&[&[
        ("id", texts(&["a", "b", "c", "d"])),
        ("at", noon(4)),
        ("x", floats(&x)),
        ("y", floats(&x)),
    ]]);
    let columns = format!("{BASE}, x = \"f64\", y = \"f64\"");
    let (customers, said) = lake.run(
        &columns,
        r#"x = { from = "orders", agg = "sum", of = "x * 2" }"#,
    );
    assert_eq!(customers.floats("x")[3], Some(3.0));
    assert!(
        said.contains("`x` is NaN or infinite in 3 of 4 rows"),
        "{said}"
    );
    assert!(!said.contains("`y`"), "no feature reads it: {said}");
    assert_eq!(lake.table("sources").ints("nulled"), [Some(3)]);
}

#[test]
fn they_are_counted_beside_files_of_integers_and_of_texts() {
    let times = |ids: &[&str]| [("id", texts(ids)), ("at", noon(ids.len()))];
    let [id, at] = times(&["a", "b", "c"]);
    let of_floats = [id, at, ("x", floats(&[f64::NAN, 1.5, f64::INFINITY]))];
    let [id, at] = times(&["a", "b"]);
    let of_ints = [
        id,
        at,
        ("x", Arc::new(Int64Array::from(vec![2, 3])) as ArrayRef),
    ];
    let [id, at] = times(&["a", "b"]);
    let of_texts = [id, at, ("x", texts(&["4.5", "5"]))];
    let [id, at] = times(&["c"]);
    let without = [id, at];
    for others in [
        &[&of_ints[..]][..],
        &[&of_texts],
        &[&without, &of_ints, &of_texts],
    ] {
        let mut files = vec![&of_floats[..]];
        files.extend(others);
        let lake = Lake::of(&files);
        let features = r#"x = { from = "orders", agg = "sum", of = "x" }"#;
        let (_, said) = lake.run(
            &format!("{BASE}, x = {{ type = \"f64\", decimal = \".\" }}"),
            features,
        );
        assert!(said.contains("`x` is NaN or infinite in 2 of "), "{said}");
        assert_eq!(lake.table("sources").ints("nulled"), [Some(2)]);
    }
}
