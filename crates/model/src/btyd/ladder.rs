//! What serves when the requested model cannot be fitted: the next one down, by name, with the reason.
//!
//! Requested model, then MBG/NBD, then BG/NBD, then a shrunken purchase rate that is labelled `heuristic` and never called a
//! probability.

use serde::{Deserialize, Serialize};

use super::fit::{BtydFit, BtydModel};
use super::history::{PurchaseHistory, TimeUnit};
use crate::lifetime_error::LifetimeError;

/// The model that serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Served {
    /// A fitted buy-till-you-die model.
    Model(BtydFit),
    /// The shrunken rate.
    Heuristic(RateHeuristic),
}

/// One rung that was tried and did not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedRung {
    /// The model's name.
    pub rung: String,
    /// Why it was not fitted, in words.
    pub reason: String,
}

/// The outcome of climbing down: what serves, and what was tried before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ladder {
    /// The model that serves.
    pub served: Served,
    /// The rungs above it, in order, with their reasons.
    pub failed: Vec<FailedRung>,
}

impl Ladder {
    /// Tries `requested`, then the rungs below it.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when not even one customer has been observed for some time.
    pub fn fit(requested: BtydModel, history: &PurchaseHistory) -> Result<Self, LifetimeError> {
        let mut rungs = vec![requested];
        rungs.extend(
            [BtydModel::MbgNbd, BtydModel::BgNbd]
                .into_iter()
                .filter(|m| *m != requested),
        );
        let mut failed = Vec::new();
        for model in rungs {
            match BtydFit::fit(model, history) {
                Ok(fit) => {
                    return Ok(Self {
                        served: Served::Model(fit),
                        failed,
                    });
                }
                Err(error) => {
                    tracing::warn!(model = model.name(), %error, "falling back to the next model");
                    failed.push(FailedRung {
                        rung: model.name().to_owned(),
                        reason: error.to_string(),
                    });
                }
            }
        }
        Ok(Self {
            served: Served::Heuristic(RateHeuristic::fit(history)?),
            failed,
        })
    }

    /// The rung that serves, as published in `model_rung`: a model's name or `heuristic`.
    pub fn rung(&self) -> &'static str {
        match &self.served {
            Served::Model(fit) => fit.model.name(),
            Served::Heuristic(_) => "heuristic",
        }
    }
}

/// A purchase rate per customer, drawn towards the population's. It knows no death and gives no probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RateHeuristic {
    /// Unit of the rate's time.
    pub unit: TimeUnit,
    /// Repeat purchases per unit of time over all customers.
    pub rate: f64,
}

/// How many occasions the population's rate is worth against a customer's own.
const PRIOR_OCCASIONS: f64 = 1.0;

impl RateHeuristic {
    /// The pooled rate of `history`.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when no customer has been observed for some time.
    pub fn fit(history: &PurchaseHistory) -> Result<Self, LifetimeError> {
        let exposure: f64 = history.summaries().map(|s| s.weight * s.tenure).sum();
        if exposure > 0.0 {
            return Ok(Self {
                unit: history.unit(),
                rate: history.repeat_occasions() / exposure,
            });
        }
        let what = "customers observed for some time";
        Err(LifetimeError::TooLittleData {
            model: "heuristic",
            what,
            found: 0,
            needed: 1,
        })
    }

    /// Purchases in the next `horizon` units at the shrunken rate (x + 1) / (T + 1 / population rate).
    pub fn expected_purchases(&self, x: u32, tenure: f64, horizon: f64) -> f64 {
        if self.rate == 0.0 {
            return 0.0;
        }
        (f64::from(x) + PRIOR_OCCASIONS) / (tenure + PRIOR_OCCASIONS / self.rate) * horizon
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_customers_end_on_the_heuristic_with_every_reason() {
        let history =
            PurchaseHistory::from_columns(TimeUnit::Days, &[3; 50], &[90.0; 50], &[100.0; 50])
                .unwrap();
        let ladder = Ladder::fit(BtydModel::ParetoNbd, &history).unwrap();
        assert_eq!(ladder.rung(), "heuristic");
        let names: Vec<&str> = ladder.failed.iter().map(|f| f.rung.as_str()).collect();
        assert_eq!(names, ["pareto_nbd", "mbg_nbd", "bg_nbd"]);
        let Served::Heuristic(rate) = ladder.served else {
            panic!("heuristic")
        };
        assert!((rate.rate - 0.03).abs() < 1e-15);
        // Own rate and population rate agree here, so shrinking changes nothing.
        assert!((rate.expected_purchases(3, 100.0, 50.0) - 1.5).abs() < 1e-12);
        assert!(rate.expected_purchases(0, 100.0, 50.0) < 1.5);
    }

    #[test]
    fn nobody_observed_is_an_error() {
        let history = PurchaseHistory::from_columns(TimeUnit::Days, &[0], &[0.0], &[0.0]).unwrap();
        assert!(Ladder::fit(BtydModel::BgNbd, &history).is_err());
    }
}
