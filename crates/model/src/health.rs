//! Health: weighted components from 0 to 100 in one number, and whether that number predicts churn.
//!
//! The noun is a health score: the weighted mean of the components that a customer has, missing where too little of the
//! weight is present. Three types matter: [`HealthPlan`] is what was declared, [`HealthFit`] is the plan with the ranks
//! learnt from the customers, with which all customers are scored, and [`HealthBacktest`] compares earlier scores with who
//! churned afterwards and states whether the score discriminates.
//!
//! Where to look:
//! - components, weights, bands and their checks: `health/plan.rs`
//! - how a number becomes points: `health/points.rs`
//! - scores, bands, coverage, missing components: `health/fit.rs`
//! - backtest and verdict: `health/backtest.rs`

mod backtest;
mod error;
mod fit;
mod plan;
mod points;

pub use backtest::{BandOutcome, HealthBacktest, HealthTrial, HorizonOutcome};
pub use error::HealthError;
pub use fit::{HealthFit, HealthScores};
pub use plan::{HealthBand, HealthComponent, HealthPlan, HealthScale};
pub use points::{FittedScale, Ranks};
