//! Errors in the tables of the previous version.

use arrow::error::ArrowError;

/// An error of the history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A table of the previous version lacks a column, or has it with another type.
    #[error(
        "table `{table}` of the previous version has no column `{column}` of the expected type; publish that version again"
    )]
    Column {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A table of the previous version is not sorted as it is published.
    #[error(
        "table `memberships` of the previous version is not sorted by customer and scheme; publish that version again"
    )]
    Unsorted,
    /// Arrow rejects the columns of a table.
    #[error("table `{table}`: {source}")]
    Table {
        /// The table.
        table: &'static str,
        /// Why.
        source: ArrowError,
    },
}
