//! What can be wrong with the files of a source.

use std::path::PathBuf;

/// An error about a source's files. Each names the source and the place.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The path leads nowhere.
    #[error("source `{source_name}`: {}: {error}", path.display())]
    Io {
        /// Name of the source.
        source_name: String,
        /// The path.
        path: PathBuf,
        /// The system's word.
        error: std::io::Error,
    },
    /// A folder or glob without a file of the format.
    #[error(
        "source `{source_name}`: no {format} file at `{path}`; check the path, the variables it is made of, and `format`"
    )]
    NoFiles {
        /// Name of the source.
        source_name: String,
        /// The path as resolved.
        path: String,
        /// The format searched for.
        format: &'static str,
    },
    /// A glob that is not one.
    #[error("source `{source_name}`: `{pattern}` is not a file pattern: {reason}")]
    BadPattern {
        /// Name of the source.
        source_name: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is not what it claims to be: truncated, damaged, empty, encrypted, or another format.
    #[error("source `{source_name}`: {}: {reason}; replace the file, or move it out of the lake", file.display())]
    BadFile {
        /// Name of the source.
        source_name: String,
        /// The file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two files that cannot be one table.
    #[error(
        "source `{source_name}`: column `{column}` is {first} in {} but {second} in {}; rewrite one of the files",
        first_file.display(), second_file.display()
    )]
    Disagreement {
        /// Name of the source.
        source_name: String,
        /// The column.
        column: String,
        /// Type in the first file.
        first: String,
        /// The first file.
        first_file: PathBuf,
        /// Type in the second file.
        second: String,
        /// The second file.
        second_file: PathBuf,
    },
    /// A column that the other files have is missing in one.
    #[error("source `{source_name}`: column `{column}` is missing in {}, which other files of the source have", file.display())]
    MissingInFile {
        /// Name of the source.
        source_name: String,
        /// The column.
        column: String,
        /// The file without it.
        file: PathBuf,
    },
}
