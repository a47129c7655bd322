//! Warnings about clusters that were fitted without an error.

use std::fmt;

use serde::{Deserialize, Serialize};
use tessera_spec::shown::grouped;

/// Something that limits how far the clusters can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ClusterWarning {
    /// A column has no influence, since all customers have the same value (after winsorising).
    ConstantColumn {
        /// The column.
        column: String,
        /// The one value, in the column's unit.
        value: f64,
        /// Whether extremes were moved to limits first, so that some customers may have another value.
        #[serde(default)]
        winsorised: bool,
    },
    /// A column has no value at all.
    EmptyColumn {
        /// The column.
        column: String,
    },
    /// Missing values were replaced by the median.
    MissingValues {
        /// The column.
        column: String,
        /// Customers without a value.
        customers: usize,
        /// The median of the others, in the column's unit.
        median: f64,
    },
    /// Two columns are strongly correlated, so the same information counts twice.
    Correlated {
        /// The first column.
        first: String,
        /// The second column.
        second: String,
        /// Pearson's correlation of the prepared columns.
        correlation: f64,
        /// Whether the second was left out.
        dropped: bool,
    },
    /// There are fewer clusters than asked for.
    FewerClusters {
        /// Number asked for.
        asked: usize,
        /// Number found.
        found: usize,
        /// Number of distinct rows, where that is the reason.
        distinct_rows: Option<usize>,
    },
    /// The limit of passes over all customers was reached before they converged.
    NotConverged {
        /// Passes made.
        iterations: usize,
    },
}

impl fmt::Display for ClusterWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantColumn {
                column,
                value,
                winsorised,
            } => {
                let moved = if *winsorised {
                    ", once the extremes are moved in by `winsorise`,"
                } else {
                    ""
                };
                write!(
                    f,
                    "column `{column}` is {value} for every customer{moved} and does not distinguish clusters; remove it"
                )
            }
            Self::EmptyColumn { column } => {
                write!(
                    f,
                    "column `{column}` has no value for any customer and does not distinguish clusters; remove it"
                )
            }
            Self::MissingValues {
                column,
                customers,
                median,
            } => {
                write!(
                    f,
                    "column `{column}` is missing for {} customers; the median, {median}, is used for them",
                    grouped(*customers as u64)
                )
            }
            Self::Correlated {
                first,
                second,
                correlation,
                dropped: true,
            } => {
                write!(
                    f,
                    "column `{second}` was not used: its correlation with `{first}` is {correlation:.3}"
                )
            }
            Self::Correlated {
                first,
                second,
                correlation,
                dropped: false,
            } => write!(
                f,
                "columns `{first}` and `{second}` have a correlation of {correlation:.3}, so the same information counts twice; keep one of them"
            ),
            Self::FewerClusters {
                asked,
                found,
                distinct_rows: Some(distinct),
            } => write!(
                f,
                "{asked} clusters were requested, but {found} were found: there are only {distinct} different customers"
            ),
            Self::FewerClusters {
                asked,
                found,
                distinct_rows: None,
            } => {
                write!(
                    f,
                    "{asked} clusters were requested, but {found} were found: the others have no customer"
                )
            }
            Self::NotConverged { iterations } => {
                write!(
                    f,
                    "the clusters still changed after {iterations} passes over all customers; raise `max_iterations`"
                )
            }
        }
    }
}
