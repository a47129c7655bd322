//! What can go wrong when a lifetime model (buy till you die, spend, contractual) is fitted or used.

use crate::optimise::OptimiseFailure;

/// Why a lifetime model cannot be fitted or applied. Every variant names the model or the customer concerned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LifetimeError {
    /// A customer's history contradicts itself (0 <= t_x <= T, x = 0 exactly when t_x = 0, all finite).
    #[error(
        "customer {index}: x = {x}, t_x = {t_x}, T = {tenure}, weight = {weight} is not a purchase history: need finite values, 0 <= t_x <= T, t_x = 0 exactly when x = 0, weight > 0; check the feature plan that computed it"
    )]
    BadHistory {
        /// 0-based place in the input.
        index: usize,
        /// Repeat occasions.
        x: u32,
        /// Time of the last repeat occasion since the first occasion.
        t_x: f64,
        /// Time from first occasion to the end of observation.
        tenure: f64,
        /// How many customers the row stands for.
        weight: f64,
    },
    /// Columns that describe the same customers have different lengths.
    #[error(
        "column `{column}` has {found} rows, but `{first}` has {expected}; pass columns of one table"
    )]
    LengthMismatch {
        /// The column that differs.
        column: &'static str,
        /// Its length.
        found: usize,
        /// The column compared with.
        first: &'static str,
        /// Its length.
        expected: usize,
    },
    /// There is too little data to fit.
    #[error(
        "{model}: {found} {what}, but at least {needed} are needed; use a longer history or a simpler model"
    )]
    TooLittleData {
        /// The model.
        model: &'static str,
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many it takes.
        needed: u64,
    },
    /// A value outside its range, or not finite.
    #[error("{model}: {what} is {value}, must be {range}")]
    OutOfRange {
        /// The model.
        model: &'static str,
        /// What is out of range.
        what: &'static str,
        /// The value.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// The optimiser found no point that satisfies gradient and curvature.
    #[error(
        "{model} was not fitted: {failure}; the data may not tell its parameters apart: use a longer history, or another model"
    )]
    NotFitted {
        /// The model.
        model: &'static str,
        /// Why.
        failure: OptimiseFailure,
        /// The largest log-likelihood that the search reached, where it is known.
        reached: Option<f64>,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl LifetimeError {
    /// Checks that columns have as many rows as the first one.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`] of the first that has not.
    pub(crate) fn check_lengths<const N: usize>(
        (first, expected): (&'static str, usize),
        columns: [(&'static str, usize); N],
    ) -> Result<(), Self> {
        let mut columns = columns.into_iter();
        match columns.find(|(_, found)| *found != expected) {
            None => Ok(()),
            Some((column, found)) => Err(Self::LengthMismatch {
                column,
                found,
                first,
                expected,
            }),
        }
    }

    /// What a failed search means for `model`.
    pub(crate) fn not_fitted(
        model: &'static str,
        failure: OptimiseFailure,
        reached: Option<f64>,
    ) -> Self {
        match failure {
            OptimiseFailure::Interrupted => Self::Interrupted,
            failure => Self::NotFitted {
                model,
                failure,
                reached,
            },
        }
    }
}
