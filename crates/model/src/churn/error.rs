//! Why churn cannot be predicted.

use crate::cluster::ClusterError;
use crate::interrupt;

/// Why a churn model cannot be fitted, or customers cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChurnError {
    /// A column is longer or shorter than the observation has rows.
    #[error(
        "column `{column}` has {found} rows, but the observation has {expected}; all columns must cover the same customers"
    )]
    Ragged {
        /// The column that differs.
        column: String,
        /// Its length.
        found: usize,
        /// Rows of the observation.
        expected: usize,
    },
    /// Two columns have the same name.
    #[error("column `{column}` is given twice; columns are found by name, so names must differ")]
    DuplicateName {
        /// The repeated name.
        column: String,
    },
    /// An infinite value; a missing one is NaN and allowed.
    #[error(
        "column `{column}` holds {value} in row {row} (from 0); a model can learn only from finite numbers and missing values: correct the division or logarithm that computes it"
    )]
    Infinite {
        /// The column.
        column: String,
        /// Position of the first such row.
        row: usize,
        /// The value: inf or -inf.
        value: f64,
    },
    /// A code of a label column lies beyond its dictionary.
    #[error(
        "column `{column}` holds code {code} in row {row}, but its dictionary has {labels} labels"
    )]
    Code {
        /// The column.
        column: String,
        /// Position of the first such row.
        row: usize,
        /// The code.
        code: u32,
        /// Labels of the dictionary.
        labels: usize,
    },
    /// A column is asked for that is not there, or is a label where a number is needed.
    #[error("there is no {kind} column `{column}`; the {kind} columns are {}", available.join(", "))]
    UnknownColumn {
        /// "numeric" or "label".
        kind: &'static str,
        /// The name asked for.
        column: String,
        /// The names there are.
        available: Vec<String>,
    },
    /// Observations that are stacked have different columns.
    #[error(
        "the observation of {observed_on} has the {kind} columns {found:?}, but the first has {expected:?}; every observation needs the same columns in the same order"
    )]
    Columns {
        /// ISO date of the observation that differs.
        observed_on: String,
        /// "numeric" or "label".
        kind: &'static str,
        /// Its columns.
        found: Vec<String>,
        /// The columns of the first observation.
        expected: Vec<String>,
    },
    /// There are no columns to learn from.
    #[error("there is nothing to learn from: no numeric and no label column is given")]
    NoColumns,
    /// The plan asks for something impossible.
    #[error("`{parameter}` is {value}, but must be {allowed}")]
    Parameter {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// Too few dates to test on a later one than trained on.
    #[error(
        "{found} usable observation dates, but {needed} are needed: the newest to test on, and one at least {horizon_days} days before it to learn from; observe longer, or shorten the horizon"
    )]
    Dates {
        /// Dates that can be used: the newest, and those at least the horizon before it.
        found: usize,
        /// Dates needed.
        needed: usize,
        /// The horizon, days.
        horizon_days: u32,
    },
    /// Too few rows of one kind.
    #[error(
        "{found} rows of customers who {what} in the {slice} slice, but {needed} are needed; observe more customers or more dates, or widen the horizon"
    )]
    TooLittleData {
        /// "churned" or "stayed".
        what: &'static str,
        /// "training", "calibration" or "test".
        slice: &'static str,
        /// Rows there are.
        found: usize,
        /// Rows needed.
        needed: usize,
    },
    /// The numeric columns could not be prepared.
    #[error(transparent)]
    Preparation(#[from] ClusterError),
    /// The fit of a model failed.
    #[error("the {model} could not be fitted: {reason}")]
    Fit {
        /// The model's name in a sentence.
        model: &'static str,
        /// The message of the library or the optimiser.
        reason: String,
    },
    /// The process is asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// [`ChurnError::Interrupted`] where the process is asked to stop.
pub(super) fn go_on() -> Result<(), ChurnError> {
    if interrupt::requested() {
        return Err(ChurnError::Interrupted);
    }
    Ok(())
}
