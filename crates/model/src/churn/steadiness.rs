//! Whether predictions hold from one observation date to another: the predicted and the observed share of every date, and by how much
//! that of a further date may differ.
//!
//! Of a season or a change that no input shows, a model learns the mean of its dates. Each date then differs from what was predicted,
//! and so does the next one, however many customers there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::dates::iso;
use super::inputs::Panel;
use crate::special::chi_squared_99;

/// Predicted and observed share of those who churned after an observation date.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DateShare {
    /// The date, days since 1970-01-01.
    pub observed_on: i32,
    /// Customers at that date.
    pub customers: u64,
    /// Mean probability, in (0, 1), by models that learned from other customers, and, of the newest date, at earlier dates.
    pub predicted: f64,
    /// Share that churned, in [0, 1].
    pub observed: f64,
    /// Standard error of their difference by chance, above 0.
    pub standard_error: f64,
}

impl DateShare {
    /// The date as ISO 8601.
    pub fn date(&self) -> String {
        iso(self.observed_on)
    }

    fn gap(&self) -> f64 {
        self.observed - self.predicted
    }

    fn weight(&self) -> f64 {
        self.standard_error.powi(-2)
    }
}

/// How much predicted and observed shares differ between dates, in probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steadiness {
    /// Standard error of the share of a further date that is due to differences between dates; 0 where chance explains all of them.
    pub error: f64,
    /// What this is at most in 99 of 100 samples in which there is no difference between dates.
    pub chance_limit: f64,
}

impl Steadiness {
    /// By the random effects of DerSimonian and Laird (1986): Q = sum of w (gap - mean gap)^2 with w = 1 / standard error^2 is chi-squared
    /// with one degree of freedom fewer than dates where only chance is at work, and the variance between dates is what Q exceeds that
    /// number by, over sum w - sum w^2 / sum w. What all dates have in common is no difference: the level, of which the newest date tells
    /// the calibration error. A further date differs from the mean of n by 1 + 1/n of the variance. `None` of fewer than two dates.
    pub fn of(dates: &[DateShare]) -> Option<Self> {
        let freedom = dates.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let total: f64 = dates.iter().map(DateShare::weight).sum();
        let squares: f64 = dates.iter().map(|date| date.weight().powi(2)).sum();
        let mean = dates.iter().map(|d| d.weight() * d.gap()).sum::<f64>() / total;
        let apart = dates.iter().map(|d| d.weight() * (d.gap() - mean).powi(2));
        let further = 1.0 + 1.0 / dates.len() as f64;
        let error = |q: f64| {
            let variance = (q - freedom) / (total - squares / total);
            (further * variance.max(0.0)).sqrt()
        };
        Some(Self {
            error: error(apart.sum()),
            chance_limit: error(chi_squared_99(freedom)),
        })
    }
}

/// The shares of all dates of some panels with a prediction for each row, by date.
pub(super) fn shares(of: [(&Panel, &[f64]); 2]) -> Vec<DateShare> {
    let rows = of.iter().flat_map(|(panel, probabilities)| {
        let outcomes = panel.churned.iter().zip(*probabilities);
        panel.observed_on.iter().zip(outcomes)
    });
    let mut dates = BTreeMap::<i32, [f64; 4]>::new();
    for (date, (churned, p)) in rows {
        let sums = dates.entry(*date).or_default();
        let adds = [1.0, *p, f64::from(u8::from(*churned)), p * (1.0 - p)];
        sums.iter_mut().zip(adds).for_each(|(sum, add)| *sum += add);
    }
    let share = |(observed_on, sums): (i32, [f64; 4])| {
        let [customers, predicted, churned, variance] = sums;
        DateShare {
            observed_on,
            customers: customers as u64,
            predicted: predicted / customers,
            observed: churned / customers,
            standard_error: variance.max(f64::MIN_POSITIVE).sqrt() / customers,
        }
    };
    dates.into_iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares_of(gaps: &[(f64, f64)]) -> Vec<DateShare> {
        let share = |(&(gap, standard_error), observed_on)| DateShare {
            observed_on,
            customers: 100,
            predicted: 0.4,
            observed: 0.4 + gap,
            standard_error,
        };
        gaps.iter().zip(0..).map(share).collect()
    }

    /// numpy 2.4 and scipy 1.17.1: `w = se**-2; m = sum(w*g)/sum(w); e = lambda q: sqrt(1.25*max(0, q-3)/(sum(w)-sum(w**2)/sum(w)))` at
    /// `sum(w*(g-m)**2)` and at `chi2.ppf(0.99, 3)`.
    #[test]
    fn error_between_dates_as_numpy_and_scipy_have_it() {
        const EXPECTED: [f64; 2] = [0.107_498_949_852_328_38, 0.025_306_864_287_178_366];
        let gaps = [(0.02, 0.012), (-0.15, 0.014), (0.05, 0.02), (0.06, 0.011)];
        let found = Steadiness::of(&shares_of(&gaps)).unwrap();
        let equal = Steadiness::of(&shares_of(&[(0.1, 0.02), (0.1, 0.02)])).unwrap();
        assert!(
            equal.error == 0.0,
            "the level is common to all dates: {equal:?}"
        );
        assert_eq!(Steadiness::of(&shares_of(&[(0.1, 0.02)])), None);
        assert!((found.error - EXPECTED[0]).abs() < 1e-12, "{found:?}");
        assert!((found.chance_limit - EXPECTED[1]).abs() < 1e-9, "{found:?}");
    }
}
