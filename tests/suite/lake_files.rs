//! Which files of a lake are read, and the messages about the others.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

use crate::program::{findings, tessera};
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
MORE
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

/// A folder with a lake, and the pipeline over it.
struct Lake {
    dir: TempDir,
}

impl Lake {
    /// A lake of files with one order each: `name`, customer, amount.
    fn of(files: &[(&str, &str, u32)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("lake")).unwrap();
        let lake = Self { dir };
        for (name, customer, amount) in files {
            let text = format!("id,day,amount\n{customer},2026-10-01,{amount}\n");
            lake.put(name, text.as_bytes());
        }
        lake
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join("lake").join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn call(&self, command: &str, path: &str, more: &str) -> Output {
        let pipeline = self.dir.path().join("shop.toml");
        let text = PIPELINE.replace("PATH", path).replace("MORE", more);
        fs::write(&pipeline, text).unwrap();
        let mut call = tessera();
        call.arg(command).arg(&pipeline);
        if command == "run" {
            call.args(["--as-of", "2026-10-31"]);
        }
        let out = format!("out={}", self.dir.path().display());
        call.args(["--var", &out]).output().unwrap()
    }

    /// Spend per customer, and the messages.
    fn spend(&self, path: &str, more: &str) -> (Vec<(String, f64)>, String) {
        let output = self.call("run", path, more);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let customers = Table::read(&self.dir.path().join("shop/latest/customers.parquet"));
        let ids = customers.texts("id").into_iter().flatten();
        let spend = customers.floats("spend").into_iter().flatten();
        (ids.zip(spend).collect(), said)
    }

    /// The message with which both `check` and `run` fail, with the same exit code.
    fn refused(&self, path: &str, more: &str, code: i32) -> String {
        let [check, run] = ["check", "run"].map(|command| self.call(command, path, more));
        assert_eq!(check.status.code(), Some(code), "{}", stderr(&check));
        assert_eq!(run.status.code(), Some(code), "{}", stderr(&run));
        assert_eq!(findings(&check), findings(&run));
        findings(&run)
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn spent(list: &[(&str, f64)]) -> Vec<(String, f64)> {
    list.iter().map(|(id, x)| ((*id).to_owned(), *x)).collect()
}

#[test]
fn files_that_are_not_read_are_named_in_check_and_run_and_sidecars_are_not() {
    let lake = Lake::of(&[("a.csv", "a", 1), ("b.CSV", "b", 2), ("000001_0", "c", 4)]);
    lake.put("README.md", b"orders");
    lake.put("NOTES.md", b"orders");
    lake.put("_old/x.csv", b"damaged");
    for silent in [
        "_SUCCESS",
        ".a.csv.crc",
        "a.csv.md5",
        "a.csv.json",
        "manifest.json",
    ] {
        lake.put(silent, b"{}");
    }
    let (spend, said) = lake.spend("lake", "");
    assert_eq!(spend, spent(&[("a", 1.0), ("b", 2.0)]));
    let check = lake.call("check", "lake", "");
    assert_eq!(check.status.code(), Some(0));
    for said in [said, stderr(&check)] {
        for expected in [
            "without an extension: 1 file (000001_0)",
            "`.md`: 2 files (NOTES.md, README.md)",
            "`.csv`: 1 file (_old/x.csv); their names or folders begin with `_`",
            "set their format",
        ] {
            assert!(said.contains(expected), "{expected}\n{said}");
        }
        for silent in ["_SUCCESS", "crc", "md5", "a.csv.json", "manifest"] {
            assert!(!said.contains(silent), "{silent}\n{said}");
        }
    }
    let sources = Table::read(&lake.dir.path().join("shop/latest/sources.parquet"));
    assert_eq!(sources.ints("files_passed_over"), [Some(4)]);
    let notes = sources.texts("notes")[0].clone().unwrap();
    assert!(
        notes.contains("`.md`: 2 files (NOTES.md, README.md)"),
        "{notes}"
    );
    let report = fs::read_to_string(lake.dir.path().join("shop/reports/version-1.html"));
    let report = report.unwrap();
    assert!(
        report.contains("4 files not read") && report.contains("README.md"),
        "the report names files that are passed over"
    );
    assert!(
        !report.contains("in need of attention"),
        "a source whose freshness is not declared is no alarm"
    );
    let (spend, said) = lake.spend("lake", "format = \"csv\"");
    assert_eq!(spend, spent(&[("a", 1.0), ("b", 2.0), ("c", 4.0)]));
    assert!(
        said.contains("README.md") && !said.contains("000001_0"),
        "{said}"
    );
}

/// A stated format does not read them either.
#[test]
fn what_to_do_with_files_of_other_programs_is_said() {
    let lake = Lake::of(&[("a.csv", "a", 1)]);
    let others = [
        ("b.xlsx", "save their sheets as CSV"),
        ("b.csv.zip", "unpack them"),
        ("b.avro", "write them as Parquet or CSV"),
        ("b.csv.bak", "rename them"),
    ];
    for (name, _) in others {
        lake.put(name, b"x");
    }
    for stated in ["", "format = \"csv\""] {
        let said = stderr(&lake.call("check", "lake", stated));
        for (name, what) in others {
            assert!(said.contains(name), "{name}\n{said}");
            let help = format!("if these are data, {what}; otherwise move them out of the lake");
            assert!(said.contains(&help), "{help}\n{said}");
        }
        assert!(!said.contains("set their format"), "{said}");
    }
    fs::remove_file(lake.dir.path().join("lake/a.csv")).unwrap();
    let said = stderr(&lake.call("check", "lake", ""));
    assert!(said.contains("; if these are data, unpack them"), "{said}");
}

#[test]
fn several_formats_are_refused_until_one_is_stated() {
    let lake = Lake::of(&[("a.csv", "a", 1)]);
    lake.put(
        "b.ndjson",
        b"{\"id\":\"b\",\"day\":\"2026-10-01\",\"amount\":2}\n",
    );
    let said = lake.refused("lake", "", 2);
    for expected in [
        "CSV: 1 file (a.csv)",
        "NDJSON: 1 file (b.ndjson)",
        "format = ",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let (spend, said) = lake.spend("lake", "format = \"ndjson\"");
    assert_eq!(spend, spent(&[("b", 2.0)]));
    assert!(
        said.contains("`.csv`: 1 file (a.csv); of another format"),
        "{said}"
    );
}

#[test]
fn settings_that_the_format_does_not_have_are_said() {
    let lake = Lake::of(&[("a.csv", "a", 1)]);
    let settings = "text = { delimiter = \",\", skip_lines = 0, nulls = [\"-\"] }";
    let (_, said) = lake.spend("lake", settings);
    assert!(!said.contains("without effect"), "{said}");
    fs::remove_file(lake.path("a.csv")).unwrap();
    let order = b"{\"id\":\"b\",\"day\":\"2026-10-01\",\"amount\":2}\n";
    lake.put("b.ndjson", order);
    let (_, said) = lake.spend("lake", settings);
    assert!(
        said.contains(
            "source `orders` is NDJSON: `delimiter` of its `text` settings is without effect"
        ),
        "{said}"
    );
}

/// A file with several names counts once, under a name that is not a link; circular links end.
#[test]
fn links_are_followed_once() {
    let lake = Lake::of(&[("2026/a.csv", "a", 1), ("2026/b.csv", "b", 2)]);
    let elsewhere = Lake::of(&[("c.csv", "c", 4)]);
    fs::hard_link(lake.path("2026/a.csv"), lake.path("2026/again.csv")).unwrap();
    symlink(lake.path("2026/b.csv"), lake.path("2025.csv")).unwrap();
    symlink(lake.path("2026"), lake.path("0-latest")).unwrap();
    symlink(lake.path(""), lake.path("2026/up")).unwrap();
    symlink(elsewhere.path(""), lake.path("more")).unwrap();
    for path in ["lake", "lake/**", "lake/*"] {
        let (spend, said) = lake.spend(path, "");
        let all = spent(&[("a", 1.0), ("b", 2.0), ("c", 4.0)]);
        assert_eq!(spend, all, "{path}: {said}");
        assert!(said.contains("count once"), "{path}: {said}");
        assert!(said.contains("2026/again.csv"), "{path}: {said}");
    }
}

#[test]
fn what_is_no_file_is_not_opened() {
    let lake = Lake::of(&[("a.csv", "a", 1)]);
    let _socket = UnixListener::bind(lake.path("b.csv")).unwrap();
    let said = lake.refused("lake", "", 3);
    assert!(said.contains("b.csv: it is a socket, not a file"), "{said}");
    fs::remove_file(lake.path("b.csv")).unwrap();
    let _socket = UnixListener::bind(lake.path("control")).unwrap();
    let (spend, said) = lake.spend("lake", "");
    assert_eq!(spend, spent(&[("a", 1.0)]));
    assert!(
        said.contains("1 file (control); no regular files"),
        "{said}"
    );
}

#[test]
fn a_lake_that_is_missing_or_empty_has_one_exit_code() {
    let lake = Lake::of(&[("a.csv", "a", 1)]);
    fs::create_dir(lake.path("empty")).unwrap();
    for (path, expected) in [
        ("lakes", "lakes: No such file"),
        ("lake/empty", "no Parquet, CSV or NDJSON file at"),
        ("lake/[b]*", "the path is a pattern"),
    ] {
        let said = lake.refused(path, "", 3);
        assert!(said.contains(expected), "{path}: {said}");
    }
    let mut call = tessera();
    call.arg("check").arg(lake.dir.path().join("shop.toml"));
    let unseen = call.arg("--no-lake").output().unwrap();
    assert_eq!(unseen.status.code(), Some(0), "{}", stderr(&unseen));
}

/// A path with brackets that exists literally is that path; as a part of a pattern it is not.
#[test]
fn brackets_that_are_part_of_a_name_are_understood() {
    let lake = Lake::of(&[
        ("[2026] orders/a.csv", "a", 1),
        ("x/b*.csv", "b", 2),
        ("x/bc.csv", "c", 4),
    ]);
    assert_eq!(lake.spend("lake/[2026] orders", "").0, spent(&[("a", 1.0)]));
    assert_eq!(lake.spend("lake/x/b[*].csv", "").0, spent(&[("b", 2.0)]));
    let all = spent(&[("b", 2.0), ("c", 4.0)]);
    assert_eq!(lake.spend("lake/x/b*.csv", "").0, all);
    let said = lake.refused("lake/[2026] orders/*.csv", "", 3);
    assert!(said.contains("write `[[]` for a bracket"), "{said}");
}

#[test]
fn tables_with_a_log_are_not_read_as_plain_files() {
    for (log, name) in [
        (".hoodie/hoodie.properties", "Hudi"),
        ("metadata/v1.metadata.json", "Iceberg"),
    ] {
        let lake = Lake::of(&[("orders/data/a.csv", "a", 1)]);
        lake.put(&Path::new("orders").join(log).display().to_string(), b"{}");
        for path in [
            "lake/orders",
            "lake",
            "lake/orders/data",
            "lake/orders/data/*.csv",
            "lake/**/*.csv",
        ] {
            let said = lake.refused(path, "", 2);
            assert!(
                said.contains(&format!("a table in the format {name}")),
                "{path}: {said}"
            );
        }
    }
}

/// Unfinished and hidden files are not read because a pattern happens to match them.
#[test]
fn a_pattern_reads_what_its_folder_reads() {
    let lake = Lake::of(&[
        ("orders/good/a.csv", "a", 1),
        ("orders/_staging/b.csv", "b", 2),
        ("orders/.trash/c.csv", "c", 4),
        ("orders/_temporary/t.csv", "t", 8),
        ("orders/_day=1/d.csv", "d", 16),
    ]);
    // Its first name is one that is not read.
    fs::hard_link(
        lake.path("orders/good/a.csv"),
        lake.path("orders/_staging/a.csv"),
    )
    .unwrap();
    let read = spent(&[("a", 1.0), ("d", 16.0)]);
    for path in [
        "lake/orders",
        "lake/orders/*",
        "lake/orders/*/*.csv",
        "lake/orders/**/*.csv",
        "lake/orders/**",
        "lake/*/**/*.csv",
    ] {
        let (spend, said) = lake.spend(path, "");
        assert_eq!(spend, read, "{path}: {said}");
        assert!(said.contains("_staging/b.csv"), "{path}: {said}");
    }
    let staged = spent(&[("a", 1.0), ("b", 2.0)]);
    for path in ["lake/orders/_staging/*.csv", "lake/orders/_st*/*.csv"] {
        assert_eq!(lake.spend(path, "").0, staged, "{path}");
    }
}

#[test]
fn a_table_from_which_every_file_was_removed_says_so() {
    let lake = Lake::of(&[("orders/a.csv", "a", 1)]);
    let metadata = r#"{"metaData":{"partitionColumns":[],"configuration":{},"format":{"provider":"parquet"},"schemaString":"{\"fields\":[]}"}}"#;
    let protocol = r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#;
    let log = format!("{protocol}\n{metadata}\n");
    lake.put(
        "orders/_delta_log/00000000000000000000.json",
        log.as_bytes(),
    );
    let said = lake.refused("lake/orders", "", 3);
    assert!(
        said.contains("whose current version has no files"),
        "{said}"
    );
}

/// `**` stands for folders: a name behind it is one of them, however the path is written.
#[test]
fn deep_patterns_read_what_they_match() {
    let lake = Lake::of(&[
        ("a/orders/1.csv", "a", 1),
        ("b/orders/x/2.csv", "b", 2),
        ("tickets/3.csv", "c", 4),
    ]);
    let orders = spent(&[("a", 1.0), ("b", 2.0)]);
    for path in [
        "lake/**/orders/**",
        "lake/**/orders/**/*.csv",
        "lake//**/orders/**",
        "./lake/**/orders",
    ] {
        assert_eq!(lake.spend(path, "").0, orders, "{path}");
    }
    let all = spent(&[("a", 1.0), ("b", 2.0), ("c", 4.0)]);
    for path in ["lake/**", "lake//**/*.csv", "./lake/**/*.csv"] {
        assert_eq!(lake.spend(path, "").0, all, "{path}");
    }
}

/// A pattern names the same files with and without `./`, so a run by it is the same run.
#[test]
fn a_dot_before_a_pattern_changes_nothing() {
    let lake = Lake::of(&[("2026/a.csv", "a", 5), ("2026/b.csv", "b", 50)]);
    let runs = ["lake/*/*.csv", "./lake/*/*.csv", "././lake/*/*.csv"].map(|path| {
        let text = PIPELINE.replace("${out}/PATH", path).replace("MORE", "");
        fs::write(lake.dir.path().join("shop.toml"), text).unwrap();
        let mut call = tessera();
        call.current_dir(lake.dir.path());
        call.args(["run", "shop.toml", "--as-of", "2026-10-31", "--quiet"]);
        let output = call.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().next().unwrap().to_owned()
    });
    let [first, others @ ..] = runs;
    assert_eq!(first, "published: version 1 of 2026-10-31");
    for other in others {
        assert_eq!(other, "already published: version 1 of 2026-10-31");
    }
}
