//! Fitting a buy-till-you-die model: scaled time, several starting points, checks of convergence, standard errors.

use serde::{Deserialize, Serialize};

use super::bg_family::{BgFamily, BgObjective, Dropout};
use super::history::{PurchaseHistory, TimeUnit};
use super::models::{BtydModel, SCALED_SPAN, require};
use super::nbd::Nbd;
use super::pareto::{ParetoNbd, ParetoObjective};
use super::shared_dropout::SharedDropout;
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;
use crate::optimise::{self, Objective, Optimum};
use crate::special::logistic;

/// The closed forms of one model at given parameters, in the model's time unit. `x` repeat occasions, last at `t_x`,
/// observed until `tenure`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClosedForms {
    Bg(BgFamily),
    SharedDropout(SharedDropout),
    Pareto(ParetoNbd),
    Nbd(Nbd),
}

impl ClosedForms {
    pub(crate) fn new(model: BtydModel, p: [f64; 4]) -> Self {
        let bg = |dropout| {
            Self::Bg(BgFamily {
                r: p[0],
                alpha: p[1],
                a: p[2],
                b: p[3],
                dropout,
            })
        };
        match model {
            BtydModel::BgNbd => bg(Dropout::AfterRepeat),
            BtydModel::MbgNbd => bg(Dropout::AfterEvery),
            BtydModel::ParetoNbd => Self::Pareto(ParetoNbd {
                r: p[0],
                alpha: p[1],
                s: p[2],
                beta: p[3],
            }),
        }
    }

    pub(crate) fn p_alive(&self, x: f64, t_x: f64, tenure: f64) -> f64 {
        logistic(-match self {
            Self::Bg(m) => m.ln_dead_odds(x, t_x, tenure),
            Self::SharedDropout(m) => m.ln_dead_odds(x, t_x, tenure),
            Self::Pareto(m) => m.ln_dead_odds(x, t_x, tenure),
            Self::Nbd(_) => f64::NEG_INFINITY,
        })
    }

    pub(crate) fn alive_purchases(&self, x: f64, tenure: f64, t: f64) -> f64 {
        match self {
            Self::Bg(m) => m.alive_purchases(x, tenure, t),
            Self::SharedDropout(m) => m.alive_purchases(x, tenure, t),
            Self::Pareto(m) => m.alive_purchases(x, tenure, t),
            Self::Nbd(m) => m.purchases(x, tenure, t),
        }
    }

    pub(crate) fn alive_silence(&self, x: f64, tenure: f64, t: f64) -> f64 {
        match self {
            Self::Bg(m) => m.alive_silence(x, tenure, t),
            Self::SharedDropout(m) => m.alive_silence(x, tenure, t),
            Self::Pareto(m) => m.alive_silence(x, tenure, t),
            Self::Nbd(m) => m.silence(x, tenure, t),
        }
    }
}

/// A fitted model: everything needed to score, and to judge the fit. Stored as plain numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BtydFit {
    /// The model.
    pub model: BtydModel,
    /// Unit of its times and rates.
    pub unit: TimeUnit,
    /// Maximum likelihood estimates, named by [`BtydModel::parameter_names`]; alpha and beta in `unit`.
    pub parameters: [f64; 4],
    /// Their standard errors, from the Hessian in log-parameters by the delta method.
    pub standard_errors: [f64; 4],
    /// Covariance of the logarithms of the parameters, by rows.
    pub log_covariance: [[f64; 4]; 4],
    /// Maximised log-likelihood, times in `unit`.
    pub log_likelihood: f64,
    /// Customers used by the fit (sum of weights, T > 0).
    pub customers: f64,
    /// Distinct (x, t_x, T) among them.
    pub distinct_histories: usize,
    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub gradient_norm: f64,
    /// Evaluations of the likelihood on all rows and, for large data, on the thinned rows of the first search.
    pub evaluations: usize,
}

/// Histories above which the several starts are tried on a thinned table first.
const THIN_ABOVE: usize = 20_000;
/// About how many histories the thinned table has.
const THIN_TO: usize = 10_000;
impl BtydFit {
    /// Fits `model` by maximum likelihood.
    ///
    /// Starts from several points; accepted only if the gradient of the mean log-likelihood is below 1e-5 and the Hessian
    /// positive definite. The result does not depend on the order of customers, on the number of threads, or (beyond
    /// rounding) on the unit of time.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] without repeat customers or with fewer than ten customers,
    /// [`LifetimeError::NotFitted`] when no start converges to an identified optimum.
    pub fn fit(model: BtydModel, history: &PurchaseHistory) -> Result<Self, LifetimeError> {
        Self::fit_unless(model, history, Interrupt::NEVER)
    }

    /// As [`BtydFit::fit`]; stops with an error when `interrupt` is requested.
    ///
    /// # Errors
    /// As [`BtydFit::fit`]; [`LifetimeError::Interrupted`].
    pub fn fit_unless(
        model: BtydModel,
        history: &PurchaseHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<Self, LifetimeError> {
        let customers = history.observed_customers();
        let repeaters = history.repeat_customers();
        require(
            model.name(),
            "customers observed for some time",
            customers,
            10,
        )?;
        require(
            model.name(),
            "customers with a repeat purchase",
            repeaters,
            2,
        )?;
        let span = history.times.last().copied().unwrap_or(1.0);
        let scale = span / SCALED_SPAN;
        let mut starts = starts(model, history, scale);
        let mut spent = 0;
        if history.len() > THIN_ABOVE {
            let thinned = history.thinned(history.len() / THIN_TO);
            let objective = objective(model, &thinned, scale);
            let searched = optimise::search(objective.as_ref(), &starts, interrupt);
            if let Ok((theta, _, evaluations)) = searched {
                starts = vec![theta];
                spent = evaluations;
            }
        }
        let objective = objective(model, history, scale);
        // The density of x purchase times carries the unit to the power -x.
        let unscaled = |value: f64| -value * customers - history.repeat_occasions() * scale.ln();
        let (theta, value, evaluations) = optimise::search(objective.as_ref(), &starts, interrupt)
            .map_err(|failure| LifetimeError::not_fitted(model.name(), failure, None))?;
        let optimum = optimise::polish(objective.as_ref(), theta, evaluations, interrupt).map_err(
            |failure| LifetimeError::not_fitted(model.name(), failure, Some(unscaled(value))),
        )?;
        tracing::debug!(
            model = model.name(),
            evaluations = optimum.evaluations,
            gradient = optimum.gradient_norm,
            "fitted"
        );
        Ok(Self::from_optimum(model, history, scale, &optimum, spent))
    }

    fn from_optimum(
        model: BtydModel,
        history: &PurchaseHistory,
        scale: f64,
        optimum: &Optimum,
        spent: usize,
    ) -> Self {
        let customers = history.observed_customers();
        let mut fit = Self {
            model,
            unit: history.unit(),
            parameters: [0.0; 4],
            standard_errors: [0.0; 4],
            log_covariance: [[0.0; 4]; 4],
            // The density of x purchase times carries the unit to the power -x.
            log_likelihood: -optimum.value * customers - history.repeat_occasions() * scale.ln(),
            customers,
            distinct_histories: history.summaries().filter(|s| s.tenure > 0.0).count(),
            gradient_norm: optimum.gradient_norm,
            evaluations: optimum.evaluations + spent,
        };
        for (i, is_time) in model.is_time().into_iter().enumerate() {
            let unit = if is_time { scale } else { 1.0 };
            fit.parameters[i] = optimum.theta[i].exp() * unit;
            for j in 0..4 {
                fit.log_covariance[i][j] = optimum.inverse_hessian[i][j] / customers;
            }
            fit.standard_errors[i] = fit.parameters[i] * fit.log_covariance[i][i].sqrt();
        }
        fit
    }

    pub(crate) fn closed_forms(&self) -> ClosedForms {
        ClosedForms::new(self.model, self.parameters)
    }

    /// P(alive) at the end of observation, in [0, 1]. BG/NBD gives 1 for every customer without repeat purchase.
    pub fn p_alive(&self, x: u32, t_x: f64, tenure: f64) -> f64 {
        self.closed_forms().p_alive(f64::from(x), t_x, tenure)
    }

    /// Expected number of purchases in the next `horizon` units given the history; >= 0.
    pub fn expected_purchases(&self, x: u32, t_x: f64, tenure: f64, horizon: f64) -> f64 {
        let forms = self.closed_forms();
        let x = f64::from(x);
        forms.p_alive(x, t_x, tenure) * forms.alive_purchases(x, tenure, horizon)
    }

    /// Probability of no purchase in the next `horizon` units given the history, in [0, 1]: the churn probability of the
    /// model at that horizon.
    pub fn p_no_purchase(&self, x: u32, t_x: f64, tenure: f64, horizon: f64) -> f64 {
        let forms = self.closed_forms();
        let x = f64::from(x);
        let alive = forms.p_alive(x, t_x, tenure);
        1.0 - alive * (1.0 - forms.alive_silence(x, tenure, horizon))
    }

    /// Expected repeat purchases of a customer drawn at random in its first `t` units; >= 0.
    pub fn expected_new_customer_purchases(&self, t: f64) -> f64 {
        match self.closed_forms() {
            ClosedForms::Bg(m) => m.new_customer_purchases(t),
            ClosedForms::Pareto(m) => m.new_customer_purchases(t),
            ClosedForms::SharedDropout(m) => {
                logistic(-m.ln_dropout_odds(0.0)) * m.alive_purchases(0.0, 0.0, t)
            }
            ClosedForms::Nbd(m) => m.purchases(0.0, 0.0, t),
        }
    }

    /// Discounted expected residual transactions over an infinite horizon, with continuous `discount` per unit: ln(1 + rate).
    /// `None` for BG/NBD and MBG/NBD, which have no finite closed form, and for a discount that is not positive.
    pub fn discounted_residual_purchases(
        &self,
        x: u32,
        t_x: f64,
        tenure: f64,
        discount: f64,
    ) -> Option<f64> {
        match self.closed_forms() {
            ClosedForms::Pareto(m) if discount > 0.0 => {
                let x = f64::from(x);
                Some(
                    logistic(-m.ln_dead_odds(x, t_x, tenure))
                        * m.alive_residual(x, tenure, discount),
                )
            }
            ClosedForms::Pareto(_)
            | ClosedForms::Bg(_)
            | ClosedForms::SharedDropout(_)
            | ClosedForms::Nbd(_) => None,
        }
    }
}

fn objective(model: BtydModel, history: &PurchaseHistory, scale: f64) -> Box<dyn Objective + '_> {
    match model {
        BtydModel::BgNbd => Box::new(BgObjective::new(history, Dropout::AfterRepeat, scale)),
        BtydModel::MbgNbd => Box::new(BgObjective::new(history, Dropout::AfterEvery, scale)),
        BtydModel::ParetoNbd => Box::new(ParetoObjective::new(history, scale)),
    }
}

/// Log-parameters to start from: the observed purchase rate with three degrees of heterogeneity and of dropout.
fn starts(model: BtydModel, history: &PurchaseHistory, scale: f64) -> Vec<Vec<f64>> {
    let exposure: f64 = history
        .summaries()
        .map(|s| s.weight * s.tenure)
        .sum::<f64>()
        / scale;
    let rate = (history.repeat_occasions() / exposure).max(1e-6);
    // Shape of the purchase rate, then the two parameters of dropout.
    let guesses: [[f64; 3]; 3] = match model {
        BtydModel::BgNbd | BtydModel::MbgNbd => {
            [[0.6, 0.8, 2.5], [2.0, 1.0, 8.0], [0.25, 0.4, 0.8]]
        }
        BtydModel::ParetoNbd => [[0.6, 0.6, 3.0], [2.0, 1.5, 10.0], [0.25, 0.3, 0.5]],
    };
    guesses
        .iter()
        .map(|[r, first, second]| vec![r.ln(), (r / (1.5 * rate)).ln(), first.ln(), second.ln()])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::btyd::history::Summary;
    use crate::optimise::assert_gradient;

    fn rows() -> PurchaseHistory {
        let row = |x, t_x, tenure, weight| Summary {
            x,
            t_x,
            tenure,
            weight,
        };
        let rows = [
            row(0, 0.0, 30.0, 7.0),
            row(1, 3.0, 38.0, 2.0),
            row(4, 30.0, 38.0, 1.0),
            row(40, 20.0, 38.0, 3.0),
        ];
        PurchaseHistory::from_summaries(TimeUnit::Weeks, &rows).unwrap()
    }

    #[test]
    fn gradients_are_exact() {
        let history = rows();
        for model in BtydModel::ALL {
            let objective = objective(model, &history, 3.8);
            for theta in [
                [-1.4, 0.5, -0.2, 0.9],
                [0.7, 1.5, 1.0, -0.8],
                [-3.0, -2.0, 0.1, 2.0],
            ] {
                assert_gradient(&*objective, &theta, 1e-8);
            }
        }
    }

    #[test]
    fn likelihoods_match_the_formulas_as_written() {
        // BG/NBD and MBG/NBD for one customer, evaluated directly.
        use crate::special::ln_gamma as g;
        let (r, alpha, a, b) = (0.5_f64, 6.0_f64, 0.9_f64, 1.6_f64);
        let (x, t_x, t) = (4.0_f64, 30.0_f64, 38.0_f64);
        let one = [Summary {
            x: 4,
            t_x,
            tenure: t,
            weight: 1.0,
        }];
        let history = PurchaseHistory::from_summaries(TimeUnit::Weeks, &one).unwrap();
        let theta = [r.ln(), alpha.ln(), a.ln(), b.ln()];
        let counts = g(r + x) - g(r) + r * alpha.ln();
        let bg = counts + g(a + b) + g(b + x) - g(b) - g(a + b + x)
            + ((alpha + t).powf(-(r + x)) + a / (b + x - 1.0) * (alpha + t_x).powf(-(r + x))).ln();
        let mbg = counts + g(a + b) + g(b + x + 1.0) - g(b) - g(a + b + x + 1.0)
            + ((alpha + t).powf(-(r + x)) + a / (b + x) * (alpha + t_x).powf(-(r + x))).ln();
        for (model, want) in [(BtydModel::BgNbd, bg), (BtydModel::MbgNbd, mbg)] {
            let got = -objective(model, &history, 1.0).evaluate(&theta).0;
            assert!((got - want).abs() < 1e-11, "{model:?}: {got} {want}");
        }
    }

    #[test]
    fn no_overflow_at_extreme_histories() {
        let row = |x, t_x| Summary {
            x,
            t_x,
            tenure: 3650.0,
            weight: 1.0,
        };
        let history = PurchaseHistory::from_summaries(
            TimeUnit::Days,
            &[row(400, 10.0), row(400, 3650.0), row(0, 0.0)],
        )
        .unwrap();
        for model in BtydModel::ALL {
            let (value, gradient) =
                objective(model, &history, 1.0).evaluate(&[-1.0, 1.0, 0.0, 1.0]);
            assert!(
                value.is_finite() && gradient.iter().all(|g| g.is_finite()),
                "{model:?} {value} {gradient:?}"
            );
        }
    }
}
