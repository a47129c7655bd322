//! Columns for `time`, `until` and `known_at` follow the same rules whether the files have them with their type or `derive`
//! converts them from text and numbers: the shipped pipelines publish the same bytes over a lake without any of these types.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::program::{public_data, root, run};
use crate::table::Table;

/// A column that has another type in the second lake.
struct Conversion {
    source: &'static str,
    column: &'static str,
    /// What the contract of the second pipeline declares: "string" or "i64".
    declared: &'static str,
    /// The expression by which `derive` of the second pipeline converts the column.
    derive: &'static str,
    /// Folder of the Parquet files below the lake; `None` for text files, which contain text already.
    parquet: Option<&'static str>,
}

const fn text(source: &'static str, column: &'static str, derive: &'static str) -> Conversion {
    Conversion {
        source,
        column,
        declared: "string",
        derive,
        parquet: None,
    }
}

/// The pipeline file with the column declared and derived as the conversion says. A derived column takes the name of the
/// file's.
fn second_form(pipeline: &str, conversion: &Conversion) -> String {
    let Conversion {
        source,
        column,
        declared,
        derive,
        ..
    } = conversion;
    let (own, contract) = (
        format!("[sources.{source}]"),
        format!("[sources.{source}.contract]"),
    );
    let mut lines: Vec<String> = Vec::new();
    let mut header = String::new();
    let has_derive = pipeline
        .split(&own)
        .nth(1)
        .is_some_and(|rest| rest.split("\n[").next().unwrap().contains("\nderive"));
    for line in pipeline.lines() {
        if line.starts_with('[') {
            header = line.split(']').next().unwrap().to_owned() + "]";
            lines.push(line.to_owned());
            if header == own && !has_derive {
                lines.push(format!("derive = {{ {column} = \"{derive}\" }}"));
            }
            continue;
        }
        let mut line = line.to_owned();
        if header == own && line.starts_with("derive") && has_derive {
            line = line.replacen("{ ", &format!("{{ {column} = \"{derive}\", "), 1);
        }
        if header == contract && line.starts_with("columns") {
            for ty in ["date", "timestamp"] {
                let (before, after) = (
                    format!(" {column} = \"{ty}\""),
                    format!(" {column} = \"{declared}\""),
                );
                line = line.replace(&before, &after);
            }
            assert!(
                line.contains(&format!(" {column} = \"{declared}\"")),
                "{line}"
            );
        }
        lines.push(line);
    }
    let made = lines.join("\n");
    assert!(made.contains(derive), "{source} {column}");
    made
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Copies a lake; Parquet files below the folders of the conversions get their columns in the other form.
fn second_lake(from: &Path, to: &Path, conversions: &[Conversion]) {
    for file in files(from) {
        let relative = file.strip_prefix(from).unwrap();
        let copy = to.join(relative);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        let concerned: Vec<&Conversion> = conversions
            .iter()
            .filter(|c| c.parquet.is_some_and(|folder| relative.starts_with(folder)))
            .collect();
        if concerned.is_empty() {
            fs::copy(&file, &copy).unwrap();
        } else {
            rewrite(&file, &copy, &concerned);
        }
    }
}

fn rewrite(from: &Path, to: &Path, conversions: &[&Conversion]) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(from).unwrap()).unwrap();
    let mut writer: Option<ArrowWriter<File>> = None;
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let mut fields: Vec<Arc<Field>> = batch.schema().fields().iter().cloned().collect();
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for conversion in conversions {
            let at = batch.schema().index_of(conversion.column).unwrap();
            columns[at] = other_form(&columns[at], conversion.declared);
            let ty = columns[at].data_type().clone();
            fields[at] = Arc::new(Field::new(conversion.column, ty, true));
        }
        let made = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let writer = writer.get_or_insert_with(|| {
            let file = File::create(to).unwrap();
            ArrowWriter::try_new(file, made.schema(), None).unwrap()
        });
        writer.write(&made).unwrap();
    }
    writer.unwrap().close().unwrap();
}

/// Times as text in ISO 8601, or as microseconds since 1970; dates as text or days since 1970.
fn other_form(column: &ArrayRef, declared: &str) -> ArrayRef {
    let times = match column.data_type() {
        DataType::Timestamp(_, zone) => cast(
            column,
            &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        )
        .unwrap(),
        DataType::Date32 if declared == "i64" => cast(column, &DataType::Int32).unwrap(),
        _ => column.clone(),
    };
    let ty = match declared {
        "i64" => DataType::Int64,
        _ => DataType::Utf8,
    };
    cast(&times, &ty).unwrap()
}

/// Runs a pipeline and returns the published tables that do not contain a fingerprint of the lake.
fn published(
    file: &Path,
    as_of: &str,
    variables: &[String],
    store: &Path,
) -> Vec<(String, Vec<u8>)> {
    let out = format!("out={}", store.display());
    let file = file.display().to_string();
    let mut arguments = vec!["run", &file, "--as-of", as_of, "--quiet", "--var", &out];
    for variable in variables {
        arguments.extend(["--var", variable]);
    }
    run(&arguments, 0);
    let name = fs::read_dir(store).unwrap().next().unwrap().unwrap().path();
    ["customers", "memberships", "segments", "profiles"]
        .map(|table| {
            let path = name.join("latest").join(format!("{table}.parquet"));
            (table.to_owned(), fs::read(path).unwrap())
        })
        .into()
}

/// Both forms of a pipeline over both forms of its lake publish the same bytes.
fn same_in_both_forms(
    pipeline: &str,
    lake: &Path,
    conversions: &[Conversion],
    days: &[&str],
    variables: &[&str],
) {
    let dir = tempfile::tempdir().unwrap();
    let first = root().join("pipelines").join(pipeline);
    let mut text = fs::read_to_string(&first).unwrap();
    for conversion in conversions {
        text = second_form(&text, conversion);
    }
    let second = dir.path().join(pipeline);
    fs::write(&second, text).unwrap();
    let other_lake = dir.path().join("lake");
    if conversions.iter().any(|c| c.parquet.is_some()) {
        second_lake(lake, &other_lake, conversions);
    }
    for day in days {
        let with_lake = |lake: &Path| {
            let mut all = vec![format!("lake={}", lake.display())];
            all.extend(variables.iter().map(|v| (*v).to_owned()));
            all
        };
        let plain = published(
            &first,
            day,
            &with_lake(lake),
            &dir.path().join(format!("plain-{day}")),
        );
        let lake = if other_lake.exists() {
            &other_lake
        } else {
            lake
        };
        let derived = published(
            &second,
            day,
            &with_lake(lake),
            &dir.path().join(format!("derived-{day}")),
        );
        for ((table, plain), (_, derived)) in plain.iter().zip(&derived) {
            assert!(plain == derived, "{pipeline} on {day}: {table} differs");
        }
    }
}

#[test]
fn the_demo_publishes_the_same_with_times_made_of_text_and_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().display().to_string();
    crate::program::demo(&path, 1_500);
    let in_parquet = |mut conversion: Conversion, folder, declared| {
        conversion.parquet = Some(folder);
        conversion.declared = declared;
        conversion
    };
    let day = "date '1970-01-01' + ";
    let from_days = |column: &str| -> &'static str { format!("{day}{column}").leak() };
    let conversions = [
        in_parquet(
            text("orders", "ordered_at", "cast(ordered_at as timestamp)"),
            "orders",
            "string",
        ),
        in_parquet(
            text("accounts", "valid_from", "cast(valid_from as date)"),
            "accounts",
            "string",
        ),
        in_parquet(
            text("accounts", "valid_to", from_days("valid_to")),
            "accounts",
            "i64",
        ),
        in_parquet(
            text(
                "product_events",
                "occurred_at",
                "to_timestamp(occurred_at, 'us')",
            ),
            "product_events",
            "i64",
        ),
        in_parquet(
            text(
                "subscriptions",
                "started_on",
                "strptime(started_on, '%Y-%m-%d')",
            ),
            "subscriptions",
            "string",
        ),
        in_parquet(
            text("subscriptions", "ended_on", "cast(ended_on as date)"),
            "subscriptions",
            "string",
        ),
        text("tickets", "opened_at", "cast(opened_at as timestamp)"),
        text("surveys", "answered_at", "cast(answered_at as date)"),
    ];
    let lake = dir.path().join("lake");
    same_in_both_forms(
        "demo.toml",
        &lake,
        &conversions,
        &["2026-10-31", "2026-06-15"],
        &[],
    );
}

#[test]
fn public_data_publish_the_same_with_times_made_of_text() {
    if let Some(data) = public_data("cdnow") {
        let mut dates = text("orders", "date", "cast(date as date)");
        dates.parquet = Some("sample.parquet");
        same_in_both_forms("cdnow.toml", &data, &[dates], &["1997-09-30"], &[]);
    }
    if let Some(data) = public_data("online_retail") {
        let mut at = text("orders", "invoiced_at", "cast(invoiced_at as timestamp)");
        at.parquet = Some("");
        // The same files.
        let of_cancelled = Conversion {
            source: "cancellations",
            parquet: None,
            ..at
        };
        let both = [at, of_cancelled];
        same_in_both_forms("online_retail.toml", &data, &both, &["2011-09-30"], &[]);
    }
    if let Some(data) = public_data("ravenstack") {
        let conversions = [
            text("subscriptions", "start_date", "cast(start_date as date)"),
            text(
                "subscriptions",
                "end_date",
                "strptime(end_date, '%Y-%m-%d')",
            ),
            text("terms", "start_date", "cast(start_date as date)"),
            text("usage", "usage_date", "cast(usage_date as date)"),
        ];
        same_in_both_forms("ravenstack.toml", &data, &conversions, &["2024-09-30"], &[]);
    }
}

const CSV: &str = "customer_id,day,amount,plan,known,ends
a,2022-01-01 10:00:00,10,x,2022-01-02,2022-02-01
a,2022-06-01 10:00:00,100,y,2022-06-02,2022-07-01
b,2022-06-01 10:00:00,1000,z,2022-06-02,
c,2022-02-01 10:00:00,5,w,2022-05-01,2022-06-15
";

/// A pipeline over that file with the given settings of the source and features.
fn small(dir: &Path, name: &str, csv: &str, body: &str) -> PathBuf {
    fs::write(dir.join("data.csv"), csv).unwrap();
    let at = dir.display();
    let text = format!(
        "spec_version = 1\nname = \"{name}\"\ntimezone = \"UTC\"\ncurrency = \"EUR\"\nstore = \"{at}/store/{name}\"\n\
         [customer]\nkey = \"customer_id\"\n[sources.s]\npath = \"{at}/data.csv\"\nkey = \"customer_id\"\ntime_zone = \"UTC\"\n{body}"
    );
    let file = dir.join(format!("{name}.toml"));
    fs::write(&file, text).unwrap();
    file
}

const ALL_TEXT: &str = "[sources.s.contract]\nmissing_key = \"quarantine\"\n\
    columns = { customer_id = \"string\", day = \"string\", amount = \"f64\", plan = \"string\", known = \"string\", ends = \"string\" }\n";

fn customers(dir: &Path, file: &Path, name: &str, as_of: &str) -> Table {
    run(
        &[
            "run",
            &file.display().to_string(),
            "--as-of",
            as_of,
            "--quiet",
        ],
        0,
    );
    Table::read(
        &dir.join("store")
            .join(name)
            .join("latest/customers.parquet"),
    )
}

/// Orders after the day, and orders that were not known on it, are not seen.
#[test]
fn derived_times_have_a_cutoff() {
    let dir = tempfile::tempdir().unwrap();
    let features = "[features]\nuse = [\"spend_total\"]\n";
    let events = format!(
        "kind = \"events\"\ntime = \"t\"\nderive = {{ t = \"cast(day as timestamp)\" }}\n{ALL_TEXT}{features}"
    );
    let file = small(dir.path(), "events", CSV, &events);
    let seen = customers(dir.path(), &file, "events", "2022-03-31");
    assert_eq!(seen.floats("spend_total"), [Some(10.0), Some(5.0)]);
    let known = format!(
        "kind = \"events\"\ntime = \"t\"\nknown_at = \"k\"\nderive = {{ t = \"cast(day as timestamp)\", k = \"cast(known as date)\" }}\n{ALL_TEXT}{features}"
    );
    let file = small(dir.path(), "known", CSV, &known);
    let seen = customers(dir.path(), &file, "known", "2022-03-31");
    assert_eq!(seen.floats("spend_total"), [Some(10.0)]);
    let ends = format!(
        "kind = \"intervals\"\ntime = \"t\"\nuntil = \"u\"\nderive = {{ t = \"cast(day as timestamp)\", u = \"cast(ends as date)\" }}\n{ALL_TEXT}\
         [features]\nrunning = {{ from = \"s\", agg = \"sum\", of = \"amount\", where = \"u is null\" }}\n"
    );
    let file = small(dir.path(), "ends", CSV, &ends);
    let seen = customers(dir.path(), &file, "ends", "2022-06-10");
    assert_eq!(
        seen.floats("running"),
        [Some(100.0), Some(1000.0), Some(5.0)]
    );
    let attributes = format!(
        "kind = \"attributes\"\ntime = \"t\"\nderive = {{ t = \"cast(day as timestamp)\" }}\nattributes = {{ plan = {{ base = \"firmographic\" }} }}\n{ALL_TEXT}"
    );
    let file = small(dir.path(), "attributes", CSV, &attributes);
    let seen = customers(dir.path(), &file, "attributes", "2022-03-31");
    let plans: Vec<String> = seen.texts("plan").into_iter().flatten().collect();
    assert_eq!(plans, ["x", "w"]);
}

/// A value that does not convert quarantines its row and is shown; a missing value, or a branch that is not evaluated, does not.
#[test]
fn a_conversion_that_fails_breaks_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "customer_id,day,amount,plan,known,ends\n\
               a,2022-01-01,10,1,,\n\
               a,31.01.2022,20,1,,\n\
               a,2022-01-03,40,?,,\n\
               a,2022-01-04,80,skip,,\n";
    let body = format!(
        "kind = \"events\"\ntime = \"t\"\n\
         derive = {{ t = \"cast(day as date)\", k = \"cast(known as date)\", p = \"case when plan <> 'skip' then cast(plan as bigint) end\" }}\n\
         {ALL_TEXT}[features]\nuse = [\"spend_total\"]\n"
    );
    let file = small(dir.path(), "broken", csv, &body);
    let seen = customers(dir.path(), &file, "broken", "2022-03-31");
    assert_eq!(seen.floats("spend_total"), [Some(90.0)]);
    let rejects = Table::read(&dir.path().join("store/broken/latest/rejects.parquet"));
    let rules: Vec<String> = rejects.texts("rule").into_iter().flatten().collect();
    assert_eq!(
        rules,
        [
            "derive `t`: \"day\" is not a date",
            "derive `p`: \"plan\" is not an integer"
        ]
    );
    let rows: Vec<String> = rejects.texts("row").into_iter().flatten().collect();
    assert!(rows[0].contains("31.01.2022"), "{rows:?}");
}

/// A derived column may have the name of the column it is made from.
#[test]
fn a_derived_time_may_have_the_name_of_its_text() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "customer_id,day,amount,plan,known,ends\n\
               a,01.01.2022,10,,,\na,2022-01-02,20,,,\na,01.06.2022,40,,,\n";
    let body = format!(
        "kind = \"events\"\ntime = \"day\"\nderive = {{ day = \"strptime(day, '%d.%m.%Y')\" }}\n{ALL_TEXT}[features]\nuse = [\"spend_total\"]\n"
    );
    let file = small(dir.path(), "named", csv, &body);
    let seen = customers(dir.path(), &file, "named", "2022-03-31");
    assert_eq!(seen.floats("spend_total"), [Some(10.0)]);
    let rejects = Table::read(&dir.path().join("store/named/latest/rejects.parquet"));
    let rows: Vec<String> = rejects.texts("row").into_iter().flatten().collect();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].contains("2022-01-02"), "{rows:?}");
}

/// A conversion in a feature affects only rows that the feature uses.
#[test]
fn a_feature_that_converts_breaks_rows_within_its_where() {
    let dir = tempfile::tempdir().unwrap();
    let csv = "customer_id,day,amount,plan,known,ends\n\
               a,2022-01-01,10,7,,\na,2022-01-02,20,seven,,x\na,2022-01-03,40,eight,,\n";
    let body = format!(
        "kind = \"events\"\ntime = \"t\"\nderive = {{ t = \"cast(day as date)\" }}\n{ALL_TEXT}[features]\nuse = [\"spend_total\"]\n\
         seats = {{ from = \"s\", agg = \"sum\", of = \"cast(plan as bigint)\", where = \"ends is null\" }}\n"
    );
    let file = small(dir.path(), "feature", csv, &body);
    let seen = customers(dir.path(), &file, "feature", "2022-03-31");
    assert_eq!(seen.floats("spend_total"), [Some(30.0)]);
    assert_eq!(seen.ints("seats"), [Some(7)]);
}
