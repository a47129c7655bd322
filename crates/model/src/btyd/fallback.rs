//! Which model is used when the requested one cannot be fitted: the next one in a fixed order, with the reason.
//!
//! The order is: the requested model, the other of MBG/NBD and BG/NBD, NBD (no dropout), and a shrunken purchase rate that
//! is labelled `heuristic` and gives no probability.

use serde::{Deserialize, Serialize};

use super::history::{PurchaseHistory, TimeUnit};
use super::purchase::{PurchaseFit, PurchaseModel};
use super::{BtydModel, NbdFit};
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;

/// The model that is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// A fitted model of purchases.
    Model(PurchaseFit),
    /// The shrunken rate.
    Heuristic(RateHeuristic),
    /// No model: no customer has bought again, so nothing is known about purchase rates.
    Nothing,
}

/// One model that was tried and could not be fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedModel {
    /// The model's name.
    pub model: String,
    /// Why it was not fitted, in words.
    pub reason: String,
}

/// A likelihood ratio test of dropout, where the requested model could not be fitted and NBD is used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DropoutTest {
    /// Twice the gain in log-likelihood over NBD of the best parameters that the search for the requested model found; >= 0.
    pub likelihood_ratio: f64,
}

impl DropoutTest {
    /// Above this, dropout improves the fit by more than chance would: 95% quantile of chi-squared with two degrees of freedom,
    /// since models with dropout have two parameters more. Conservative at the boundary.
    pub const LIMIT: f64 = 5.991;

    /// Whether NBD describes the purchases as well as a model with dropout.
    pub fn nobody_leaves(&self) -> bool {
        self.likelihood_ratio <= Self::LIMIT
    }
}

/// The model that is used, and the models that were tried before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fallback {
    /// The model that is used.
    pub served: Served,
    /// The models before it, in order, with their reasons.
    pub failed: Vec<FailedModel>,
    /// NBD compared with the requested model; only where NBD is used in its place.
    pub dropout: Option<DropoutTest>,
}

impl Fallback {
    /// Tries `requested`, then the fallback models.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when not even one customer has been observed for some time,
    /// [`LifetimeError::Interrupted`].
    pub fn fit(
        requested: PurchaseModel,
        history: &PurchaseHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<Self, LifetimeError> {
        let mut failed = Vec::new();
        let mut reached = None;
        for model in order(requested) {
            match model.fit(history, interrupt) {
                Ok(fit) => {
                    let dropout = match (&fit, reached) {
                        (PurchaseFit::Nbd(nbd), Some(reached)) => Some(test(nbd, reached)),
                        _ => None,
                    };
                    return Ok(Self {
                        served: Served::Model(fit),
                        failed,
                        dropout,
                    });
                }
                Err(LifetimeError::Interrupted) => return Err(LifetimeError::Interrupted),
                Err(error) => {
                    if let LifetimeError::NotFitted { reached: at, .. } = &error
                        && model == requested
                    {
                        reached = *at;
                    }
                    failed.push(FailedModel {
                        model: model.name().to_owned(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        let heuristic = RateHeuristic::fit(history)?;
        let served = match heuristic {
            Some(rate) => Served::Heuristic(rate),
            None => {
                failed.push(FailedModel {
                    model: RateHeuristic::NAME.to_owned(),
                    reason:
                        "no customer has bought again, so it is not known how often customers buy"
                            .to_owned(),
                });
                Served::Nothing
            }
        };
        Ok(Self {
            served,
            failed,
            dropout: None,
        })
    }

    /// The model that is used, as published in `model_fallback`: a model's name or `heuristic`; `None` where there is none.
    pub fn name(&self) -> Option<&'static str> {
        match &self.served {
            Served::Model(fit) => Some(fit.name()),
            Served::Heuristic(_) => Some(RateHeuristic::NAME),
            Served::Nothing => None,
        }
    }
}

/// The models to try, in order.
fn order(requested: PurchaseModel) -> Vec<PurchaseModel> {
    let mut models = vec![requested];
    if requested != PurchaseModel::Nbd {
        let after = [BtydModel::MbgNbd, BtydModel::BgNbd].map(PurchaseModel::Btyd);
        models.extend(after.into_iter().filter(|model| *model != requested));
        models.push(PurchaseModel::Nbd);
    }
    models
}

fn test(nbd: &NbdFit, reached: f64) -> DropoutTest {
    DropoutTest {
        likelihood_ratio: (2.0 * (reached - nbd.log_likelihood)).max(0.0),
    }
}

/// A purchase rate per customer, shrunk towards the population's rate. It has no dropout and gives no probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateHeuristic {
    /// Unit of the rate's time.
    pub unit: TimeUnit,
    /// Repeat purchases per unit of time over all customers, > 0.
    pub rate: f64,
}

/// Weight of the population's rate, as a number of the customer's own occasions.
const PRIOR_OCCASIONS: f64 = 1.0;

impl RateHeuristic {
    /// The name used in tables.
    pub const NAME: &'static str = "heuristic";

    /// The pooled rate of `history`; `None` where no customer has bought again.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when no customer has been observed for some time.
    pub fn fit(history: &PurchaseHistory) -> Result<Option<Self>, LifetimeError> {
        let exposure: f64 = history.summaries().map(|s| s.weight * s.tenure).sum();
        if exposure > 0.0 {
            let rate = history.repeat_occasions() / exposure;
            return Ok((rate > 0.0).then_some(Self {
                unit: history.unit(),
                rate,
            }));
        }
        Err(LifetimeError::TooLittleData {
            model: Self::NAME,
            what: "customers observed for some time",
            found: 0,
            needed: 1,
        })
    }

    /// Purchases in the next `horizon` units at the shrunken rate (x + 1) / (T + 1 / population rate).
    pub fn expected_purchases(&self, x: u32, tenure: f64, horizon: f64) -> f64 {
        (f64::from(x) + PRIOR_OCCASIONS) / (tenure + PRIOR_OCCASIONS / self.rate) * horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(model: BtydModel, history: &PurchaseHistory) -> Result<Fallback, LifetimeError> {
        Fallback::fit(PurchaseModel::Btyd(model), history, Interrupt::NEVER)
    }

    #[test]
    fn equal_customers_end_on_the_heuristic_with_every_reason() {
        let history =
            PurchaseHistory::from_columns(TimeUnit::Days, &[3; 50], &[90.0; 50], &[100.0; 50])
                .unwrap();
        let fallback = fit(BtydModel::ParetoNbd, &history).unwrap();
        assert_eq!(fallback.name(), Some("heuristic"));
        let names: Vec<&str> = fallback.failed.iter().map(|f| f.model.as_str()).collect();
        assert_eq!(names, ["pareto_nbd", "mbg_nbd", "bg_nbd", "nbd"]);
        let Served::Heuristic(rate) = fallback.served else {
            panic!("heuristic")
        };
        assert!((rate.rate - 0.03).abs() < 1e-15);
        // Own rate and population rate agree here, so shrinking changes nothing.
        assert!((rate.expected_purchases(3, 100.0, 50.0) - 1.5).abs() < 1e-12);
        assert!(rate.expected_purchases(0, 100.0, 50.0) < 1.5);
    }

    #[test]
    fn without_observation_it_is_an_error_and_without_repeats_nothing_serves() {
        let history = PurchaseHistory::from_columns(TimeUnit::Days, &[0], &[0.0], &[0.0]).unwrap();
        assert!(fit(BtydModel::BgNbd, &history).is_err());
        let history =
            PurchaseHistory::from_columns(TimeUnit::Days, &[0; 40], &[0.0; 40], &[9.0; 40])
                .unwrap();
        let fallback = fit(BtydModel::BgNbd, &history).unwrap();
        assert_eq!((fallback.name(), fallback.failed.len()), (None, 4));
    }

    #[test]
    fn an_interrupt_ends_the_fit_before_its_first_evaluation() {
        let flag = std::sync::atomic::AtomicBool::new(true);
        let (x, t_x): (Vec<u32>, Vec<f64>) = (0..200_u32)
            .map(|i| (i % 5, f64::from(i % 5) * 7.0))
            .unzip();
        let history =
            PurchaseHistory::from_columns(TimeUnit::Days, &x, &t_x, &[90.0; 200]).unwrap();
        for model in [
            PurchaseModel::Nbd,
            PurchaseModel::Btyd(BtydModel::MbgNbd),
            PurchaseModel::Btyd(BtydModel::ParetoNbd),
        ] {
            let ended = Fallback::fit(model, &history, Interrupt::new(&flag));
            assert_eq!(ended, Err(LifetimeError::Interrupted));
        }
    }
}
