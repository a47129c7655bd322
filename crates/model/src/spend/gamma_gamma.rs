//! The Gamma-Gamma model of spend per occasion (Fader & Hardie 2013): spend ~ Gamma(p, nu), nu ~ Gamma(q, v).

use std::ops::Range;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::history::SpendHistory;
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{digamma, ln_gamma};

/// A fitted Gamma-Gamma model. q > 1 by construction, so that the population mean exists.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GammaGammaFit {
    /// Shape of spend within a customer.
    pub p: f64,
    /// Shape of the heterogeneity; > 1.
    pub q: f64,
    /// Scale of the heterogeneity (the literature's gamma), in the currency of the history.
    pub v: f64,
    /// Standard errors of p, q, v by the delta method.
    pub standard_errors: [f64; 3],
    /// Covariance of ln p, ln(q - 1), ln v, by rows.
    pub log_covariance: [[f64; 3]; 3],
    /// Maximised log-likelihood.
    pub log_likelihood: f64,
    /// Customers used by the fit.
    pub customers: f64,
    /// Correlation of repeat count and mean spend; the model assumes none, a magnitude above 0.3 is a warning.
    pub correlation: Option<f64>,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
}

impl GammaGammaFit {
    /// Fits by maximum likelihood over customers with a repeat occasion and positive mean spend.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] with fewer than ten such customers; [`LifetimeError::NotFitted`] when the optimum is
    /// not identified, in particular when q would fall to 1 and the mean spend would be infinite.
    pub fn fit(history: &SpendHistory) -> Result<Self, LifetimeError> {
        Self::fit_unless(history, Interrupt::NEVER)
    }

    /// As [`GammaGammaFit::fit`]; stops with an error when `interrupt` is requested.
    ///
    /// # Errors
    /// As [`GammaGammaFit::fit`]; [`LifetimeError::Interrupted`].
    pub fn fit_unless(
        history: &SpendHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<Self, LifetimeError> {
        let customers = history.customers();
        let model = "gamma_gamma";
        if customers < 10.0 {
            let what = "repeat customers with positive spend";
            return Err(LifetimeError::TooLittleData {
                model,
                what,
                found: customers as u64,
                needed: 10,
            });
        }
        let scale = history.mean_of_means();
        let objective = GammaGammaObjective::new(history, scale);
        // ln p, ln(q - 1), ln v: population mean p v / (q - 1) is 1 in scaled money.
        let start = |p: f64, q: f64| vec![p.ln(), (q - 1.0_f64).ln(), ((q - 1.0) / p).ln()];
        let starts = [start(5.0, 4.0), start(1.5, 2.0), start(30.0, 10.0)];
        let optimum = optimise::minimise(&objective, &starts, interrupt)
            .map_err(|failure| LifetimeError::not_fitted(model, failure, None))?;
        let theta = &optimum.theta;
        let (p, above_one, v) = (theta[0].exp(), theta[1].exp(), theta[2].exp() * scale);
        let mut log_covariance = [[0.0; 3]; 3];
        for (row, inverse) in log_covariance.iter_mut().zip(&optimum.inverse_hessian) {
            for (cell, value) in row.iter_mut().zip(inverse) {
                *cell = value / customers;
            }
        }
        let standard_errors = [p, above_one, v]
            .into_iter()
            .enumerate()
            .map(|(i, slope)| slope * log_covariance[i][i].sqrt());
        let mut errors = [0.0; 3];
        for (slot, error) in errors.iter_mut().zip(standard_errors) {
            *slot = error;
        }
        Ok(Self {
            p,
            q: 1.0 + above_one,
            v,
            standard_errors: errors,
            log_covariance,
            // The density of one mean spend per customer carries the currency to the power -1.
            log_likelihood: -optimum.value * customers - customers * scale.ln(),
            customers,
            correlation: history.correlation(),
            gradient_norm: optimum.gradient_norm,
        })
    }

    /// Mean spend per occasion over all customers: p v / (q - 1).
    pub fn population_mean(&self) -> f64 {
        self.p * self.v / (self.q - 1.0)
    }

    /// Expected spend per occasion given `x` occasions of mean `mean_spend`; the population mean when `x` is 0.
    pub fn expected_spend(&self, x: u32, mean_spend: f64) -> f64 {
        let (constant, slope) = self.line(x);
        if x == 0 {
            constant
        } else {
            constant + slope * mean_spend
        }
    }

    pub(crate) fn line(&self, x: u32) -> (f64, f64) {
        let weight = self.p * f64::from(x) + self.q - 1.0;
        (self.p * self.v / weight, self.p * f64::from(x) / weight)
    }

    pub(crate) fn log_parameters(&self) -> [f64; 3] {
        [self.p.ln(), (self.q - 1.0).ln(), self.v.ln()]
    }

    /// The same model at other log-parameters.
    pub(crate) fn at(&self, theta: &[f64]) -> Self {
        Self {
            p: theta[0].exp(),
            q: 1.0 + theta[1].exp(),
            v: theta[2].exp(),
            ..*self
        }
    }
}

/// Customers per chunk of the reduction: sums are formed in this order whatever the number of threads.
const CHUNK: usize = 8192;

/// Customers with equal x: what does not depend on the parameters is summed once.
struct Group {
    x: f64,
    weight: f64,
    sum_ln_total: f64,
    sum_ln_mean: f64,
    chunks: Range<usize>,
}

/// The mean negative log-likelihood in ln p, ln(q - 1), ln v and scaled money.
struct GammaGammaObjective {
    totals: Vec<f64>,
    weights: Vec<f64>,
    chunks: Vec<Range<usize>>,
    groups: Vec<Group>,
    customers: f64,
}

impl GammaGammaObjective {
    fn new(history: &SpendHistory, scale: f64) -> Self {
        let totals: Vec<f64> = history.rows.iter().map(|s| s.total / scale).collect();
        let weights: Vec<f64> = history.rows.iter().map(|s| s.weight).collect();
        let (mut chunks, mut groups, mut from) = (Vec::new(), Vec::new(), 0);
        for rows in history.rows.chunk_by(|a, b| a.x == b.x) {
            let x = f64::from(rows[0].x);
            let range = from..from + rows.len();
            let first_chunk = chunks.len();
            chunks.extend(
                range
                    .clone()
                    .step_by(CHUNK)
                    .map(|start| start..(start + CHUNK).min(range.end)),
            );
            let mut group = Group {
                x,
                weight: 0.0,
                sum_ln_total: 0.0,
                sum_ln_mean: 0.0,
                chunks: first_chunk..chunks.len(),
            };
            for (total, weight) in totals[range.clone()].iter().zip(&weights[range]) {
                group.weight += weight;
                group.sum_ln_total += weight * total.ln();
                group.sum_ln_mean += weight * (total / x).ln();
            }
            groups.push(group);
            from += rows.len();
        }
        Self {
            totals,
            weights,
            chunks,
            groups,
            customers: history.customers(),
        }
    }
}

impl Objective for GammaGammaObjective {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let (p, above_one, v) = (theta[0].exp(), theta[1].exp(), theta[2].exp());
        let q = 1.0 + above_one;
        // Sums of ln(total + v) and 1 / (total + v): all that depends on customer and parameters together.
        let sums: Vec<(f64, f64)> = self
            .chunks
            .par_iter()
            .map(|chunk| {
                let (mut logs, mut inverses) = (0.0, 0.0);
                for (total, weight) in self.totals[chunk.clone()]
                    .iter()
                    .zip(&self.weights[chunk.clone()])
                {
                    let sum = total + v;
                    logs += weight * sum.ln();
                    inverses += weight / sum;
                }
                (logs, inverses)
            })
            .collect();
        let (mut value, mut by_p, mut by_q, mut by_v) = (0.0, 0.0, 0.0, 0.0);
        for group in &self.groups {
            let (logs, inverses) = sums[group.chunks.clone()]
                .iter()
                .fold((0.0, 0.0), |(l, i), (logs, inverses)| {
                    (l + logs, i + inverses)
                });
            let (shape, w) = (p * group.x, group.weight);
            let both = shape + q;
            value += w * (ln_gamma(both) - ln_gamma(shape) - ln_gamma(q) + q * v.ln())
                - group.sum_ln_mean
                + shape * group.sum_ln_total
                - both * logs;
            by_p += group.x * (w * (digamma(both) - digamma(shape)) + group.sum_ln_total - logs);
            by_q += w * (digamma(both) - digamma(q) + v.ln()) - logs;
            by_v += w * q / v - both * inverses;
        }
        let n = -self.customers;
        (
            value / n,
            vec![by_p * p / n, by_q * above_one / n, by_v * v / n],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimise::assert_gradient;

    #[test]
    fn gradient_is_exact_and_value_is_the_formula() {
        let history =
            SpendHistory::from_columns(&[1, 2, 5, 5], &[10.0, 25.0, 7.0, 90.0], None).unwrap();
        let objective = GammaGammaObjective::new(&history, 1.0);
        let theta = [0.7, 0.4, 2.0];
        let value = objective.evaluate(&theta).0;
        let (p, q, v) = (0.7f64.exp(), 1.0 + 0.4f64.exp(), 2f64.exp());
        let want: f64 = [(1.0, 10.0), (2.0, 25.0), (5.0, 7.0), (5.0, 90.0_f64)]
            .iter()
            .map(|&(x, m): &(f64, f64)| {
                ln_gamma(p * x + q) - ln_gamma(p * x) - ln_gamma(q)
                    + q * v.ln()
                    + (p * x - 1.0) * m.ln()
                    + p * x * x.ln()
                    - (p * x + q) * (x * m + v).ln()
            })
            .sum();
        assert!((value + want / 4.0).abs() < 1e-12);
        assert_gradient(&objective, &theta, 1e-9);
    }

    #[test]
    fn too_few_customers_and_equal_spends_are_refused() {
        let few = SpendHistory::from_columns(&[1, 2], &[3.0, 4.0], None).unwrap();
        assert!(matches!(
            GammaGammaFit::fit(&few),
            Err(LifetimeError::TooLittleData { found: 2, .. })
        ));
        let equal = SpendHistory::from_columns(&[2; 50], &[10.0; 50], None).unwrap();
        assert!(matches!(
            GammaGammaFit::fit(&equal),
            Err(LifetimeError::NotFitted { .. })
        ));
        assert!(SpendHistory::from_columns(&[2], &[f64::NAN], None).is_err());
        assert!(SpendHistory::from_columns(&[2], &[-1.0], None).is_err());
    }
}
