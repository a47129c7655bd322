//! Errors of a store, and the exit code of each for schedulers.

use std::io;
use std::path::{Path, PathBuf};

use tessera_spec::noted::of_system;

/// An error of the store. Messages name the step, the file and the operating system's error, never a customer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// An operating system call failed.
    #[error("store: {step}: {}: {error}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        error: io::Error,
    },
    /// The folder is not a store of this format.
    #[error("{} is not a tessera store: {reason}", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The file system cannot guarantee what a store needs.
    #[error("{} is on {kind}, where the store cannot guarantee atomic publishing; use a local disk, or accept the risk with `tessera run --allow-network-store`", path.display())]
    Unsupported {
        /// The folder.
        path: PathBuf,
        /// The kind of file system, or what it lacks.
        kind: String,
    },
    /// Another run holds the lock.
    #[error("the lock of {} is held by {holder} (waited {waited_seconds} s); nothing was published. Try again when it is done, or wait longer with `--lock-wait`", path.display())]
    Locked {
        /// The store.
        path: PathBuf,
        /// How long this run waited.
        waited_seconds: u64,
        /// The process that holds it, as a text.
        holder: String,
    },
    /// The commit may or may not survive a power loss.
    #[error("in doubt: version {version} was linked but {step} failed ({error}); run `tessera repair {}` and see `tessera snapshots`", path.display())]
    InDoubt {
        /// The store.
        path: PathBuf,
        /// The version.
        version: u64,
        /// The step that failed.
        step: &'static str,
        /// The operating system's error.
        error: io::Error,
    },
    /// Committed, but readers that follow `latest` do not see it yet.
    #[error("version {version} is committed but not yet visible: {error}; any later run or `tessera repair {}` completes it", path.display())]
    NotYetVisible {
        /// The store.
        path: PathBuf,
        /// The version.
        version: u64,
        /// What failed.
        error: Box<StoreError>,
    },
    /// A file does not match its commit.
    #[error("damaged: {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it differs.
        reason: String,
    },
    /// No such version, or none at all.
    #[error("{} has no version {version}; it has {available}", path.display())]
    NoVersion {
        /// The store.
        path: PathBuf,
        /// The version asked for.
        version: u64,
        /// The versions that exist, as text.
        available: String,
    },
    /// No version of the day.
    #[error("{} has no version of {day}; {nearest}", path.display())]
    NoDay {
        /// The store.
        path: PathBuf,
        /// The day asked for.
        day: chrono::NaiveDate,
        /// The days nearest to it that have one, as text.
        nearest: String,
    },
    /// The version has expired.
    #[error("version {version} expired; choose a later one")]
    Expired {
        /// The version.
        version: u64,
    },
    /// A version without the table.
    #[error("version {version} has no table `{table}`")]
    NoTable {
        /// The version.
        version: u64,
        /// The table.
        table: String,
    },
    /// Rows of a table do not fit its definition.
    #[error("table `{table}`: {reason}")]
    BadTable {
        /// The table.
        table: String,
        /// What is wrong.
        reason: String,
    },
    /// Other runs kept publishing while this one tried to.
    #[error("gave up after {tries} tries: other runs keep publishing to {}", path.display())]
    Contended {
        /// The store.
        path: PathBuf,
        /// Number of tries.
        tries: u32,
    },
    /// Another run published a version for a day between that of the version before and this day.
    #[error(
        "another run published version {now}, which now comes before this day instead of version {followed}; nothing was published. Run again"
    )]
    Overtaken {
        /// The version before this day when the tables were made, 0 for none.
        followed: u64,
        /// The version before this day now.
        now: u64,
    },
    /// The store holds versions of another pipeline.
    #[error("{} holds versions of the pipeline `{other}`, and this one is `{own}`; in one store both would take turns as `latest`, so nothing was published. Give each its own `store`; where one is meant, write `shared_store = true` in both files and run `{other}` first; where `{other}` was renamed, write `was = \"{other}\"`", path.display())]
    OtherPipeline {
        /// The store.
        path: PathBuf,
        /// Name of the pipeline that the store belongs to.
        other: String,
        /// Name of the pipeline of this run.
        own: String,
    },
    /// The run was stopped before it committed.
    #[error("interrupted; nothing was published")]
    Stopped,
}

impl StoreError {
    /// Whether the version exists, or may exist, although the run failed.
    pub fn is_after_commit(&self) -> bool {
        matches!(self, Self::InDoubt { .. } | Self::NotYetVisible { .. })
    }

    pub(crate) fn io(step: &'static str, path: &Path, error: impl Into<io::Error>) -> Self {
        Self::Io {
            step,
            path: path.to_owned(),
            error: error.into(),
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }

    /// Whether a file is missing or does not match its commit, rather than that it could not be read.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Io { error, .. } => matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ),
            _ => false,
        }
    }

    /// The exit code of the program: 4 store or I/O, 5 locked, 6 in doubt, 130 stopped, 2 for a version or table that does not
    /// exist and for a store of another pipeline.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 130,
            Self::Locked { .. } => 5,
            Self::InDoubt { .. } | Self::NotYetVisible { .. } => 6,
            Self::NoVersion { .. }
            | Self::NoDay { .. }
            | Self::Expired { .. }
            | Self::NoTable { .. }
            | Self::OtherPipeline { .. } => 2,
            Self::BadTable { .. } => 1,
            Self::Io { .. }
            | Self::NotAStore { .. }
            | Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::Overtaken { .. }
            | Self::Contended { .. } => 4,
        }
    }
}

/// An I/O error where there was one; else the content is damaged.
pub(crate) fn unread(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    let text = error.to_string();
    match of_system(&text) {
        Some(error) => StoreError::io("read table", path, error),
        None => StoreError::damaged(path, text),
    }
}
