//! How good the predictions were: calibration against a holdout period, compared with the naive rate.
//!
//! [`Backtest`] compares predicted with actual purchases of the same customers in a holdout period: in total (tracking), per
//! customer (error, correlation), by x, and by decile of the prediction. [`tracking_curve`] compares cumulative purchases of a
//! cohort over calendar time.

use serde::{Deserialize, Serialize};

use super::fit::BtydFit;
use super::history::PurchaseHistory;
use crate::lifetime_error::LifetimeError;
use crate::special::Z_95;

/// Predicted and actual means over a group of customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The group's label: the smallest x of the bin, or the decile from 1 (highest prediction) to 10.
    pub bin: u32,
    /// Customers in the group. A decile may hold a share of customers with equal predictions, so this may be fractional.
    pub customers: f64,
    /// Mean predicted purchases.
    pub predicted: f64,
    /// Mean actual purchases.
    pub actual: f64,
    /// `actual` divided by the actual mean of all customers; `None` when nobody bought.
    pub lift: Option<f64>,
}

/// Predictions against what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backtest {
    /// Customers compared.
    pub customers: u64,
    /// Sum of predictions.
    pub predicted_total: f64,
    /// Sum of actual purchases.
    pub actual_total: f64,
    /// Predicted total divided by actual total. `None` when nobody bought.
    pub tracking: Option<f64>,
    /// Mean absolute error per customer.
    pub mean_absolute_error: f64,
    /// Root mean squared error per customer; times the root of their number it is the standard error of the predicted total.
    pub root_mean_square_error: f64,
    /// Pearson correlation; `None` when either side is constant.
    pub correlation: Option<f64>,
    /// By repeat occasions in the calibration period: 0, 1, 2, ... and [`Backtest::TOP_X`] or more.
    pub by_x: Vec<CalibrationBin>,
    /// By decile of the prediction.
    pub deciles: Vec<CalibrationBin>,
}

impl Backtest {
    /// The last bin by x holds this many repeat occasions and more.
    pub const TOP_X: u32 = 7;

    /// Compares columns of the same customers: `x` repeat occasions in calibration, `predicted` and `actual` purchases in the
    /// holdout. The result does not depend on their order beyond rounding.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`]; [`LifetimeError::OutOfRange`] for a value that is negative or not finite;
    /// [`LifetimeError::TooLittleData`] without customers.
    pub fn new(x: &[u32], predicted: &[f64], actual: &[f64]) -> Result<Self, LifetimeError> {
        LifetimeError::check_lengths(
            ("x", x.len()),
            [("predicted", predicted.len()), ("actual", actual.len())],
        )?;
        let model = "backtest";
        if x.is_empty() {
            return Err(LifetimeError::TooLittleData {
                model,
                what: "customers",
                found: 0,
                needed: 1,
            });
        }
        for (what, values) in [("a prediction", predicted), ("an actual count", actual)] {
            if let Some(&value) = values.iter().find(|v| !(**v >= 0.0 && v.is_finite())) {
                return Err(LifetimeError::OutOfRange {
                    model,
                    what,
                    value,
                    range: ">= 0 and finite",
                });
            }
        }
        let n = x.len() as f64;
        let (predicted_total, actual_total): (f64, f64) =
            (predicted.iter().sum(), actual.iter().sum());
        let errors = || predicted.iter().zip(actual).map(|(p, a)| p - a);
        Ok(Self {
            customers: x.len() as u64,
            predicted_total,
            actual_total,
            tracking: (actual_total > 0.0).then(|| predicted_total / actual_total),
            mean_absolute_error: errors().map(f64::abs).sum::<f64>() / n,
            root_mean_square_error: (errors().map(|e| e * e).sum::<f64>() / n).sqrt(),
            correlation: correlation(predicted, actual),
            by_x: by_x(x, predicted, actual, actual_total / n),
            deciles: deciles(predicted, actual, actual_total / n),
        })
    }
}

impl Backtest {
    /// How far the totals of right predictions are apart at most in 95 of 100 samples: customers buy independently of each other, and the
    /// parameters of the model, on which all predictions depend, move the predicted total by its standard error.
    pub fn chance_limit(&self, error_of_total: f64) -> f64 {
        let outcomes = self.root_mean_square_error.powi(2) * self.customers as f64;
        Z_95 * (outcomes + error_of_total.powi(2)).sqrt()
    }
}

/// The naive prediction x / T times the horizon; 0 where T is 0.
pub fn naive_purchases(x: u32, tenure: f64, horizon: f64) -> f64 {
    if tenure > 0.0 {
        f64::from(x) / tenure * horizon
    } else {
        0.0
    }
}

/// Expected cumulative repeat purchases of all customers, `times` units after the first customer's first purchase. All
/// customers of the history must have been observed until the same moment.
pub fn tracking_curve(fit: &BtydFit, history: &PurchaseHistory, times: &[f64]) -> Vec<f64> {
    let longest = history.summaries().map(|s| s.tenure).fold(0.0, f64::max);
    let mut acquired: Vec<(f64, f64)> = history
        .summaries()
        .map(|s| (longest - s.tenure, s.weight))
        .collect();
    acquired.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    acquired.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            kept.1 += later.1;
        }
        same
    });
    let expected = |time: f64| {
        let so_far = acquired.iter().take_while(|(start, _)| *start < time);
        so_far
            .map(|(start, weight)| weight * fit.expected_new_customer_purchases(time - start))
            .sum()
    };
    times.iter().map(|&time| expected(time)).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (da, db) = (a - mean_a, b - mean_b);
        aa += da * da;
        bb += db * db;
        ab += da * db;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

/// Sums over a group that is being filled.
#[derive(Default, Clone, Copy)]
struct Sums {
    customers: f64,
    predicted: f64,
    actual: f64,
}

impl Sums {
    fn add(&mut self, customers: f64, predicted: f64, actual: f64) {
        self.customers += customers;
        self.predicted += customers * predicted;
        self.actual += customers * actual;
    }

    fn bin(&self, bin: u32, base: f64) -> CalibrationBin {
        let actual = self.actual / self.customers;
        let lift = (base > 0.0).then(|| actual / base);
        CalibrationBin {
            bin,
            customers: self.customers,
            predicted: self.predicted / self.customers,
            actual,
            lift,
        }
    }
}

fn by_x(x: &[u32], predicted: &[f64], actual: &[f64], base: f64) -> Vec<CalibrationBin> {
    let mut sums = [Sums::default(); Backtest::TOP_X as usize + 1];
    for (x, (predicted, actual)) in x.iter().zip(predicted.iter().zip(actual)) {
        sums[(*x).min(Backtest::TOP_X) as usize].add(1.0, *predicted, *actual);
    }
    (0..)
        .zip(&sums)
        .filter(|(_, s)| s.customers > 0.0)
        .map(|(bin, s)| s.bin(bin, base))
        .collect()
}

/// Ten groups of equal size by descending prediction. Where a boundary falls among customers with equal predictions, each
/// group gets its share of their mean.
fn deciles(predicted: &[f64], actual: &[f64], base: f64) -> Vec<CalibrationBin> {
    let mut order: Vec<usize> = (0..predicted.len()).collect();
    order.sort_unstable_by(|&a, &b| {
        predicted[b]
            .total_cmp(&predicted[a])
            .then(actual[b].total_cmp(&actual[a]))
    });
    let size = predicted.len() as f64 / 10.0;
    let (mut bins, mut sums) = (Vec::with_capacity(10), Sums::default());
    for ties in order.chunk_by(|&a, &b| predicted[a] == predicted[b]) {
        let mean = ties.iter().map(|&i| actual[i]).sum::<f64>() / ties.len() as f64;
        let mut left = ties.len() as f64;
        while left > 0.0 {
            let part = left.min(size - sums.customers);
            sums.add(part, predicted[ties[0]], mean);
            left -= part;
            // Shares of tied customers are rounded: a group that lacks less than a millionth of its size is full.
            if size - sums.customers < 1e-6 * size && bins.len() < 9 {
                bins.push(sums.bin(bins.len() as u32 + 1, base));
                sums = Sums::default();
            } else if part <= 0.0 {
                sums.add(left, predicted[ties[0]], mean);
                left = 0.0;
            }
        }
    }
    if sums.customers > 0.0 {
        bins.push(sums.bin(bins.len() as u32 + 1, base));
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_predictions_are_perfect() {
        let actual: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
        let x: Vec<u32> = (0..100).map(|i| i % 10).collect();
        let test = Backtest::new(&x, &actual, &actual).unwrap();
        assert_eq!(
            (
                test.tracking,
                test.mean_absolute_error,
                test.root_mean_square_error
            ),
            (Some(1.0), 0.0, 0.0)
        );
        assert!((test.correlation.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(test.deciles.len(), 10);
        assert!(
            (test.deciles[0].lift.unwrap() - 2.0).abs() < 1e-12 && test.deciles[9].actual == 0.0
        );
        assert_eq!(
            test.by_x.last().map(|b| (b.bin, b.customers, b.actual)),
            Some((7, 30.0, 8.0))
        );
    }

    /// A hundred customers each buy twice or not at all, where one purchase is right: the sum has a standard deviation of ten.
    #[test]
    fn totals_are_apart_by_chance() {
        let actual: Vec<f64> = (0..100).map(|i| f64::from(2 * (i % 2))).collect();
        let test = Backtest::new(&[0; 100], &[1.0; 100], &actual).unwrap();
        assert!((test.chance_limit(0.0) - 19.599_64).abs() < 1e-5);
        // The errors of outcomes, 10, and of parameters, 7.5, are independent.
        assert!((test.chance_limit(7.5) - 1.25 * 19.599_64).abs() < 1e-5);
    }

    #[test]
    fn equal_predictions_have_no_lift_in_any_order() {
        let mut actual: Vec<f64> = (0..95).map(f64::from).collect();
        let constant = vec![1.0; 95];
        for _ in 0..2 {
            let test = Backtest::new(&[0; 95], &constant, &actual).unwrap();
            assert_eq!(test.deciles.len(), 10);
            assert!(
                test.deciles
                    .iter()
                    .all(|d| (d.lift.unwrap() - 1.0).abs() < 1e-9
                        && (d.customers - 9.5).abs() < 1e-6)
            );
            assert!(test.correlation.is_none());
            actual.reverse();
        }
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        assert!(Backtest::new(&[], &[], &[]).is_err());
        assert!(Backtest::new(&[1], &[1.0, 2.0], &[1.0]).is_err());
        assert!(Backtest::new(&[1], &[f64::NAN], &[1.0]).is_err());
        let silent = Backtest::new(&[1, 2], &[1.0, 2.0], &[0.0, 0.0]).unwrap();
        assert!(silent.tracking.is_none() && silent.deciles.iter().all(|d| d.lift.is_none()));
        assert_eq!(naive_purchases(2, 10.0, 5.0), 1.0);
        assert_eq!(naive_purchases(0, 0.0, 5.0), 0.0);
    }
}
