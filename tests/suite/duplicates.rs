//! Repeated rows of a source.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;

use crate::program::run;
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
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

/// Which row repeats another does not depend on how far back the features look, where the time is no part of the identity.
#[test]
fn rows_repeat_those_that_are_too_old_for_every_feature() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-30,10\n",
    );
    shop.file(
        "tickets/t.csv",
        "customer_id,ticket_id,opened_at\na,t1,2026-07-01\na,t2,2026-10-20\na,t1,2026-10-26\na,t2,2026-10-27\na,t3,2026-10-28\n",
    );
    let tickets = "[sources.tickets]\nkind = \"events\"\npath = \"${lake}/tickets\"\nkey = \"customer_id\"\ntime = \"opened_at\"\n\
        [sources.tickets.contract]\ncolumns = { customer_id = \"string\", ticket_id = \"string\", opened_at = \"date\" }\nmissing_key = \"fail\"\n\
        duplicates = { unique = [\"ticket_id\"], on_fail = \"quarantine\" }\n";
    let short = "tickets_30d = { from = \"tickets\", agg = \"count\", window = \"30d\" }\n";
    let long = "tickets_1y = { from = \"tickets\", agg = \"count\", window = \"365d\" }\n";
    for (features, pruned) in [(short.to_owned(), 1), (format!("{short}{long}"), 0)] {
        let features = format!("{RFM}orders = \"orders\"\n{features}");
        let parts = [
            "from = [\"orders\"]\n",
            ORDERS,
            CONTRACT,
            tickets,
            &features,
        ];
        said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 0);
        assert_eq!(shop.table("customers").ints("tickets_30d"), [Some(2)]);
        let sources = shop.table("sources");
        assert_eq!(sources.ints("pruned")[1], Some(pruned));
        assert_eq!(sources.ints("quarantined")[1], Some(2));
        let rows = shop.table("rejects").ints("row_number");
        assert_eq!(rows, [Some(3), Some(4)]);
    }
}

/// Rows that differ in the files are not the same because a derived column has taken the name of the column in which they differ.
#[test]
fn rows_are_compared_as_the_files_hold_them() {
    for (rows, derive) in [
        (
            "a,2026-10-01 09:00,10\na,2026-10-01 17:00,10\n",
            "ordered_at = \"cast(ordered_at as date)\"",
        ),
        (
            "a,2026-10-01 09:00,10.1\na,2026-10-01 09:00,10.2\n",
            "amount = \"round(amount)\"",
        ),
        (
            "A,2026-10-01 09:00,10\na,2026-10-01 09:00,10\n",
            "customer_id = \"lower(customer_id)\"",
        ),
    ] {
        let shop = Shop::new();
        let again = rows.lines().next().unwrap();
        shop.file(
            "orders/o.csv",
            &format!("customer_id,ordered_at,amount\n{rows}{again}\n"),
        );
        let source = format!("{ORDERS}time_zone = \"UTC\"\nderive = {{ {derive} }}\n");
        let contract = CONTRACT.replace("\"date\"", "\"timestamp\"");
        for (duplicates, used) in [
            ("\"drop_exact\"", 2),
            (
                "{ unique = [\"customer_id\", \"ordered_at\", \"amount\"], on_fail = \"drop\" }",
                1,
            ),
        ] {
            let contract = format!("{contract}duplicates = {duplicates}\n");
            said(
                &shop.run(&[&source, &contract, RFM], "2026-10-31", &["--quiet"]),
                0,
            );
            assert_eq!(
                shop.table("sources").ints("used"),
                [Some(used)],
                "{derive} {duplicates}"
            );
        }
    }
}

/// A column may have any name, also one that a library would take for a pattern.
#[test]
fn names_of_compared_columns_are_no_patterns() {
    for name in ["*", "^a.*$"] {
        let shop = Shop::new();
        shop.file(
            "orders/o.csv",
            &format!("customer_id,ordered_at,amount,{name}\na,2026-10-01,1,x\na,2026-10-01,1,y\na,2026-10-01,1,y\n"),
        );
        let contract = format!("{CONTRACT}duplicates = \"drop_exact\"\n");
        said(
            &shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &["--quiet"]),
            0,
        );
        assert_eq!(shop.table("sources").ints("used"), [Some(2)], "{name}");
    }
}

/// A month that is delivered a second time under another name counts twice; `check` and `run` say so, and not where rows are told apart.
#[test]
fn a_file_delivered_twice_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let lake = dir.path().join("lake");
    std::fs::create_dir(&lake).unwrap();
    let file = |name: &str, rows: &str| {
        let text = format!("id,called_at\n{rows}");
        std::fs::write(lake.join(name), text).unwrap();
    };
    file("2026-08.csv", "7,2026-08-02\n8,2026-08-03\n");
    file("2026-08_new.csv", "7,2026-08-02\n8,2026-08-03\n");
    file("2026-09.csv", "7,2026-09-02\n8,2026-09-03\n");
    // No calls.
    file("2026-10.csv", "");
    file("2026-11.csv", "");
    let pipeline = PIPELINE.replace("calls.parquet", "lake").replace(
        r#", duplicates = "drop_exact""#,
        r#", columns = { id = "i64", called_at = "date" }"#,
    );
    let latest = published(dir.path(), &pipeline);
    let customers = Table::read(&latest.join("customers.parquet"));
    assert_eq!(customers.ints("all_calls"), [Some(3), Some(3)]);
    let expected = "1 file is the same as an earlier one byte by byte, so 2 rows count twice: 2026-08_new.csv (2026-08.csv)";
    let sources = Table::read(&latest.join("sources.parquet"));
    let warned = sources.shown("warnings");
    assert!(warned.contains(expected), "{warned}");
    let out = format!("out={}", dir.path().display());
    let file = dir.path().join("calls.toml").display().to_string();
    let checked = || {
        let found = run(&["check", &file, "--var", &out], 0);
        String::from_utf8(found.stderr).unwrap()
    };
    let said = checked();
    assert!(
        said.contains("TS-L007") && said.contains(expected),
        "{said}"
    );
    let told_apart = pipeline.replace(
        r#"missing_key = "fail""#,
        r#"missing_key = "fail", duplicates = "drop_exact""#,
    );
    std::fs::write(&file, told_apart).unwrap();
    let said = checked();
    assert!(!said.contains("TS-L007"), "{said}");
}
