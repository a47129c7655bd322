//! BG/NBD and MBG/NBD where all customers share one dropout probability p: the limit a, b -> infinity at a / (a + b) = p.
//!
//! Where customers do not differ in their dropout probability, the likelihood has its optimum in this limit, and a and b are
//! not identified. Purchases are Poisson with rate ~ Gamma(r, alpha) while alive; after a purchase the customer drops out
//! with probability p.

use serde::{Deserialize, Serialize};

use super::bg_family::{Dropout, RowTerm, row_sums, weight_by_x};

use super::history::{PurchaseHistory, TimeUnit};
use super::models::{BtydModel, SCALED_SPAN, require};
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{digamma, ln_rising, logistic, softplus};

/// Parameters in the model's time unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharedDropout {
    pub r: f64,
    pub alpha: f64,
    /// ln of p / (1 - p).
    pub logit: f64,
    pub dropout: Dropout,
}

impl SharedDropout {
    /// ln of the odds of having dropped out at the last purchase, before the time since then is considered.
    pub(crate) fn ln_dropout_odds(&self, x: f64) -> f64 {
        if self.dropout.coins(x) == 0.0 {
            f64::NEG_INFINITY
        } else {
            self.logit
        }
    }

    /// ln of P(dead) / P(alive) given (x, t_x, T).
    pub(crate) fn ln_dead_odds(&self, x: f64, t_x: f64, tenure: f64) -> f64 {
        self.ln_dropout_odds(x)
            + (self.r + x) * ((self.alpha + tenure).ln() - (self.alpha + t_x).ln())
    }

    /// Expected purchases in (T, T + t] of a customer alive at T.
    pub(crate) fn alive_purchases(&self, x: f64, tenure: f64, t: f64) -> f64 {
        let (n, p) = (self.r + x, logistic(self.logit));
        -(-n * (p * t / (self.alpha + tenure)).ln_1p()).exp_m1() / p
    }

    /// P(no purchase in (T, T + t]) of a customer alive at T: it can drop out only at a purchase.
    pub(crate) fn alive_silence(&self, x: f64, tenure: f64, t: f64) -> f64 {
        (-(self.r + x) * (t / (self.alpha + tenure)).ln_1p()).exp()
    }
}

/// BG/NBD or MBG/NBD fitted where all customers share one dropout probability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedDropoutFit {
    /// Of which model it is the limit: BG/NBD or MBG/NBD.
    pub model: BtydModel,
    /// Unit of its times and rates.
    pub unit: TimeUnit,
    /// Maximum likelihood estimates of r, alpha, p; alpha in `unit`.
    pub parameters: [f64; 3],
    /// Their standard errors, by the delta method.
    pub standard_errors: [f64; 3],
    /// Covariance of ln r, ln alpha and ln of p / (1 - p), by rows.
    pub free_covariance: [[f64; 3]; 3],
    /// Maximised log-likelihood, times in `unit`.
    pub log_likelihood: f64,
    /// Customers used by the fit (sum of weights, T > 0).
    pub customers: f64,
    /// Distinct (x, t_x, T) among them.
    pub distinct_histories: usize,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
}

impl SharedDropoutFit {
    /// The names of its parameters: r and alpha of the literature, and the dropout probability.
    pub const PARAMETER_NAMES: [&'static str; 3] = ["r", "alpha", "p"];

    /// Fits the limit of `model` by maximum likelihood, in the form r, alpha, p.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] without repeat customers, with fewer than ten customers, or for Pareto/NBD, which has
    /// no such limit; [`LifetimeError::NotFitted`] when p tends to zero (no dropout) or the data does not identify the
    /// optimum; [`LifetimeError::Interrupted`].
    pub fn fit(
        model: BtydModel,
        history: &PurchaseHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<Self, LifetimeError> {
        let name = model.name();
        let Some(dropout) = model.dropout() else {
            let what = "dropout probabilities after a purchase in this model";
            return Err(LifetimeError::TooLittleData {
                model: name,
                what,
                found: 0,
                needed: 1,
            });
        };
        let customers = history.observed_customers();
        require(name, "customers observed for some time", customers, 10)?;
        let repeaters = history.repeat_customers();
        require(name, "customers with a repeat purchase", repeaters, 2)?;
        let scale = history.times.last().copied().unwrap_or(1.0) / SCALED_SPAN;
        let objective = SharedObjective::new(history, dropout, scale);
        let exposure = history.summaries().map(|s| s.weight * s.tenure / scale);
        let rate = history.repeat_occasions() / exposure.sum::<f64>();
        let starts: Vec<Vec<f64>> = [(0.6_f64, -1.0), (2.0, -3.0), (10.0, -5.0)]
            .iter()
            .map(|(r, logit)| vec![r.ln(), (r / (1.5 * rate)).ln(), *logit])
            .collect();
        let optimum = optimise::minimise(&objective, &starts, interrupt)
            .map_err(|failure| LifetimeError::not_fitted(name, failure, None))?;
        let p = logistic(optimum.theta[2]);
        let parameters = [optimum.theta[0].exp(), optimum.theta[1].exp() * scale, p];
        let mut fit = Self {
            model,
            unit: history.unit(),
            parameters,
            standard_errors: [0.0; 3],
            free_covariance: [[0.0; 3]; 3],
            // The density of x purchase times carries the unit to the power -x.
            log_likelihood: -optimum.value * customers - history.repeat_occasions() * scale.ln(),
            customers,
            distinct_histories: history.summaries().filter(|s| s.tenure > 0.0).count(),
            gradient_norm: optimum.gradient_norm,
        };
        // Derivatives of r, alpha and p in the free parameters.
        let slopes = [parameters[0], parameters[1], p * (1.0 - p)];
        for (i, slope) in slopes.into_iter().enumerate() {
            for j in 0..3 {
                fit.free_covariance[i][j] = optimum.inverse_hessian[i][j] / customers;
            }
            fit.standard_errors[i] = slope * fit.free_covariance[i][i].sqrt();
        }
        Ok(fit)
    }

    /// ln r, ln alpha, ln of p / (1 - p).
    pub(crate) fn free_parameters(&self) -> [f64; 3] {
        let [r, alpha, p] = self.parameters;
        [r.ln(), alpha.ln(), p.ln() - (-p).ln_1p()]
    }
}

/// The mean negative log-likelihood over a history, in (ln r, ln alpha, logit p) and scaled time.
struct SharedObjective<'a> {
    history: &'a PurchaseHistory,
    dropout: Dropout,
    times: Vec<f64>,
    weight_by_x: Vec<f64>,
    customers: f64,
}

impl<'a> SharedObjective<'a> {
    fn new(history: &'a PurchaseHistory, dropout: Dropout, scale: f64) -> Self {
        Self {
            history,
            dropout,
            times: history.times.iter().map(|t| t / scale).collect(),
            weight_by_x: weight_by_x(history),
            customers: history.observed_customers(),
        }
    }
}

impl Objective for SharedObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let model = SharedDropout {
            r: theta[0].exp(),
            alpha: theta[1].exp(),
            logit: theta[2],
            dropout: self.dropout,
        };
        let (r, alpha, p) = (model.r, model.alpha, logistic(model.logit));
        let ln_survived = -softplus(model.logit);
        let xs = self.history.xs.iter().map(|&x| f64::from(x));
        let terms: Vec<RowTerm> = xs
            .clone()
            .map(|x| RowTerm {
                shape: r + x,
                ln_dropout_odds: model.ln_dropout_odds(x),
                odds_slope: 0.0,
            })
            .collect();
        let [mut value, mut by_r, mut by_alpha, mut by_logit, _] =
            row_sums(self.history, &self.times, &terms, alpha);
        for (x, weight) in xs.zip(&self.weight_by_x) {
            let coins = self.dropout.coins(x);
            value += weight * (ln_rising(r, x) + r * alpha.ln() + coins * ln_survived);
            by_r += weight * (digamma(r + x) - digamma(r) + alpha.ln());
            by_alpha += weight * r / alpha;
            by_logit -= weight * coins * p;
        }
        let n = -self.customers;
        let gradient = vec![by_r * r / n, by_alpha * alpha / n, by_logit / n];
        (value / n, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimise::assert_gradient;

    fn history() -> PurchaseHistory {
        PurchaseHistory::from_columns(
            TimeUnit::Weeks,
            &[0, 3, 40],
            &[0.0, 9.0, 30.0],
            &[12.0, 30.0, 31.0],
        )
        .unwrap()
    }

    #[test]
    fn gradient_is_exact_and_value_is_the_formula() {
        use crate::special::ln_gamma as g;
        let (r, alpha, p) = (0.7_f64, 9.0_f64, 0.15_f64);
        for (dropout, extra) in [(Dropout::AfterRepeat, 0.0), (Dropout::AfterEvery, 1.0)] {
            let want: f64 = [(0.0, 0.0, 12.0), (3.0, 9.0, 30.0), (40.0, 30.0, 31.0_f64)]
                .iter()
                .map(|&(x, t_x, t): &(f64, f64, f64)| {
                    // Alive after every coin, or dead at the last of them.
                    let coins = x + extra;
                    let lived = (1.0 - p).powf(coins) * (alpha + t).powf(-(r + x));
                    let dead = if coins > 0.0 {
                        p * (1.0 - p).powf(coins - 1.0) * (alpha + t_x).powf(-(r + x))
                    } else {
                        0.0
                    };
                    g(r + x) - g(r) + r * alpha.ln() + (lived + dead).ln()
                })
                .sum();
            let history = history();
            let objective = SharedObjective::new(&history, dropout, 1.0);
            let got = objective
                .evaluate(&[r.ln(), alpha.ln(), (p / (1.0 - p)).ln()])
                .0;
            assert!((got + want / 3.0).abs() < 1e-12, "{got} {want}");
            for theta in [[-0.3, 2.0, -1.0], [3.0, 5.0, -6.0], [-2.0, -1.0, 2.0]] {
                assert_gradient(&objective, &theta, 1e-8);
            }
        }
    }

    #[test]
    fn it_is_the_limit_of_the_model_with_two_dropout_parameters() {
        use super::super::bg_family::BgFamily;
        let (r, alpha, p, spread) = (0.7, 9.0, 0.15, 1e9);
        for dropout in [Dropout::AfterRepeat, Dropout::AfterEvery] {
            let shared = SharedDropout {
                r,
                alpha,
                logit: (p / (1.0_f64 - p)).ln(),
                dropout,
            };
            let wide = BgFamily {
                r,
                alpha,
                a: p * spread,
                b: (1.0 - p) * spread,
                dropout,
            };
            for (x, t_x, tenure) in [(0.0, 0.0, 12.0), (3.0, 9.0, 30.0), (40.0, 30.0, 31.0)] {
                let pairs = [
                    (
                        logistic(shared.ln_dead_odds(x, t_x, tenure)),
                        logistic(wide.ln_dead_odds(x, t_x, tenure)),
                    ),
                    (
                        shared.alive_purchases(x, tenure, 52.0),
                        wide.alive_purchases(x, tenure, 52.0),
                    ),
                    (
                        shared.alive_silence(x, tenure, 52.0),
                        wide.alive_silence(x, tenure, 52.0),
                    ),
                ];
                for (got, want) in pairs {
                    assert!((got - want).abs() <= 1e-6 * want, "{x}: {got} {want}");
                }
            }
        }
    }
}
