//! Churn models trained on past observation dates: who leaves within a horizon, with what probability, and for which reasons.
//!
//! The noun is a churn fit: a logistic regression, a random forest and the mean of both are compared with the recency rule and the base
//! rate on a later date and on customers that none of them was trained on, and one of the five is used. Three types matter: [`Panel`]
//! is what was known of customers at several dates and who left after each, [`ChurnPlan`] holds the settings, and
//! [`ChurnFit`] is the model that is used, with the figures of the comparison.
//!
//! ```
//! use tessera_model::churn::{ChurnFit, ChurnPlan, ChurnServed, Inputs, Observation, Panel};
//!
//! // A thousand customers at two dates, 90 days apart; who has been away longer is likelier to leave.
//! let observe = |observed_on: i32| -> Result<Observation, tessera_model::churn::ChurnError> {
//!     let recency: Vec<f64> = (0..1_000).map(|i| f64::from(i * 7 % 200)).collect();
//!     let plans = (0..1_000).map(|i| Some(if i % 2 == 0 { "basic" } else { "pro" }));
//!     let churned = (0..1_000).map(|i| i * 7 % 200 > i * 13 % 300);
//!     Ok(Observation {
//!         inputs: Inputs::new(1_000).number("recency_days", recency)?.label("plan", plans)?,
//!         churned: churned.collect(),
//!         customer: (0..1_000).collect(),
//!         observed_on,
//!     })
//! };
//! let panel = Panel::stack([observe(15_000)?, observe(15_090)?])?;
//! let fit = ChurnFit::fit(&panel, &ChurnPlan::new(90).with_recency("recency_days"))?;
//! assert_ne!(fit.served(), ChurnServed::BaseRate);
//!
//! let today = Inputs::new(1).number("recency_days", vec![190.0])?.label("plan", [Some("basic")])?;
//! assert!(fit.probabilities(&today)?[0] > fit.base_rate());
//! let reasons = fit.reasons(&today)?;
//! assert!(reasons.customers[0].raised);
//! # Ok::<(), tessera_model::churn::ChurnError>(())
//! ```
//!
//! Where to look:
//! - columns, labels, stacked observations: `churn/inputs.rs`
//! - training and test rows: `churn/split.rs`
//! - transforms, missing values, labels as numbers: `churn/encoding.rs`
//! - the models: `churn/logistic.rs`, `churn/forest.rs`; the rule to beat: `churn/recency.rs`; one type for all of them:
//!   `churn/predictor.rs`
//! - calibration: `churn/calibration.rs`, with the isotonic regression of `churn/curve.rs`
//! - the test: `churn/trial.rs`; the choice of the model: `churn/choice.rs`; whether predictions hold from date to date: `churn/steadiness.rs`
//! - fit and scores: `churn/fit.rs`; why a probability is high or low: `churn/reasons.rs`; as rows of tables: `churn/parameters.rs`

mod calibration;
mod choice;
mod curve;
mod dates;
mod encoding;
mod error;
mod fit;
mod forest;
mod inputs;
mod logistic;
mod parameters;
mod plan;
mod predictor;
mod reasons;
mod recency;
mod split;
mod steadiness;
mod trial;

pub use error::ChurnError;
pub use fit::ChurnFit;
pub use inputs::{InputValue, Inputs, LabelColumn, Observation, Panel};
pub use parameters::{CalibrationRow, Parameter};
pub use plan::{CalibrationKind, ChurnModel, ChurnPlan};
pub use predictor::ChurnServed;
pub use reasons::{
    CONSIDERED, Contribution, CustomerReasons, REASONS, Reasons, Typical, TypicalInput,
};
pub use split::{FOLDS, fold_of};
pub use steadiness::{DateShare, Steadiness};
pub use trial::{Backtest, CHOICE, Candidate};
