//! The features of a pipeline: those of the catalogue and its own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, ExprText};

/// What kind of knowledge a feature is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Base {
    Behavioural,
    Value,
    Lifecycle,
    Engagement,
    Demographic,
    Firmographic,
    Geographic,
    Psychographic,
    Needs,
}

/// What a feature's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole calendar days.
    Days,
    /// A number of things.
    Count,
    /// Money in the pipeline's currency.
    Currency,
    /// A quotient or rate.
    Ratio,
    /// A position on a scale, such as a survey answer.
    Score,
    /// A calendar date.
    Date,
    /// A name.
    Label,
    /// A number without a declared unit.
    Number,
}

impl Unit {
    /// As messages name it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Days => "a number of days",
            Self::Count => "a count",
            Self::Currency => "money",
            Self::Ratio => "a ratio",
            Self::Score => "a score",
            Self::Date => "a date",
            Self::Label => "a name",
            Self::Number => "a number",
        }
    }
}

/// Which values of a number are good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Direction {
    /// High values are good.
    #[serde(rename = "high is good")]
    High,
    /// Low values are good.
    #[serde(rename = "low is good")]
    Low,
    /// Neither end is good by itself.
    #[default]
    #[serde(rename = "none")]
    None,
}

impl Direction {
    /// As TOML and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high is good",
            Self::Low => "low is good",
            Self::None => "none",
        }
    }
}

/// How people read a feature: `label` and `direction`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Description {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Which values are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<At<Direction>>,
}

impl Description {
    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `[features]`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Features {
    /// Catalogue groups and single catalogue features to compute: `rfm`, `lifecycle`, `recency_days`.
    pub catalogue: Vec<At<String>>,
    /// The events source that catalogue features read; the only `events` source when not stated.
    pub orders: Option<At<String>>,
    /// Limits of the lifecycle stages.
    pub lifecycle: LifecycleLimits,
    /// Declared features in file order.
    pub declared: Vec<FeatureDecl>,
    /// Labels and directions of catalogue features.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub described: Vec<(At<String>, Description)>,
}

/// How lifecycle stages are defined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleLimits {
    /// Days since the last activity: `active_days` < `at_risk_days` < `dormant_days`.
    Fixed {
        /// Active up to here; 30 by default.
        active_days: u32,
        /// At risk up to here; 90 by default.
        at_risk_days: u32,
        /// Dormant up to here, then churned; 365 by default.
        dormant_days: u32,
    },
    /// Overdue = recency / expected inter-purchase time, shrunk towards the base's by `prior_gaps` gaps:
    /// active ≤ 1 < slipping ≤ 2 < at risk ≤ 3 < lapsed.
    Cadence {
        /// Weight κ of the base's mean gap, in gaps; 3 by default.
        prior_gaps: f64,
    },
}

impl Default for LifecycleLimits {
    fn default() -> Self {
        Self::Fixed {
            active_days: 30,
            at_risk_days: 90,
            dormant_days: 365,
        }
    }
}

/// `[features] NAME = { … }`.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureDecl {
    /// Name of the feature.
    pub name: At<String>,
    /// What kind of knowledge it is.
    pub base: Base,
    /// Unit of the number, if stated.
    pub unit: Option<Unit>,
    /// How people read it.
    #[serde(flatten)]
    pub description: Description,
    /// How it is computed.
    pub body: FeatureBody,
}

/// How a declared feature is computed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureBody {
    /// One aggregate over a source.
    Aggregate {
        /// The source.
        from: At<String>,
        /// Name of the aggregate.
        agg: At<String>,
        /// Its further keys.
        #[serde(skip_serializing_if = "Arguments::is_empty")]
        arguments: Arguments,
        /// Expression over the source's columns; none where the rows are aggregated.
        of: Option<ExprText>,
        /// Days of the window ending at `as_of`; all of history when absent.
        window_days: Option<At<u32>>,
        /// Days by which the window's end lies before `as_of`.
        offset_days: u32,
        /// Rows that count.
        filter: Option<ExprText>,
    },
    /// An expression over other features.
    Expr(ExprText),
}

/// Further keys of an aggregate, with their numbers.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Arguments(BTreeMap<&'static str, f64>);

impl Arguments {
    /// Enters the number of a key.
    pub fn insert(&mut self, key: &'static str, number: f64) {
        self.0.insert(key, number);
    }

    /// The number of a key; none where it is not stated.
    pub fn get(&self, key: &str) -> Option<f64> {
        self.0.get(key).copied()
    }

    /// Whether none is stated.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the pipeline file has them: `q = 0.9`.
    pub fn written(&self) -> String {
        let all = self
            .0
            .iter()
            .map(|(key, number)| format!("{key} = {number}"));
        all.collect::<Vec<String>>().join(", ")
    }
}
