//! The settings of a `rules` scheme.

use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::{At, ExprText};

/// `kind = "rules"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RulesScheme {
    /// Rules in order.
    pub rules: Vec<SegmentRule>,
    /// Segment if no rule is true.
    pub otherwise: String,
}

/// One rule of a `rules` scheme.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentRule {
    /// Segment of the customers for whom `when` is true.
    pub segment: At<String>,
    /// Predicate over features, and over schemes declared earlier.
    pub when: ExprText,
}
