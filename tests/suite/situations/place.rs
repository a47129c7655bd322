//! A shop with a pipeline file and a lake, what is done to it, and what its runs say.

use std::fmt::Write;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use super::DAY;
use crate::changing_lake::library;
use crate::inject::{Fault, run_at};
use crate::program::{bounded, findings, root, tessera};

/// A shop with a pipeline file, a lake, and a folder for temporary files.
pub(super) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::latest::shop(dir.path());
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Replaces a piece of the pipeline file.
    pub(super) fn edit(&self, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path("shop.toml")).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.path("shop.toml"), text.replacen(from, to, 1)).unwrap();
        self
    }

    /// Adds to the contract of the orders.
    pub(super) fn contract(&self, text: &str) -> &Self {
        let key = "missing_key = \"quarantine\"";
        self.edit(key, &format!("{key}\n{text}"))
    }

    pub(super) fn orders(&self, rows: &str) -> &Self {
        let text = format!("customer_id,ordered_at,amount\n{rows}");
        fs::write(self.path("lake/orders.csv"), text).unwrap();
        self
    }

    /// Orders as a Parquet file in place of the text file.
    pub(super) fn parquet(&self) -> &Self {
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
    pub(super) fn delta(&self, log: &str) -> &Self {
        self.parquet();
        fs::create_dir(self.path("lake/_delta_log")).unwrap();
        let name = format!("lake/_delta_log/{:020}.json", 0);
        fs::write(self.path(&name), log).unwrap();
        self
    }

    pub(super) fn arguments(&self, more: &[&str]) -> Vec<String> {
        let (file, work) = (self.text("shop.toml"), self.text("work"));
        let own = ["run", &file, "--quiet", "--threads", "2", "--work", &work];
        let day = match more.contains(&"--as-of") {
            true => &[][..],
            false => &["--as-of", DAY],
        };
        let all = [&own[..], day, more].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    pub(super) fn run(&self, more: &[&str]) -> Output {
        bounded(tessera().args(self.arguments(more)))
    }

    /// A run that succeeds, before the situation.
    pub(super) fn published(&self, more: &[&str]) -> &Self {
        let output = self.run(more);
        assert_eq!(output.status.code(), Some(0), "{}", findings(&output));
        self
    }

    /// Another command of the program.
    pub(super) fn command(&self, arguments: &[&str]) -> Output {
        bounded(tessera().args(arguments))
    }

    /// A run with this fault at the first matching call on files below `folder`.
    pub(super) fn at(&self, folder: &str, call: &str, fault: Fault) -> Output {
        self.at_number(1, folder, call, fault)
    }

    /// The same at a later matching call.
    pub(super) fn at_number(
        &self,
        number: usize,
        folder: &str,
        call: &str,
        fault: Fault,
    ) -> Output {
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
    pub(super) fn unreadable(&self, end: &str, errno: i32, reading: bool) -> Output {
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
    pub(super) fn changed(&self, end: &str, command: &str, always: bool) -> Output {
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
    pub(super) fn shell(&self, redirection: &str) -> Output {
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
    pub(super) fn versions(&self) -> Vec<String> {
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
    pub(super) fn said(&self, output: &Output) -> String {
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
pub(super) fn summary(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find(|line| line.contains("summary: "))?;
    let (_, state) = line.split(';').next()?.rsplit_once(": ")?;
    Some(state.to_owned())
}

/// The names of runs become stars: 12 and twice 8 hexadecimal digits.
pub(super) fn without_runs(text: &str) -> String {
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
pub(super) fn masked(text: &str, before: &str, is_masked: impl Fn(char) -> bool) -> String {
    let mut pieces = text.split(before);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        write!(out, "{before}*{}", piece.trim_start_matches(&is_masked)).unwrap();
    }
    out
}
