//! A lake that changes while it is read, or that the operating system does not allow to be read: the published tables match the
//! inputs, or nothing is published. `tests/faults/change.c` changes files between listing and reading.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, OnceLock};

use arrow::array::{Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::program::{bounded, root, skipped, tessera};
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
path = "${out}/PATH"
key = "id"
time = "day"
[sources.orders.contract]
columns = { id = "string", day = "date", amount = "f64" }
missing_key = "quarantine"
[features]
spend = { from = "orders", agg = "sum", of = "amount" }
[schemes.size]
kind = "rules"
rules = [{ segment = "large", when = "spend > 10" }]
otherwise = "small"
"#;

/// The library that changes files; `None` where this machine cannot build it.
pub(crate) fn library() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let library = folder.join(format!("change-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-O1", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(root().join("tests/faults/change.c"))
            .output();
        if built.is_ok_and(|built| built.status.success()) {
            return Some(library);
        }
        skipped("tests/faults/change.c cannot be built with cc")
    };
    BUILT.get_or_init(build).as_deref()
}

struct Shop {
    dir: TempDir,
}

impl Shop {
    fn new() -> Self {
        let shop = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(shop.path("lake/part=1")).unwrap();
        fs::create_dir_all(shop.path("text")).unwrap();
        shop.write("lake/a.parquet", 3.0);
        shop.write("lake/part=1/b.parquet", 4.0);
        // The file that replaces others.
        shop.write("other.parquet", 5.0);
        fs::write(shop.path("text/a.csv"), "id,day,amount\nx,2026-10-01,3\n").unwrap();
        let object = r#"{"id":"x","day":"2026-10-01","amount":3}"#;
        fs::write(shop.path("lines.ndjson"), format!("{object}\n")).unwrap();
        std::os::unix::fs::symlink("lake", shop.path("link")).unwrap();
        shop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of 1,000 orders of this amount; files of any amount have the same size.
    fn write(&self, name: &str, amount: f64) {
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("day", DataType::Date32, false),
            Field::new("amount", DataType::Float64, false),
        ]));
        let ids: StringArray = (0..1_000).map(|n| Some(format!("c{n}"))).collect();
        let days = Date32Array::from(vec![20_000; 1_000]);
        let amounts = Float64Array::from(vec![amount; 1_000]);
        let batch = RecordBatch::try_new(
            schema.clone(),
            vec![Arc::new(ids), Arc::new(days), Arc::new(amounts)],
        )
        .unwrap();
        let file = File::create(self.path(name)).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    /// Runs over `path`; before the file whose path ends with `victim` is read, the change in `environment` happens.
    fn run(&self, path: &str, victim: &str, environment: &[(&str, &str)]) -> Output {
        let pipeline = self.path("shop.toml");
        fs::write(&pipeline, PIPELINE.replace("PATH", path)).unwrap();
        let mut call = tessera();
        call.arg("run")
            .arg(&pipeline)
            .args(["--as-of", "2026-10-31", "--var"])
            .arg(format!("out={}", self.dir.path().display()))
            .env("CHANGE_PATH", victim)
            .env("D", self.dir.path());
        if let Some(library) = library() {
            call.env("LD_PRELOAD", library);
        }
        bounded(call.envs(environment.iter().copied()))
    }

    fn published(&self) -> bool {
        let commits = fs::read_dir(self.path("shop/commits"));
        commits.is_ok_and(|mut commits| commits.next().is_some())
    }

    fn total(&self) -> f64 {
        let table = Table::read(&self.path("shop/latest/customers.parquet"));
        table.floats("spend").into_iter().flatten().sum()
    }
}

/// A kind of change: its name, the path of the source, the file before whose reading it happens, the command, and the total that
/// is published if it happens once; `None` where no readable file is left.
type Change = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Option<f64>,
);

const CHANGES: [Change; 13] = [
    (
        "appended",
        "lake",
        "b.parquet",
        "printf x >> $D/lake/part=1/b.parquet",
        None,
    ),
    (
        "truncated",
        "lake",
        "b.parquet",
        "truncate -s 900 $D/lake/part=1/b.parquet",
        None,
    ),
    (
        "rewritten with the same size",
        "lake",
        "b.parquet",
        "cat $D/other.parquet > $D/lake/part=1/b.parquet",
        Some(8_000.0),
    ),
    (
        "rewritten with the same size and time",
        "lake",
        "b.parquet",
        "touch -r $D/lake/part=1/b.parquet $D/time; cat $D/other.parquet > $D/lake/part=1/b.parquet; touch -r $D/time $D/lake/part=1/b.parquet",
        Some(8_000.0),
    ),
    (
        "replaced by another",
        "lake",
        "b.parquet",
        "cp $D/other.parquet $D/new; mv $D/new $D/lake/part=1/b.parquet",
        Some(8_000.0),
    ),
    (
        "removed",
        "lake",
        "b.parquet",
        "rm -f $D/lake/part=1/b.parquet",
        Some(3_000.0),
    ),
    (
        "read before it is replaced",
        "lake",
        "b.parquet",
        "cat $D/other.parquet > $D/lake/a.parquet",
        Some(9_000.0),
    ),
    (
        "another added",
        "lake",
        "b.parquet",
        "cp $D/other.parquet $D/lake/c$(date +%N).parquet",
        Some(12_000.0),
    ),
    (
        "its folder renamed",
        "lake",
        "b.parquet",
        "mv $D/lake/part=1 $D/lake/part=2",
        Some(7_000.0),
    ),
    (
        "a partition removed",
        "lake",
        "a.parquet",
        "rm -rf $D/lake/part=1",
        Some(3_000.0),
    ),
    (
        "a link led elsewhere",
        "link",
        "b.parquet",
        "mkdir -p $D/new; cp $D/other.parquet $D/new/; ln -sfn new $D/link",
        Some(5_000.0),
    ),
    (
        "a text file appended",
        "text",
        "a.csv",
        "echo y,2026-10-02,9 >> $D/text/a.csv",
        Some(12.0),
    ),
    (
        "a text file rewritten",
        "lines.ndjson",
        "lines.ndjson",
        r#"echo '{"id":"y","day":"2026-10-02","amount":8}' > $D/lines.ndjson"#,
        Some(8.0),
    ),
];

#[test]
fn what_changes_while_it_is_read_is_read_again_once() {
    if library().is_none() {
        return;
    }
    for (name, path, victim, command, total) in CHANGES {
        let shop = Shop::new();
        let output = shop.run(path, victim, &[("CHANGE_COMMAND", command)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match total {
            Some(total) => {
                assert_eq!(output.status.code(), Some(0), "{name}: {said}");
                assert!(said.contains("changed while it was read"), "{name}: {said}");
                assert!(
                    (shop.total() - total).abs() < 1e-9,
                    "{name}: {}",
                    shop.total()
                );
            }
            // The second attempt finds that it is not a file.
            None => {
                assert_eq!(output.status.code(), Some(3), "{name}: {said}");
                assert!(said.contains("b.parquet"), "{name}: {said}");
                assert!(!shop.published(), "{name}");
            }
        }
    }
}

#[test]
fn what_changes_again_is_named_and_nothing_is_published() {
    if library().is_none() {
        return;
    }
    for (name, path, victim, command, _) in CHANGES {
        if matches!(
            name,
            "removed" | "its folder renamed" | "a partition removed" | "a link led elsewhere"
        ) {
            // Nothing is left to change.
            continue;
        }
        let shop = Shop::new();
        let always = [("CHANGE_COMMAND", command), ("CHANGE_ALWAYS", "1")];
        let output = shop.run(path, victim, &always);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{name}: {said}");
        assert!(said.contains("source `orders`"), "{name}: {said}");
        assert!(
            said.contains(&shop.dir.path().display().to_string()),
            "{name}: {said}"
        );
        assert!(!shop.published(), "{name}: {said}");
    }
}

#[test]
fn what_the_system_does_not_let_be_read_is_an_error_of_input_with_its_words() {
    if library().is_none() {
        return;
    }
    for (errno, words) in [
        ("13", "Permission denied"),
        ("5", "Input/output error"),
        ("116", "Stale file handle"),
        ("24", "Too many open files"),
    ] {
        for (path, victim) in [
            ("lake", "b.parquet"),
            ("text", "a.csv"),
            ("lines.ndjson", "lines.ndjson"),
        ] {
            for reading in [false, true] {
                let shop = Shop::new();
                let mut environment = vec![("CHANGE_ERRNO", errno)];
                environment.extend(reading.then_some(("CHANGE_READ", "1")));
                let output = shop.run(path, victim, &environment);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                let operation = if reading {
                    "cannot read"
                } else {
                    "cannot open"
                };
                assert_eq!(
                    output.status.code(),
                    Some(4),
                    "{errno} {victim} {reading}: {said}"
                );
                for part in [words, operation, victim, "source `orders`"] {
                    assert!(said.contains(part), "{part} of {errno} {victim}: {said}");
                }
                assert!(!said.contains("replace the file"), "{said}");
                assert!(!shop.published(), "{said}");
            }
        }
    }
}
