//! Calibration of a model's probabilities, fitted on customers that the model was not trained on.

use serde::{Deserialize, Serialize};

use super::curve::RisingCurve;
use super::plan::CalibrationKind;
use crate::metrics::{LogitLine, log_odds, logit, logit_line};
use crate::special::logistic;

/// Maps a model's probability to the calibrated one; never decreasing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Calibrator {
    Identity,
    Platt(LogitLine),
    Isotonic(RisingCurve),
}

impl Calibrator {
    /// Learns from held-out rows, at least one; `targets` are 0 or 1.
    pub(super) fn fit(kind: CalibrationKind, probabilities: &[f64], targets: &[f64]) -> Self {
        match kind {
            CalibrationKind::None => Self::Identity,
            CalibrationKind::Isotonic => Self::Isotonic(RisingCurve::fit(probabilities, targets)),
            CalibrationKind::Platt => {
                let logits: Vec<f64> = probabilities.iter().map(|&p| log_odds(p)).collect();
                let softened = softened(targets);
                let line = logit_line(&logits, &softened);
                match line {
                    Some(line) if line.slope >= 0.0 => Self::Platt(line),
                    // On held-out customers churn falls as the prediction rises. Neither that ranking nor its reverse
                    // can be trusted: all customers get the same probability.
                    Some(_) => Self::Platt(LogitLine {
                        intercept: logit(softened.iter().sum::<f64>() / softened.len() as f64),
                        slope: 0.0,
                    }),
                    None => Self::Identity,
                }
            }
        }
    }

    pub(super) fn apply(&self, probability: f64) -> f64 {
        match self {
            Self::Identity => probability,
            Self::Platt(line) => logistic(line.intercept + line.slope * log_odds(probability)),
            Self::Isotonic(curve) => curve.at(probability),
        }
    }
}

/// Platt's targets (1999, section 2.2): (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) in place of 1 and 0.
pub(super) fn softened(targets: &[f64]) -> Vec<f64> {
    let ones: f64 = targets.iter().sum();
    let zeros = targets.len() as f64 - ones;
    let (high, low) = ((ones + 1.0) / (ones + 2.0), 1.0 / (zeros + 2.0));
    let soft = |&target: &f64| if target > 0.5 { high } else { low };
    targets.iter().map(soft).collect()
}
