//! NBD (Ehrenberg 1959): Poisson purchases with gamma-distributed rates and no dropout.
//!
//! The limit of BG/NBD and MBG/NBD as a -> 0 and of Pareto/NBD as s -> 0: the model for purchases that show no dropout, where
//! those models have no identified optimum. P(alive) is 1 by assumption and says nothing about a customer.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::history::{PurchaseHistory, Row, TimeUnit};
use super::models::{SCALED_SPAN, require};
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{digamma, ln_rising};

/// Parameters in the model's time unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nbd {
    pub r: f64,
    pub alpha: f64,
}

impl Nbd {
    /// Expected purchases in (T, T + t].
    pub(crate) fn purchases(&self, x: f64, tenure: f64, t: f64) -> f64 {
        (self.r + x) / (self.alpha + tenure) * t
    }

    /// P(no purchase in (T, T + t]).
    pub(crate) fn silence(&self, x: f64, tenure: f64, t: f64) -> f64 {
        (-(self.r + x) * (t / (self.alpha + tenure)).ln_1p()).exp()
    }
}

/// A fitted NBD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NbdFit {
    /// Unit of its times and rates.
    pub unit: TimeUnit,
    /// Maximum likelihood estimates of r and alpha; alpha in `unit`.
    pub parameters: [f64; 2],
    /// Their standard errors, by the delta method.
    pub standard_errors: [f64; 2],
    /// Covariance of the logarithms of the parameters, by rows.
    pub log_covariance: [[f64; 2]; 2],
    /// Maximised log-likelihood, times in `unit`.
    pub log_likelihood: f64,
    /// Customers used by the fit (sum of weights, T > 0).
    pub customers: f64,
    /// Distinct (x, t_x, T) among them.
    pub distinct_histories: usize,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
}

impl NbdFit {
    /// The name used in pipeline files and tables.
    pub const NAME: &'static str = "nbd";
    /// The literature's names of its parameters.
    pub const PARAMETER_NAMES: [&'static str; 2] = ["r", "alpha"];

    /// Fits by maximum likelihood.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] without repeat customers or with fewer than ten customers,
    /// [`LifetimeError::NotFitted`] when rates do not differ enough between customers to identify their spread,
    /// [`LifetimeError::Interrupted`].
    pub fn fit(history: &PurchaseHistory, interrupt: Interrupt<'_>) -> Result<Self, LifetimeError> {
        let customers = history.observed_customers();
        let model = Self::NAME;
        require(model, "customers observed for some time", customers, 10)?;
        let repeaters = history.repeat_customers();
        require(model, "customers with a repeat purchase", repeaters, 2)?;
        let span = history.times.last().copied().unwrap_or(1.0);
        let scale = span / SCALED_SPAN;
        let objective = NbdObjective::new(history, scale);
        let exposure: f64 = history
            .summaries()
            .map(|s| s.weight * s.tenure / scale)
            .sum();
        let rate = history.repeat_occasions() / exposure;
        let starts: Vec<Vec<f64>> = [0.3, 1.0, 4.0]
            .iter()
            .map(|r: &f64| vec![r.ln(), (r / rate).ln()])
            .collect();
        let optimum = optimise::minimise(&objective, &starts, interrupt)
            .map_err(|failure| LifetimeError::not_fitted(model, failure, None))?;
        let mut fit = Self {
            unit: history.unit(),
            parameters: [optimum.theta[0].exp(), optimum.theta[1].exp() * scale],
            standard_errors: [0.0; 2],
            log_covariance: [[0.0; 2]; 2],
            // The density of x purchase times carries the unit to the power -x.
            log_likelihood: -optimum.value * customers - history.repeat_occasions() * scale.ln(),
            customers,
            distinct_histories: history.summaries().filter(|s| s.tenure > 0.0).count(),
            gradient_norm: optimum.gradient_norm,
        };
        for i in 0..2 {
            for j in 0..2 {
                fit.log_covariance[i][j] = optimum.inverse_hessian[i][j] / customers;
            }
            fit.standard_errors[i] = fit.parameters[i] * fit.log_covariance[i][i].sqrt();
        }
        Ok(fit)
    }

    pub(crate) fn model(&self) -> Nbd {
        let [r, alpha] = self.parameters;
        Nbd { r, alpha }
    }

    /// Expected number of purchases in the next `horizon` units given the history; >= 0.
    pub fn expected_purchases(&self, x: u32, tenure: f64, horizon: f64) -> f64 {
        self.model().purchases(f64::from(x), tenure, horizon)
    }

    /// Probability of no purchase in the next `horizon` units given the history, in [0, 1].
    pub fn p_no_purchase(&self, x: u32, tenure: f64, horizon: f64) -> f64 {
        self.model().silence(f64::from(x), tenure, horizon)
    }
}

/// The mean negative log-likelihood over a history, in log-parameters (r, alpha) and scaled time.
struct NbdObjective<'a> {
    history: &'a PurchaseHistory,
    times: Vec<f64>,
    customers: f64,
}

/// Rows per chunk of the reduction: sums are formed in this order whatever the number of threads.
const CHUNK: usize = 8192;

impl<'a> NbdObjective<'a> {
    fn new(history: &'a PurchaseHistory, scale: f64) -> Self {
        Self {
            history,
            times: history.times.iter().map(|t| t / scale).collect(),
            customers: history.observed_customers(),
        }
    }
}

impl Objective for NbdObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let (r, alpha) = (theta[0].exp(), theta[1].exp());
        let terms: Vec<(f64, f64)> = self
            .history
            .xs
            .iter()
            .map(|&x| {
                let x = f64::from(x);
                (ln_rising(r, x), digamma(r + x) - digamma(r))
            })
            .collect();
        let row = |row: &Row, weight: f64| {
            let place = row.x_place as usize;
            let (x, tenure) = (
                f64::from(self.history.xs[place]),
                self.times[row.tenure_place as usize],
            );
            let (constant, slope) = terms[place];
            // ln of alpha / (alpha + T); times r it is the log-likelihood of no purchase until T.
            let observed = -(tenure / alpha).ln_1p();
            let inverse = 1.0 / (alpha + tenure);
            [
                weight * (constant + r * observed - x * (alpha + tenure).ln()),
                weight * (slope + observed),
                weight * (r * tenure / alpha - x) * inverse,
            ]
        };
        let chunks: Vec<[f64; 3]> = self
            .history
            .rows
            .par_chunks(CHUNK)
            .zip(self.history.weights.par_chunks(CHUNK))
            .map(|(rows, weights)| {
                let mut sum = [0.0; 3];
                for (place, weight) in rows.iter().zip(weights) {
                    for (total, term) in sum.iter_mut().zip(row(place, *weight)) {
                        *total += term;
                    }
                }
                sum
            })
            .collect();
        let mut total = [0.0; 3];
        for chunk in &chunks {
            for (sum, part) in total.iter_mut().zip(chunk) {
                *sum += part;
            }
        }
        let n = -self.customers;
        (total[0] / n, vec![total[1] * r / n, total[2] * alpha / n])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimise::assert_gradient;

    #[test]
    fn gradient_is_exact_and_value_is_the_formula() {
        use crate::special::ln_gamma as g;
        let history = PurchaseHistory::from_columns(
            TimeUnit::Weeks,
            &[0, 3, 40],
            &[0.0, 9.0, 30.0],
            &[12.0, 30.0, 31.0],
        )
        .unwrap();
        let objective = NbdObjective::new(&history, 1.0);
        let (r, alpha) = (0.7_f64, 9.0_f64);
        let want: f64 = [(0.0, 12.0), (3.0, 30.0), (40.0, 31.0_f64)]
            .iter()
            .map(|&(x, t)| g(r + x) - g(r) + r * alpha.ln() - (r + x) * (alpha + t).ln())
            .sum();
        let got = objective.evaluate(&[r.ln(), alpha.ln()]).0;
        assert!((got + want / 3.0).abs() < 1e-12, "{got} {want}");
        for theta in [[-0.3, 2.0], [3.0, 5.0], [-2.0, -1.0]] {
            assert_gradient(&objective, &theta, 1e-8);
        }
    }
}
