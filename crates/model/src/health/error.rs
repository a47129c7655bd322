//! What can go wrong when a health score is declared, fitted, applied or backtested.

use crate::MatrixError;

/// Why there is no health score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum HealthError {
    /// A plan without components, or with more than [`super::HealthPlan::MOST_COMPONENTS`].
    #[error("a health score needs 1 to {limit} components; {found} are declared")]
    ComponentCount {
        /// How many are declared.
        found: usize,
        /// How many there may be.
        limit: usize,
    },
    /// Two components, or two bands, have the same name.
    #[error("{what} `{name}` of the health score is declared twice; give each its own name")]
    DuplicateName {
        /// `component` or `band`.
        what: &'static str,
        /// The repeated name.
        name: String,
    },
    /// A number of the plan is outside its range or not finite.
    #[error("health score: {what} of `{name}` is {value}, must be {range}")]
    OutOfRange {
        /// What is out of range.
        what: &'static str,
        /// The component, band or setting.
        name: String,
        /// The value.
        value: f64,
        /// The range in words.
        range: &'static str,
    },
    /// A plan without bands.
    #[error("a health score needs at least one band; declare the bands from worst to best")]
    NoBands,
    /// The columns do not fit the components.
    #[error("health score: {0}")]
    Columns(#[from] MatrixError),
    /// A backtest's columns have different lengths.
    #[error(
        "the backtest at {days} days has {scores} scores and {churned} outcomes; both must cover the same customers"
    )]
    LengthMismatch {
        /// The horizon in days.
        days: u32,
        /// Scores given.
        scores: usize,
        /// Outcomes given.
        churned: usize,
    },
}
