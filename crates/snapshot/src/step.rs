//! The points of the publishing protocol at which a run can fail or be killed.

use std::io;

/// A step of the protocol, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before step 1: the file that records the pipeline.
    NamePipeline,
    /// 1: the run's folder.
    MakeRun,
    /// 2: a table's file, which must not exist.
    CreateTable,
    /// 2: the table reaches the disk.
    SyncTable,
    /// 3: the table is read again and compared.
    ReadBack,
    /// 4: the names of the tables and of their folders reach the disk.
    SyncFolders,
    /// 7: the lock.
    Lock,
    /// 7: what was verified is still there.
    LookAgain,
    /// 7: the commit under another name.
    DraftCommit,
    /// 7: the commit under its own name.
    LinkCommit,
    /// 8: that name reaches the disk; from here on the version exists.
    SyncCommits,
    /// 9: `LATEST`.
    ReplaceLatest,
    /// 9: `latest`.
    PointLatest,
    /// 9: `INDEX`.
    ReplaceIndex,
    /// 9: `catalog.parquet`.
    ReplaceCatalogue,
    /// 9: `views/duckdb.sql`.
    ReplaceViews,
    /// 9: a data file gets its name below a Delta table.
    NameData,
    /// 9: an entry of the log of a Delta table.
    ReplaceDelta,
    /// 9: the hints reach the disk.
    SyncRoot,
    /// Garbage collection: the mark of a version that expires.
    MarkExpired,
    /// Garbage collection: the marks reach the disk.
    SyncMarks,
    /// Garbage collection: a file that only expired versions have.
    RemoveFile,
    /// Garbage collection: the folder of a version's tables.
    RemoveFolder,
    /// Garbage collection: that names are gone reaches the disk.
    SyncRemoved,
}

/// Called at every step before it is done; an error is treated as an error of the step.
#[cfg(test)]
pub(crate) type Hook = std::sync::Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

/// Calls the hook of a test at every step; otherwise emits a trace event.
#[derive(Clone, Default)]
pub(crate) struct Steps {
    #[cfg(test)]
    pub(crate) hook: Option<Hook>,
}

impl Steps {
    /// Reports that a step begins.
    pub(crate) fn reach(&self, step: Step) -> io::Result<()> {
        tracing::trace!(?step, "store");
        #[cfg(test)]
        if let Some(hook) = &self.hook {
            return hook(step);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Steps")
    }
}
