//! Errors of a store, and the exit code of each for schedulers.

use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use tessera_spec::noted::of_system;

/// Versions without a commit. Commits are never deleted, so something else removed them, or a copy of the store is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The first of them.
    pub first: u64,
    /// The last of them: the first, where it is one version.
    pub last: u64,
    /// The day of the last one, where the hints know it.
    pub as_of: Option<NaiveDate>,
    /// Whether no commit is newer.
    pub is_newest: bool,
    /// Where the commit of the first one should be.
    pub(crate) path: PathBuf,
    /// The store.
    pub(crate) store: PathBuf,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, .. } = self;
        let of = self
            .as_of
            .map_or_else(String::new, |day| format!(" of {day}"));
        match first == last {
            true => write!(
                f,
                "version {last}{of} is lost: its commit {} is missing",
                self.path.display()
            )?,
            false => write!(
                f,
                "versions {first} to {last}{of} are lost: their commits, from {} on, are missing",
                self.path.display()
            )?,
        }
        f.write_str("; restore it from a backup. Without one, ")?;
        if self.is_newest {
            write!(
                f,
                "`tessera repair {}` makes `latest` name the newest version that is left, and ",
                self.store.display()
            )?;
        }
        match self.as_of {
            Some(day) => write!(f, "`tessera run --as-of {day}` publishes that day again"),
            None => f.write_str("`tessera run --as-of` publishes its day again"),
        }
    }
}

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
    /// A commit is not what was committed. Nothing can make it again.
    #[error("damaged: {}: {reason}; restore this file from a backup: no run makes it again. Without one, move it out of `commits`: version {version} is lost then, and `tessera verify` keeps saying so", path.display())]
    DamagedCommit {
        /// The file.
        path: PathBuf,
        /// The version.
        version: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A version has no commit any more.
    #[error("{0}")]
    LostCommit(Box<Lost>),
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
    #[error(
        "version {version} has expired: garbage collection removes its tables, or has; `tessera snapshots` marks the versions that have"
    )]
    Expired {
        /// The version.
        version: u64,
    },
    /// What garbage collection was asked for would remove too much.
    #[error("{reason}; nothing was removed")]
    KeepsTooLittle {
        /// What it would remove, and what to do.
        reason: String,
    },
    /// The version that readers are shown is not as it should be, so no other one is removed.
    #[error("{}: {reason}; nothing was removed", path.display())]
    NotSound {
        /// The store.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
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
    /// The clock of the machine is far off.
    #[error(
        "the clock of this machine says a time {says}; set it, and run again: nothing was read or written"
    )]
    Clock {
        /// What it says.
        says: &'static str,
    },
    /// The run was stopped before it committed.
    #[error("interrupted; nothing was published")]
    Stopped,
}

impl StoreError {
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

    /// Whether a file of a version is missing or does not match its commit, rather than that it could not be read. A commit is not
    /// such a file: no run makes it again.
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
    /// exist, for a store of another pipeline, and for garbage collection that would remove too much.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Stopped => 130,
            Self::Locked { .. } => 5,
            Self::InDoubt { .. } | Self::NotYetVisible { .. } => 6,
            Self::NoVersion { .. }
            | Self::NoDay { .. }
            | Self::Expired { .. }
            | Self::KeepsTooLittle { .. }
            | Self::NoTable { .. }
            | Self::OtherPipeline { .. } => 2,
            Self::BadTable { .. } => 1,
            Self::Io { .. }
            | Self::NotAStore { .. }
            | Self::Unsupported { .. }
            | Self::Damaged { .. }
            | Self::NotSound { .. }
            | Self::DamagedCommit { .. }
            | Self::LostCommit(_)
            | Self::Clock { .. }
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
