//! The rule to beat: the longer a customer has been away, the likelier it leaves; nothing else is used.

use serde::{Deserialize, Serialize};

use super::curve::RisingCurve;
use super::error::ChurnError;
use super::inputs::Inputs;
use crate::metrics::log_loss;

/// The share of customers without a recency is smoothed with this many additional rows at the base rate.
const PRIOR_ROWS: f64 = 2.0;

/// A monotone curve from recency to the probability to churn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RecencyRule {
    column: String,
    curve: RisingCurve,
    /// Whether the probability falls as the number rises.
    falling: bool,
    /// The probability of customers without a recency.
    missing: f64,
}

impl RecencyRule {
    /// Learns the curve, rising or falling, whichever has the lower log loss on the training rows.
    pub(super) fn fit(inputs: &Inputs, column: &str, churned: &[bool]) -> Result<Self, ChurnError> {
        let values = inputs.number_named(column)?;
        let rows = churned.len() as f64;
        let base = churned.iter().filter(|churned| **churned).count() as f64 / rows;
        let (present, absent): (Vec<_>, Vec<_>) = values
            .iter()
            .copied()
            .zip(churned.iter().copied())
            .partition(|(value, _)| !value.is_nan());
        if present.is_empty() {
            return Err(ChurnError::Fit {
                model: "recency rule",
                reason: format!("column `{column}` has no value in any training row"),
            });
        }
        let gone = absent.iter().filter(|(_, churned)| *churned).count() as f64;
        let missing = (gone + PRIOR_ROWS * base) / (absent.len() as f64 + PRIOR_ROWS);
        let (x, outcomes): (Vec<f64>, Vec<bool>) = present.into_iter().unzip();
        let targets: Vec<f64> = outcomes.iter().map(|&y| f64::from(u8::from(y))).collect();
        let directed = |falling: bool| {
            let x: Vec<f64> = x.iter().map(|&x| turned(x, falling)).collect();
            let curve = RisingCurve::fit(&x, &targets);
            let fitted: Vec<f64> = x.iter().map(|&x| curve.at(x)).collect();
            (log_loss(&fitted, &outcomes).unwrap_or(f64::INFINITY), curve)
        };
        let ((rising_loss, rising), (falling_loss, fallen)) = (directed(false), directed(true));
        let falling = falling_loss < rising_loss;
        Ok(Self {
            column: column.to_owned(),
            curve: if falling { fallen } else { rising },
            falling,
            missing,
        })
    }

    /// One probability per row, before calibration.
    pub(super) fn probabilities(&self, inputs: &Inputs) -> Result<Vec<f64>, ChurnError> {
        let values = inputs.number_named(&self.column)?.iter();
        Ok(values
            .map(|&value| {
                if value.is_nan() {
                    self.missing
                } else {
                    self.curve.at(turned(value, self.falling))
                }
            })
            .collect())
    }

    pub(super) fn column(&self) -> &str {
        &self.column
    }
}

fn turned(value: f64, falling: bool) -> f64 {
    if falling { -value } else { value }
}
