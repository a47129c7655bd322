//! Times that cannot be represented are broken values, not other dates.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use parquet::arrow::ArrowWriter;

use crate::oracle::python;
use crate::program::run;
use crate::table::Table;

fn pipeline(dir: &Path) -> String {
    let at = dir.display();
    let text = format!(
        "spec_version = 1\nname = \"range\"\ntimezone = \"Europe/Paris\"\ncurrency = \"EUR\"\nstore = \"{at}/store\"\n\
                [customer]\nkey = \"id\"\n[sources.orders]\nkind = \"events\"\npath = \"{at}/lake\"\nkey = \"id\"\ntime = \"t\"\ntime_zone = \"UTC\"\n\
                contract = {{ missing_key = \"fail\" }}\n[features]\nuse = [\"spend_total\", \"recency_days\"]\n"
    );
    let file = dir.join("range.toml");
    fs::write(&file, text).unwrap();
    fs::create_dir(dir.join("lake")).unwrap();
    file.display().to_string()
}

/// Spend and recency of the customers, and the rules that rejected rows.
fn outcome(dir: &Path, file: &str) -> (Vec<Option<f64>>, Vec<Option<f64>>, Vec<String>) {
    run(&["run", file, "--as-of", "2026-10-31", "--quiet"], 0);
    let latest = dir.join("store/latest");
    let customers = Table::read(&latest.join("customers.parquet"));
    let rejects = Table::read(&latest.join("rejects.parquet"));
    (
        customers.floats("spend_total"),
        customers.numbers("recency_days"),
        rejects.texts("rule").into_iter().flatten().collect(),
    )
}

/// INT96 as Spark writes it; the parquet crate writes files with it that polars does not read.
const INT96: &str = "
import sys, datetime as dt, pyarrow as pa, pyarrow.parquet as pq
t = [dt.datetime(2026, 10, 30), dt.datetime(2026, 10, 31, 22, 30), dt.datetime(1, 1, 1), dt.datetime(2300, 1, 1)]
table = pa.table({'id': ['a'] * 4, 't': pa.array(t, pa.timestamp('us')), 'amount': [1.0, 2.0, 4.0, 8.0]})
pq.write_table(table, sys.argv[1], use_deprecated_int96_timestamps=True, store_schema=False)
";

#[test]
fn int96_of_year_1_and_after_2262_is_read() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    let path = dir.path().join("lake/a.parquet");
    let made = Command::new(python).args(["-c", INT96]).arg(path).status();
    assert!(made.unwrap().success());
    let (spend, recency, rules) = outcome(dir.path(), &file);
    // 22:30 UTC of the last day is 23:30 in Paris. The row of 2300 has not come yet.
    assert_eq!((spend, recency), (vec![Some(7.0)], vec![Some(0.0)]));
    assert!(rules.is_empty(), "{rules:?}");
}

/// The same of times that were seconds, milliseconds or nanoseconds before: the Arrow schema in the file states that.
const INT96_OF: &str = "
import sys, datetime as dt, pyarrow as pa, pyarrow.parquet as pq
t = [dt.datetime(2026, 10, 30), dt.datetime(2026, 10, 31, 22, 30), dt.datetime(2026, 12, 1)]
table = pa.table({'id': ['a'] * 3, 't': pa.array(t, pa.timestamp(sys.argv[2])), 'amount': [1.0, 2.0, 8.0]})
pq.write_table(table, sys.argv[1], use_deprecated_int96_timestamps=True, store_schema=True)
";

#[test]
fn int96_of_any_unit_is_read() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    let path = dir.path().join("lake/a.parquet");
    for unit in ["s", "ms", "us", "ns"] {
        let _ = fs::remove_dir_all(dir.path().join("store"));
        let mut made = Command::new(&python);
        made.args(["-c", INT96_OF]).arg(&path).arg(unit);
        assert!(made.status().unwrap().success());
        let (spend, recency, rules) = outcome(dir.path(), &file);
        assert_eq!(
            (spend, recency),
            (vec![Some(3.0)], vec![Some(0.0)]),
            "{unit}"
        );
        assert!(rules.is_empty(), "{unit} {rules:?}");
    }
}

/// "Never" as the largest number of milliseconds is a broken value also beside files that count microseconds.
#[test]
fn the_largest_number_of_milliseconds_is_broken_beside_other_units() {
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    let millis = vec![1_790_000_000_000, i64::MAX];
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(millis));
    write_as(dir.path(), "a.parquet", millis);
    let micros = vec![1_790_000_000_000_000, 1_790_000_000_000_001];
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros));
    write_as(dir.path(), "b.parquet", micros);
    let (_, _, rules) = outcome(dir.path(), &file);
    assert_eq!(rules, ["t is not a time of the years 1 to 9999"]);
}

#[test]
fn milliseconds_of_the_year_200000_and_days_beyond_9999_are_broken() {
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    let year = 31_556_952_000_i64;
    let times = vec![
        Some(1_790_000_000_000),
        Some(198_030 * year),
        Some(-3_000 * year),
        Some(i64::MAX),
    ];
    write(dir.path(), Arc::new(TimestampMillisecondArray::from(times)));
    let (spend, _, rules) = outcome(dir.path(), &file);
    assert_eq!(spend, [Some(1.0)]);
    assert!(
        rules.len() == 3 && rules.iter().all(|rule| rule.contains("1 to 9999")),
        "{rules:?}"
    );
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let days = vec![
        Some(20_000),
        Some(2_932_897),
        Some(i32::MAX),
        Some(-719_163),
    ];
    write(dir.path(), Arc::new(Date32Array::from(days)));
    let (spend, _, rules) = outcome(dir.path(), &file);
    assert_eq!(spend, [Some(1.0)]);
    assert!(
        rules.len() == 3 && rules.iter().all(|rule| rule.contains("1 to 9999")),
        "{rules:?}"
    );
}

/// The times of the rejected rows, as `rejects` shows them.
fn shown(dir: &Path) -> Vec<String> {
    let rejects = Table::read(&dir.join("store/latest/rejects.parquet"));
    let rows = rejects.texts("row").into_iter().flatten();
    let time = |row: String| {
        let row: serde_json::Value = serde_json::from_str(&row).unwrap();
        row["t"].as_str().unwrap_or("null").to_owned()
    };
    rows.map(time).collect()
}

/// The reader sees what stands in the file, also where files count in different units.
#[test]
fn times_that_cannot_be_represented_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    let millis = vec![1_790_000_000_000, i64::MAX, 253_402_300_800_000];
    write(
        dir.path(),
        Arc::new(TimestampMillisecondArray::from(millis)),
    );
    let micros = vec![i64::MIN, -62_135_596_800_000_001];
    let micros: ArrayRef = Arc::new(TimestampMicrosecondArray::from(micros));
    write_as(dir.path(), "b.parquet", micros);
    outcome(dir.path(), &file);
    assert_eq!(
        shown(dir.path()),
        [
            "9223372036854775807 ms",
            "+10000-01-01 00:00:00",
            "-9223372036854775808 µs",
            "0000-12-31 23:59:59.999999",
        ]
    );
    let rules = Table::read(&dir.path().join("store/latest/reject_rules.parquet"));
    assert_eq!(
        rules.texts("example"),
        [Some("9223372036854775807 ms".to_owned())]
    );
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    fs::remove_file(dir.path().join("lake/b.parquet")).unwrap();
    let days = vec![20_000, 2_932_897, i32::MAX, -719_163];
    write(dir.path(), Arc::new(Date32Array::from(days)));
    outcome(dir.path(), &file);
    let days = ["+10000-01-01", "2147483647 days", "0000-12-31"];
    assert_eq!(shown(dir.path()), days);
}

/// Times declared as days: those that cannot be represented end no run, and the warning says what to declare, which works.
#[test]
fn times_of_day_that_are_declared_as_days_have_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = pipeline(dir.path());
    // Midnight of 2026-09-21 in Paris, which is two hours before that in UTC, and the afternoon.
    let times = vec![1_789_941_600_000, 1_790_000_000_000, i64::MAX];
    write(dir.path(), Arc::new(TimestampMillisecondArray::from(times)));
    let plain = fs::read_to_string(&file).unwrap();
    let declared = |ty: &str, derive: &str| {
        let contract = "contract = { missing_key = \"fail\"";
        let columns = format!("{derive}{contract}, columns = {{ t = \"{ty}\" }}");
        fs::write(&file, plain.replace(contract, &columns)).unwrap();
        let said = run(&["run", &file, "--as-of", "2026-10-31"], 0);
        let customers = Table::read(&dir.path().join("store/latest/customers.parquet"));
        let said = String::from_utf8(said.stderr).unwrap();
        (said, customers.floats("spend_total"))
    };
    let (said, spend) = declared("date", "");
    assert_eq!(spend, [Some(1.0)]);
    assert_eq!(
        shown(dir.path()),
        ["2026-09-21 14:13:20.000", "9223372036854775807 ms"]
    );
    let derive = "derive = { t = \"cast(t as date)\" }";
    let advice = format!(
        "declare `t` as \"timestamp\" in the contract, and take its day, where that is meant, with `{derive}`"
    );
    assert!(said.contains(&advice), "{said}");
    let (said, spend) = declared("timestamp", &format!("{derive}\n"));
    assert_eq!(spend, [Some(3.0)]);
    assert!(!said.contains("the files hold times"), "{said}");
}

fn write(dir: &Path, times: ArrayRef) {
    write_as(dir, "a.parquet", times);
}

fn write_as(dir: &Path, name: &str, times: ArrayRef) {
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["a"; times.len()]));
    let amounts = [1.0, 2.0, 4.0, 8.0][..times.len()].to_vec();
    let amounts: ArrayRef = Arc::new(Float64Array::from(amounts));
    let batch =
        RecordBatch::try_from_iter([("id", ids), ("t", times), ("amount", amounts)]).unwrap();
    let file = File::create(dir.join("lake").join(name)).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Local times in the hour that a clock change skipped are moved forward by it and counted in a message.
#[test]
fn times_that_clocks_skipped_are_moved_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    for (zone, own, day) in [
        // 23:30 of the 5th of September 2026 is the last half hour before the gap; 0:30 is in it.
        ("America/Santiago", "America/Santiago", "2026-09-06"),
        // 2:30 in Berlin moves to 3:30, which is the evening before in New York.
        ("Europe/Berlin", "America/New_York", "2026-03-28"),
    ] {
        let (at, name) = (dir.path().display(), zone.replace('/', "_"));
        let local = if zone == own {
            "2026-09-06 00:30:00"
        } else {
            "2026-03-29 02:30:00"
        };
        fs::write(
            dir.path().join(format!("{name}.csv")),
            format!("id,t,amount\na,{local},1\n"),
        )
        .unwrap();
        for derived in [false, true] {
            let (ty, derive, time) = match derived {
                false => ("timestamp", String::new(), "t"),
                true => (
                    "string",
                    "derive = { d = \"cast(t as timestamp)\" }\n".to_owned(),
                    "d",
                ),
            };
            let text = format!(
                "spec_version = 1\nname = \"{name}{derived}\"\ntimezone = \"{own}\"\ncurrency = \"EUR\"\nstore = \"{at}/store/{name}{derived}\"\n\
                 [customer]\nkey = \"id\"\n[sources.orders]\nkind = \"events\"\npath = \"{at}/{name}.csv\"\nkey = \"id\"\ntime = \"{time}\"\n\
                 time_zone = \"{zone}\"\n{derive}[sources.orders.contract]\nmissing_key = \"fail\"\n\
                 columns = {{ id = \"string\", t = \"{ty}\", amount = \"f64\" }}\n[features]\nuse = [\"last_order_day\"]\n"
            );
            let file = dir.path().join(format!("{name}{derived}.toml"));
            fs::write(&file, text).unwrap();
            let said = run(
                &["run", &file.display().to_string(), "--as-of", "2026-10-31"],
                0,
            );
            let said = String::from_utf8_lossy(&said.stderr);
            assert!(
                said.contains(&format!(
                    "1 times of `{time}` do not exist because of a clock change"
                )),
                "{said}"
            );
            let latest = dir
                .path()
                .join("store")
                .join(format!("{name}{derived}/latest"));
            let customers = Table::read(&latest.join("customers.parquet"));
            assert_eq!(customers.shown("last_order_day"), day, "{name} {derived}");
        }
    }
}
