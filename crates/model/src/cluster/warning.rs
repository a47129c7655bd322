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
    /// Values below 0 in a column of which the logarithm is taken, since it had none when it was learnt.
    BelowZero {
        /// The column.
        column: String,
        /// Customers with such a value.
        customers: usize,
        /// The smallest value.
        smallest: f64,
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
            Self::BelowZero {
                column,
                customers,
                smallest,
            } => f.write_str(&below_zero(column, *customers, *smallest)),
            Self::Correlated {
                first,
                second,
                correlation,
                dropped,
            } => write!(
                f,
                "{}",
                same_information([first, second], *correlation, *dropped)
            ),
            Self::FewerClusters {
                asked,
                found,
                distinct_rows,
            } => {
                let why = match distinct_rows {
                    Some(distinct) => format!("there are only {distinct} different customers"),
                    None => "the others have no customer".to_owned(),
                };
                write!(
                    f,
                    "{asked} clusters were requested, but {found} were found: {why}"
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

/// What is said of a column with numbers below 0, as it had none when clusters were learned.
fn below_zero(column: &str, customers: usize, smallest: f64) -> String {
    let noun = if customers == 1 {
        "customer"
    } else {
        "customers"
    };
    format!(
        "column `{column}` is below 0 for {} {noun} (the smallest is {smallest}), as it was for none when the clusters were learned with `log1p`: minus the logarithm of 1 + its size is used for them, until the clusters are learned again",
        grouped(customers as u64)
    )
}

/// What is said of two strongly correlated columns.
fn same_information([first, second]: [&str; 2], correlation: f64, dropped: bool) -> String {
    match dropped {
        true => format!(
            "column `{second}` was not used: its correlation with `{first}` is {correlation:.3}"
        ),
        false => format!(
            "columns `{first}` and `{second}` have a correlation of {correlation:.3}, so the same information counts twice; keep one of them"
        ),
    }
}
