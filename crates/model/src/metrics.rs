//! How well a score ranks the customers to whom an event happens, and how well calibrated its probabilities are.
//!
//! - ranking: [`auc`] with its uncertainty ([`Auc`]), below;
//! - probabilities: [`log_loss`], [`brier`], [`calibration_table`] and the like, in `metrics/probability.rs`;
//! - the line in the log-odds by which calibration is measured and corrected: `metrics/logit_line.rs`.

mod logit_line;
mod probability;

use crate::special::Z_95;

pub use logit_line::LogitLine;
pub(crate) use logit_line::{log_odds, logit, logit_line};
pub use probability::{
    CalibrationBin, EstimationError, PairedGain, average_precision, brier, calibration_error_limit,
    calibration_error_limit_of_estimates, calibration_line, calibration_slope_error,
    calibration_slope_error_of_bins, calibration_slope_error_of_estimates, calibration_table,
    expected_calibration_error, lift_at, log_loss, log_loss_gain,
};
pub(crate) use probability::{mean, paired_gain, row_log_losses};

/// The area under the ROC curve with its standard error and 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Auc {
    /// Probability that a random positive scores above a random negative, ties counted half; in [0, 1].
    pub value: f64,
    /// Its standard error (DeLong, DeLong & Clarke-Pearson 1988).
    pub standard_error: f64,
    /// Lower end of the 95% interval: value - 1.96 standard errors, not below 0.
    pub low_95: f64,
    /// Upper end, not above 1.
    pub high_95: f64,
}

impl Auc {
    /// The area that chance exceeds in one of forty samples as large as this one, in [0.5, 1]: above it lies every area whose
    /// interval is above 0.5.
    pub fn chance_limit(&self) -> f64 {
        0.5 + self.value - self.low_95
    }
}

/// The area under the ROC curve of `scores`, where high scores speak for `positive`. Rows whose score is NaN are left out.
/// `None` with fewer than two positives or two negatives, or when the lengths differ.
///
/// DeLong's variance by midranks (Sun & Xu 2014): n log n, whatever the number of ties. With very few positives or negatives,
/// or when the score separates them completely, the standard error is too small; require at least ten of each.
pub fn auc(scores: &[f64], positive: &[bool]) -> Option<Auc> {
    if scores.len() != positive.len() {
        return None;
    }
    let class = |wanted: bool| -> Vec<f64> {
        let rows = scores.iter().zip(positive);
        let rows = rows.filter(|(score, is)| **is == wanted && !score.is_nan());
        // Adding zero makes -0.0 and 0.0 the same score.
        let mut values: Vec<f64> = rows.map(|(score, _)| score + 0.0).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (with, without) = (class(true), class(false));
    if with.len() < 2 || without.len() < 2 {
        return None;
    }
    // A positive's component: the share of negatives below it, ties half. A negative's: the share of positives above it.
    let (value, of_positives) = mean_and_variance(&shares_below(&with, &without));
    let (_, of_negatives) = mean_and_variance(&shares_below(&without, &with));
    let error = (of_positives / with.len() as f64 + of_negatives / without.len() as f64).sqrt();
    Some(Auc {
        value,
        standard_error: error,
        low_95: (value - Z_95 * error).max(0.0),
        high_95: (value + Z_95 * error).min(1.0),
    })
}

/// For each of `values`, the share of `others` below it, ties half. Both ascending.
fn shares_below(values: &[f64], others: &[f64]) -> Vec<f64> {
    let (mut below, mut up_to) = (0, 0);
    values
        .iter()
        .map(|value| {
            while below < others.len() && others[below] < *value {
                below += 1;
            }
            up_to = up_to.max(below);
            while up_to < others.len() && others[up_to] <= *value {
                up_to += 1;
            }
            0.5 * (below + up_to) as f64 / others.len() as f64
        })
        .collect()
}

/// Mean and sample variance (n - 1).
fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, squares / (n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 40 rows with ties: score = 37 i mod 23, plus 7 where positive; positive where 7 i mod 10 < 4.
    fn rows() -> (Vec<f64>, Vec<bool>) {
        (0..40)
            .map(|i| {
                let positive = 7 * i % 10 < 4;
                let lift = if positive { 7.0 } else { 0.0 };
                (f64::from(37 * i % 23) + lift, positive)
            })
            .unzip()
    }

    #[test]
    fn delong_by_its_definition_and_sklearn_area() {
        let (scores, positive) = rows();
        let got = auc(&scores, &positive).unwrap();
        // The structural components by comparing every pair (DeLong et al. 1988, equations 3 to 5).
        let of = |wanted: bool| -> Vec<f64> {
            let rows = scores.iter().zip(&positive);
            rows.filter(|(_, p)| **p == wanted)
                .map(|(s, _)| *s)
                .collect()
        };
        let (x, y) = (of(true), of(false));
        let psi = |x: f64, y: f64| 0.5 * (f64::from(u8::from(x > y)) + f64::from(u8::from(x >= y)));
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let v10: Vec<f64> = x
            .iter()
            .map(|&x| mean(&y.iter().map(|&y| psi(x, y)).collect::<Vec<_>>()))
            .collect();
        let v01: Vec<f64> = y
            .iter()
            .map(|&y| mean(&x.iter().map(|&x| psi(x, y)).collect::<Vec<_>>()))
            .collect();
        let area = mean(&v10);
        let part = |v: &[f64]| {
            let n = v.len() as f64;
            v.iter().map(|v| (v - area).powi(2)).sum::<f64>() / (n - 1.0) / n
        };
        let error = (part(&v10) + part(&v01)).sqrt();
        assert!((got.value - area).abs() < 1e-14, "{got:?} {area}");
        assert!(
            (got.standard_error - error).abs() < 1e-14,
            "{got:?} {error}"
        );
        // sklearn.metrics.roc_auc_score on the same rows.
        assert!((got.value - 0.78125).abs() < 1e-12, "{got:?}");
    }

    #[test]
    fn extremes_and_refusals() {
        let labels = [true, true, true, false, false];
        let parted = auc(&[3.0, 4.0, 5.0, 1.0, 2.0], &labels).unwrap();
        assert_eq!((parted.value, parted.standard_error), (1.0, 0.0));
        let equal = auc(&[1.0; 5], &labels).unwrap();
        assert_eq!((equal.value, equal.standard_error), (0.5, 0.0));
        assert_eq!(
            auc(&[0.0, -0.0, 0.0, -0.0, 0.0], &labels).unwrap().value,
            0.5
        );
        assert!(auc(&[1.0, f64::NAN, 2.0, 3.0, f64::NAN], &labels).is_none());
        assert!(auc(&[1.0], &labels).is_none());
    }
}
