//! `[features]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::word::LifecycleKind;
use crate::pipeline::{Base, Direction, Unit};

/// Features of the catalogue, and declared ones: every other key is the name of a feature.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct FeaturesTable {
    /// Groups and single features of the catalogue; `tessera features` lists them.
    #[schemars(rename = "use", extend("uniqueItems" = true))]
    catalogue: Option<Vec<String>>,
    /// The events source that catalogue features read; the only one, or the one named `orders`, by default.
    orders: Option<String>,
    /// Limits of the lifecycle stages.
    lifecycle: Option<LifecycleTable>,
    #[schemars(flatten)]
    declared: BTreeMap<String, FeatureTable>,
}

/// How lifecycle stages are defined.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum LifecycleTable {
    Fixed(FixedLimitsTable),
    Cadence(CadenceTable),
}

/// Stages by days since the last activity: increasing limits.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct FixedLimitsTable {
    /// By fixed limits (the default) or by each customer's own cadence.
    #[schemars(extend("const" = "fixed"))]
    kind: Option<LifecycleKind>,
    /// Active up to here; 30 by default.
    #[schemars(range(min = 1, max = 36_525))]
    active_days: Option<u32>,
    /// At risk up to here; 90 by default.
    #[schemars(range(min = 1, max = 36_525))]
    at_risk_days: Option<u32>,
    /// Dormant up to here, churned after; 365 by default.
    #[schemars(range(min = 1, max = 36_525))]
    dormant_days: Option<u32>,
}

/// Stages by each customer's own cadence: days since the last activity divided by the expected gap between activities.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct CadenceTable {
    /// By each customer's own cadence.
    #[schemars(extend("const" = "cadence"))]
    kind: LifecycleKind,
    /// Weight of the mean gap of all customers, in gaps; 3 by default.
    #[schemars(extend("exclusiveMinimum" = 0))]
    prior_gaps: Option<f64>,
}

/// An aggregate: each describes itself, see [`crate::AggregateSyntax`].
#[derive(JsonSchema)]
struct AggFunc {}

/// A declared feature: an aggregate over a source, or an expression over other features. Or label and direction of a feature of
/// the catalogue.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum FeatureTable {
    Aggregate(AggregateTable),
    Derived(DerivedTable),
    Described(DescribedTable),
}

/// An aggregate over the rows of a customer.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct AggregateTable {
    /// The source.
    from: String,
    /// The function.
    agg: AggFunc,
    /// SQL expression over the source's columns; required except for `count`.
    of: Option<String>,
    /// Window that ends at `as_of`: whole days or weeks, such as `90d`, `12w`; all of history by default.
    #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
    window: Option<String>,
    /// How much earlier than `as_of` the window ends, such as `90d`.
    #[schemars(regex(pattern = r"^[0-9]+[dw]$"))]
    offset: Option<String>,
    /// SQL condition; only rows for which it is true count.
    #[schemars(rename = "where")]
    filter: Option<String>,
    /// What kind of knowledge it is; `behavioural` by default.
    base: Option<Base>,
    /// What the number counts.
    unit: Option<Unit>,
    /// What people call it, such as `days since the last order`: reasons and the report use it; the name, its underscores as
    /// spaces, by default.
    label: Option<String>,
    /// Which values are good: colours of the report and the reading of changes follow it; `none` by default.
    direction: Option<Direction>,
}

/// An expression over other features.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct DerivedTable {
    /// SQL expression over other features.
    expr: String,
    /// What kind of knowledge it is; `behavioural` by default.
    base: Option<Base>,
    /// What the number counts.
    unit: Option<Unit>,
    /// What people call it, such as `days since the last order`: reasons and the report use it; the name, its underscores as
    /// spaces, by default.
    label: Option<String>,
    /// Which values are good: colours of the report and the reading of changes follow it; `none` by default.
    direction: Option<Direction>,
}

/// How people read a feature of the catalogue.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct DescribedTable {
    /// What people call it; that of the catalogue by default.
    label: Option<String>,
    /// Which values are good; that of the catalogue by default.
    direction: Option<Direction>,
}
