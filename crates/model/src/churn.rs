//! Churn, learnt from observation dates: who leaves within a horizon, how surely, and for which reasons.
//!
//! The noun is a churn fit: a logistic regression and a random forest that compete with the recency rule and the base rate
//! on a later date and on customers that none of them saw, and the one that may serve. Three types matter: [`Panel`] is what
//! was known of customers at several dates and who left after each, [`ChurnPlan`] what is asked, and [`ChurnFit`] what
//! serves, with its report.
//!
//! Where to look:
//! - columns, labels, stacked observations: `churn/inputs.rs`
//! - who is learnt from and tested on: `churn/split.rs`
//! - transforms, missing values, labels as numbers: `churn/encoding.rs`
//! - the models: `churn/logistic.rs`, `churn/forest.rs`; the rule to beat: `churn/recency.rs`; all as one: `churn/predictor.rs`
//! - calibration: `churn/calibration.rs`, with the rising curve of `churn/curve.rs`
//! - the test, and who serves: `churn/trial.rs`
//! - fit, scores, reasons: `churn/fit.rs`; as rows of tables: `churn/parameters.rs`

mod calibration;
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
mod recency;
mod split;
mod trial;

pub use error::ChurnError;
pub use fit::{ChurnFit, Reason};
pub use inputs::{Inputs, LabelColumn, Observation, Panel};
pub use parameters::{CalibrationRow, Parameter};
pub use plan::{CalibrationKind, ChurnModel, ChurnPlan};
pub use predictor::ChurnServed;
pub use split::Fold;
pub use trial::Candidate;
