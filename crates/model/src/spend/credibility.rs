//! The credibility mean (Bühlmann): a customer's own mean, shrunk towards the population's.

use serde::{Deserialize, Serialize};

use super::history::SpendHistory;
use crate::lifetime_error::LifetimeError;

/// E[M | x, m] = (x m + kappa mu) / (x + kappa): makes no assumption on the shape of spend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CredibilityMean {
    /// Population mean mu, in the currency of the history.
    pub mean: f64,
    /// Weight of the population mean, in occasions: the variance within customers divided by the variance between them.
    pub kappa: f64,
    /// Customers it was estimated from.
    pub customers: f64,
}

/// Weight of the population mean, in occasions, where the data shows no difference between customers: their own history has
/// almost no weight.
const NO_DIFFERENCE: f64 = 1e6;

impl CredibilityMean {
    /// Estimates both by moments: (m - mu)² is on average between + within / x, regressed on 1/x over customers.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when there is no repeat customer with positive spend.
    pub fn fit(history: &SpendHistory) -> Result<Self, LifetimeError> {
        let customers = history.customers();
        if history.rows.is_empty() {
            let what = "repeat customers with positive spend";
            return Err(LifetimeError::TooLittleData {
                model: "credibility_mean",
                what,
                found: 0,
                needed: 1,
            });
        }
        let mean = history.mean_of_means();
        let (mut u, mut d) = (0.0, 0.0);
        for s in &history.rows {
            u += s.weight / f64::from(s.x) / customers;
            d += s.weight * (s.total / f64::from(s.x) - mean).powi(2) / customers;
        }
        let (mut uu, mut ud) = (0.0, 0.0);
        for s in &history.rows {
            let (du, deviation) = (
                1.0 / f64::from(s.x) - u,
                (s.total / f64::from(s.x) - mean).powi(2),
            );
            uu += s.weight * du * du;
            ud += s.weight * du * (deviation - d);
        }
        // All customers have the same count: the two variances cannot be separated, and each gets half.
        let within = if uu > 0.0 {
            (ud / uu).clamp(0.0, d / u)
        } else {
            0.5 * d / u
        };
        let between = d - within * u;
        let kappa = if between > within / NO_DIFFERENCE {
            within / between
        } else {
            NO_DIFFERENCE
        };
        Ok(Self {
            mean,
            kappa,
            customers,
        })
    }

    pub(crate) fn line(&self, x: u32) -> (f64, f64) {
        let x = f64::from(x);
        if x == 0.0 {
            (self.mean, 0.0)
        } else {
            (
                self.kappa * self.mean / (x + self.kappa),
                x / (x + self.kappa),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_the_more_the_less_is_known() {
        let x: Vec<u32> = (0..4000).map(|i| 1 + i % 8).collect();
        // Customer means 80 or 120 with noise of variance 900 / x, as +-1 deviations that average out.
        let mean: Vec<f64> = (0..4000)
            .map(|i| {
                let level = if (i / 8) % 2 == 0 { 80.0 } else { 120.0 };
                let noise = (900.0 / f64::from(x[i])).sqrt();
                level + if (i / 16) % 2 == 0 { noise } else { -noise }
            })
            .collect();
        let fit =
            CredibilityMean::fit(&SpendHistory::from_columns(&x, &mean, None).unwrap()).unwrap();
        assert!((fit.mean - 100.0).abs() < 0.5, "{fit:?}");
        // Within 900, between 400: kappa 2.25.
        assert!((fit.kappa - 2.25).abs() < 0.1, "{fit:?}");
        let at = |x: u32| fit.line(x).0 + fit.line(x).1 * 120.0;
        assert!(fit.mean < at(1) && at(1) < at(8) && at(8) < 120.0);
    }

    #[test]
    fn no_customer_is_an_error_and_equal_customers_are_not() {
        let none = SpendHistory::from_columns(&[0], &[f64::NAN], None).unwrap();
        assert!(CredibilityMean::fit(&none).is_err());
        let equal = SpendHistory::from_columns(&[2, 2, 2], &[5.0, 5.0, 5.0], None).unwrap();
        let fit = CredibilityMean::fit(&equal).unwrap();
        assert_eq!(fit.line(2).0 + fit.line(2).1 * 5.0, 5.0);
    }
}
