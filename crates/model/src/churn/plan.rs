//! The settings of a churn fit.

use serde::{Deserialize, Serialize};

use super::error::ChurnError;

/// A model that can be fitted to all columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnModel {
    /// Logistic regression with an L2 penalty.
    Logistic,
    /// A random forest of classification trees.
    RandomForest,
}

/// How a model's probabilities are calibrated on customers that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationKind {
    /// A line in the log-odds (Platt 1999).
    Platt,
    /// Isotonic regression (pool adjacent violators; Zadrozny & Elkan 2002).
    Isotonic,
    /// Probabilities as the model gives them.
    None,
}

/// The settings of a churn fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChurnPlan {
    /// The models to try beside the rule and the base rate; may be empty.
    pub models: Vec<ChurnModel>,
    /// Name of the numeric column that the recency rule reads; without it the rule to beat is the base rate.
    pub recency: Option<String>,
    /// How models and rule are calibrated.
    pub calibration: CalibrationKind,
    /// Days after the observation in which a customer may leave to count as churned; at least 1. Observations closer than
    /// this to the newest date are not used for training before the test, since their outcomes overlap with it.
    pub horizon_days: u32,
    /// Seed of folds, samples and trees.
    pub seed: u64,
    /// Largest number of training rows, at least 1,000; of more, a sample by seed is used.
    pub max_rows: usize,
}

impl ChurnPlan {
    /// Both models, Platt's calibration, no recency column, 100,000 rows, seed 0.
    pub fn new(horizon_days: u32) -> Self {
        Self {
            models: vec![ChurnModel::Logistic, ChurnModel::RandomForest],
            recency: None,
            calibration: CalibrationKind::Platt,
            horizon_days,
            seed: 0,
            max_rows: 100_000,
        }
    }

    /// With a recency column.
    #[must_use]
    pub fn with_recency(mut self, column: impl Into<String>) -> Self {
        self.recency = Some(column.into());
        self
    }

    pub(super) fn check(&self) -> Result<(), ChurnError> {
        let refuse = |parameter, value: String, allowed| {
            Err(ChurnError::Parameter {
                parameter,
                value,
                allowed,
            })
        };
        if self.horizon_days == 0 {
            return refuse("horizon_days", "0".to_owned(), "at least 1");
        }
        if self.max_rows < 1_000 {
            return refuse("max_rows", self.max_rows.to_string(), "at least 1000");
        }
        let twice = (1..self.models.len()).any(|at| self.models[..at].contains(&self.models[at]));
        if twice {
            return refuse("models", format!("{:?}", self.models), "named once each");
        }
        Ok(())
    }
}
