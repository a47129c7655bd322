//! Values keep every digit: decimals, unsigned integers, large and small floats; an overflow is an error that names the column.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt64Array,
};
use parquet::arrow::ArrowWriter;

use crate::program::{run, tessera};
use crate::table::Table;

/// 2026-10-01 as days since 1970-01-01.
const DAY: i32 = 20_727;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn decimals(values: Vec<Option<i128>>, scale: i8) -> ArrayRef {
    let array = Decimal128Array::from(values);
    Arc::new(array.with_precision_and_scale(38, scale).unwrap())
}

fn days(count: usize) -> ArrayRef {
    Arc::new(Date32Array::from(vec![DAY; count]))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn pipeline(dir: &Path, source: &str, features: &str) -> [String; 6] {
    let text = format!(
        r#"
spec_version = 1
name = "case"
timezone = "UTC"
currency = "EUR"
store = "${{out}}/store"
[vars]
out = "."
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "${{out}}/orders"
time = "day"
{source}
[features]
{features}
"#
    );
    let path = dir.join("pipeline.toml");
    std::fs::write(&path, text).unwrap();
    [
        "run".to_owned(),
        path.display().to_string(),
        "--as-of".to_owned(),
        "2026-10-31".to_owned(),
        "--var".to_owned(),
        format!("out={}", dir.display()),
    ]
}

const KEYED: &str =
    "key = \"id\"\n[sources.orders.contract]\nmissing_key = \"quarantine\"\nduplicates = \"keep\"";

fn published(dir: &Path, arguments: &[String; 6]) -> Table {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments, 0);
    Table::read(&dir.join("store/latest/customers.parquet"))
}

/// stderr of a run that must fail with exit code 3.
fn refused(arguments: &[String; 6]) -> String {
    let output = tessera().args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    text
}

fn features(columns: &[&str], aggregates: &[&str]) -> String {
    let mut lines = String::new();
    for column in columns {
        for agg in aggregates {
            lines.push_str(&format!(
                "{column}_{agg} = {{ from = \"orders\", agg = \"{agg}\", of = \"{column}\" }}\n"
            ));
        }
    }
    lines
}

/// Ids as DECIMAL(38, 0), two of which round to the same float.
#[test]
fn ids_that_are_one_float_are_two_customers() {
    let dir = tempfile::tempdir().unwrap();
    let ids = [17850, 13047, 9_007_199_254_740_993, 9_007_199_254_740_992];
    let amounts = [110, 220, 330, 440].map(Some).to_vec();
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", decimals(ids.map(Some).to_vec(), 0)),
            ("day", days(4)),
            ("amount", decimals(amounts, 2)),
        ],
    );
    let columns = "columns = { id = \"i64\", amount = \"decimal(38, 2)\" }";
    let arguments = pipeline(
        dir.path(),
        &format!("{KEYED}\n{columns}"),
        "use = [\"rfm\"]",
    );
    let customers = published(dir.path(), &arguments);
    let expected = [13047, 17850, 9_007_199_254_740_992, 9_007_199_254_740_993];
    assert_eq!(customers.ints("id"), expected.map(Some));
    assert_eq!(
        customers.floats("spend_total"),
        [2.2, 1.1, 4.4, 3.3].map(Some)
    );

    // Without a declared type the key is the text of its digits.
    let arguments = pipeline(dir.path(), KEYED, "use = [\"rfm\"]");
    let customers = published(dir.path(), &arguments);
    let expected = ["13047", "17850", "9007199254740992", "9007199254740993"];
    assert_eq!(
        customers.texts("id"),
        expected.map(|id| Some(id.to_owned()))
    );

    for cast in ["bigint", "string"] {
        let source = format!(
            "key = \"key\"\nderive = {{ key = \"cast(id as {cast})\" }}\n[sources.orders.contract]\nmissing_key = \"quarantine\""
        );
        let customers = published(
            dir.path(),
            &pipeline(dir.path(), &source, "use = [\"rfm\"]"),
        );
        assert_eq!(customers.rows(), 4, "{cast}");
    }
}

/// pandas stores integers as floats where values are missing.
#[test]
fn ids_that_pandas_made_floats_are_whole_numbers_again() {
    let dir = tempfile::tempdir().unwrap();
    let ids = Float64Array::from(vec![
        Some(17850.0),
        None,
        Some(13047.0),
        Some(0.5),
        Some(9_007_199_254_740_992.0),
        Some(f64::NAN),
    ]);
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", Arc::new(ids)),
            ("day", days(6)),
            (
                "amount",
                Arc::new(Float64Array::from(vec![1.5, 9.0, 2.0, 9.0, 9.0, 9.0])),
            ),
        ],
    );
    let declared = format!("{KEYED}\ncolumns = {{ id = \"i64\" }}");
    let customers = published(
        dir.path(),
        &pipeline(dir.path(), &declared, "use = [\"rfm\"]"),
    );
    assert_eq!(customers.ints("id"), [Some(13047), Some(17850)]);
    assert_eq!(customers.floats("spend_total"), [Some(2.0), Some(1.5)]);
    let sources = Table::read(&dir.path().join("store/latest/sources.parquet"));
    assert_eq!(sources.ints("quarantined"), [Some(4)]);

    let customers = published(dir.path(), &pipeline(dir.path(), KEYED, "use = [\"rfm\"]"));
    let expected = ["13047", "17850"].map(|id| Some(id.to_owned()));
    assert_eq!(customers.texts("id"), expected);
    let rules = Table::read(&dir.path().join("store/latest/reject_rules.parquet"));
    let rules = rules.texts("rule");
    let fault = Some("id is not a whole number".to_owned());
    assert!(rules.contains(&fault), "{rules:?}");
}

#[test]
fn blank_keys_are_missing_keys() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", texts(&["a", " ", "", "\t", "\u{a0}\u{a0}", " b"])),
            ("day", days(6)),
        ],
    );
    let features = "n = { from = \"orders\", agg = \"count\" }";
    let customers = published(dir.path(), &pipeline(dir.path(), KEYED, features));
    let expected = [" b", "a"].map(|id| Some(id.to_owned()));
    assert_eq!(customers.texts("id"), expected);
}

/// A customer is the same one whether the source holds the number as an integer, a decimal, a float or a text.
#[test]
fn keys_of_several_types_are_one_customer() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<(&str, ArrayRef)> = vec![
        ("ints", Arc::new(Int64Array::from(vec![9, 17850, -3, 123]))),
        (
            "decimals",
            decimals([900, 1_785_000, -300, 12_300].map(Some).to_vec(), 2),
        ),
        (
            "floats",
            Arc::new(Float64Array::from(vec![9.0, 17850.0, -3.0, 123.0])),
        ),
        ("texts", texts(&["9", "17850", "-3", "00123"])),
    ];
    let mut text = String::from(
        "spec_version = 1\nname = \"case\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"${out}/store\"\n[vars]\nout = \".\"\n[customer]\nkey = \"id\"\n",
    );
    let mut wanted = String::from("[features]\n");
    for (name, ids) in keys {
        write(
            &dir.path().join(name).join("p.parquet"),
            vec![("id", ids), ("day", days(4))],
        );
        text.push_str(&format!(
            "[sources.{name}]\nkind = \"events\"\npath = \"${{out}}/{name}\"\nkey = \"id\"\ntime = \"day\"\ncontract = {{ missing_key = \"fail\" }}\n"
        ));
        wanted.push_str(&format!(
            "{name}_n = {{ from = \"{name}\", agg = \"count\" }}\n"
        ));
    }
    let path = dir.path().join("pipeline.toml");
    std::fs::write(&path, text + &wanted).unwrap();
    let out = format!("out={}", dir.path().display());
    run(
        &[
            "run",
            path.to_str().unwrap(),
            "--as-of",
            "2026-10-31",
            "--var",
            &out,
        ],
        0,
    );
    let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
    let ids = ["-3", "00123", "123", "17850", "9"].map(|id| Some(id.to_owned()));
    assert_eq!(customers.texts("id"), ids);
    for name in ["ints", "decimals", "floats"] {
        let counts = [1, 0, 1, 1, 1].map(Some);
        assert_eq!(customers.ints(&format!("{name}_n")), counts, "{name}");
    }
    assert_eq!(customers.ints("texts_n"), [1, 1, 0, 1, 1].map(Some));
}

/// Sums of 300 decimals per customer compared with sums in 128 bits.
#[test]
fn decimals_are_summed_to_the_last_unit() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let names = ["a", "b", "c"];
    let mut rows: Vec<(usize, i128)> = Vec::new();
    for _ in 0..900 {
        // up to 10^22 units of 0.0001, far beyond the digits of a float
        let size = i128::from(random()) * i128::from(random() % 1_000);
        let sign = if random() % 3 == 0 { -1 } else { 1 };
        rows.push(((random() % 3) as usize, sign * size));
    }
    let keys: Vec<&str> = rows.iter().map(|row| names[row.0]).collect();
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", texts(&keys)),
            ("day", days(900)),
            (
                "x",
                decimals(rows.iter().map(|row| Some(row.1)).collect(), 4),
            ),
        ],
    );
    let aggregates = [
        "sum",
        "mean",
        "median",
        "min",
        "max",
        "last",
        "count_distinct",
        "std",
    ];
    let arguments = pipeline(dir.path(), KEYED, &features(&["x"], &aggregates));
    let customers = published(dir.path(), &arguments);
    let nearest = |whole: i128, digits: i32| -> Option<f64> {
        Some(format!("{whole}e{digits}").parse().unwrap())
    };
    for (place, _) in names.iter().enumerate() {
        let mut own: Vec<i128> = rows.iter().filter(|r| r.0 == place).map(|r| r.1).collect();
        let last = own[own.len() - 1];
        own.sort_unstable();
        let (n, sum) = (own.len() as i128, own.iter().sum::<i128>());
        let found = |agg: &str| customers.numbers(&format!("x_{agg}"))[place];
        assert_eq!(found("sum"), nearest(sum, -4));
        // 20 further digits almost always decide how the quotient is rounded
        let power = 10i128.pow(12);
        assert_eq!(found("mean"), nearest(sum * power / n, -16));
        let middle = own[(own.len() - 1) / 2] + own[own.len() / 2];
        assert_eq!(found("median"), nearest(middle * 5, -5));
        assert_eq!(found("min"), nearest(own[0], -4));
        assert_eq!(found("max"), nearest(own[own.len() - 1], -4));
        assert_eq!(found("last"), nearest(last, -4));
        own.dedup();
        assert_eq!(found("count_distinct"), Some(own.len() as f64));
        let mean = sum as f64 / n as f64;
        let squares: f64 = rows
            .iter()
            .filter(|r| r.0 == place)
            .map(|r| (r.1 as f64 - mean).powi(2))
            .sum();
        let std = (squares / (n - 1) as f64).sqrt() / 1e4;
        assert!((found("std").unwrap() / std - 1.0).abs() < 1e-12);
    }
}

#[test]
fn unsigned_integers_keep_every_digit_or_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let write = |values: Vec<u64>| {
        let keys = vec!["a"; values.len()];
        write(
            &dir.path().join("orders/p.parquet"),
            vec![
                ("id", texts(&keys)),
                ("day", days(values.len())),
                ("x", Arc::new(UInt64Array::from(values))),
            ],
        );
    };
    let arguments = pipeline(
        dir.path(),
        KEYED,
        &features(&["x"], &["sum", "max", "first"]),
    );
    write(vec![
        9_007_199_254_740_993,
        9_223_372_036_854_775_807 - 9_007_199_254_740_993,
    ]);
    let customers = published(dir.path(), &arguments);
    assert_eq!(customers.ints("x_sum"), [Some(i64::MAX)]);
    assert_eq!(customers.ints("x_first"), [Some(9_007_199_254_740_993)]);
    write(vec![u64::MAX]);
    let message = refused(&arguments);
    assert!(
        message.contains("source `orders`") && message.contains("` of a customer"),
        "{message}"
    );
}

#[test]
fn products_that_overflow_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let write = |large: i64| {
        write(
            &dir.path().join("orders/p.parquet"),
            vec![
                ("id", texts(&["a", "b"])),
                ("day", days(2)),
                ("x", Arc::new(Int64Array::from(vec![large, 2]))),
                ("y", Arc::new(Int64Array::from(vec![Some(4), None]))),
            ],
        );
    };
    let feature = "z = { from = \"orders\", agg = \"sum\", of = \"x * y\" }";
    let derived = KEYED.replace(
        "key = \"id\"\n",
        "key = \"id\"\nderive = { p = \"x * y\" }\n",
    );
    let of_derived = "z = { from = \"orders\", agg = \"sum\", of = \"p\" }";
    for (source, feature) in [(KEYED, feature), (derived.as_str(), of_derived)] {
        let arguments = pipeline(dir.path(), source, feature);
        write(3);
        let customers = published(dir.path(), &arguments);
        assert_eq!(customers.ints("z"), [Some(12), Some(0)]);
        write(i64::MAX / 2);
        let message = refused(&arguments);
        assert!(
            message.contains("source `orders`") && message.contains("x * y"),
            "{message}"
        );
    }
}

/// The same within other operators, which would make another value of the null, and where the product takes the name of a factor.
/// What a `case` does not reach is no overflow.
#[test]
fn overflows_within_an_expression_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let columns = vec![
        ("id", texts(&["a", "a"])),
        ("day", days(2)),
        (
            "x",
            Arc::new(Int64Array::from(vec![1 << 62, 1])) as ArrayRef,
        ),
        ("y", Arc::new(Int64Array::from(vec![4, 5])) as ArrayRef),
    ];
    write(&dir.path().join("orders/p.parquet"), columns);
    let of = |text: &str| format!("z = {{ from = \"orders\", agg = \"sum\", of = \"{text}\" }}");
    let derive = |text: &str| {
        KEYED.replace(
            "key = \"id\"\n",
            &format!("key = \"id\"\nderive = {{ {text} }}\n"),
        )
    };
    for (source, feature) in [
        (KEYED.to_owned(), of("coalesce(x * y, 0)")),
        (
            KEYED.to_owned(),
            of("case when x > 0 then x * y else 0 end"),
        ),
        (
            KEYED.to_owned(),
            of("case when x * y > 5 then 1 else 0 end"),
        ),
        (KEYED.to_owned(), of("abs(x * y)")),
        (KEYED.to_owned(), of("x * y / 100")),
        (KEYED.to_owned(), of("least(x * y, 1.5)")),
        (
            KEYED.to_owned(),
            of("coalesce(cast(x as decimal(38, 19)) * cast(y as decimal(38, 19)), 0)"),
        ),
        (derive("m = \"coalesce(x * y, 0)\""), of("m")),
        (derive("x = \"x * y\""), of("x")),
        (derive("m = \"x * y\", x = \"1\""), of("m")),
    ] {
        let message = refused(&pipeline(dir.path(), &source, &feature));
        let names = message.contains("source `orders`") && message.contains(" * ");
        assert!(names, "{source} {feature}: {message}");
    }
    for guarded in [
        of("case when x < 1000 then x * y else 0 end"),
        of("x * y").replace(" }", ", where = \"x < 1000\" }"),
    ] {
        let customers = published(dir.path(), &pipeline(dir.path(), KEYED, &guarded));
        assert_eq!(customers.ints("z"), [Some(5)]);
    }
}

#[test]
fn integers_beyond_64_bits_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", texts(&["a", "a", "b"])),
            ("day", days(3)),
            (
                "x",
                Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX, i64::MAX])),
            ),
        ],
    );
    let message = refused(&pipeline(dir.path(), KEYED, &features(&["x"], &["sum"])));
    assert!(message.contains("`x_sum` of a customer"), "{message}");
    let arguments = pipeline(dir.path(), KEYED, &features(&["x"], &["last", "mean"]));
    let customers = published(dir.path(), &arguments);
    assert_eq!(customers.ints("x_last"), [Some(i64::MAX); 2]);
    assert_eq!(customers.floats("x_mean"), [Some(i64::MAX as f64); 2]);
}

#[test]
fn floats_of_every_size_are_summed_and_spread() {
    let dir = tempfile::tempdir().unwrap();
    let values = vec![
        1e13, 2e13, 3e13, 1e300, 1.0, -1e300, 1e-20, 2e-20, 3e-20, 1e200, 2e200, 3e200,
    ];
    let keys = ["a", "a", "a", "b", "b", "b", "c", "c", "c", "d", "d", "d"];
    write(
        &dir.path().join("orders/p.parquet"),
        vec![
            ("id", texts(&keys)),
            ("day", days(12)),
            ("x", Arc::new(Float64Array::from(values))),
        ],
    );
    let arguments = pipeline(
        dir.path(),
        KEYED,
        &features(&["x"], &["sum", "mean", "std"]),
    );
    let customers = published(dir.path(), &arguments);
    let sums = customers.floats("x_sum");
    assert_eq!((sums[0], sums[1]), (Some(6e13), Some(1.0)));
    assert!((sums[2].unwrap() / 6e-20 - 1.0).abs() < 1e-15);
    let stds = customers.floats("x_std");
    assert_eq!(stds[0], Some(1e13));
    for (found, expected) in [(stds[1], 1e300), (stds[2], 1e-20), (stds[3], 1e200)] {
        assert!((found.unwrap() / expected - 1.0).abs() < 1e-15, "{found:?}");
    }
}

/// First and last by time, then by file in sorted order, then by row; whatever the threads.
#[test]
fn equal_times_are_in_the_order_of_files_and_rows() {
    let dir = tempfile::tempdir().unwrap();
    for (file, start) in [
        ("b.parquet", 3_000),
        ("a.parquet", 0),
        ("c/d.parquet", 6_000),
    ] {
        let keys: Vec<String> = (0..3_000).map(|row| format!("k{}", row % 7)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let values: Vec<i64> = (start..start + 3_000).collect();
        write(
            &dir.path().join("orders").join(file),
            vec![
                ("id", texts(&keys)),
                ("day", days(3_000)),
                ("x", Arc::new(Int64Array::from(values))),
                ("same", Arc::new(Int64Array::from(vec![1; 3_000]))),
            ],
        );
    }
    let source = KEYED.replace(
        "\"keep\"",
        "{ unique = [\"id\", \"same\"], on_fail = \"drop\" }",
    );
    for threads in ["1", "2", "8"] {
        let arguments = pipeline(dir.path(), KEYED, &features(&["x"], &["first", "last"]));
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--threads", threads]);
        run(&arguments, 0);
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        let firsts: Vec<Option<i64>> = (0..7).map(Some).collect();
        assert_eq!(customers.ints("x_first"), firsts);
        let lasts: Vec<Option<i64>> = (0..7)
            .map(|key| (6_000..9_000).rev().find(|x| (x - 6_000) % 7 == key))
            .collect();
        assert_eq!(customers.ints("x_last"), lasts);

        let arguments = pipeline(dir.path(), &source, &features(&["x"], &["sum", "count"]));
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.extend(["--threads", threads]);
        run(&arguments, 0);
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        // the first of the rows that repeat one another is kept
        assert_eq!(customers.ints("x_sum"), firsts);
        assert_eq!(customers.ints("x_count"), [Some(1); 7]);
    }
}
