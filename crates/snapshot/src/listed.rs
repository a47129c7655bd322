//! Versions without their inputs, which may be many: as the store knows them, and as lists show them.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

/// The parts of a commit that are needed often: all but its inputs, which may be many.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Digested {
    pub(crate) version: u64,
    pub(crate) as_of: NaiveDate,
    pub(crate) txid: String,
    pub(crate) idempotency_key: String,
    /// The version before this one when it was made, 0 for none.
    pub(crate) previous: u64,
    /// The files of its tables, table by table. Lists share them, and versions share the names in them.
    pub(crate) files: Arc<[ListedFile]>,
    pub(crate) program: Arc<str>,
    pub(crate) finished_at: String,
    /// The damaged version that this one replaces.
    pub(crate) replaces: Option<u64>,
    /// sha256 of the commit's file.
    pub(crate) sha256: String,
}

/// A version in a list, without its inputs.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its number.
    pub version: u64,
    /// The day at whose close it shows the customer base.
    pub as_of: NaiveDate,
    /// The version before it when it was made, 0 for none.
    pub previous: u64,
    /// When it was committed.
    pub finished_at: String,
    /// The program that made it.
    pub program: Arc<str>,
    /// The files of its tables, table by table and in row order.
    pub files: Arc<[ListedFile]>,
    /// Whether it has expired, so that its files may be gone.
    pub expired: bool,
    /// How later commits affect it.
    pub standing: Standing,
    /// Folder of its tables.
    pub folder: PathBuf,
}

/// A file of a version in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// The table.
    pub table: Arc<str>,
    /// Path within the run's folder.
    pub path: Arc<str>,
    /// Size.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

impl Listed {
    /// Rows of a table, 0 where it has no such table.
    pub fn rows(&self, table: &str) -> u64 {
        let own = self.files.iter().filter(|file| *file.table == *table);
        own.map(|file| file.rows).sum()
    }

    /// Size of all its files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl Digested {
    /// The files of a table, in row order; none where it has no such table.
    pub(crate) fn files_of(&self, table: &str) -> &[ListedFile] {
        let is_own = |file: &ListedFile| *file.table == *table;
        let from = self.files.iter().position(is_own).unwrap_or_default();
        let own = self.files[from..].iter().take_while(|file| is_own(file));
        &self.files[from..from + own.count()]
    }
}

/// How later commits affect a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// The newest version of the same `as_of`, where that is a later commit.
    pub superseded_by: Option<u64>,
    /// A run of the same day would now have another version before it than this version had, so an equal run publishes again.
    pub outdated: bool,
    /// The version that replaced this one because it is damaged.
    pub damaged_replaced_by: Option<u64>,
}
