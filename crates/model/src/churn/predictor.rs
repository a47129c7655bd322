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
use crate::metrics::log_odds;
use crate::special::logistic;

/// What can predict churn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChurnServed {
    /// Logistic regression.
    Logistic,
    /// The random forest.
    RandomForest,
    /// Both of them: the mean of their log-odds. A forest gives customers beyond all others, such as the few who buy most, the probability
    /// of the outermost leaf; a line goes on.
    Combined,
    /// A monotone curve over recency only.
    RecencyRule,
    /// The same probability for everyone.
    BaseRate,
}

impl ChurnServed {
    /// Whether it is a model over all columns.
    pub(super) fn is_model(self) -> bool {
        matches!(self, Self::Logistic | Self::RandomForest | Self::Combined)
    }

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::RandomForest => "random_forest",
            Self::Combined => "combined",
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
            Self::Combined => "mean of logistic regression and random forest",
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
    Combined(LogisticModel, Forest),
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
            ChurnServed::Combined => Self::Combined(
                LogisticModel::fit(design, &targets)?,
                Forest::fit(design, &targets, plan.seed)?,
            ),
            ChurnServed::RecencyRule => {
                let column = plan.recency.as_deref().unwrap_or_default();
                Self::RecencyRule(RecencyRule::fit(&panel.inputs, column, &panel.churned)?)
            }
            ChurnServed::BaseRate => Self::BaseRate(base_rate),
        })
    }

    /// Of lists of fits to the same parts of the customers: what the logistic regression and the forest of each part are together.
    pub(super) fn combined<'a>(fits: impl Iterator<Item = &'a [Self]>) -> Vec<Self> {
        let (mut models, mut forests) = (Vec::new(), Vec::new());
        for fitted in fits.flatten() {
            match fitted {
                Self::Logistic(model) => models.push(model),
                Self::RandomForest(forest) => forests.push(forest),
                Self::Combined(..) | Self::RecencyRule(_) | Self::BaseRate(_) => {}
            }
        }
        let both = models.into_iter().zip(forests);
        both.map(|(model, forest)| Self::Combined(model.clone(), forest.clone()))
            .collect()
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
            Self::Combined(model, forest) => {
                let both = model.probabilities(design).into_iter();
                let both = both.zip(forest.probabilities(design));
                both.map(|(a, b)| logistic(0.5 * (log_odds(a) + log_odds(b))))
                    .collect()
            }
            Self::RecencyRule(rule) => rule.probabilities(inputs)?,
            Self::BaseRate(rate) => vec![*rate; inputs.rows()],
        })
    }

    pub(super) fn kind(&self) -> ChurnServed {
        match self {
            Self::Logistic(_) => ChurnServed::Logistic,
            Self::RandomForest(_) => ChurnServed::RandomForest,
            Self::Combined(..) => ChurnServed::Combined,
            Self::RecencyRule(_) => ChurnServed::RecencyRule,
            Self::BaseRate(_) => ChurnServed::BaseRate,
        }
    }
}
