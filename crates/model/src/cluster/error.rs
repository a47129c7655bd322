//! Why clusters cannot be found, or customers not assigned.

use crate::interrupt;
use crate::matrix::MatrixError;

/// Why clusters cannot be found, judged, or customers assigned to them.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClusterError {
    /// The matrix lacks a column, or could not be made.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// There are no rows.
    #[error(
        "there are no customers to cluster: the matrix has 0 rows; check the filter and `as_of` of the sources"
    )]
    NoRows,
    /// A parameter is outside its range.
    #[error("`{parameter}` is {value}, but must be {allowed}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        allowed: &'static str,
    },
    /// NaN or an infinity where a number is needed.
    #[error(
        "column `{column}` holds {value} in row {row} (from 0); distances need finite numbers: prepare the columns first"
    )]
    NotFinite {
        /// The column.
        column: String,
        /// Position of the first such row.
        row: usize,
        /// The value: NaN, inf or -inf.
        value: f64,
    },
    /// An infinite value among the raw numbers. NaN is a missing value and allowed there.
    #[error(
        "column `{column}` holds {value} in row {row} (from 0); only finite numbers and missing values can be prepared: correct the division or logarithm that computes it"
    )]
    Infinite {
        /// The column.
        column: String,
        /// Position of the first such row.
        row: usize,
        /// The value: inf or -inf.
        value: f64,
    },
    /// `log1p` is asked of negative numbers.
    #[error(
        "column `{column}` has {negative} values below 0 (the smallest is {smallest}), which log1p cannot take; use transform \"asinh\", \"auto\" or \"none\""
    )]
    NegativeForLog1p {
        /// The column.
        column: String,
        /// How many values are negative.
        negative: usize,
        /// The smallest value.
        smallest: f64,
    },
    /// The number of labels is not the number of rows.
    #[error("{labels} labels were given for {rows} rows; every row needs one label")]
    LabelCount {
        /// Labels given.
        labels: usize,
        /// Rows there are.
        rows: usize,
    },
    /// A quality measure is not defined for so many clusters.
    #[error(
        "{measure} is not defined for {clusters} clusters over {rows} rows; it needs at least 2 clusters and fewer clusters than rows"
    )]
    Undefined {
        /// Name of the measure.
        measure: &'static str,
        /// Number of clusters that have rows.
        clusters: usize,
        /// Number of rows.
        rows: usize,
    },
    /// The columns of new rows are not those the model was fitted on.
    #[error("the clusters were fitted on the columns {}, but the rows have {}; prepare them with the fitted preparation", expected.join(", "), found.join(", "))]
    Columns {
        /// Columns of the model, in order.
        expected: Vec<String>,
        /// Columns of the rows.
        found: Vec<String>,
    },
    /// A method that goes through all pairs of rows is asked of too many.
    #[error(
        "{method} compares all pairs of customers, and {rows} customers are too many; at most {most} are possible: use k-means or fewer customers"
    )]
    TooManyRows {
        /// The method.
        method: &'static str,
        /// Rows there are.
        rows: usize,
        /// Rows it takes.
        most: usize,
    },
    /// smartcore rejected data that it should accept.
    #[error("the clustering library refused the sample (k = {clusters}, {rows} rows): {reason}")]
    Library {
        /// Number of clusters asked for.
        clusters: usize,
        /// Rows of the sample.
        rows: usize,
        /// The library's message.
        reason: String,
    },
    /// The process is asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// [`ClusterError::Interrupted`] where the process is asked to stop.
pub(super) fn go_on() -> Result<(), ClusterError> {
    if interrupt::requested() {
        return Err(ClusterError::Interrupted);
    }
    Ok(())
}

/// [`ClusterError::Parameter`].
pub(super) fn refuse<T>(
    parameter: &'static str,
    value: f64,
    allowed: &'static str,
) -> Result<T, ClusterError> {
    Err(ClusterError::Parameter {
        parameter,
        value,
        allowed,
    })
}

/// Refuses a matrix without rows or with a value that is not finite.
pub(super) fn require_finite(matrix: &crate::Matrix<'_>) -> Result<(), ClusterError> {
    use rayon::prelude::*;
    if matrix.rows() == 0 {
        return Err(ClusterError::NoRows);
    }
    for (name, column) in matrix.names().iter().zip(matrix.columns()) {
        // 0 x is 0 for finite x and NaN otherwise, so one sum checks a chunk without a branch for each value.
        let finite = |chunk: &[f64]| chunk.iter().map(|x| 0.0 * x).sum::<f64>() == 0.0;
        let Some(chunk) = column
            .par_chunks(super::moments::CHUNK)
            .position_first(|chunk| !finite(chunk))
        else {
            continue;
        };
        let from = chunk * super::moments::CHUNK;
        if let Some(offset) = column[from..].iter().position(|x| !x.is_finite()) {
            return Err(ClusterError::NotFinite {
                column: name.clone(),
                row: from + offset,
                value: column[from + offset],
            });
        }
    }
    Ok(())
}

/// Refuses labels that do not cover the rows.
pub(super) fn require_labels(
    matrix: &crate::Matrix<'_>,
    labels: &[u32],
) -> Result<(), ClusterError> {
    if labels.len() == matrix.rows() {
        Ok(())
    } else {
        Err(ClusterError::LabelCount {
            labels: labels.len(),
            rows: matrix.rows(),
        })
    }
}
