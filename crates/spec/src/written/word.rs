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
