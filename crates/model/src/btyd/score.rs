//! What is forecast and how uncertain it is: the plan, the forecast of one history, the parameter draws behind it.
//!
//! [`super::Scorer`] does the work for many customers.

use serde::{Deserialize, Serialize};

use super::fit::ClosedForms;
use super::interpolation::DiscountedSum;
use super::purchase::PurchaseFit;
use crate::interrupt::Interrupt;
use crate::laplace::{self, Estimate};
use crate::lifetime_error::LifetimeError;

/// What to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForecastPlan {
    /// Length of the horizon in the model's time unit; > 0.
    pub horizon: f64,
    /// Discount per year (365 days), >= 0; applied at the end of each period of one time unit.
    pub discount_per_year: f64,
    /// Parameter draws behind the intervals; 0 for none, else at least [`ForecastPlan::MIN_DRAWS`].
    pub draws: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl ForecastPlan {
    /// Fewer draws do not support a 95% interval.
    pub const MIN_DRAWS: usize = 200;
}

/// The forecast for one purchase history. Intervals are those of expected values (see [`crate::laplace`]).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// P(alive) at the end of observation, in [0, 1].
    pub p_alive: Estimate,
    /// Expected purchases within the horizon, >= 0.
    pub purchases: Estimate,
    /// Probability of no purchase within the horizon, in [0, 1].
    pub p_no_purchase: Estimate,
    /// Expected purchases within the horizon, each discounted to the end of observation, >= 0.
    pub discounted_purchases: Estimate,
}

/// A fitted model made ready to score many customers.
pub struct Forecaster<'i> {
    pub(super) forms: ClosedForms,
    pub(super) draws: Vec<ClosedForms>,
    pub(super) horizon: f64,
    pub(super) sum: DiscountedSum,
    /// alpha at the estimate: the scale of time on which the model's curves bend.
    pub(super) scale: f64,
    pub(super) plan: ForecastPlan,
    pub(super) interrupt: Interrupt<'i>,
}

/// Drawn log-parameters are limited to this absolute value: where parameters are poorly identified, draws may lie beyond the
/// range in which the closed forms are accurate.
const LOG_LIMIT: f64 = 25.0;

impl<'i> Forecaster<'i> {
    /// Prepares `fit` for `plan`.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a horizon, discount or number of draws outside its range, or a stored fit whose
    /// covariance is not positive definite.
    pub fn new(fit: impl Into<PurchaseFit>, plan: ForecastPlan) -> Result<Self, LifetimeError> {
        let fit = fit.into();
        let model = fit.name();
        let bad = |what, value, range| {
            Err(LifetimeError::OutOfRange {
                model,
                what,
                value,
                range,
            })
        };
        if !(plan.horizon > 0.0 && plan.horizon.is_finite()) {
            return bad("the horizon", plan.horizon, "positive and finite");
        }
        if !(plan.discount_per_year >= 0.0 && plan.discount_per_year.is_finite()) {
            return bad(
                "the discount per year",
                plan.discount_per_year,
                ">= 0 and finite",
            );
        }
        if plan.draws != 0 && plan.draws < ForecastPlan::MIN_DRAWS {
            return bad(
                "the number of draws",
                plan.draws as f64,
                "0 or at least 200",
            );
        }
        let (theta, covariance) = fit.free_normal();
        let Some(drawn) = laplace::draws(&theta, &covariance, plan.draws, plan.seed) else {
            return bad("the smallest eigenvalue of the covariance", 0.0, "positive");
        };
        let form = |drawn: &Vec<f64>| {
            let kept = drawn.iter().map(|log| log.clamp(-LOG_LIMIT, LOG_LIMIT));
            fit.forms_at(&kept.collect::<Vec<f64>>())
        };
        let scale = theta[1].exp();
        let per_period = (fit.unit().days() / 365.0 * plan.discount_per_year.ln_1p()).exp_m1();
        Ok(Self {
            forms: fit.forms_at(&theta),
            draws: drawn.iter().map(form).collect(),
            horizon: plan.horizon,
            sum: DiscountedSum::new(plan.horizon, per_period, scale),
            scale,
            plan,
            interrupt: Interrupt::NEVER,
        })
    }

    /// The same forecaster, checking `interrupt` while it scores. After an interrupt the forecasts are incomplete: check the
    /// flag before using them.
    pub fn watching(self, interrupt: Interrupt<'i>) -> Self {
        Self { interrupt, ..self }
    }
}

/// Past and future value of a customer, kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LifetimeValue {
    /// Margin on everything bought so far, the first occasion included; undiscounted.
    pub past: f64,
    /// Residual value within the horizon, discounted.
    pub residual: Estimate,
}

impl LifetimeValue {
    /// `past_spend`: everything the customer has spent so far.
    pub fn new(past_spend: f64, margin: f64, residual: Estimate) -> Self {
        Self {
            past: past_spend * margin,
            residual,
        }
    }

    /// Past plus residual, at the estimate.
    pub fn total(&self) -> f64 {
        self.past + self.residual.value
    }
}
