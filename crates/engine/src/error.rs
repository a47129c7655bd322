//! What can go wrong while a plan runs.

use std::path::PathBuf;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file of a source could not be read: truncated, damaged, or not what its name says.
    #[error("source `{name}`: cannot read {file}: {reason}")]
    UnreadableFile {
        /// Name of the source in the pipeline file.
        name: String,
        /// The file.
        file: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// An aggregate of one customer that its type cannot hold.
    #[error(
        "source `{name}`: `{column}` of customer `{key}` does not fit into {limit}; take out rows with wrong values by `filter` or a rule of the contract, or cast to double before summing integers"
    )]
    Overflow {
        /// Name of the source.
        name: String,
        /// The aggregate.
        column: String,
        /// The customer.
        key: String,
        /// The type.
        limit: &'static str,
    },
    /// A number that cannot be summed, because it is infinite or none.
    #[error(
        "source `{name}`: `{expression}` has the value {value}, which cannot be summed; exclude such rows with `filter`, or quarantine them with a rule of the contract"
    )]
    Unsummable {
        /// Name of the source.
        name: String,
        /// What was to be summed.
        expression: String,
        /// The value met.
        value: f64,
    },
    /// A stage file could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system error.
        error: std::io::Error,
    },
    /// The query engine refused or failed.
    #[error("the query engine failed: {0}")]
    Query(String),
    /// An assumption of the engine itself did not hold.
    #[error("internal error of the engine: {0}")]
    Internal(String),
}

impl EngineError {
    pub(crate) fn internal(what: String) -> Self {
        Self::Internal(what)
    }

    pub(crate) fn io(path: &std::path::Path, error: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}

impl From<polars::error::PolarsError> for EngineError {
    fn from(error: polars::error::PolarsError) -> Self {
        Self::Query(error.to_string())
    }
}

impl From<arrow::error::ArrowError> for EngineError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Internal(error.to_string())
    }
}
