//! What can be wrong with the files of a source.

use std::path::PathBuf;

/// An error about a source's files. Each names the source and the place.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The path does not exist.
    #[error("source `{source_name}`: cannot list {}: {error}{link}", path.display())]
    Io {
        /// Name of the source.
        source_name: String,
        /// The path.
        path: PathBuf,
        /// The operating system error.
        error: std::io::Error,
        /// What to do, where the path is a link; empty where it is none.
        link: &'static str,
    },
    /// A folder or pattern without a file of the format.
    #[error(
        "source `{source_name}`: no {format} file at `{path}`; check the path, its variables, and `format`{there}"
    )]
    NoFiles {
        /// Name of the source.
        source_name: String,
        /// The path as resolved.
        path: String,
        /// The format searched for.
        format: String,
        /// What is there instead, and what to do about it; empty, or begins with a semicolon.
        there: String,
    },
    /// Files of several formats, and none is stated.
    #[error(
        "source `{source_name}`: `{path}` holds files of several formats ({found}); set the one to read, such as `format = \"parquet\"`, or make a separate source for each"
    )]
    SeveralFormats {
        /// Name of the source.
        source_name: String,
        /// The path as resolved.
        path: String,
        /// The formats, each with its files.
        found: String,
    },
    /// A folder whose files belong to a table, the log of which says which of them count.
    #[error(
        "source `{source_name}`: {} is a table in the format {format}, whose log says which of its files count; {advice}", folder.display()
    )]
    Table {
        /// Name of the source.
        source_name: String,
        /// The folder.
        folder: PathBuf,
        /// Name of the table format.
        format: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The log of a Delta table that cannot be followed.
    #[error("source `{source_name}`: the Delta table {} cannot be read: {reason}", folder.display())]
    DeltaLog {
        /// Name of the source.
        source_name: String,
        /// The table.
        folder: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A file of a table's log that the operating system did not let be read.
    #[error("source `{source_name}`: the log of the Delta table {} cannot be read: {operation} {}: {error}", folder.display(), file.display())]
    UnreadableLog {
        /// Name of the source.
        source_name: String,
        /// The table.
        folder: PathBuf,
        /// What was tried, such as `open`.
        operation: &'static str,
        /// The file of the log.
        file: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// A pattern that is not one.
    #[error("source `{source_name}`: `{pattern}` is not a file pattern: {reason}")]
    BadPattern {
        /// Name of the source.
        source_name: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system did not let a file be read.
    #[error("source `{source_name}`: cannot {operation} {}: {error}", file.display())]
    Unreadable {
        /// Name of the source.
        source_name: String,
        /// What was tried, such as `open`.
        operation: &'static str,
        /// The file.
        file: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// The records of a text file could not be kept for the run.
    #[error("source `{source_name}`: the records of {} cannot be kept: {operation} {}: {error}; free space there, or choose another folder with `--work`", file.display(), stage.display())]
    Unkept {
        /// Name of the source.
        source_name: String,
        /// The text file.
        file: PathBuf,
        /// What was tried, such as `write`.
        operation: &'static str,
        /// The stage file.
        stage: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// The process is asked to stop.
    #[error("interrupted; nothing was published")]
    Interrupted,
    /// A file has changed.
    #[error("source `{source_name}`: {} changed while it was read: {what}; run again when nothing writes to the lake", file.display())]
    Changed {
        /// Name of the source.
        source_name: String,
        /// The file.
        file: PathBuf,
        /// How it differs.
        what: String,
    },
    /// A file that cannot be read: truncated, damaged, empty, encrypted, or another format.
    #[error("source `{source_name}`: {}: {reason}{}", file.display(), remedy(source_name, reason))]
    BadFile {
        /// Name of the source.
        source_name: String,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What to do where a setting would read a file, and perhaps not the others.
pub(crate) const LIKE_THEM: &str =
    "if other files of the source are not written like this one, write it again like them";

/// What to do about a file that cannot be read. Where the reason states a setting, the file may be as it should be.
fn remedy(source: &str, reason: &str) -> String {
    const SETTINGS: [&str; 2] = ["set `", "set the encoding"];
    match SETTINGS.iter().any(|setting| reason.contains(setting)) {
        true => format!(" in [sources.{source}]; {LIKE_THEM}"),
        false => "; replace the file, or move it out of the lake".to_owned(),
    }
}
