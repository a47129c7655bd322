//! Formats of text files and of their values, from the file to the published table.

use std::io::Write;
use std::process::Output;

use tempfile::TempDir;

use crate::program::tessera;
use crate::shop::{CONTRACT, ORDERS, RFM, Shop, said};
use crate::table::Table;

/// A pipeline over `lake`, with these lines in the source and these columns.
pub(crate) fn pipeline(text: &str, columns: &str) -> String {
    format!(
        r#"
spec_version = 1
name = "shop"
timezone = "Europe/Berlin"
currency = "EUR"
store = "${{out}}/shop"
[vars]
out = "."
[customer]
key = "id"
[sources.orders]
kind = "events"
path = "${{out}}/lake"
key = "id"
time = "at"
time_zone = "Europe/Berlin"
{text}
[sources.orders.contract]
columns = {{ {columns} }}
missing_key = "quarantine"
duplicates = "keep"
[features]
row_count = {{ from = "orders", agg = "count" }}
spend = {{ from = "orders", agg = "sum", of = "amount" }}
last_at = {{ from = "orders", agg = "max", of = "at" }}
"#
    )
}

pub(crate) struct Lake {
    dir: TempDir,
}

impl Lake {
    pub(crate) fn new(pipeline: &str, files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("shop.toml"), pipeline).unwrap();
        std::fs::create_dir(dir.path().join("lake")).unwrap();
        for (name, bytes) in files {
            std::fs::write(dir.path().join("lake").join(name), bytes).unwrap();
        }
        Self { dir }
    }

    fn tessera(&self, command: &str) -> Output {
        let pipeline = self.dir.path().join("shop.toml");
        let out = format!("out={}", self.dir.path().display());
        let mut program = tessera();
        program.arg(command).arg(pipeline).args(["--var", &out]);
        if command == "run" {
            program.args(["--as-of", "2026-10-31", "--quiet"]);
        }
        program.output().unwrap()
    }

    pub(crate) fn run(&self) -> Table {
        let output = self.tessera("run");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        self.table("customers")
    }

    pub(crate) fn table(&self, name: &str) -> Table {
        let path = self.dir.path().join("shop/latest");
        Table::read(&path.join(format!("{name}.parquet")))
    }

    /// The exit code and messages of `check`.
    pub(crate) fn check(&self) -> (Option<i32>, String) {
        let output = self.tessera("check");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    }
}

pub(crate) const PLAIN: &str = r#"id = "string", at = "timestamp", amount = "f64""#;

pub(crate) fn texts(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| Some((*text).to_owned())).collect()
}

/// A file as Excel saves it in much of Europe.
#[test]
fn semicolons_decimal_commas_dotted_dates_and_latin_1() {
    let settings = "[sources.orders.text]\ndelimiter = \";\"\ndecimal = \",\"\nthousands = \".\"\nencoding = \"latin1\"\n";
    let columns =
        r#"id = "string", at = { type = "timestamp", format = "%d.%m.%Y" }, amount = "f64""#;
    let text =
        b"id;at;amount;city\r\nK\xfcster;01.10.2026;1.299,99;K\xf6ln\r\nb;13.10.2026;12,50;Ulm\r\n";
    let lake = Lake::new(&pipeline(settings, columns), &[("o.csv", text)]);
    let customers = lake.run();
    assert_eq!(customers.texts("id"), texts(&["Küster", "b"]));
    assert_eq!(customers.floats("spend"), [Some(1299.99), Some(12.5)]);
    assert_eq!(customers.shown("last_at"), "2026-10-01T00:00:00");

    // Without the settings each is named, one after the other.
    let plain = Lake::new(&pipeline("", PLAIN), &[("o.csv", text)]);
    let (code, said) = plain.check();
    assert_eq!(code, Some(3));
    assert!(said.contains("set `delimiter = \";\"`"), "{said}");
    let delimited = pipeline("[sources.orders.text]\ndelimiter = \";\"", PLAIN);
    let (code, said) = Lake::new(&delimited, &[("o.csv", text)]).check();
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "1 records are broken",
        "o.csv line 2: its byte 2 (0xfc) is not UTF-8",
        "encoding = \"latin1\"",
        "1 of 1 values of `at` are not a timestamp; the first is `13.10.2026` (o.csv line 3)",
        "format = \"%d.%m.%Y\"",
        "1 of 1 values of `amount` are not a number; the first is `12,50`",
        "decimal = \",\"",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// What is known before the files are read is the type: a text may have an offset or not.
#[test]
fn texts_are_said_to_lack_perhaps_an_offset() {
    let text = b"id,at,amount\na,2026-10-01T10:00:00+02:00,1\n";
    let without =
        |columns: &str| pipeline("", columns).replace("time_zone = \"Europe/Berlin\"\n", "");
    let (code, said) = Lake::new(&without(PLAIN), &[("o.csv", text)]).check();
    assert_eq!(code, Some(2), "{said}");
    let expected = "`at` is read from texts, which may lack an offset";
    assert!(said.contains(expected), "{said}");
    assert!(
        said.contains("a `format` with `%z` needs no zone"),
        "{said}"
    );
    let columns = PLAIN.replace(
        "\"timestamp\"",
        "{ type = \"timestamp\", format = \"%Y-%m-%dT%H:%M:%S%z\" }",
    );
    let lake = Lake::new(&without(&columns), &[("o.csv", text)]);
    assert_eq!(lake.run().floats("spend"), [Some(1.0)]);
}

/// A line that states the delimiter is no header, whatever the delimiter is.
#[test]
fn the_line_by_which_excel_states_the_delimiter_is_named() {
    for sign in [";", ",", "\t"] {
        let text = format!("sep={sign}\nid{sign}at{sign}amount\na{sign}2026-10-01{sign}1\n");
        let quoted = if sign == "\t" { "\\t" } else { sign };
        let advice = format!("text = {{ delimiter = \"{quoted}\", skip_lines = 1 }}");
        for settings in ["", "text = { delimiter = \";\" }"] {
            let lake = Lake::new(&pipeline(settings, PLAIN), &[("o.csv", text.as_bytes())]);
            let (code, said) = lake.check();
            assert_eq!(code, Some(3), "{said}");
            assert!(said.contains(&advice), "{said}");
        }
        let lake = Lake::new(&pipeline(&advice, PLAIN), &[("o.csv", text.as_bytes())]);
        assert_eq!(lake.run().floats("spend"), [Some(1.0)]);
    }
}

/// What `check` says of a column whose values are these, declared as this.
fn said_of(values: &[&str], declared: &str) -> (String, Lake) {
    let columns = format!(r#"id = "string", at = "date", amount = "f64", x = {declared}"#);
    let rows = values.iter().enumerate();
    let rows = rows.map(|(n, value)| format!("c{n},2026-10-01,1,\"{value}\"\n"));
    let text = format!("id,at,amount,x\n{}", rows.collect::<String>());
    let lake = Lake::new(&pipeline("", &columns), &[("o.csv", text.as_bytes())]);
    (lake.check().1, lake)
}

/// A setting that reads the broken values and changes or breaks the others is not advised.
#[test]
fn advice_reads_the_values_that_are_read_without_it() {
    for (values, declared, advice, followed) in [
        (
            vec!["1.459", "1.459", "1.234,50"],
            "\"f64\"",
            "read: 2 as `9.999`; not read: 1 as `9.999,99`",
            None,
        ),
        (
            vec!["2025-01-02", "03.04.2025"],
            "\"date\"",
            "for `x`: format = [\"%Y-%m-%d\", \"%d.%m.%Y\"]",
            Some(r#"{ type = "date", format = ["%Y-%m-%d", "%d.%m.%Y"] }"#),
        ),
        (
            vec!["03/04/2025", "03/14/2025"],
            "\"date\"",
            "for `x`: format = \"%m/%d/%Y\"\n",
            Some(r#"{ type = "date", format = "%m/%d/%Y" }"#),
        ),
        (
            vec!["5", "12345678901234567891"],
            "\"i64\"",
            "for `x`: type = \"decimal(38, 0)\"",
            Some(r#""decimal(38, 0)""#),
        ),
    ] {
        let (said, _) = said_of(&values, declared);
        assert!(said.contains(advice), "{advice}\n{said}");
        if let Some(declared) = followed {
            let (said, lake) = said_of(&values, declared);
            assert!(!said.contains("TS-D021"), "{said}");
            assert_eq!(lake.run().rows(), values.len());
        }
    }
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    match name.rsplit('.').next() {
        Some("gz") => {
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }
        Some("bz2") => {
            bzip2.write_all(bytes).unwrap();
            bzip2.finish().unwrap()
        }
        Some("zst") => zstd::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

#[test]
fn compressed_files_in_several_parts_and_under_other_names() {
    let part = |day: u32| format!("id,at,amount\na,2026-10-0{day},{day}\n").into_bytes();
    let mut twice = packed("x.gz", &part(4));
    twice.extend(packed("x.gz", b"b,2026-10-04,40\n"));
    let lake = Lake::new(
        &pipeline("", PLAIN),
        &[
            ("1.csv.gz", &packed("1.csv.gz", &part(1))),
            ("2.csv.zst", &packed("2.csv.zst", &part(2))),
            ("3.csv.bz2", &packed("3.csv.bz2", &part(3))),
            ("4.csv", &twice),
            ("5.csv", &part(5)),
        ],
    );
    let customers = lake.run();
    assert_eq!(customers.texts("id"), texts(&["a", "b"]));
    assert_eq!(customers.floats("spend"), [Some(15.0), Some(40.0)]);
    let object = br#"{"id":"a","at":"2026-10-01","amount":1}"#;
    let name = "1.ndjson.gz";
    let lake = Lake::new(&pipeline("", PLAIN), &[(name, &packed(name, object))]);
    assert_eq!(lake.run().floats("spend"), [Some(1.0)]);
}

#[test]
fn columns_are_matched_by_name() {
    let lake = Lake::new(
        &pipeline("", PLAIN),
        &[
            ("1.csv", b"id,at,amount\na,2026-10-01,1\n"),
            ("2.csv", b"amount, at,id\n2,2026-10-02,a\n4,2026-10-02,b\n"),
        ],
    );
    assert_eq!(lake.run().floats("spend"), [Some(3.0), Some(4.0)]);
}

/// Texts such as `NA` count as missing only where they are listed, and never in a text column that does not list them.
#[test]
fn missing_values_are_those_that_are_listed() {
    let text = "id,at,amount\na,2026-10-01,NA\na,2026-10-02,5\nNA,2026-10-01,\\N\nb,2026-10-01,\n";
    let columns = r#"id = { type = "string", nulls = [] }, at = "timestamp", amount = "f64""#;
    let settings = "[sources.orders.text]\nnulls = [\"NA\", \"\\\\N\"]";
    let lake = Lake::new(&pipeline(settings, columns), &[("o.csv", text.as_bytes())]);
    let customers = lake.run();
    assert_eq!(customers.texts("id"), texts(&["NA", "a", "b"]));
    assert_eq!(customers.floats("spend"), [Some(0.0), Some(5.0), Some(0.0)]);
    assert_eq!(lake.table("rejects").rows(), 0);

    let lake = Lake::new(&pipeline("", PLAIN), &[("o.csv", text.as_bytes())]);
    let (code, said) = lake.check();
    assert_eq!(code, Some(0));
    assert!(
        said.contains("2 of 3 values of `amount` are not a number; the first is `NA`"),
        "{said}"
    );
    assert!(said.contains("nulls = [\"NA\", \"\\\\N\"]"), "{said}");
    let customers = lake.run();
    assert_eq!(customers.floats("spend"), [Some(5.0), Some(0.0)]);
    assert_eq!(lake.table("rejects").rows(), 2);
}

#[test]
fn times_as_epochs_and_with_offsets() {
    let columns = |at: &str| format!(r#"id = "string", at = {at}, amount = "i64""#);
    for (at, text) in [
        (r#"{ type = "timestamp", epoch = "ms" }"#, "1791016506500"),
        (r#"{ type = "timestamp", epoch = "s" }"#, "1791016506.5"),
        (r#""timestamp""#, "2026-10-03T08:35:06.5Z"),
        (r#""timestamp""#, "2026-10-03 14:05:06.5+0530"),
        (r#""timestamp""#, "2026-10-03 10:35:06.500"),
        (
            r#"{ type = "timestamp", format = ["%d/%b/%Y %H:%M:%S.%f %z", "%Y"] }"#,
            "03/Oct/2026 01:35:06.5 -0700",
        ),
    ] {
        let at = at.replace(", \"%Y\"", "");
        let file = format!("id,at,amount\na,{text},9007199254740993.0\n");
        let lake = Lake::new(&pipeline("", &columns(&at)), &[("o.csv", file.as_bytes())]);
        let customers = lake.run();
        assert_eq!(
            customers.shown("last_at"),
            "2026-10-03T10:35:06.500",
            "{text}"
        );
        assert_eq!(customers.ints("spend"), [Some(9_007_199_254_740_993)]);
    }
}

/// Money with currency symbols, byte order marks, lines before the header, and files without a header.
#[test]
fn money_byte_order_marks_and_headers() {
    let columns =
        r#"id = "string", at = "timestamp", amount = { type = "money", thousands = "," }"#;
    let text = "\u{feff}Report of orders\n\nid,at,amount\na,2026-10-01,\"$1,234.50\"\na,2026-10-02,99.50\nb,2026-10-01,(20.00)\n";
    let settings = "[sources.orders.text]\nskip_lines = 2";
    let lake = Lake::new(&pipeline(settings, columns), &[("o.csv", text.as_bytes())]);
    assert_eq!(lake.run().floats("spend"), [Some(1334.0), Some(-20.0)]);
    let without = "a\t2026-10-01\t7\n";
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(without.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    for header in ["false", "[\"id\", \"at\", \"amount\"]"] {
        let settings = format!("[sources.orders.text]\ndelimiter = \"\\t\"\nheader = {header}");
        let lake = Lake::new(&pipeline(&settings, PLAIN), &[("o.csv", &utf16)]);
        assert_eq!(lake.run().floats("spend"), [Some(7.0)]);
    }
}

/// The sum is that of the decimals as written, which a sum of floats would not give; a value with too many digits is rejected.
#[test]
fn decimals_keep_every_digit() {
    let columns = r#"id = "string", at = "date", amount = "decimal(30, 2)""#;
    let csv = "id,at,amount\na,2026-10-01,9007199254740993.01\na,2026-10-02,-9007199254740992.00\n\
               b,2026-10-01,1.1e1\nc,2026-10-01,0.005\nc,2026-10-02,7.500\n";
    let ndjson = b"{\"id\": \"d\", \"at\": \"2026-10-01\", \"amount\": 9007199254740993.01}\n\
                   {\"id\": \"d\", \"at\": \"2026-10-02\", \"amount\": -9007199254740992}\n";
    let lake = Lake::new(&pipeline("", columns), &[("o.csv", csv.as_bytes())]);
    let customers = lake.run();
    assert_eq!(customers.texts("id"), texts(&["a", "b", "c"]));
    assert_eq!(
        customers.floats("spend"),
        [Some(1.01), Some(11.0), Some(7.5)]
    );
    assert_eq!(lake.table("rejects").ints("row_number"), [Some(4)]);
    let (_, said) = lake.check();
    assert!(said.contains("`0.005`"), "{said}");
    let lines = Lake::new(&pipeline("", columns), &[("o.ndjson", ndjson)]);
    assert_eq!(lines.run().floats("spend"), [Some(1.01)]);
}

#[test]
fn integers_fit_their_declared_type() {
    let columns = r#"id = "string", at = "date", amount = "u8""#;
    let csv = "id,at,amount\na,2026-10-01,255\na,2026-10-02,256\na,2026-10-03,-1\nb,2026-10-03,7\n";
    let lake = Lake::new(&pipeline("", columns), &[("o.csv", csv.as_bytes())]);
    assert_eq!(lake.run().ints("spend"), [Some(255), Some(7)]);
    assert_eq!(lake.table("rejects").ints("row_number"), [Some(2), Some(3)]);
    let (code, said) = lake.check();
    assert_eq!(code, Some(0), "{said}");
    let expected = "2 of 4 values of `amount` are not an integer from 0 to 255; the first is `256`";
    assert!(said.contains(expected), "{said}");
}

/// An empty file is a day without rows, unless a header is expected.
#[test]
fn files_without_a_line_have_no_rows() {
    let line = b"{\"id\": \"a\", \"at\": \"2026-10-01\", \"amount\": 2.5}\n";
    let files: [(&str, &[u8]); 3] = [
        ("1.ndjson", b""),
        ("2.ndjson", line),
        ("3.ndjson", b"\n \n"),
    ];
    let customers = Lake::new(&pipeline("", PLAIN), &files).run();
    assert_eq!(customers.floats("spend"), [Some(2.5)]);

    let files: [(&str, &[u8]); 2] = [("1.csv", b""), ("2.csv", b"a,2026-10-01,2.5\n")];
    let named = pipeline("[sources.orders.text]\nheader = false", PLAIN);
    assert_eq!(Lake::new(&named, &files).run().floats("spend"), [Some(2.5)]);
    let (code, said) = Lake::new(&pipeline("", PLAIN), &files).check();
    assert_eq!(code, Some(3));
    assert!(said.contains("1.csv: the file is empty"), "{said}");
}

/// A file whose first row is not a header gives one message, not one per column.
#[test]
fn a_missing_header_is_one_message() {
    let csv = b"a,2026-10-01,2.5\nb,2026-10-01,3.5\n";
    let lake = Lake::new(&pipeline("", PLAIN), &[("o.csv", csv)]);
    let (code, said) = lake.check();
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    for part in [
        "has none of the 3 columns of the contract",
        "x, 9999-99-99, 9.9",
        "header = false",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

/// A day that only a feature or an attribute reads depends on the zone like that of a row.
#[test]
fn times_that_only_features_and_attributes_read_need_a_zone() {
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount,shipped\na,2026-10-01,1,2026-10-01 20:00:00\n",
    );
    shop.file(
        "acc/a.csv",
        "customer_id,signed_up\na,2026-10-01 20:00:00\n",
    );
    let contract = |ty: &str| {
        format!(
            "[sources.orders.contract]\nmissing_key = \"fail\"\n\
             columns = {{ customer_id = \"string\", ordered_at = \"date\", amount = \"f64\", shipped = \"{ty}\" }}\n"
        )
    };
    let (times, texts) = (contract("timestamp"), contract("string"));
    let feature = |more: &str| format!("[features]\nf = {{ from = \"orders\", {more} }}\n");
    let accounts = "[sources.acc]\nkind = \"attributes\"\npath = \"${lake}/acc\"\nkey = \"customer_id\"\n\
        attributes.signed_up = { base = \"firmographic\" }\n\
        contract = { missing_key = \"fail\", columns = { customer_id = \"string\", signed_up = \"timestamp\" } }\n";
    let refused = [
        vec![
            times.clone(),
            feature("agg = \"max\", of = \"cast(shipped as date)\""),
        ],
        vec![
            times.clone(),
            feature("agg = \"count\", where = \"shipped >= '2026-10-02'\""),
        ],
        vec![
            texts.clone(),
            feature("agg = \"count\", where = \"cast(shipped as timestamp) >= '2026-10-02'\""),
        ],
        vec![
            texts.clone(),
            accounts.to_owned(),
            feature("agg = \"count\""),
        ],
    ];
    for parts in &refused {
        let parts: Vec<&str> = [ORDERS]
            .into_iter()
            .chain(parts.iter().map(String::as_str))
            .collect();
        let told = said(&shop.run(&parts, "2026-10-31", &["--quiet"]), 2);
        assert!(told.contains("TS-D006"), "{told}");
        let zoned = parts
            .concat()
            .replace("\nkey = ", "\ntime_zone = \"UTC\"\nkey = ");
        said(&shop.run(&[&zoned], "2026-10-31", &["--quiet"]), 0);
    }
    // What nothing reads says nothing, and neither does a text with its own offset.
    let offset =
        "agg = \"count\", where = \"try_strptime(shipped, '%Y-%m-%d %H:%M:%S %z') is null\"";
    for parts in [
        [texts.as_str(), &feature("agg = \"count\"")],
        [texts.as_str(), &feature(offset)],
    ] {
        said(
            &shop.run(&[ORDERS, parts[0], parts[1]], "2026-10-31", &["--quiet"]),
            0,
        );
    }
}

/// A form with a time of day reads dates where that is midnight, as without a form: no time is dropped without a word.
#[test]
fn a_date_with_a_form_for_the_time_of_day_drops_none() {
    for (ty, first, second) in [
        (
            "{ type = \"date\", format = \"%d.%m.%Y %H:%M\" }",
            "01.10.2026 00:00",
            "02.10.2026 23:30",
        ),
        ("\"date\"", "2026-10-01 00:00:00", "2026-10-02 23:30:00"),
    ] {
        let shop = Shop::new();
        shop.file(
            "orders/o.csv",
            &format!("customer_id,ordered_at,amount\na,{first},1\nb,{second},1\n"),
        );
        let contract = CONTRACT.replace("\"date\"", ty);
        said(
            &shop.run(&[ORDERS, &contract, RFM], "2026-10-31", &["--quiet"]),
            0,
        );
        assert_eq!(shop.table("sources").ints("quarantined"), [Some(1)], "{ty}");
    }
}

/// A day without a time is the same day in every zone, in files and in the path.
#[test]
fn a_day_that_is_read_as_a_time_is_its_midnight_in_every_zone() {
    let days = RFM.replace("\"rfm\"", "\"rfm\", \"last_order_day\"");
    for (folder, header, value, ty) in [
        ("orders", "ordered_at,", "2026-10-31,", "\"timestamp\""),
        (
            "orders",
            "ordered_at,",
            "31.10.2026,",
            "{ type = \"timestamp\", format = \"%d.%m.%Y\" }",
        ),
        (
            "orders",
            "ordered_at,",
            "31.10.2026,",
            "{ type = \"timestamp\", format = [\"%d.%m.%Y\", \"%d.%m.%Y %H:%M\"] }",
        ),
        ("orders/ordered_at=2026-10-31", "", "", "\"timestamp\""),
    ] {
        let shop = Shop::new();
        shop.file(
            &format!("{folder}/o.csv"),
            &format!("customer_id,{header}amount\na,{value}1\n"),
        );
        let contract = CONTRACT.replace("\"date\"", ty);
        let source = ORDERS.replace("\nkey = ", "\ntime_zone = \"Asia/Tokyo\"\nkey = ");
        said(
            &shop.run(&[&source, &contract, &days], "2026-10-31", &["--quiet"]),
            0,
        );
        let customers = shop.table("customers");
        assert_eq!(
            customers.shown("last_order_day"),
            "2026-10-31",
            "{folder} {ty}"
        );
    }
    // A time is one of the zone.
    let shop = Shop::new();
    shop.file(
        "orders/o.csv",
        "customer_id,ordered_at,amount\na,2026-10-31 00:00,1\n",
    );
    let contract = CONTRACT.replace("\"date\"", "\"timestamp\"");
    let source = ORDERS.replace("\nkey = ", "\ntime_zone = \"Asia/Tokyo\"\nkey = ");
    said(
        &shop.run(&[&source, &contract, &days], "2026-10-31", &["--quiet"]),
        0,
    );
    assert_eq!(
        shop.table("customers").shown("last_order_day"),
        "2026-10-30"
    );
}
