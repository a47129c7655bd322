//! `INDEX`: the parts of every commit that runs and lists need, in one file, so that they read only the newest commits.
//!
//! It is a hint like the others: rebuilt from the commits where it is missing, truncated or of another store, and never the only
//! basis of a decision. The commit that a decision depends on is read itself and compared with its entry in the index; where
//! they differ, the index is discarded and every commit is read. The newest commit in the index is compared whenever the index
//! is read, and commits after it are read. `verify` and `repair` read every commit.
//!
//! The lines are those of the commits, oldest first, then what they all need, then the checksums: one of everything, and one of the
//! end alone, so that a list of the newest versions reads no more than that.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::commit::{date, sha256};
use crate::listed::{Digested, ListedFile};
use crate::store::Store;

/// Name of the file.
pub(crate) const FILE: &str = "INDEX";

/// Format of the file that this program writes and reads.
const FORMAT: u32 = 3;

/// Commits of which the lines are in the end of the file: a few more than lists show people.
const END_COMMITS: usize = 40;

/// Bytes of the end of the file that are read at first; the seal is in them.
const END_BYTES: u64 = 1 << 16;

/// The line after those of the commits.
#[derive(Debug, Serialize, Deserialize, PartialEq, Eq)]
struct Head {
    format: u32,
    /// sha256 of the store's `FORMAT`, which no other store has.
    store: String,
}

/// A commit. What is the same in most commits (names of tables and files, the program) is in a line of its own, and here by its place
/// in that, so that a version takes some hundred bytes however many tables it has.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    version: u64,
    #[serde(serialize_with = "date::write", deserialize_with = "date::read")]
    as_of: NaiveDate,
    txid: String,
    idempotency_key: String,
    previous: u64,
    /// Table, path, bytes, rows.
    files: Vec<(usize, usize, u64, u64)>,
    program: usize,
    finished_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<u64>,
    sha256: String,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct Seal {
    /// sha256 of all lines before it.
    sha256: String,
    /// Bytes of the end: the lines of the newest commits and all that follow, up to this one.
    end: u64,
    /// sha256 of these bytes.
    end_sha256: String,
}

/// Texts in the order in which they were first met.
#[derive(Default)]
struct Names<'a> {
    places: BTreeMap<&'a str, usize>,
    names: Vec<&'a str>,
}

impl<'a> Names<'a> {
    fn place(&mut self, name: &'a str) -> usize {
        *self.places.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }

    fn entry(&mut self, commit: &'a Digested) -> Entry {
        let mut files = Vec::with_capacity(commit.files.len());
        for file in commit.files.iter() {
            let (table, path) = (self.place(&file.table), self.place(&file.path));
            files.push((table, path, file.bytes, file.rows));
        }
        Entry {
            version: commit.version,
            as_of: commit.as_of,
            txid: commit.txid.clone(),
            idempotency_key: commit.idempotency_key.clone(),
            previous: commit.previous,
            files,
            program: self.place(&commit.program),
            finished_at: commit.finished_at.clone(),
            replaces: commit.replaces,
            sha256: commit.sha256.clone(),
        }
    }
}

impl Entry {
    /// The commit's digest; `None` where it refers to a name that is not there.
    fn digested(self, names: &[Arc<str>]) -> Option<Digested> {
        let file = |(table, path, bytes, rows): (usize, usize, u64, u64)| {
            let (table, path) = (names.get(table)?.clone(), names.get(path)?.clone());
            Some(ListedFile {
                table,
                path,
                bytes,
                rows,
            })
        };
        Some(Digested {
            version: self.version,
            as_of: self.as_of,
            txid: self.txid,
            idempotency_key: self.idempotency_key,
            previous: self.previous,
            files: self.files.into_iter().map(file).collect::<Option<_>>()?,
            program: names.get(self.program)?.clone(),
            finished_at: self.finished_at,
            replaces: self.replaces,
            sha256: self.sha256,
        })
    }
}

impl Seal {
    /// The seal of the lines of so many commits and those that follow.
    fn of(text: &str) -> Self {
        // The head and the names stand behind the commits.
        let lines = END_COMMITS + 2;
        let from = text.rmatch_indices('\n').nth(lines);
        let end = &text[from.map_or(0, |(newline, _)| newline + 1)..];
        Self {
            sha256: sha256(text.as_bytes()),
            end: end.len() as u64,
            end_sha256: sha256(end.as_bytes()),
        }
    }
}

impl Store {
    /// The index of these commits: a line each, then the head and a line of names.
    pub(crate) fn index_of<'a>(
        &self,
        commits: impl Iterator<Item = &'a Digested>,
    ) -> Result<Vec<u8>, serde_json::Error> {
        let mut names = Names::default();
        let mut text = String::new();
        for commit in commits {
            text.push_str(&serde_json::to_string(&names.entry(commit))?);
            text.push('\n');
        }
        text.push_str(&serde_json::to_string(&self.head())?);
        text.push('\n');
        text.push_str(&serde_json::to_string(&names.names)?);
        text.push('\n');
        let seal = Seal::of(&text);
        text.push_str(&serde_json::to_string(&seal)?);
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// The entries of the index; `None` where it is incomplete, of another store, or does not start at version 1 without gaps.
    pub(crate) fn indexed(&self) -> Option<Vec<Digested>> {
        let bytes = self.root.read(FILE).ok()??;
        let (lines, seal) = sealed(&bytes)?;
        if sha256(lines) != seal.sha256 {
            return None;
        }
        let commits = self.entries(lines)?;
        let numbers = commits.iter().map(|commit| commit.version);
        numbers.eq(1..=commits.len() as u64).then_some(commits)
    }

    /// The newest entries of the index, oldest first and without gaps; `None` where its end is incomplete or of another store.
    pub(crate) fn indexed_end(&self) -> Option<Vec<Digested>> {
        let mut bytes = self.root.read_end(FILE, END_BYTES).ok()??;
        let (lines, seal) = sealed(&bytes)?;
        if seal.end > lines.len() as u64 {
            let size_of_seal = (bytes.len() - lines.len()) as u64;
            bytes = self.root.read_end(FILE, seal.end + size_of_seal).ok()??;
        }
        let (lines, seal) = sealed(&bytes)?;
        let from = lines.len().checked_sub(usize::try_from(seal.end).ok()?)?;
        let end = &lines[from..];
        if sha256(end) != seal.end_sha256 {
            return None;
        }
        let commits = self.entries(end)?;
        let first = commits.first()?.version;
        let numbers = commits.iter().map(|commit| commit.version);
        let expected = first..first + commits.len() as u64;
        numbers.eq(expected).then_some(commits)
    }

    /// The entries of lines of which the last two are the head and the names.
    fn entries(&self, lines: &[u8]) -> Option<Vec<Digested>> {
        let mut lines: Vec<&str> = str::from_utf8(lines).ok()?.lines().collect();
        let names: Vec<String> = serde_json::from_str(lines.pop()?).ok()?;
        let head: Head = serde_json::from_str(lines.pop()?).ok()?;
        if head != self.head() {
            return None;
        }
        let names: Vec<Arc<str>> = names.into_iter().map(Arc::from).collect();
        let commit = |line: &str| serde_json::from_str::<Entry>(line).ok()?.digested(&names);
        lines.into_iter().map(commit).collect()
    }

    fn head(&self) -> Head {
        let format = self.root.read("FORMAT").ok().flatten();
        Head {
            format: FORMAT,
            store: sha256(&format.unwrap_or_default()),
        }
    }
}

/// The lines before the last one, and the seal that this is.
fn sealed(bytes: &[u8]) -> Option<(&[u8], Seal)> {
    let text = bytes.strip_suffix(b"\n")?;
    let from = text.iter().rposition(|byte| *byte == b'\n')? + 1;
    let seal = serde_json::from_slice(&text[from..]).ok()?;
    Some((&bytes[..from], seal))
}
