//! Shifted-beta-geometric (sBG, Fader & Hardie 2007) and beta-discrete-Weibull (BdW, Fader, Hardie & Liu 2018) renewal.
//!
//! A customer fails to renew with probability theta ~ Beta(alpha, beta) each period; in BdW the risk of one customer also
//! changes with age: S(t) = B(alpha, beta + t^c) / B(alpha, beta), and c = 1 is sBG. The unit of time is the renewal period.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::age::ContractAge;

use crate::interrupt::Interrupt;
use crate::laplace::{self, Estimate};
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{digamma, ln_beta};

/// Which of the two models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RenewalModel {
    /// Shifted-beta-geometric: constant risk per customer; retention rises with age because customers at high risk leave first.
    Sbg,
    /// Beta-discrete-Weibull: the risk of one customer changes with age too.
    Bdw,
    /// The same constant risk for all: [`RenewalFit::of_one_rate`].
    OneRate,
}

impl RenewalModel {
    /// The models in which customers differ.
    pub const ALL: [Self; 2] = [Self::Sbg, Self::Bdw];

    /// The name used in pipeline files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sbg => "sbg",
            Self::Bdw => "bdw",
            Self::OneRate => "one_rate",
        }
    }

    /// The literature's names of its parameters, in the order of [`RenewalFit::parameters`].
    pub fn parameter_names(self) -> &'static [&'static str] {
        match self {
            Self::Sbg => &["alpha", "beta"],
            Self::Bdw => &["alpha", "beta", "c"],
            Self::OneRate => &["rate"],
        }
    }
}

/// Customers by the renewal at which they left, or by the renewals they have made so far.
#[derive(Debug, Clone, PartialEq)]
pub struct RenewalHistory {
    /// `left[t - 1]`: customers who did not renew at the end of period t.
    pub(super) left: Vec<f64>,
    /// `staying[t]`: customers last seen after t renewals, still there.
    pub(super) staying: Vec<f64>,
    /// Customers within a period.
    pub(super) within: Within,
    /// Share of those who leave in a period who do so at its end; the others leave at any time within it.
    pub(super) at_ends: f64,
}

/// Customers in a period that has not ended yet: period (from 0), bits of the part of it that has passed, whether they have left.
pub(super) type Within = BTreeMap<(u32, u64, bool), f64>;

impl Default for RenewalHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl RenewalHistory {
    /// Latest period that is accepted: almost two hundred years of weeks. A count is kept for every period up to the latest.
    pub const LATEST_PERIOD: u32 = 10_000;

    /// A history without customers, who all leave at the ends of periods.
    pub fn new() -> Self {
        Self::leaving(1.0)
    }

    /// A history without customers. This share of those who leave in a period does so at its end, within [0, 1]; the others leave at any
    /// time within it.
    pub fn leaving(at_ends: f64) -> Self {
        Self {
            left: Vec::new(),
            staying: Vec::new(),
            within: Within::new(),
            at_ends: at_ends.clamp(0.0, 1.0),
        }
    }

    /// Adds a customer in a period that has not ended: the age at the end of observation, and whether it `left` within the period, before
    /// that age. At the end of a period, and where nobody leaves within one, only those who have not left count, as in [`Self::add`].
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a period after [`Self::LATEST_PERIOD`].
    pub fn add_within(&mut self, age: ContractAge, left: bool) -> Result<(), LifetimeError> {
        let ContractAge { periods, part } = age;
        if part > 0.0 && self.at_ends < 1.0 && periods < Self::LATEST_PERIOD {
            *self
                .within
                .entry((periods, part.to_bits(), left))
                .or_default() += 1.0;
            return Ok(());
        }
        self.add(periods, false, 1.0)
    }

    /// One cohort: `alive[t]` customers after t renewals, `alive[0]` at the start.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a number that is negative, not finite, or larger than the one before.
    pub fn from_cohort(alive: &[f64]) -> Result<Self, LifetimeError> {
        let mut history = Self::new();
        for (t, pair) in alive.windows(2).enumerate() {
            history.add(t as u32 + 1, true, pair[0] - pair[1])?;
        }
        if let Some(&last) = alive.last() {
            history.add(alive.len() as u32 - 1, false, last)?;
        }
        Ok(history)
    }

    /// Adds `weight` customers: those who `left` did so at the end of period `period` (>= 1), the others have made `period`
    /// renewals (>= 0) and may leave later.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a weight that is negative or not finite, a customer who left in period 0, or a
    /// period after [`Self::LATEST_PERIOD`].
    pub fn add(&mut self, period: u32, left: bool, weight: f64) -> Result<(), LifetimeError> {
        let bad = |what, value, range| {
            Err(LifetimeError::OutOfRange {
                model: "sbg",
                what,
                value,
                range,
            })
        };
        if !(weight >= 0.0 && weight.is_finite()) {
            return bad("a number of customers", weight, ">= 0 and finite");
        }
        if left && period == 0 {
            return bad("the period in which a customer left", 0.0, ">= 1");
        }
        if period > Self::LATEST_PERIOD {
            return bad("a period", f64::from(period), "at most 10000");
        }
        let (counts, place) = if left {
            (&mut self.left, period as usize - 1)
        } else {
            (&mut self.staying, period as usize)
        };
        if counts.len() <= place {
            counts.resize(place + 1, 0.0);
        }
        counts[place] += weight;
        Ok(())
    }

    /// Customers in all.
    pub fn customers(&self) -> f64 {
        let counts = self.left.iter().chain(&self.staying);
        counts.chain(self.within.values()).sum()
    }

    /// Periods in which a customer left.
    fn periods_left(&self) -> usize {
        let whole = (0_u32..).zip(&self.left).filter(|(_, w)| **w > 0.0);
        let within = self.within.keys().filter(|(_, _, left)| *left);
        let periods = whole.map(|(period, _)| period);
        let all: BTreeSet<u32> = periods.chain(within.map(|(period, ..)| *period)).collect();
        all.len()
    }
}

/// A fitted renewal model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RenewalFit {
    /// The model.
    pub model: RenewalModel,
    /// Estimates, named by [`RenewalModel::parameter_names`].
    pub parameters: Vec<f64>,
    /// Standard errors by the delta method.
    pub standard_errors: Vec<f64>,
    /// Covariance of the logarithms of the parameters, by rows.
    pub log_covariance: Vec<Vec<f64>>,
    /// Maximised log-likelihood.
    pub log_likelihood: f64,
    /// Customers used by the fit.
    pub customers: f64,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
    /// Share of those who leave in a period who do so at its end: see [`RenewalHistory::leaving`].
    #[serde(default = "all")]
    pub at_ends: f64,
}

/// The share of a fit that does not state it: its customers leave at the ends of periods.
fn all() -> f64 {
    1.0
}

impl RenewalFit {
    /// Fits by maximum likelihood; accepted on gradient and curvature.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] with fewer than ten customers, none who left, or departures at fewer distinct periods
    /// than there are parameters; [`LifetimeError::NotFitted`].
    pub fn fit(model: RenewalModel, history: &RenewalHistory) -> Result<Self, LifetimeError> {
        if model == RenewalModel::OneRate {
            return Self::of_one_rate(history);
        }
        let name = model.name();
        let enough = |what, found: f64, needed: u64| {
            if found >= needed as f64 {
                Ok(())
            } else {
                Err(LifetimeError::TooLittleData {
                    model: name,
                    what,
                    found: found as u64,
                    needed,
                })
            }
        };
        let customers = history.customers();
        enough("customers", customers, 10)?;
        let parameters = model.parameter_names().len();
        let periods = history.periods_left();
        enough(
            "periods in which a customer left",
            periods as f64,
            parameters as u64,
        )?;
        let objective = RenewalObjective {
            history,
            model,
            customers,
        };
        let start = |p: [f64; 3]| {
            p[..parameters]
                .iter()
                .map(|v: &f64| v.ln())
                .collect::<Vec<_>>()
        };
        let starts = [
            start([1.0, 2.0, 1.0]),
            start([0.5, 0.5, 1.5]),
            start([3.0, 10.0, 0.7]),
        ];
        // One row per period: this is too short to need an interrupt.
        let optimum = optimise::minimise(&objective, &starts, Interrupt::NEVER)
            .map_err(|failure| LifetimeError::not_fitted(name, failure, None))?;
        let scale = |row: &Vec<f64>| row.iter().map(|v| v / customers).collect::<Vec<_>>();
        let log_covariance: Vec<Vec<f64>> = optimum.inverse_hessian.iter().map(scale).collect();
        let parameters: Vec<f64> = optimum.theta.iter().map(|t| t.exp()).collect();
        let standard_errors = parameters
            .iter()
            .enumerate()
            .map(|(i, p)| p * log_covariance[i][i].sqrt())
            .collect();
        Ok(Self {
            model,
            parameters,
            standard_errors,
            log_covariance,
            log_likelihood: -optimum.value * customers,
            customers,
            gradient_norm: optimum.gradient_norm,
            at_ends: history.at_ends,
        })
    }

    /// Probability that a new customer makes `t` renewals, in [0, 1]; 1 at t = 0.
    pub fn survival(&self, t: f64) -> f64 {
        ln_survival(&self.parameters, t).exp()
    }

    /// Probability that a customer with `age` renewals makes another `ahead`.
    pub fn conditional_survival(&self, age: f64, ahead: f64) -> f64 {
        (ln_survival(&self.parameters, age + ahead) - ln_survival(&self.parameters, age)).exp()
    }

    /// [`Self::conditional_survival`] with intervals over `draws` parameter draws.
    pub fn conditional_survival_estimate(
        &self,
        age: f64,
        ahead: f64,
        draws: usize,
        seed: u64,
    ) -> Estimate {
        let of = |p: &[f64]| (ln_survival(p, age + ahead) - ln_survival(p, age)).exp();
        self.estimated(of, draws, seed)
    }

    /// What follows from the parameters, with intervals over `draws` draws of them.
    pub(super) fn estimated(
        &self,
        of: impl Fn(&[f64]) -> f64,
        draws: usize,
        seed: u64,
    ) -> Estimate {
        let theta: Vec<f64> = self.parameters.iter().map(|p| p.ln()).collect();
        let drawn = laplace::draws(&theta, &self.log_covariance, draws, seed).unwrap_or_default();
        let at = |theta: &Vec<f64>| {
            let p: Vec<f64> = theta.iter().map(|t| t.exp()).collect();
            of(&p)
        };
        let mut values: Vec<f64> = drawn.iter().map(at).collect();
        Estimate::from_draws(of(&self.parameters), &mut values)
    }

    /// Retention rate r_t: share of those with t - 1 renewals who make the t-th; `t` >= 1.
    pub fn retention(&self, t: u32) -> f64 {
        self.conditional_survival(f64::from(t) - 1.0, 1.0)
    }

    /// Expected renewals among the next `periods` of a customer with `age` renewals: the curtate restricted mean lifetime.
    pub fn expected_renewals(&self, age: f64, periods: u32) -> f64 {
        (1..=periods)
            .map(|k| self.conditional_survival(age, f64::from(k)))
            .sum()
    }

    /// Discounted expected residual lifetime of a customer about to decide on its `n`-th renewal (n >= 1, n - 1 made so far):
    /// the sum over t >= n of S(t) / S(n - 1) / (1 + d)^(t - n) (Fader & Hardie 2010). The next payment, if it comes, is not
    /// discounted. Times the margin per period it is the residual value.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] unless n >= 1 and `discount` per period is in [1e-6, infinity): without discount the sum
    /// need not exist.
    pub fn discounted_residual_lifetime(
        &self,
        n: u32,
        discount: f64,
    ) -> Result<f64, LifetimeError> {
        let model = self.model.name();
        if !(discount >= 1e-6 && discount.is_finite()) {
            let (what, range) = ("the discount per period", "at least 1e-6 and finite");
            return Err(LifetimeError::OutOfRange {
                model,
                what,
                value: discount,
                range,
            });
        }
        if n == 0 {
            return Err(LifetimeError::OutOfRange {
                model,
                what: "the renewal decided on",
                value: 0.0,
                range: ">= 1",
            });
        }
        let before = ln_survival(&self.parameters, f64::from(n) - 1.0);
        let (mut sum, mut t) = (0.0, f64::from(n));
        let factor = discount.ln_1p();
        loop {
            let term =
                (ln_survival(&self.parameters, t) - before - factor * (t - f64::from(n))).exp();
            sum += term;
            // The remaining terms sum to less than a geometric series from this term on.
            if term < 1e-13 * sum * discount / (1.0 + discount) || term == 0.0 {
                return Ok(sum);
            }
            t += 1.0;
        }
    }
}

/// ln S(t) for one rate (one parameter), sBG (two) or BdW (three).
pub(super) fn ln_survival(p: &[f64], t: f64) -> f64 {
    if let [rate] = p {
        return t * (-rate).ln_1p();
    }
    let age = if p.len() == 3 { t.powf(p[2]) } else { t };
    ln_beta(p[0], p[1] + age) - ln_beta(p[0], p[1])
}

/// ln S(t) and its gradient in alpha, beta, c.
fn survival_terms(p: &[f64], t: f64) -> (f64, [f64; 3]) {
    let c = p.get(2).copied().unwrap_or(1.0);
    if t == 0.0 {
        return (0.0, [0.0; 3]);
    }
    let (alpha, beta, age) = (p[0], p[1], t.powf(c));
    let both = digamma(alpha + beta) - digamma(alpha + beta + age);
    let by_age = digamma(beta + age) - digamma(alpha + beta + age);
    (
        ln_survival(p, t),
        [
            both,
            both + digamma(beta + age) - digamma(beta),
            by_age * age * t.ln(),
        ],
    )
}

struct RenewalObjective<'a> {
    history: &'a RenewalHistory,
    model: RenewalModel,
    customers: f64,
}

impl Objective for RenewalObjective<'_> {
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let p: Vec<f64> = theta.iter().map(|t| t.exp()).collect();
        debug_assert_eq!(p.len(), self.model.parameter_names().len());
        let (mut value, mut gradient) = (0.0, [0.0; 3]);
        let mut before = survival_terms(&p, 0.0);
        for (t, left) in (1..).zip(&self.history.left) {
            let now = survival_terms(&p, f64::from(t));
            if *left > 0.0 {
                // P(t) = S(t-1) - S(t), from the logarithms.
                let fall = -(now.0 - before.0).exp_m1();
                value += left * (before.0 + fall.ln());
                for ((total, b), n) in gradient.iter_mut().zip(before.1).zip(now.1) {
                    *total += left * (b - (1.0 - fall) * n) / fall;
                }
            }
            before = now;
        }
        for (t, staying) in (0_u32..).zip(&self.history.staying) {
            if *staying > 0.0 {
                let (log, slope) = survival_terms(&p, f64::from(t));
                value += staying * log;
                for (total, s) in gradient.iter_mut().zip(slope) {
                    *total += staying * s;
                }
            }
        }
        for (&(period, part, left), customers) in &self.history.within {
            let start = f64::from(period);
            let from = survival_terms(&p, start);
            let to = survival_terms(&p, start + f64::from_bits(part));
            let stay = (to.0 - from.0).exp();
            let (log, weight) = if left {
                ((1.0 - stay).ln(), -stay / (1.0 - stay))
            } else {
                let at_ends = self.history.at_ends;
                let there = at_ends + (1.0 - at_ends) * stay;
                (there.ln(), (1.0 - at_ends) * stay / there)
            };
            value += customers * (from.0 + log);
            for ((total, f), t) in gradient.iter_mut().zip(from.1).zip(to.1) {
                *total += customers * (f + weight * (t - f));
            }
        }
        let slopes = p
            .iter()
            .zip(gradient)
            .map(|(p, g)| -g * p / self.customers)
            .collect();
        (-value / self.customers, slopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimise::assert_gradient;
    use crate::special::hypergeometric_series;

    fn sbg(alpha: f64, beta: f64) -> RenewalFit {
        RenewalFit {
            model: RenewalModel::Sbg,
            parameters: vec![alpha, beta],
            standard_errors: vec![],
            log_covariance: vec![],
            log_likelihood: 0.0,
            customers: 0.0,
            gradient_norm: 0.0,
            at_ends: 1.0,
        }
    }

    #[test]
    fn gradients_are_exact() {
        let mut history =
            RenewalHistory::from_cohort(&[1000.0, 869.0, 743.0, 653.0, 593.0]).unwrap();
        history.at_ends = 0.4;
        for (periods, part, left) in [
            (0, 0.25, false),
            (2, 0.5, false),
            (0, 0.75, true),
            (3, 0.1, true),
        ] {
            history
                .add_within(ContractAge { periods, part }, left)
                .unwrap();
        }
        for model in RenewalModel::ALL {
            let objective = RenewalObjective {
                history: &history,
                model,
                customers: 1004.0,
            };
            let theta = &[-0.3, 0.9, 0.2][..model.parameter_names().len()];
            assert_gradient(&objective, theta, 1e-9);
        }
    }

    #[test]
    fn residual_lifetime_matches_fader_hardie_2010_and_gauss_function() {
        let fit = sbg(0.764, 1.296);
        let got = fit.discounted_residual_lifetime(1, 0.1).unwrap();
        assert!((got - 2.88221).abs() < 1e-5, "{got}");
        for (n, d) in [(1_u32, 0.1), (4, 0.1), (7, 0.25)] {
            let b = 1.296 + f64::from(n);
            let series =
                hypergeometric_series(1.0, b, 0.764 + b, 1.0 / (1.0 + d), 1e-15, 10_000).value;
            let want = (b - 1.0) / (0.764 + b - 1.0) * series;
            assert!((fit.discounted_residual_lifetime(n, d).unwrap() / want - 1.0).abs() < 1e-9);
        }
        assert!(
            fit.discounted_residual_lifetime(1, 0.0).is_err()
                && fit.discounted_residual_lifetime(0, 0.1).is_err()
        );
    }

    #[test]
    fn survivors_are_scored_given_that_they_survived() {
        let fit = sbg(0.668, 3.806);
        assert!(
            (fit.conditional_survival(3.0, 2.0) - fit.survival(5.0) / fit.survival(3.0)).abs()
                < 1e-15
        );
        // r_t = (beta + t - 1) / (alpha + beta + t - 1).
        assert!((fit.retention(3) - (3.806 + 2.0) / (0.668 + 3.806 + 2.0)).abs() < 1e-12);
        assert!(fit.conditional_survival(5.0, 1.0) > fit.survival(1.0));
    }

    #[test]
    fn too_little_or_impossible_history_is_refused() {
        assert!(RenewalFit::fit(RenewalModel::Sbg, &RenewalHistory::new()).is_err());
        let one = RenewalHistory::from_cohort(&[1000.0, 500.0]).unwrap();
        assert!(matches!(
            RenewalFit::fit(RenewalModel::Sbg, &one),
            Err(LifetimeError::TooLittleData { found: 1, .. })
        ));
        assert!(RenewalHistory::from_cohort(&[10.0, 20.0]).is_err());
        assert!(RenewalHistory::from_cohort(&[10.0, f64::NAN]).is_err());
        assert!(RenewalHistory::new().add(0, true, 1.0).is_err());
        // One constant hazard: heterogeneity is not identified.
        let geometric: Vec<f64> = (0..12).map(|t| 1e6 * 0.8_f64.powi(t)).collect();
        let fitted = RenewalFit::fit(
            RenewalModel::Sbg,
            &RenewalHistory::from_cohort(&geometric).unwrap(),
        );
        assert!(matches!(fitted, Err(LifetimeError::NotFitted { .. })));
    }
}
