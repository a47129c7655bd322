//! A commit: the file that makes a version exist. Never rewritten, never deleted; no customer in it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Format of commits that this program writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// Content of `commits/NNN.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// Format number.
    pub format: u32,
    /// The version: 1 + its parent.
    pub version: u64,
    /// The version before, 0 for the first.
    pub parent: u64,
    /// sha256 of the parent's commit file; empty for the first.
    pub parent_sha256: String,
    /// Name of the run's folder.
    pub txid: String,
    /// sha256 over everything that decides the published bytes.
    pub idempotency_key: String,
    /// State of the customer base at the close of this day.
    #[serde(serialize_with = "date::write", deserialize_with = "date::read")]
    pub as_of: NaiveDate,
    /// What a report needs to know of the pipeline.
    pub pipeline: Value,
    /// The inputs: per source its files with size and fingerprint.
    pub inputs: Value,
    /// Rows per source: used, filtered, quarantined, dropped.
    pub counts: Value,
    /// The published tables.
    pub tables: Vec<CommittedTable>,
    /// When the run began (RFC 3339, UTC); the clock is read nowhere but here.
    pub started_at: String,
    /// When it was ready to commit.
    pub finished_at: String,
    /// sha256 of this text without this line's value.
    #[serde(default)]
    pub body_sha256: String,
}

/// A table of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedTable {
    /// Its name.
    pub name: String,
    /// Its files, in row order.
    pub files: Vec<CommittedFile>,
}

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedFile {
    /// Path within the run's folder.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// sha256 of the content.
    pub sha256: String,
    /// Rows.
    pub rows: u64,
}

impl CommittedTable {
    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }
}

impl Commit {
    /// The text that is committed, with its own checksum.
    pub(crate) fn seal(mut self) -> Result<(Self, Vec<u8>), serde_json::Error> {
        self.body_sha256 = String::new();
        let body = serde_json::to_vec_pretty(&self)?;
        self.body_sha256 = hex(&Sha256::digest(&body));
        let bytes = serde_json::to_vec_pretty(&self)?;
        Ok((self, bytes))
    }

    /// Reads and checks a commit. The error is a sentence.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, String> {
        let commit: Self = serde_json::from_slice(bytes).map_err(|error| format!("not a commit: {error}"))?;
        if commit.format != FORMAT {
            return Err(format!("format {} is not known to this program, which knows {FORMAT}", commit.format));
        }
        let stated = commit.body_sha256.clone();
        let (sealed, _) = commit.clone().seal().map_err(|error| error.to_string())?;
        if sealed.body_sha256 != stated {
            return Err("its checksum does not fit its content".to_owned());
        }
        Ok(commit)
    }
}

/// Name of a commit's file.
pub(crate) fn file_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// Version of a commit's file name.
pub(crate) fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// sha256 as hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Dates as `YYYY-MM-DD`.
mod date {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn write<S: Serializer>(date: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(date)
    }

    pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
