//! A commit: the file that makes a version exist. Never rewritten, never deleted; contains no data of customers.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::txid::is_txid;

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
    /// sha256 over everything that determines the published bytes, including the version before this day.
    pub idempotency_key: String,
    /// The version before this day when this one was committed: the newest commit of the greatest earlier `as_of`; 0 where there
    /// was none.
    #[serde(default)]
    pub previous: u64,
    /// The damaged version of the same run that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// The program that made the version.
    #[serde(default)]
    pub program: String,
    /// State of the customer base at the close of this day.
    #[serde(serialize_with = "date::write", deserialize_with = "date::read")]
    pub as_of: NaiveDate,
    /// What a report needs to know of the pipeline.
    pub pipeline: Value,
    /// The inputs: per source its files with size and fingerprint, or the lists of `inputs/` that hold them.
    #[serde(default)]
    pub inputs: Value,
    /// Rows per source: used, filtered, quarantined, dropped.
    pub counts: Value,
    /// Results of the contracts on the staged tables.
    #[serde(default)]
    pub contracts: Value,
    /// What was learned from data and applied, by what it is of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<CommittedArtifact>,
    /// The published tables.
    pub tables: Vec<CommittedTable>,
    /// When the run began (RFC 3339, UTC). Times of the clock are stored only in commits.
    pub started_at: String,
    /// When it was ready to commit.
    pub finished_at: String,
    /// sha256 of the commit's text with an empty value in this last line.
    pub body_sha256: String,
}

/// A version whose files do not match its commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// Its number.
    pub version: u64,
    /// What was found.
    pub reason: String,
}

/// A table of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedTable {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    #[serde(default)]
    pub schema: Vec<CommittedColumn>,
    /// Its files, in row order.
    pub files: Vec<CommittedFile>,
}

/// A column of a committed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedColumn {
    /// Its name.
    pub name: String,
    /// Its type, by Arrow's name.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be null.
    pub nullable: bool,
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

/// The beginning of the last line of a commit.
const SEAL: &str = "\"body_sha256\": \"";

/// The end of a commit, after the checksum.
const END: &str = "\"\n}";

impl Commit {
    /// The text that is committed, with its own checksum.
    pub(crate) fn seal(mut self) -> Result<(Self, Vec<u8>), serde_json::Error> {
        self.body_sha256 = String::new();
        self.body_sha256 = sha256(&serde_json::to_vec_pretty(&self)?);
        let bytes = serde_json::to_vec_pretty(&self)?;
        Ok((self, bytes))
    }

    /// Reads and checks a commit. The error states what is wrong.
    pub(crate) fn open(bytes: &[u8]) -> Result<Self, String> {
        let commit: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("not a commit: {error}"))?;
        commit.check(bytes)
    }

    /// As [`Commit::open`], but without the inputs, which may be many.
    pub(crate) fn open_without_inputs(bytes: &[u8]) -> Result<Self, String> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let commit = without_inputs(&mut json)
            .and_then(|commit| json.end().map(|()| commit))
            .map_err(|error| format!("not a commit: {error}"))?;
        commit.check(bytes)
    }

    fn check(self, bytes: &[u8]) -> Result<Self, String> {
        let commit = self;
        if commit.format != FORMAT {
            return Err(format!(
                "its format is {}, and this program reads format {FORMAT}",
                commit.format
            ));
        }
        if body_sha256(bytes).is_none_or(|sum| sum != commit.body_sha256) {
            return Err("its checksum does not match its content".to_owned());
        }
        if commit.parent + 1 != commit.version {
            return Err(format!(
                "version {} cannot follow {}",
                commit.version, commit.parent
            ));
        }
        // Names of files become paths.
        let files = commit.tables.iter().flat_map(|table| &table.files);
        if !is_txid(&commit.txid) || files.into_iter().any(|file| !is_plain(&file.path)) {
            return Err("it names files outside its own folder".to_owned());
        }
        Ok(commit)
    }
}

/// Reads a commit and skips its inputs.
fn without_inputs<'de, D: Deserializer<'de>>(from: D) -> Result<Commit, D::Error> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a commit")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Map::new();
            while let Some(name) = map.next_key::<String>()? {
                if name == "inputs" {
                    map.next_value::<IgnoredAny>()?;
                } else {
                    let value = map.next_value()?;
                    fields.insert(name, value);
                }
            }
            Ok(fields)
        }
    }
    let fields = from.deserialize_map(Fields)?;
    serde_json::from_value(Value::Object(fields)).map_err(D::Error::custom)
}

/// sha256 of the text that was hashed: all but the checksum itself.
fn body_sha256(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let start = text.rfind(SEAL)? + SEAL.len();
    let stated = text[start..].strip_suffix(END)?;
    if stated.contains('"') {
        return None;
    }
    let mut hash = Sha256::new();
    hash.update(&bytes[..start]);
    hash.update(END);
    Some(hex(&hash.finalize()))
}

/// Whether a path is only a file name, or a folder name and a file name.
fn is_plain(path: &str) -> bool {
    path.split('/').count() <= 2
        && path
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains('\0'))
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
pub(crate) mod date {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn write<S: Serializer>(date: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(date)
    }

    pub(crate) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What a version says of something learned that it applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedArtifact {
    /// What it is of: `scores.churn`, `schemes.behaviour`.
    pub of: String,
    /// sha256 of its content, which is its name in `artifacts/`.
    pub id: String,
    /// The day on whose data it was fitted.
    #[serde(serialize_with = "date::write", deserialize_with = "date::read")]
    pub fitted_on: NaiveDate,
    /// The version that fitted it; 0 until the version that fits it is committed.
    pub version: u64,
    /// The last day on which fitting it again was tried: that of its fit, or a later one whose fit was not better.
    #[serde(serialize_with = "date::write", deserialize_with = "date::read")]
    pub tried_on: NaiveDate,
    /// Hashes of what it depends on, by what that is.
    pub basis: BTreeMap<String, String>,
}

/// Path of a run's folder within the store.
pub(crate) fn run_path(as_of: NaiveDate, txid: &str) -> String {
    format!("data/as_of={as_of}/run={txid}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commit() -> Commit {
        let file = CommittedFile {
            path: "customers.parquet".into(),
            bytes: 4,
            sha256: sha256(b"rows"),
            rows: 1,
        };
        Commit {
            format: FORMAT,
            version: 3,
            parent: 2,
            parent_sha256: sha256(b"parent"),
            txid: crate::txid::new(),
            idempotency_key: sha256(b"key"),
            previous: 2,
            replaces: None,
            program: "tessera".into(),
            as_of: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
            pipeline: json!({"z": 1.5, "a": "\"body_sha256\": \"x\"\n}"}),
            inputs: json!([]),
            counts: Value::Null,
            contracts: Value::Null,
            artifacts: Vec::new(),
            tables: vec![CommittedTable {
                name: "customers".into(),
                schema: vec![],
                files: vec![file],
            }],
            started_at: String::new(),
            finished_at: String::new(),
            body_sha256: String::new(),
        }
    }

    #[test]
    fn sealed_commits_open_again() {
        let (sealed, bytes) = commit().seal().unwrap();
        assert_eq!(Commit::open(&bytes).unwrap(), sealed);
        let without = Commit {
            inputs: Value::Null,
            ..sealed.clone()
        };
        assert_eq!(Commit::open_without_inputs(&bytes).unwrap(), without);
        let text = String::from_utf8(bytes).unwrap();
        assert!(
            text.ends_with(&format!(
                "\n  \"body_sha256\": \"{}\"\n}}",
                sealed.body_sha256
            )),
            "the checksum comes last"
        );
        let body = text.replace(&sealed.body_sha256, "");
        assert_eq!(
            sha256(body.as_bytes()),
            sealed.body_sha256,
            "and any tool can recompute it"
        );
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let (_, bytes) = commit().seal().unwrap();
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 0x01;
            assert!(Commit::open(&other).is_err(), "byte {place}");
        }
    }

    #[test]
    fn paths_out_of_the_run_are_refused() {
        for path in [
            "../x",
            "/etc/passwd",
            "a/../b",
            "a/b/c",
            "",
            "a//b",
            ".hidden",
        ] {
            let mut hostile = commit();
            hostile.tables[0].files[0].path = path.into();
            let (_, bytes) = hostile.seal().unwrap();
            assert!(
                Commit::open(&bytes).unwrap_err().contains("outside"),
                "{path}"
            );
        }
        let mut hostile = commit();
        hostile.txid = "../../../elsewhere".into();
        assert!(
            Commit::open(&hostile.seal().unwrap().1)
                .unwrap_err()
                .contains("outside")
        );
    }
}
