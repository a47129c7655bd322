//! Failures of nightly runs in one table: the exit code, whether a version was published, and the message, which names the
//! operation, the path and the operating system error where there is one. Schedulers rely on what the snapshot shows.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use crate::changing_lake::library;
use crate::inject::{Fault, injector, run_at};
use crate::program::{bounded, findings, root, tessera};

const DAY: &str = "2026-10-31";
const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A shop with a pipeline file, a lake, and a folder for temporary files.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::latest::shop(dir.path());
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Replaces a piece of the pipeline file.
    fn edit(&self, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path("shop.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("shop.toml"), text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Adds to the contract of the orders.
    fn contract(&self, text: &str) -> &Self {
        let key = "missing_key = \"quarantine\"";
        self.edit(key, &format!("{key}\n{text}"))
    }

    fn orders(&self, rows: &str) -> &Self {
        let text = format!("customer_id,ordered_at,amount\n{rows}");
        fs::write(self.path("lake/orders.csv"), text).unwrap();
        self
    }

    /// Orders as a Parquet file in place of the text file.
    fn parquet(&self) -> &Self {
        fs::remove_file(self.path("lake/orders.csv")).unwrap();
        let schema = Arc::new(Schema::new(vec![
            Field::new("customer_id", DataType::Utf8, false),
            Field::new("ordered_at", DataType::Date32, false),
            Field::new("amount", DataType::Float64, false),
        ]));
        let ids: StringArray = (0..500).map(|n| Some(format!("c{n}"))).collect();
        let days = Date32Array::from(vec![20_700; 500]);
        let amounts = Float64Array::from(vec![3.0; 500]);
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(ids), Arc::new(days), Arc::new(amounts)];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let file = File::create(self.path("lake/orders.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        self
    }

    /// A Delta table whose log has this commit.
    fn delta(&self, log: &str) -> &Self {
        self.parquet();
        fs::create_dir(self.path("lake/_delta_log")).unwrap();
        let name = format!("lake/_delta_log/{:020}.json", 0);
        fs::write(self.path(&name), log).unwrap();
        self
    }

    fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (file, work) = (self.text("shop.toml"), self.text("work"));
        let own = ["run", &file, "--quiet", "--threads", "2", "--work", &work];
        let day = match more.contains(&"--as-of") {
            true => &[][..],
            false => &["--as-of", DAY],
        };
        let all = [&own[..], day, more].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn run(&self, more: &[&str]) -> Output {
        bounded(tessera().args(self.arguments(more)))
    }

    /// A run that succeeds, before the situation.
    fn published(&self, more: &[&str]) -> &Self {
        let output = self.run(more);
        assert_eq!(output.status.code(), Some(0), "{}", findings(&output));
        self
    }

    /// Another command of the program.
    fn command(&self, arguments: &[&str]) -> Output {
        bounded(tessera().args(arguments))
    }

    /// A run with this fault at the first matching call on files below `folder`.
    fn at(&self, folder: &str, call: &str, fault: Fault) -> Output {
        self.at_number(1, folder, call, fault)
    }

    /// The same at a later matching call.
    fn at_number(&self, number: usize, folder: &str, call: &str, fault: Fault) -> Output {
        let arguments = self.arguments(&[]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let at = format!("{number}:{call}");
        let (output, seen) = run_at(&self.path(folder), fault, &at, &arguments);
        if seen.is_empty() {
            println!("no call {call}: {}", findings(&output));
        }
        output
    }

    /// A run that cannot open, or cannot read, files whose path ends with `end`.
    fn unreadable(&self, end: &str, errno: i32, reading: bool) -> Output {
        let mut command = tessera();
        command
            .args(self.arguments(&[]))
            .env("LD_PRELOAD", library().unwrap())
            .env("CHANGE_PATH", end)
            .env("CHANGE_ERRNO", errno.to_string());
        if reading {
            command.env("CHANGE_READ", "1");
        }
        bounded(&mut command)
    }

    /// A run during which the file whose path ends with `end` changes after files were listed.
    fn changed(&self, end: &str, command: &str, always: bool) -> Output {
        let mut run = tessera();
        run.args(self.arguments(&[]))
            .env("LD_PRELOAD", library().unwrap())
            .env("CHANGE_PATH", end)
            .env("CHANGE_COMMAND", command)
            .env("D", self.dir.path());
        if always {
            run.env("CHANGE_ALWAYS", "1");
        }
        bounded(&mut run)
    }

    /// A run whose output is redirected by a shell.
    fn shell(&self, redirection: &str) -> Output {
        let quoted = self.arguments(&[]).join("' '");
        let program = env!("CARGO_BIN_EXE_tessera");
        let script = format!("'{program}' '{quoted}' {redirection}");
        bounded(
            Command::new("bash")
                .args(["-c", &script])
                .current_dir(root()),
        )
    }

    /// The days of the commits.
    fn versions(&self) -> Vec<String> {
        let commits = fs::read_dir(self.path("store/commits"));
        let paths = commits
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().path());
        let day = |path: PathBuf| {
            let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
            let (_, rest) = text.split_once("\"as_of\": \"").unwrap();
            rest[..DAY.len()].to_owned()
        };
        paths.map(day).collect()
    }

    /// stderr without the parts that differ from run to run.
    fn said(&self, output: &Output) -> String {
        let mut text = findings(output).replace(&self.dir.path().display().to_string(), "DIR");
        text = without_runs(&text);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '_');
        for before in [
            "tessera-work-",
            "/records-",
            "by process ",
            "process * (suite-",
            "today (",
            "tessera-rejects-",
            "about ",
            "would need ",
            "`--memory ",
        ] {
            text = masked(&text, before, plain);
        }
        // Every run without [value] has this warning.
        let lines = text.lines().filter(|line| !line.contains("no [value]"));
        let lines = lines.map(|line| match line.split_once("Z  WARN ") {
            Some((_, message)) => format!("warning: {message}"),
            None => line.to_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What the last line of a run states about publication.
fn summary(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("summary: "))?;
    let (_, state) = line.split(';').next()?.rsplit_once(": ")?;
    Some(state.to_owned())
}

/// The names of runs become stars: 12 and twice 8 hexadecimal digits.
fn without_runs(text: &str) -> String {
    let is_run = |at: usize| {
        let name = text.get(at..at + 30).unwrap_or_default().as_bytes();
        let fits = |(n, byte): (usize, &u8)| match n {
            12 | 21 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        name.len() == 30 && name.iter().enumerate().all(fits)
    };
    let (mut out, mut at) = (String::new(), 0);
    while let Some(c) = text[at..].chars().next() {
        let (piece, length) = match is_run(at) {
            true => ("*", 30),
            false => (&text[at..at + c.len_utf8()], c.len_utf8()),
        };
        out.push_str(piece);
        at += length;
    }
    out
}

/// Replaces the characters after `before` for which `is_masked` is true by a star.
fn masked(text: &str, before: &str, is_masked: impl Fn(char) -> bool) -> String {
    let mut pieces = text.split(before);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        write!(out, "{before}*{}", piece.trim_start_matches(&is_masked)).unwrap();
    }
    out
}

/// A situation and its expected result.
struct Situation {
    name: &'static str,
    code: i32,
    /// Whether the day has a version afterwards.
    published: bool,
    /// The operating system error that the message must state.
    errno: Option<i32>,
    meet: fn(&Place) -> Output,
}

const fn s(
    name: &'static str,
    (code, published, errno): (i32, bool, Option<i32>),
    meet: fn(&Place) -> Output,
) -> Situation {
    Situation {
        name,
        code,
        published,
        errno,
        meet,
    }
}

const WRONG: (i32, bool, Option<i32>) = (2, false, None);
const DATA: (i32, bool, Option<i32>) = (3, false, None);
const DONE: (i32, bool, Option<i32>) = (0, true, None);

const fn disk(errno: i32) -> (i32, bool, Option<i32>) {
    (4, false, Some(errno))
}

const fn later(errno: i32) -> (i32, bool, Option<i32>) {
    (6, true, Some(errno))
}

/// Situations of the arguments and the pipeline file.
const OF_THE_FILE: &[Situation] = &[
    s("no pipeline file", (2, false, Some(2)), |place| {
        fs::remove_file(place.path("shop.toml")).unwrap();
        place.run(&[])
    }),
    s(
        "a pipeline file that the disk does not read",
        disk(EIO),
        |place| place.unreadable("shop.toml", EIO, true),
    ),
    s("a pipeline file that is no TOML", WRONG, |place| {
        place.edit("[features]", "[features").run(&[])
    }),
    s("a misspelled key", WRONG, |place| {
        place.edit("missing_key", "mising_key").run(&[])
    }),
    s("a column that no file has", WRONG, |place| {
        place
            .edit("time = \"ordered_at\"", "time = \"ordered_on\"")
            .run(&[])
    }),
    s("a variable without a value", WRONG, |place| {
        place.edit("name = \"shop\"", "name = \"${shop}\"").run(&[])
    }),
    s("a pattern of files that is none", WRONG, |place| {
        place.edit("/lake\"", "/lake/[\"").run(&[])
    }),
    s("an argument that does not exist", WRONG, |place| {
        place.run(&["--asof", DAY])
    }),
    s("a day that does not exist", WRONG, |place| {
        place.run(&["--as-of", "2026-02-30"])
    }),
    s("a day that has not come yet", WRONG, |place| {
        place.run(&["--as-of", "2999-01-01"])
    }),
    s("a limit of memory that is none", WRONG, |place| {
        place.run(&["--memory", "plenty"])
    }),
    s("a second pipeline for the same store", WRONG, |place| {
        let place = place.published(&["--as-of", "2026-09-30"]);
        place.edit("name = \"shop\"", "name = \"other\"").run(&[])
    }),
    s(
        "a version that does not exist is asked for",
        WRONG,
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            place.command(&["report", &place.text("shop.toml"), "--version", "7"])
        },
    ),
];

/// Situations of the data in the lake.
const OF_THE_DATA: &[Situation] = &[
    s("no lake", DATA, |place| {
        fs::remove_dir_all(place.path("lake")).unwrap();
        place.run(&[])
    }),
    s("an empty lake", DATA, |place| {
        fs::remove_file(place.path("lake/orders.csv")).unwrap();
        place.run(&[])
    }),
    s("a Parquet file cut off", DATA, |place| {
        let path = place.parquet().path("lake/orders.parquet");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        place.run(&[])
    }),
    s("a Parquet file with a flipped byte", DATA, |place| {
        let path = place.parquet().path("lake/orders.parquet");
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 0x55;
        fs::write(&path, bytes).unwrap();
        place.run(&[])
    }),
    s("a Parquet file without a byte", DATA, |place| {
        fs::write(place.parquet().path("lake/orders.parquet"), "").unwrap();
        place.run(&[])
    }),
    s("a text file whose compression is damaged", DATA, |place| {
        fs::write(place.path("lake/more.csv.gz"), b"\x1f\x8b\x08\0rubbish").unwrap();
        place.run(&[])
    }),
    s("a text file with an endless record", DATA, |place| {
        place
            .orders(&format!("a,2026-10-01,\"{}\"\n", "9".repeat(17 << 20)))
            .run(&[])
    }),
    s("a FIFO in the lake", DATA, |place| {
        let fifo = place.path("lake/late.csv");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        place.run(&[])
    }),
    s("a Delta log that is broken", DATA, |place| {
        place.delta("{\"protocol\":").run(&[])
    }),
    s("files of several formats", WRONG, |place| {
        fs::write(place.path("lake/more.ndjson"), "{}\n").unwrap();
        place.run(&[])
    }),
    s("a table of a format that is not read", WRONG, |place| {
        fs::create_dir(place.path("lake/.hoodie")).unwrap();
        place.run(&[])
    }),
    s("a rule that fails the run", DATA, |place| {
        place
            .contract(
                "rules = [{ name = \"amount is positive\", check = \"amount > 5\", on_fail = \"fail\" }]",
            )
            .run(&[])
    }),
    s("more rejected rows than allowed", DATA, |place| {
        place
            .contract("max_rejected = \"10%\"")
            .orders("a,2026-10-01,1\nb,31.10.2026,2\n")
            .run(&[])
    }),
    s("data that is too old", DATA, |place| {
        place
            .edit(
                "time = \"ordered_at\"",
                "time = \"ordered_at\"\nfreshness = { warn = \"1d\", fail = \"2d\" }",
            )
            .run(&[])
    }),
    s("data that has not arrived yet", DATA, |place| {
        place
            .edit(
                "[customer]",
                "[run]\ndata_through = \"as_of\"\n\n[customer]",
            )
            .run(&[])
    }),
    s("two rows of a customer that differ", DATA, |place| {
        let accounts = place.path("accounts");
        fs::create_dir(&accounts).unwrap();
        fs::write(
            accounts.join("a.csv"),
            "customer_id,plan\na,pro\na,free\nb,pro\n",
        )
        .unwrap();
        let source = format!(
            "[sources.accounts]\nkind = \"attributes\"\npath = \"{}\"\nkey = \"customer_id\"\n\
             attributes = {{ plan = {{ base = \"firmographic\" }} }}\ncontract = {{ missing_key = \"drop\" }}\n\n[features]",
            accounts.display()
        );
        place.edit("[features]", &source).run(&[])
    }),
    s("no customer up to the day", DATA, |place| {
        place.run(&["--as-of", "2020-01-01"])
    }),
    s(
        "a file that changes twice while it is read",
        DATA,
        |place| {
            let change = "echo z,2026-10-02,9 >> $D/lake/orders.csv";
            place.changed("orders.csv", change, true)
        },
    ),
    s("a file that changes once while it is read", DONE, |place| {
        let change = "echo z,2026-10-02,9 >> $D/lake/orders.csv";
        place.changed("orders.csv", change, false)
    }),
];

/// Errors of the disk and the operating system with the lake and temporary files.
const OF_THE_DISK: &[Situation] = &[
    s(
        "a text file that may not be opened",
        disk(EACCES),
        |place| place.unreadable("orders.csv", EACCES, false),
    ),
    s(
        "a text file that the disk does not read",
        disk(EIO),
        |place| place.unreadable("orders.csv", EIO, true),
    ),
    s(
        "a Parquet file that the disk does not read",
        disk(EIO),
        |place| place.parquet().unreadable("orders.parquet", EIO, true),
    ),
    s(
        "a Delta log that the disk does not read",
        disk(EIO),
        |place| {
            place
                .delta("{}")
                .unreadable("00000000000000000000.json", EIO, true)
        },
    ),
    s("a path that leads round in a circle", disk(40), |place| {
        fs::remove_dir_all(place.path("lake")).unwrap();
        std::os::unix::fs::symlink("lake", place.path("lake")).unwrap();
        place.run(&[])
    }),
    s("no folder for temporary files", disk(2), |place| {
        fs::remove_dir(place.path("work")).unwrap();
        place.run(&[])
    }),
    s(
        "a full folder for temporary files, reading text files",
        disk(ENOSPC),
        |place| place.at("work", "write */records-*", Fault::Errno(ENOSPC)),
    ),
    s(
        "a full folder for temporary files, between stages",
        disk(ENOSPC),
        |place| place.at("work", "write */0-orders.parquet", Fault::Errno(ENOSPC)),
    ),
    s(
        "a file of metrics in a folder that is not there",
        disk(2),
        |place| place.run(&["--metrics", &place.text("nowhere/shop.prom")]),
    ),
];

/// Situations of the store.
const OF_THE_STORE: &[Situation] = &[
    s("a store that is a file", disk(20), |place| {
        fs::write(place.path("store"), "").unwrap();
        place.run(&[])
    }),
    s(
        "a store that holds something else",
        (4, false, None),
        |place| {
            fs::create_dir(place.path("store")).unwrap();
            fs::write(place.path("store/holiday.jpg"), "x").unwrap();
            place.run(&[])
        },
    ),
    s("a store of a later program", (4, false, None), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        let format = fs::read_to_string(place.path("store/FORMAT"))
            .unwrap()
            .replace("tessera-store 1", "tessera-store 9");
        fs::write(place.path("store/FORMAT"), format).unwrap();
        place.run(&[])
    }),
    s(
        "a store that is only readable, at its founding",
        disk(EROFS),
        |place| place.at("store", "mkdir* *", Fault::Errno(EROFS)),
    ),
    s("a store that is only readable", disk(EROFS), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        place.at("store", "mkdir* *", Fault::Errno(EROFS))
    }),
    s("a full store, writing a table", disk(ENOSPC), |place| {
        place.at("store", "write */customers.parquet", Fault::Errno(ENOSPC))
    }),
    s("a table that does not reach the disk", disk(EIO), |place| {
        place.at("store", "fsync */customers.parquet", Fault::Errno(EIO))
    }),
    s("a commit that cannot be written", disk(ENOSPC), |place| {
        place.at("store", "write */tmp/*.json", Fault::Errno(ENOSPC))
    }),
    s("a commit that cannot be named", disk(EIO), |place| {
        place.at("store", "linkat */commits/*", Fault::Errno(EIO))
    }),
    s("a lock that another run holds", (5, false, None), |place| {
        place.published(&["--as-of", "2026-09-30"]);
        let held = File::open(place.path("store/LOCK")).unwrap();
        held.lock().unwrap();
        place.run(&["--lock-wait", "1s"])
    }),
    s(
        "a commit whose content is damaged",
        (4, false, None),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            let path = place.path(&format!("store/commits/{:020}.json", 1));
            let text = fs::read_to_string(&path).unwrap();
            let changed = text.replacen("customers.parquet", "customerz.parquet", 1);
            assert_ne!(text, changed);
            fs::write(path, changed).unwrap();
            place.run(&[])
        },
    ),
    s("a version that lost a table", DONE, |place| {
        place.published(&[]);
        fs::remove_file(place.path("store/latest/segments.parquet")).unwrap();
        place.run(&[])
    }),
    s("a version that was published already", DONE, |place| {
        place.published(&[]).run(&[])
    }),
    s("a damaged version is verified", (4, true, None), |place| {
        place.published(&[]);
        fs::remove_file(place.path("store/latest/segments.parquet")).unwrap();
        place.command(&["verify", &place.text("store"), "--quick"])
    }),
    s("no store where one is verified", disk(2), |place| {
        place.command(&["verify", &place.text("nowhere")])
    }),
];

/// Failures after the version exists, and interrupts before and after the commit.
const OF_THE_COMMIT: &[Situation] = &[
    s(
        "a commit that may not survive a power loss",
        later(EIO),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            place.at_number(2, "store", "fsync */commits", Fault::Errno(EIO))
        },
    ),
    s(
        "a pointer to the newest version that cannot be written",
        later(ENOSPC),
        |place| place.at("store", "write */tmp/LATEST-*", Fault::Errno(ENOSPC)),
    ),
    s("a full disk for the report", later(ENOSPC), |place| {
        place.at("store", "write */tmp/version-*", Fault::Errno(ENOSPC))
    }),
    s(
        "a folder of reports that is a link",
        (6, true, None),
        |place| {
            place.published(&["--as-of", "2026-09-30"]);
            fs::rename(place.path("store/reports"), place.path("elsewhere")).unwrap();
            std::os::unix::fs::symlink(place.path("elsewhere"), place.path("store/reports"))
                .unwrap();
            place.run(&[])
        },
    ),
    s("stdout is closed", DONE, |place| place.shell(">&-")),
    s("nobody reads stdout", DONE, |place| {
        place.shell("> >(exec <&-; sleep 2)")
    }),
    s("stdout is a full disk", later(ENOSPC), |place| {
        place.shell("> /dev/full")
    }),
    s(
        "an interrupt before the commit",
        (130, false, None),
        |place| place.at("store", "create */customers.parquet", Fault::Signal(SIGINT)),
    ),
    s(
        "a request to end before the commit",
        (130, false, None),
        |place| {
            place.at(
                "store",
                "create */customers.parquet",
                Fault::Signal(SIGTERM),
            )
        },
    ),
    s("an interrupt after the commit", DONE, |place| {
        place.at("store", "write */tmp/version-*", Fault::Signal(SIGINT))
    }),
    s(
        "two interrupts after the commit",
        (6, true, None),
        |place| place.at("store", "write */tmp/version-*", Fault::Twice(SIGINT)),
    ),
    s(
        "a run killed before its commit, and run again",
        DONE,
        |place| {
            let killed = place.at("store", "linkat */commits/*", Fault::Kill);
            assert_eq!(
                (killed.status.code(), place.versions().len()),
                (Some(137), 0)
            );
            place.run(&[])
        },
    ),
];

#[test]
fn each_situation_has_its_exit_code_and_a_message_that_says_what_to_do() {
    if injector().is_none() || library().is_none() {
        return;
    }
    let groups = [
        OF_THE_FILE,
        OF_THE_DATA,
        OF_THE_DISK,
        OF_THE_STORE,
        OF_THE_COMMIT,
    ];
    let (mut all, mut wrong) = (String::new(), Vec::new());
    for situation in groups.into_iter().flatten() {
        let place = Place::new();
        let output = (situation.meet)(&place);
        let said = place.said(&output);
        let code = output.status.code().unwrap_or(-1);
        let versions = place.versions();
        let published = versions.iter().any(|day| day == DAY);
        writeln!(
            all,
            "## {}\nexit code {code}; {}{}\n{said}\n",
            situation.name,
            match (published, versions.len()) {
                (true, _) => "the day has a version",
                (false, 0) => "no version",
                (false, _) => "no version of the day",
            },
            summary(&output).map_or_else(String::new, |state| format!("; {state}"))
        )
        .unwrap();
        let stated = situation.errno.is_none_or(|errno| {
            said.contains(&format!("(os error {errno})"))
                && (said.contains("DIR") || said.contains("stdout"))
        });
        // The last line of a run states whether a version is published, and so does the message of a failure after the commit.
        let told = summary(&output).is_none_or(|state| {
            let is_published = state.starts_with("version ") || state.contains("in doubt");
            is_published == situation.published
        });
        if (code, published) != (situation.code, situation.published) || !stated || !told {
            wrong.push(format!("{}: {code}, {published}: {said}", situation.name));
        }
        let left: Vec<_> = fs::read_dir(place.path("work"))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("tessera-work"))
            .collect();
        if !left.is_empty() {
            wrong.push(format!("{}: left {left:?}", situation.name));
        }
    }
    insta::assert_snapshot!("messages", all);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
