//! What can predict churn: a model over all columns, the recency rule, or the base rate.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::encoding::Design;
use super::error::ChurnError;
use super::forest::Forest;
use super::inputs::{Inputs, Panel};
use super::logistic::LogisticModel;
use super::plan::{ChurnModel, ChurnPlan};
use super::recency::RecencyRule;

/// What can predict churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnServed {
    /// Logistic regression.
    Logistic,
    /// The random forest.
    RandomForest,
    /// A monotone curve over recency only.
    RecencyRule,
    /// The same probability for everyone.
    BaseRate,
}

impl ChurnServed {
    /// Whether it is a model over all columns.
    pub(super) fn is_model(self) -> bool {
        matches!(self, Self::Logistic | Self::RandomForest)
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::RandomForest => "random_forest",
            Self::RecencyRule => "recency_rule",
            Self::BaseRate => "base_rate",
        }
    }
}

impl fmt::Display for ChurnServed {
    /// The name in sentences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logistic => "logistic regression",
            Self::RandomForest => "random forest",
            Self::RecencyRule => "recency rule",
            Self::BaseRate => "base rate",
        })
    }
}

impl From<ChurnModel> for ChurnServed {
    fn from(model: ChurnModel) -> Self {
        match model {
            ChurnModel::Logistic => Self::Logistic,
            ChurnModel::RandomForest => Self::RandomForest,
        }
    }
}

/// A fitted predictor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Predictor {
    Logistic(LogisticModel),
    RandomForest(Forest),
    RecencyRule(RecencyRule),
    BaseRate(f64),
}

impl Predictor {
    /// Fits to a panel and its encoded inputs. The base rate is `base_rate`.
    pub(super) fn fit(
        kind: ChurnServed,
        plan: &ChurnPlan,
        panel: &Panel,
        design: &Design,
        base_rate: f64,
    ) -> Result<Self, ChurnError> {
        let targets = panel.targets();
        Ok(match kind {
            ChurnServed::Logistic => Self::Logistic(LogisticModel::fit(design, &targets)?),
            ChurnServed::RandomForest => {
                Self::RandomForest(Forest::fit(design, &targets, plan.seed)?)
            }
            ChurnServed::RecencyRule => {
                let column = plan.recency.as_deref().unwrap_or_default();
                Self::RecencyRule(RecencyRule::fit(&panel.inputs, column, &panel.churned)?)
            }
            ChurnServed::BaseRate => Self::BaseRate(base_rate),
        })
    }

    /// Probabilities before calibration, one per row.
    pub(super) fn probabilities(
        &self,
        inputs: &Inputs,
        design: &Design,
    ) -> Result<Vec<f64>, ChurnError> {
        Ok(match self {
            Self::Logistic(model) => model.probabilities(design),
            Self::RandomForest(forest) => forest.probabilities(design),
            Self::RecencyRule(rule) => rule.probabilities(inputs)?,
            Self::BaseRate(rate) => vec![*rate; inputs.rows()],
        })
    }

    pub(super) fn kind(&self) -> ChurnServed {
        match self {
            Self::Logistic(_) => ChurnServed::Logistic,
            Self::RandomForest(_) => ChurnServed::RandomForest,
            Self::RecencyRule(_) => ChurnServed::RecencyRule,
            Self::BaseRate(_) => ChurnServed::BaseRate,
        }
    }
}
