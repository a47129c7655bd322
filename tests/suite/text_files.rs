//! Sources in CSV and NDJSON: how lines are read, and the messages about broken lines.

use std::path::Path;
use std::process::Output;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

use crate::damage::{mutants, mutate};
use crate::program::tessera;
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
use crate::table::Table;

const PIPELINE: &str = r#"
spec_version = 1
name = "letters"
timezone = "Europe/Berlin"
currency = "EUR"
store = "${out}/letters"
[vars]
file = "letters.csv"
out = "."
[customer]
key = "id"
[sources.letters]
kind = "events"
path = "${out}/${file}"
key = "id"
time = "sent_at"
time_zone = "UTC"
[sources.letters.contract]
columns = { id = "string", sent_at = "timestamp", pages = "i64", note = "string" }
missing_key = "quarantine"
duplicates = "keep"
[features]
letters = { from = "letters", agg = "count" }
pages = { from = "letters", agg = "sum", of = "pages" }
note = { from = "letters", agg = "last", of = "note" }
last_sent_at = { from = "letters", agg = "max", of = "sent_at" }
[schemes.freshness]
kind = "rules"
rules = [{ segment = "late", when = "last_sent_at > timestamp '2026-06-01 00:00:00'" }]
otherwise = "early"
"#;

/// Runs the pipeline over one file of these bytes.
fn outcome(dir: &TempDir, name: &str, bytes: &[u8]) -> Output {
    let pipeline = dir.path().join("letters.toml");
    std::fs::write(&pipeline, PIPELINE).unwrap();
    std::fs::write(dir.path().join(name), bytes).unwrap();
    let (file, out) = (
        format!("file={name}"),
        format!("out={}", dir.path().display()),
    );
    let pipeline = pipeline.display().to_string();
    let arguments = [
        "run",
        &pipeline,
        "--as-of",
        "2026-10-31",
        "--var",
        &file,
        "--var",
        &out,
        "--quiet",
    ];
    tessera().args(arguments).output().unwrap()
}

/// A published table.
fn table(dir: &TempDir, name: &str) -> Table {
    let latest = Path::new("letters/latest").join(format!("{name}.parquet"));
    Table::read(&dir.path().join(latest))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Byte order marks, line ends and quoting as programs write them; a time may be a feature like any other column.
#[test]
fn lines_are_read_and_those_that_break_the_contract_are_quarantined() {
    let csv = "\u{feff}id,sent_at,pages,note\r\n\
        a,2026-05-01 10:00:00,2,\"hello, \"\"x\"\"\"\r\n\
        b,2026-06-01 23:30:00,,\"two\r\nlines\"\r\n\
        c,yesterday,3,\r\n\
        ,2026-05-02 00:00:00,4,nobody's\r\n";
    let ndjson = r#"{"id":"a","sent_at":"2026-05-01T10:00:00","pages":2,"note":"hello, \"x\""}
{"id":"b","sent_at":"2026-06-01T23:30:00","note":"two\r\nlines"}

{"id":"c","sent_at":"yesterday","pages":3}
{"sent_at":"2026-05-02T00:00:00","pages":4,"note":"nobody's","more":[1,{}]}
"#;
    for (name, text) in [("letters.csv", csv), ("letters.ndjson", ndjson)] {
        let dir = tempfile::tempdir().unwrap();
        let output = outcome(&dir, name, text.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        let customers = table(&dir, "customers");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(customers.texts("id"), [text("a"), text("b")]);
        assert_eq!(customers.ints("pages"), [Some(2), Some(0)]);
        let notes = [text("hello, \"x\""), text("two\r\nlines")];
        assert_eq!(customers.texts("note"), notes);
        // 10:00 in UTC is noon in Berlin's summer.
        assert_eq!(customers.shown("last_sent_at"), "2026-05-01T12:00:00");
        assert_eq!(customers.texts("freshness"), [text("early"), text("late")]);
        // Profiles hold times as days since 1970-01-01: noon of day 20,574, half past one of day 20,606.
        let profiles = table(&dir, "profiles");
        let features = profiles.texts("feature").into_iter();
        let means = features.zip(profiles.floats("mean"));
        let means = means.filter(|(feature, _)| feature.as_deref() == Some("last_sent_at"));
        let mut means: Vec<f64> = means.filter_map(|(_, mean)| mean).collect();
        means.sort_unstable_by(f64::total_cmp);
        assert_eq!(means, [20_574.5, 20_606.0 + 1.5 / 24.0]);
        let rejects = table(&dir, "rejects");
        let rules = [text("sent_at is not a timestamp"), text("id is missing")];
        assert_eq!(rejects.texts("rule"), rules);
        assert_eq!(rejects.texts("file"), [text(name), text(name)]);
    }
}

/// Files with one record that cannot be split into its fields: name, content, the record's line, and the message.
fn broken_records() -> Vec<(&'static str, Vec<u8>, u64, &'static str)> {
    let many = "a,2026-05-01 10:00:00,2,x\n".repeat(50_000);
    let header = "id,sent_at,pages,note\n";
    let object = "{\"id\":\"a\",\"sent_at\":\"2026-05-01T10:00:00\",\"pages\":2,\"note\":\"x\"}\n";
    let objects = object.repeat(50_000);
    let deep = format!("{{\"id\":{}1{}}}\n", "[".repeat(200), "]".repeat(200));
    [
        (
            "cut.csv",
            format!("{header}{many}b,2026-05-01 10:0"),
            50_002,
            "2 fields, but the header has 4",
        ),
        (
            "long.csv",
            format!("{header}{many}b,2026-05-01,1,x,y\n"),
            50_002,
            "5 fields, but the header has 4",
        ),
        (
            "trailing.csv",
            format!("{header}{many}b,2026-05-01,1,\"x\" y\n"),
            50_002,
            "a field continues after its closing quotation mark",
        ),
        (
            "cut.ndjson",
            format!("{objects}{{\"id\":\"b\",\"sen"),
            50_001,
            "not a JSON object",
        ),
        (
            "list.ndjson",
            format!("{objects}[1, 2]\n"),
            50_001,
            "not a JSON object",
        ),
        (
            "two.ndjson",
            format!("{objects}{}{object}", object.trim_end()),
            50_001,
            "not a JSON object",
        ),
        (
            "twice.ndjson",
            format!("{objects}{{\"id\":\"b\",\"id\":\"c\"}}\n"),
            50_001,
            "the key `id` occurs twice",
        ),
        (
            "surrogate.ndjson",
            format!("{objects}{{\"id\":\"\\ud800\"}}\n"),
            50_001,
            "a lone surrogate",
        ),
        (
            "deep.ndjson",
            format!("{objects}{deep}"),
            50_001,
            "nested deeper than 128",
        ),
    ]
    .map(|(name, text, line, said)| (name, text.into_bytes(), line, said))
    .into_iter()
    .collect()
}

/// The same with one record of another encoding.
fn records_of_another_encoding() -> Vec<(&'static str, Vec<u8>, u64, &'static str)> {
    let many = "a,2026-05-01 10:00:00,2,x\n".repeat(50_000);
    let objects = "{\"id\":\"a\",\"sent_at\":\"2026-05-01T10:00:00\",\"pages\":2,\"note\":\"x\"}\n"
        .repeat(50_000);
    let csv: [&[u8]; 3] = [
        b"id,sent_at,pages,note\n",
        many.as_bytes(),
        b"caf\xe9,2026-05-01,1,x\n",
    ];
    vec![
        (
            "latin.csv",
            csv.concat(),
            50_002,
            "its byte 4 (0xe9) is not UTF-8",
        ),
        (
            "latin.ndjson",
            [objects.as_bytes(), b"{\"id\":\"caf\xe9\"}\n"].concat(),
            50_001,
            "its byte 11 (0xe9) is not UTF-8",
        ),
    ]
}

/// A record that cannot be split into its fields is a broken row like any other: counted, and kept with its line.
#[test]
fn records_that_are_none_are_quarantined_with_their_line() {
    for (name, bytes, line, said) in broken_records()
        .into_iter()
        .chain(records_of_another_encoding())
    {
        let dir = tempfile::tempdir().unwrap();
        let output = outcome(&dir, name, &bytes);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert_eq!(
            table(&dir, "customers").ints("letters"),
            [Some(50_000)],
            "{name}"
        );
        let rejects = table(&dir, "rejects");
        assert_eq!(
            rejects.texts("rule"),
            [Some("the record is broken".to_owned())],
            "{name}"
        );
        assert_eq!(rejects.ints("row_number"), [Some(50_001)], "{name}");
        let row = rejects.texts("row")[0].clone().unwrap();
        let row: serde_json::Value = serde_json::from_str(&row).unwrap();
        assert_eq!(row["line"], line, "{name}: {row}");
        let problem = row["problem"].as_str().unwrap();
        assert!(problem.contains(said), "{name}: {row}");
    }
}

/// With its quotation marks, wherever in the file it is, so that it can be found there.
#[test]
fn a_broken_record_is_kept_as_it_stands_in_the_file() {
    let forms = |n: usize| {
        let many = "x".repeat(n * 37 % 4_000);
        [
            format!("\"b \"\"{n}\"\"\",\"2026-05-01\",1"),
            format!("\"\"\"{n}\",\"two\r\nlines {many}\""),
            format!("b{n},2026-05-01,1,\"{many}\" y"),
            format!("\"b{n}\",,\"\",x, \"{many}\""),
        ]
    };
    for end in ["\n", "\r\n", "\n\n", "\r"] {
        let dir = tempfile::tempdir().unwrap();
        let mut text = format!("\u{feff}id,sent_at,pages,note{end}");
        let broken: Vec<String> = (0..200).flat_map(forms).collect();
        for record in &broken {
            // Most records are sound.
            let sound = format!("a,2026-05-01 10:00:00,2,\"x\"{end}");
            text.push_str(&format!("{sound}{sound}{record}{end}"));
        }
        let output = outcome(&dir, "broken.csv", text.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let rows = table(&dir, "rejects").texts("row").into_iter().flatten();
        let record = |row: String| {
            let row: serde_json::Value = serde_json::from_str(&row).unwrap();
            row["record"].as_str().unwrap().to_owned()
        };
        let kept: Vec<String> = rows.map(record).collect();
        assert_eq!(kept, broken, "{end:?}");
    }
}

/// Damage that makes the rest of a file unreadable fails the run, naming the file and the line.
#[test]
fn files_that_cannot_be_read_on_end_the_run() {
    let many = "a,2026-05-01 10:00:00,2,x\n".repeat(50_000);
    let header = "id,sent_at,pages,note\n";
    let open = format!("{header}b,2026-05-01,1,\"x\n{many}");
    let long = format!("{header}b,2026-05-01,1,\"{}", "x".repeat(17 << 20));
    let mut packed = gzip(format!("{header}{many}").as_bytes());
    packed.truncate(packed.len() / 2);
    for (name, bytes, said) in [
        (
            "open.csv",
            open.into_bytes(),
            "line 2: a quotation mark is not closed",
        ),
        (
            "long.csv",
            long.into_bytes(),
            "line 2: a quotation mark is not closed within 16 MiB",
        ),
        ("cut.csv.gz", packed, "its gzip compression is damaged"),
        (
            "semicolons.csv",
            b"id;sent_at;pages;note\n".to_vec(),
            "its header has ';' and no comma: set `delimiter = \";\"`",
        ),
        ("nothing.csv", Vec::new(), "the file is empty"),
        (
            "array.ndjson",
            b"[\n{\"id\":\"a\"}\n]\n".to_vec(),
            "it begins with `[`, like a JSON array",
        ),
        (
            "none.ndjson",
            b"a\nb\n".to_vec(),
            "none of its lines is a JSON object",
        ),
        (
            "old.csv",
            b"\xfd7zXZ\0xxxxxxxxxxxxx".to_vec(),
            "compressed with xz, which is not supported",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = outcome(&dir, name, &bytes);
        let said_here = stderr(&output);
        assert_eq!(output.status.code(), Some(3), "{name}: {said_here}");
        assert!(
            said_here.contains(name) && said_here.contains(said),
            "{name}: {said_here}"
        );
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// What other programs read as compressed text or as lines is read.
#[test]
fn files_are_read_as_other_programs_write_them() {
    let text = "id,sent_at,pages,note\na,2026-05-01 10:00:00,2,x\n";
    let rest = text.strip_prefix("id,").unwrap();
    let zstd = |text: &str| zstd::stream::encode_all(text.as_bytes(), 1).unwrap();
    // As pzstd: the size of the next frame in a frame that is skipped.
    let size = [4, 0, 0, 0, 20, 0, 0, 0];
    let parallel = [&b"\x50\x2a\x4d\x18"[..], &size, &zstd(text)].concat();
    let padded = [gzip(b"id,"), gzip(rest.as_bytes()), vec![0; 600]].concat();
    for (name, bytes) in [
        ("a.csv.zst", parallel),
        ("b.csv.gz", padded),
        ("c.csv", text.replace('\n', "\r").into_bytes()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = outcome(&dir, name, &bytes);
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        assert_eq!(table(&dir, "customers").ints("pages"), [Some(2)], "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let damaged = [gzip(text.as_bytes()), vec![0; 600], b"x".to_vec()].concat();
    let output = outcome(&dir, "d.csv.gz", &damaged);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

/// Lines that are skipped end as the lines of the file do.
#[test]
fn lines_that_are_skipped_end_as_all_lines_do() {
    let text = "exported\nby hand\ncustomer_id,ordered_at,amount\na,2026-10-01,1\n";
    for end in ["\n", "\r\n", "\r"] {
        let shop = Shop::new();
        shop.file("orders/o.csv", &text.replace('\n', end));
        let settings = "[sources.orders.text]\nskip_lines = 2\n";
        let output = shop.run(
            &[ORDERS, CONTRACT, settings, RFM],
            "2026-10-31",
            &["--quiet"],
        );
        said(&output, 0);
        assert_eq!(shop.table("customers").rows(), 1, "{end:?}");
    }
}

/// Columns of the path are no fields of a file without a header, unless it has a field for each.
#[test]
fn fields_without_a_header_are_the_columns_that_the_path_does_not_state() {
    let contract = "[sources.orders.contract]\nmissing_key = \"fail\"\n\
        columns = { customer_id = \"string\", ordered_at = \"date\", amount = \"f64\" }\n\
        [sources.orders.text]\nheader = false\n";
    let days = RFM.replace("\"rfm\"", "\"rfm\", \"last_order_day\"");
    for (record, broken) in [("a,1", 0), ("a,2026-10-01,1", 0), ("a,1,2,3", 1)] {
        let shop = Shop::new();
        shop.file("orders/ordered_at=2026-10-02/o.csv", &format!("{record}\n"));
        shop.file("orders/ordered_at=2026-10-03/p.csv", "b,1\n");
        said(
            &shop.run(&[ORDERS, contract, &days], "2026-10-31", &["--quiet"]),
            0,
        );
        let shown = shop.table("customers").shown("last_order_day");
        let first = if broken == 0 {
            "2026-10-02"
        } else {
            "2026-10-03"
        };
        assert!(shown.starts_with(first), "{record}: {shown}");
        let rejects = shop.table("rejects").texts("row");
        assert_eq!(rejects.len(), broken, "{record}");
        for row in rejects.into_iter().flatten() {
            assert!(
                row.contains("4 fields, but the contract declares 2"),
                "{row}"
            );
        }
    }
}

/// A key that only a late line has is a column; files that differ only at their end are different inputs.
#[test]
fn the_whole_file_counts() {
    let dir = tempfile::tempdir().unwrap();
    let object = "{\"id\":\"a\",\"sent_at\":\"2026-05-01T10:00:00\",\"pages\":2}\n";
    // More than 64 MiB.
    let repeated = 1_200_000;
    let text = format!(
        "{}{}",
        object.repeat(repeated),
        object.replace('}', ",\"note\":\"x\"}")
    );
    for (text, versions) in [
        (text.replace("\"x\"", "\"y\""), 1),
        (text.clone(), 2),
        (text, 2),
    ] {
        let output = outcome(&dir, "letters.ndjson", text.as_bytes());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert_eq!(
            table(&dir, "customers").ints("letters"),
            [Some(repeated as i64 + 1)]
        );
        let commits = std::fs::read_dir(dir.path().join("letters/commits")).unwrap();
        assert_eq!(commits.count(), versions);
    }
}

/// A run without customers states the outcomes of the rows.
#[test]
fn a_run_without_customers_tells_why() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "id,sent_at,pages,note\na,yesterday,2,x\nb,tomorrow,2,x\n,2026-05-01 00:00:00,2,x\n";
    let output = outcome(&dir, "letters.csv", csv.as_bytes());
    assert_eq!(output.status.code(), Some(3));
    let told = stderr(&output);
    let said = "of 3 rows of source `letters`, 0 were used, 0 filtered, 3 quarantined or dropped \
        (2 by `sent_at is not a timestamp`)";
    assert!(told.contains(said), "{told}");
}

#[test]
fn mutated_text_files_are_read_or_named() {
    let csv = format!(
        "id,sent_at,pages,note\n{}",
        "a,2026-05-01 10:00:00,2,\"hello, \"\"x\"\"\"\nb,2026-05-01,,y\n".repeat(20)
    );
    let object = "{\"id\":\"a\",\"sent_at\":\"2026-05-01T10:00:00\",\"pages\":2,\"note\":\"x\"}\n";
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for (name, text) in [("letters.csv", csv), ("letters.ndjson", object.repeat(30))] {
        for number in 0..mutants() {
            let mut bytes = text.clone().into_bytes();
            mutate(&mut bytes, &mut random);
            let dir = tempfile::tempdir().unwrap();
            let output = outcome(&dir, name, &bytes);
            let told = stderr(&output);
            match output.status.code() {
                Some(0) => {}
                // Mutated names of columns are reported at their place in the pipeline file.
                Some(2) => assert!(told.contains("letters.toml"), "mutant {number}: {told}"),
                Some(3) => assert!(
                    told.contains("`letters`") && !told.contains("internal"),
                    "mutant {number}: {told}"
                ),
                code => panic!("mutant {number}: {code:?}\n{told}"),
            }
        }
    }
}

/// The first row of a file without a header would be read as names of columns, and be in no count.
#[test]
fn a_file_without_a_header_among_others_is_refused_and_named() {
    let shop = Shop::new();
    shop.file(
        "orders/p0.csv",
        "customer_id,ordered_at,amount\na,2026-01-01,1\n",
    );
    shop.file("orders/p1.csv", "b,2026-01-01,2\nc,2026-01-02,3\n");
    let output = shop.run(&[ORDERS, CONTRACT, RFM], "2026-01-31", &[]);
    let messages = said(&output, 2);
    for text in [
        "error[TS-D012]",
        "1 file (p1.csv) has none of the columns that the pipeline names",
        "`x`, `9999-99-99`, `9`",
        "header = false",
    ] {
        assert!(messages.contains(text), "{text}\n{messages}");
    }
    assert!(!messages.contains("TS-L003") || !shop.published());
}

/// A setting that is missing is stated without the advice to take the file away.
#[test]
fn another_delimiter_is_a_setting_and_no_reason_to_replace_the_file() {
    let shop = Shop::new();
    shop.file(
        "orders/a.csv",
        "customer_id;ordered_at;amount\na;2026-01-01;1\n",
    );
    let output = shop.run(&[ORDERS, CONTRACT, RFM], "2026-01-31", &[]);
    let messages = said(&output, 3);
    assert!(messages.contains("in [sources.orders]"), "{messages}");
    assert!(!messages.contains("move it out of the lake"), "{messages}");
}

/// A file of an older form has the key under the name that `derive` reads, and none of the contract's columns.
#[test]
fn a_file_with_a_column_that_the_pipeline_reads_has_a_header() {
    let shop = Shop::new();
    let rows: String = (0..20).map(|n| format!("a{n}@x,2026-01-01,1\n")).collect();
    shop.file("orders/p0.csv", &format!("mail,ordered_at,amount\n{rows}"));
    shop.file("orders/p1.csv", "mail,day\nb@x,2026-01-01\n");
    let orders = format!("{ORDERS}derive = {{ customer_id = \"lower(mail)\" }}\n");
    let contract = "[sources.orders.contract]\nmissing_key = \"quarantine\"\n\
                    columns = { ordered_at = \"date\", amount = \"f64\" }\n";
    let output = shop.run(&[&orders, contract, RFM], "2026-01-31", &[]);
    let messages = said(&output, 0);
    assert!(messages.contains("ordered_at is missing"), "{messages}");
    assert!(shop.published());
}
