//! TOML values that the checked pipeline represents in another way.

use schemars::JsonSchema;
use serde::Deserialize;

/// Touch models: how much of a person's time a segment gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Touch {
    /// A named person.
    High,
    /// A pool of people.
    Low,
    /// Automatic.
    Tech,
}

/// What happens to rows that are equal in every column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RepeatedRows {
    /// All are kept.
    Keep,
    /// The first is kept.
    DropExact,
    /// The run fails with exit code 3.
    Fail,
}

/// How lifecycle stages are defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LifecycleKind {
    /// By days since the last activity.
    Fixed,
    /// By each customer's own cadence.
    Cadence,
}

/// Models of a `clv` score: of how often customers buy, and of what they spend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClvModel {
    /// Purchases: Fader, Hardie & Lee 2005.
    BgNbd,
    /// Purchases: Batislam, Denizel & Filiztekin 2007; customers may stop right after the first.
    MbgNbd,
    /// Purchases: Schmittlein, Morrison & Colombo 1987.
    ParetoNbd,
    /// Purchases: Ehrenberg 1959; nobody leaves.
    Nbd,
    /// Spend per purchase: Fader & Hardie 2013.
    GammaGamma,
}

/// The end of a component's values that is healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GoodEnd {
    /// High values are good.
    High,
    /// Low values are good.
    Low,
}
