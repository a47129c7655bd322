//! Shifted-beta-geometric (sBG, Fader & Hardie 2007) and beta-discrete-Weibull (BdW, Fader, Hardie & Liu 2018) renewal.
//!
//! A customer fails to renew with probability theta ~ Beta(alpha, beta) each period; in BdW the risk of one customer also
//! changes with age: S(t) = B(alpha, beta + t^c) / B(alpha, beta), and c = 1 is sBG. The unit of time is the renewal period.

use serde::{Deserialize, Serialize};

use crate::interrupt::Interrupt;
use crate::laplace::{self, Estimate};
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective};
use crate::special::{GAUSS_16, digamma, ln_beta};

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
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RenewalHistory {
    /// `left[t - 1]`: customers who did not renew at the end of period t.
    pub(super) left: Vec<f64>,
    /// `staying[t]`: customers last seen after t renewals, still there.
    pub(super) staying: Vec<f64>,
}

impl RenewalHistory {
    /// Latest period that is accepted: almost two hundred years of weeks. A count is kept for every period up to the latest.
    pub const LATEST_PERIOD: u32 = 10_000;

    /// A history without customers.
    pub fn new() -> Self {
        Self::default()
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
        self.left.iter().chain(&self.staying).sum()
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
        let periods = history.left.iter().filter(|w| **w > 0.0).count();
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
        let theta: Vec<f64> = self.parameters.iter().map(|p| p.ln()).collect();
        let drawn = laplace::draws(&theta, &self.log_covariance, draws, seed).unwrap_or_default();
        let at = |theta: &Vec<f64>| {
            let p: Vec<f64> = theta.iter().map(|t| t.exp()).collect();
            (ln_survival(&p, age + ahead) - ln_survival(&p, age)).exp()
        };
        let mut values: Vec<f64> = drawn.iter().map(at).collect();
        Estimate::from_draws(self.conditional_survival(age, ahead), &mut values)
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

    /// Expected lifetime within the next `ahead` periods, whole or not, of a customer with `age` renewals, who stands anywhere
    /// within the current period: the area under the conditional survival, in periods, in [0, `ahead`]. The error of the
    /// quadrature is below 1e-6 periods.
    pub fn restricted_lifetime(&self, age: f64, ahead: f64) -> f64 {
        let rule = &*GAUSS_16;
        let mut area = 0.0;
        let mut add = |from: f64, to: f64| {
            let width = to - from;
            for (node, weight) in rule.nodes.iter().zip(&rule.weights) {
                area += width * weight * self.conditional_survival(age, from + width * node);
            }
        };
        // Near age 0 the hazard of BdW with c < 1 has no bound: shorter and shorter pieces.
        let mut to = ahead.min(1.0);
        for _ in 0..12 {
            add(to / 4.0, to);
            to /= 4.0;
        }
        add(0.0, to);
        let mut from = ahead.min(1.0);
        while from < ahead {
            let to = (from + 1.0).min(ahead);
            add(from, to);
            from = to;
        }
        area
    }

    /// Expected renewals within the next `ahead` periods, whole or not, each discounted by `per_period` for every period until it: of
    /// the period that the end cuts, its share counts, since customers may stand anywhere within the current one.
    pub fn discounted_renewals(&self, age: f64, ahead: f64, per_period: f64) -> f64 {
        let whole = ahead.floor();
        let renewal = |k: f64| self.conditional_survival(age, k);
        let mut sum = (ahead - whole) * renewal(whole + 1.0) / per_period.powf(ahead);
        let mut k = 1.0;
        while k <= whole {
            sum += renewal(k) / per_period.powf(k);
            k += 1.0;
        }
        sum
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
        }
    }

    #[test]
    fn gradients_are_exact() {
        let history = RenewalHistory::from_cohort(&[1000.0, 869.0, 743.0, 653.0, 593.0]).unwrap();
        for model in RenewalModel::ALL {
            let objective = RenewalObjective {
                history: &history,
                model,
                customers: 1000.0,
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
    fn lifetimes_within_any_horizon_are_the_area_under_the_curve() {
        let one_rate = RenewalFit {
            model: RenewalModel::OneRate,
            parameters: vec![0.3],
            ..sbg(0.0, 0.0)
        };
        // The integral of 0.7^u.
        for ahead in [0.2, 0.5, 1.0, 1.5, 7.3] {
            let exact = (0.7_f64.powf(ahead) - 1.0) / 0.7_f64.ln();
            assert!((one_rate.restricted_lifetime(4.0, ahead) - exact).abs() < 1e-12);
        }
        let falling = RenewalFit {
            model: RenewalModel::Bdw,
            parameters: vec![0.7, 2.0, 0.4],
            ..sbg(0.0, 0.0)
        };
        for fit in [sbg(0.668, 3.806), falling] {
            for (age, ahead) in [(0.0, 1.0), (0.0, 0.3), (2.0, 5.0), (7.0, 12.5)] {
                let found = fit.restricted_lifetime(age, ahead);
                // Substituting u = v^4 takes the unbounded hazard away; the midpoint rule does the rest.
                let steps = 200_000;
                let end = f64::powf(ahead, 0.25);
                let wide = end / f64::from(steps);
                let at = |step: i32| {
                    let v = (f64::from(step) + 0.5) * wide;
                    fit.conditional_survival(age, v.powi(4)) * 4.0 * v.powi(3)
                };
                let area: f64 = (0..steps).map(at).sum::<f64>() * wide;
                assert!((found - area).abs() < 1e-6, "{age} {ahead}: {found} {area}");
                let whole = ahead.floor() as u32;
                assert!(found >= fit.expected_renewals(age, whole) && found <= ahead);
            }
        }
    }

    #[test]
    fn renewals_within_a_horizon_are_the_mean_over_where_customers_stand() {
        let fit = sbg(0.668, 3.806);
        let yearly: f64 = 1.1;
        for (age, ahead) in [(0.0, 0.49), (3.0, 1.0), (1.0, 1.48), (2.0, 12.17)] {
            // Undiscounted: a customer who has done a share of the period renews first after the rest of it.
            let steps = 100_000;
            let of = |step: i32| {
                let done = (f64::from(step) + 0.5) / f64::from(steps);
                let renewals = (done + ahead).floor() as u32;
                fit.expected_renewals(age, renewals)
            };
            let mean = (0..steps).map(of).sum::<f64>() / f64::from(steps);
            let found = fit.discounted_renewals(age, ahead, 1.0);
            assert!((found - mean).abs() < 1e-4, "{ahead}: {found} {mean}");
            assert!(fit.discounted_renewals(age, ahead, yearly) < found);
        }
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
