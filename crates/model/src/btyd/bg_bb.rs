//! BG/BB (Fader, Hardie & Shang 2010): the buy-till-you-die model for purchases at discrete opportunities.
//!
//! At each opportunity a living customer buys with probability p ~ Beta(alpha, beta), and before each it dies with probability
//! theta ~ Beta(gamma, delta). [`OpportunityHistory`] is the data, [`BgBbFit`] the fitted model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fit::require;
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{digamma, exp_ratio, ln_beta, ln_gamma};

/// `x` purchases at `n` opportunities, the last at opportunity `t_x` (1-based; 0 when `x` is 0).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Opportunities {
    /// Opportunities at which the customer bought.
    pub x: u32,
    /// The last of them.
    pub t_x: u32,
    /// Opportunities so far.
    pub n: u32,
    /// Number of customers with this history, > 0.
    pub weight: f64,
}

/// Customers grouped by (x, t_x, n), sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct OpportunityHistory {
    rows: Vec<Opportunities>,
}

impl OpportunityHistory {
    /// Groups equal histories.
    ///
    /// # Errors
    /// [`LifetimeError::BadHistory`] for a row without x <= t_x <= n, with x = 0 but t_x > 0 or the reverse, or with a weight
    /// that is not positive.
    pub fn new(rows: &[Opportunities]) -> Result<Self, LifetimeError> {
        let mut groups: BTreeMap<(u32, u32, u32), f64> = BTreeMap::new();
        for (index, r) in rows.iter().enumerate() {
            let ordered = r.x <= r.t_x && r.t_x <= r.n && (r.x == 0) == (r.t_x == 0);
            if !(ordered && r.weight > 0.0 && r.weight.is_finite()) {
                let (t_x, tenure) = (f64::from(r.t_x), f64::from(r.n));
                return Err(LifetimeError::BadHistory {
                    index,
                    x: r.x,
                    t_x,
                    tenure,
                    weight: r.weight,
                });
            }
            *groups.entry((r.x, r.n, r.t_x)).or_insert(0.0) += r.weight;
        }
        Ok(Self {
            rows: groups
                .into_iter()
                .map(|((x, n, t_x), weight)| Opportunities { x, t_x, n, weight })
                .collect(),
        })
    }

    /// The distinct histories, sorted by x, n, t_x.
    pub fn rows(&self) -> &[Opportunities] {
        &self.rows
    }

    /// Sum of weights.
    pub fn customers(&self) -> f64 {
        self.rows.iter().map(|r| r.weight).sum()
    }
}

/// A fitted BG/BB model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BgBbFit {
    /// alpha, beta (buying), gamma, delta (dying).
    pub parameters: [f64; 4],
    /// Standard errors by the delta method.
    pub standard_errors: [f64; 4],
    /// Covariance of the logarithms of the parameters, by rows.
    pub log_covariance: [[f64; 4]; 4],
    /// Maximised log-likelihood.
    pub log_likelihood: f64,
    /// Customers used by the fit.
    pub customers: f64,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
}

/// ln of the likelihood's terms: alive throughout, and dead right after opportunity t_x + i.
fn branch(p: &[f64; 4], x: f64, bought_until: f64, deaths: f64, died: f64) -> f64 {
    let [alpha, beta, gamma, delta] = *p;
    ln_beta(alpha + x, beta + bought_until - x) - ln_beta(alpha, beta)
        + ln_beta(gamma + died, delta + deaths)
        - ln_beta(gamma, delta)
}

impl BgBbFit {
    /// The literature's names of the parameters.
    pub const PARAMETER_NAMES: [&'static str; 4] = ["alpha", "beta", "gamma", "delta"];

    /// Fits by maximum likelihood; accepted as [`super::BtydFit::fit`] does.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] with fewer than ten customers or no purchase, [`LifetimeError::NotFitted`].
    pub fn fit(history: &OpportunityHistory) -> Result<Self, LifetimeError> {
        let model = "bg_bb";
        let customers = history
            .rows
            .iter()
            .filter(|r| r.n > 0)
            .map(|r| r.weight)
            .sum();
        require(model, "customers with an opportunity", customers, 10)?;
        let buyers = history
            .rows
            .iter()
            .filter(|r| r.x > 0)
            .map(|r| r.weight)
            .sum();
        require(model, "customers with a purchase", buyers, 2)?;
        let objective = BgBbObjective {
            rows: &history.rows,
            customers,
        };
        let start = |p: [f64; 4]| p.iter().map(|v: &f64| v.ln()).collect::<Vec<_>>();
        let starts = [
            start([1.0, 1.0, 0.7, 3.0]),
            start([0.5, 2.0, 0.3, 5.0]),
            start([3.0, 3.0, 1.5, 8.0]),
        ];
        let optimum = optimise::minimise(&objective, &starts, Interrupt::NEVER)
            .map_err(|failure| LifetimeError::not_fitted(model, failure, None))?;
        let mut fit = Self {
            parameters: [0.0; 4],
            standard_errors: [0.0; 4],
            log_covariance: [[0.0; 4]; 4],
            log_likelihood: -optimum.value * customers,
            customers,
            gradient_norm: optimum.gradient_norm,
        };
        for i in 0..4 {
            fit.parameters[i] = optimum.theta[i].exp();
            for j in 0..4 {
                fit.log_covariance[i][j] = optimum.inverse_hessian[i][j] / customers;
            }
            fit.standard_errors[i] = fit.parameters[i] * fit.log_covariance[i][i].sqrt();
        }
        Ok(fit)
    }

    /// ln L(x, t_x, n) of one customer (eq. 5 of the paper).
    pub fn ln_likelihood(&self, x: u32, t_x: u32, n: u32) -> f64 {
        terms(&self.parameters, x, t_x, n).0
    }

    /// Probability of being alive `ahead` opportunities after the last observed one, in [0, 1]. `ahead` = 1 is the paper's
    /// P(alive) at the next opportunity, 0 that of being alive at the last observed one.
    pub fn p_alive(&self, x: u32, t_x: u32, n: u32, ahead: u32) -> f64 {
        let alive = branch(
            &self.parameters,
            f64::from(x),
            f64::from(n),
            f64::from(n) + f64::from(ahead),
            0.0,
        );
        (alive - self.ln_likelihood(x, t_x, n)).exp().min(1.0)
    }

    /// Expected purchases at the next `ahead` opportunities given the history (eq. 13 of the paper).
    pub fn expected_purchases(&self, x: u32, t_x: u32, n: u32, ahead: u32) -> f64 {
        let [alpha, beta, gamma, delta] = self.parameters;
        let (x_, n_, later) = (f64::from(x), f64::from(n), f64::from(n) + f64::from(ahead));
        let buying = ln_beta(alpha + x_ + 1.0, beta + n_ - x_) - ln_beta(alpha, beta);
        // Gamma(1+delta+k) / Gamma(gamma+delta+k) at k = n and k = n + ahead; their difference over gamma - 1 is smooth at 1.
        let ratio = |k: f64| ln_gamma(1.0 + delta + k) - ln_gamma(gamma + delta + k);
        let scale = ln_gamma(gamma + delta) - ln_gamma(delta) + ratio(n_);
        let fall = ratio(n_) - ratio(later);
        // (1 - e^-fall) / (gamma - 1): at gamma = 1 the ratio is constant and the limit is the slope of `fall` in gamma.
        let shrink = if (gamma - 1.0).abs() < 1e-7 {
            digamma(gamma + delta + later) - digamma(gamma + delta + n_)
        } else {
            exp_ratio(1.0, fall) / (gamma - 1.0)
        };
        (buying + scale - self.ln_likelihood(x, t_x, n)).exp() * shrink
    }

    /// Probability of no purchase at the next `ahead` opportunities given the history, in [0, 1].
    pub fn p_no_purchase(&self, x: u32, t_x: u32, n: u32, ahead: u32) -> f64 {
        (self.ln_likelihood(x, t_x, n + ahead) - self.ln_likelihood(x, t_x, n))
            .exp()
            .min(1.0)
    }
}

/// ln L and its gradient in (alpha, beta, gamma, delta).
fn terms(p: &[f64; 4], x: u32, t_x: u32, n: u32) -> (f64, [f64; 4]) {
    let [alpha, beta, gamma, delta] = *p;
    let x = f64::from(x);
    // (opportunities lived through, whether death followed): alive at n, or dead before opportunity t_x + i + 1.
    let cases = std::iter::once((n, 0.0)).chain((t_x..n).map(|lived| (lived, 1.0)));
    let logs: Vec<(f64, f64, f64)> = cases
        .map(|(lived, died)| {
            let lived = f64::from(lived);
            (branch(p, x, lived, lived, died), lived, died)
        })
        .collect();
    let most = logs.iter().map(|l| l.0).fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|l| (l.0 - most).exp()).sum();
    let value = most + sum.ln();
    let mut slope = [0.0; 4];
    let buying = digamma(alpha + beta);
    let dying = digamma(gamma + delta);
    for (log, lived, died) in logs {
        let share = (log - value).exp();
        let both = buying - digamma(alpha + beta + lived);
        slope[0] += share * (digamma(alpha + x) - digamma(alpha) + both);
        slope[1] += share * (digamma(beta + lived - x) - digamma(beta) + both);
        let both = dying - digamma(gamma + delta + lived + died);
        slope[2] += share * (digamma(gamma + died) - digamma(gamma) + both);
        slope[3] += share * (digamma(delta + lived) - digamma(delta) + both);
    }
    (value, slope)
}

struct BgBbObjective<'a> {
    rows: &'a [Opportunities],
    customers: f64,
}

impl Objective for BgBbObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let p = [
            theta[0].exp(),
            theta[1].exp(),
            theta[2].exp(),
            theta[3].exp(),
        ];
        let (mut value, mut gradient) = (0.0, vec![0.0; 4]);
        for row in self.rows {
            let (log, slope) = terms(&p, row.x, row.t_x, row.n);
            value -= row.weight * log / self.customers;
            for ((total, slope), parameter) in gradient.iter_mut().zip(slope).zip(p) {
                *total -= row.weight * slope * parameter / self.customers;
            }
        }
        (value, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimise::assert_gradient;

    fn model() -> BgBbFit {
        BgBbFit {
            parameters: [1.2, 0.75, 0.66, 2.78],
            standard_errors: [0.1; 4],
            log_covariance: [[0.0; 4]; 4],
            log_likelihood: 0.0,
            customers: 0.0,
            gradient_norm: 0.0,
        }
    }

    #[test]
    fn probabilities_of_all_histories_sum_to_one() {
        // Every sequence of four opportunities, by its (x, t_x).
        let total: f64 = (0..16_u32)
            .map(|bits| {
                let t_x = 32 - bits.leading_zeros();
                model().ln_likelihood(bits.count_ones(), t_x, 4).exp()
            })
            .sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }

    #[test]
    fn expected_purchases_match_the_sum_over_opportunities() {
        // E = sum over k of P(alive at n + k) E[p | alive], by brute force over the posterior.
        for gamma in [0.66, 1.0, 1.0 + 1e-8, 2.5] {
            let mut m = model();
            m.parameters[2] = gamma;
            let (x, t_x, n) = (3, 5, 6);
            let want: f64 = (1..=4)
                .map(|k| {
                    m.p_alive(x, t_x, n, k) * (m.parameters[0] + 3.0)
                        / (m.parameters[0] + m.parameters[1] + 6.0)
                })
                .sum();
            let got = m.expected_purchases(x, t_x, n, 4);
            assert!((got / want - 1.0).abs() < 1e-6, "{gamma}: {got} {want}");
        }
    }

    #[test]
    fn gradient_is_exact() {
        let rows = [(0, 0, 6, 5.0), (2, 3, 6, 2.0), (6, 6, 6, 1.0)]
            .map(|(x, t_x, n, weight)| Opportunities { x, t_x, n, weight });
        let objective = BgBbObjective {
            rows: &rows,
            customers: 8.0,
        };
        assert_gradient(&objective, &[0.2, -0.3, -0.4, 1.0], 1e-9);
    }

    #[test]
    fn impossible_histories_are_refused() {
        for (x, t_x, n) in [(0, 1, 2), (2, 1, 3), (1, 4, 3), (1, 0, 3)] {
            assert!(
                OpportunityHistory::new(&[Opportunities {
                    x,
                    t_x,
                    n,
                    weight: 1.0
                }])
                .is_err()
            );
        }
        let nothing = OpportunityHistory::new(&[]).unwrap();
        assert!(matches!(
            BgBbFit::fit(&nothing),
            Err(LifetimeError::TooLittleData { .. })
        ));
    }
}
