//! Reads files of records, such as CSV and NDJSON (`formats`). They have no footer, so a file is read to its end, once: for a run, its
//! records are written to a stage file of texts at the same time.
//!
//! A record that cannot be split into its fields is a broken row, with its line and what is wrong. Reading fails only if the rest
//! of the file is unreadable: damaged compression, an unclosed quotation mark, a record longer than [`MAX_RECORD_BYTES`].
//!
//! Where to look: `input` (compression, encoding), `quotes` (marks that do not pair up), `json` (objects by column), `stage` (what is
//! kept), `trial` (which values do not convert, for `tessera check`), `seen` (the forms of values).

pub(crate) mod input;
pub(crate) mod json;
pub(crate) mod quotes;
mod seen;
pub(crate) mod stage;
mod trial;

use std::path::{Path, PathBuf};

use tessera_expr::rel::{FAULT, Stored};
use tessera_spec::pipeline::{Column, TextSettings};
use tessera_spec::shown::masked;

use crate::footer::{Footer, Found};
use crate::open::{Unread, Watch, open};
use crate::partitions::Partition;
use input::Input;
pub(crate) use trial::{Trial, Tried};

/// Largest record: 16 MiB.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;

/// Most columns of a file.
pub(crate) const MAX_COLUMNS: usize = 10_000;

/// What is done with the records of a file.
pub(crate) struct Task<'a> {
    /// The file.
    pub(crate) path: &'a Path,
    /// What is noticed of it.
    pub(crate) watch: Watch,
    /// How it is written.
    pub(crate) settings: &'a TextSettings,
    /// Columns of the contract in its order: the names of fields where a CSV file has no header.
    pub(crate) declared: &'a [Column],
    /// Columns that its path states, which are usually no fields of it.
    pub(crate) in_path: &'a [Partition],
    /// Where its records are kept, if they are.
    pub(crate) stage: Option<PathBuf>,
    /// Columns whose values are tried, if any.
    pub(crate) trial: Option<&'a mut Trial>,
}

/// Opens a file to be read by a task.
pub(crate) fn watch(path: &Path) -> Result<Watch, Unread> {
    let (_, stamp) = open(path)?;
    Ok(Watch::new(stamp))
}

/// Reads the file by the reader of its format. What is wrong with its content is a sentence about it, with the line.
pub(crate) fn read(
    mut task: Task<'_>,
    records: fn(&mut Task<'_>) -> Result<Footer, String>,
) -> Result<Footer, Unread> {
    let read = records(&mut task);
    if let Some(trouble) = task.watch.trouble() {
        return Err(trouble);
    }
    Ok(Footer {
        stamp: Some(task.watch.stamp),
        ..read?
    })
}

/// What a footer would state, of a file that was read to its end.
pub(crate) fn footer(names: &[String], rows: u64, input: Input) -> Result<Footer, String> {
    let columns = names
        .iter()
        .map(|name| (name.clone(), Found::Flat(Stored::Text)))
        .collect();
    Ok(Footer {
        columns,
        rows,
        misread: input.is_misread(),
        fingerprint: input.finish()?,
        metadata: None,
        stamp: None,
    })
}

/// Whether the names of columns are values of a row, as where a file has no header: one begins as a number does, or is an
/// address.
pub(crate) fn are_values(names: &[&str]) -> bool {
    names.iter().any(|name| {
        let number = name.trim_start_matches(['-', '+', '"', ' ']);
        number.starts_with(|c: char| c.is_ascii_digit()) || name.contains('@')
    })
}

/// What is wrong with the names of columns, if anything.
pub(crate) fn check_names(names: &[String]) -> Result<(), String> {
    if names.len() > MAX_COLUMNS {
        return Err(format!("it has more than {MAX_COLUMNS} columns"));
    }
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if name == FAULT {
            return Err(format!("a column has the reserved name `{FAULT}`"));
        }
        if !seen.insert(name) {
            let texts: Vec<&str> = names.iter().map(String::as_str).collect();
            let shown = match are_values(&texts) {
                true => masked(name),
                false => name.clone(),
            };
            return Err(format!("its header names the column `{shown}` twice"));
        }
    }
    Ok(())
}

/// A record without fields, for the column [`FAULT`].
pub(crate) struct Fault<'a> {
    /// Line of the file on which the record begins.
    pub(crate) line: u64,
    pub(crate) problem: &'a str,
    pub(crate) record: &'a [u8],
}

impl Fault<'_> {
    /// Most bytes of a record that are kept.
    const SHOWN_BYTES: usize = 4_096;

    fn json(&self) -> String {
        let shown = &self.record[..self.record.len().min(Self::SHOWN_BYTES)];
        serde_json::json!({
            "line": self.line,
            "problem": self.problem,
            "record": String::from_utf8_lossy(shown).trim_end(),
        })
        .to_string()
    }
}

/// Description of a byte that is not UTF-8, for messages; positions count from 1.
pub(crate) fn not_utf8(record: &[u8]) -> Option<String> {
    let error = str::from_utf8(record).err()?;
    let at = error.valid_up_to();
    Some(format!(
        "its byte {} (0x{:02x}) is not UTF-8: set the encoding, such as `text = {{ encoding = \"latin1\" }}`",
        at + 1,
        record.get(at).copied().unwrap_or_default()
    ))
}
