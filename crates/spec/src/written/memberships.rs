//! `[memberships]`

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// Customers who stay in a segment for a while, and customers whom people put into one.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct MembershipsTable {
    /// How long a customer stays in a segment at least, by scheme: { touch = "30d" }. Who would move earlier is held back.
    min_stay: Option<BTreeMap<String, String>>,
    /// By scheme of kind quantile and tier, the cumulative shares at which customers enter and leave the tier, so that those at its
    /// border do not come and go: { value_tier = { top = { enter = 0.04, exit = 0.07 } } }.
    hysteresis: Option<BTreeMap<String, BTreeMap<String, LimitsTable>>>,
    /// By scheme of kind rfm_grid, the share of customers by which the ranks of recency, frequency and monetary value may be better or
    /// worse before a customer leaves its segment: { rfm = 0.02 }. Who is at the border of a score does not come and go then.
    score_margin: Option<BTreeMap<String, f64>>,
    /// How many days ahead `memberships` says on which day customers leave their segments if no row comes, such as "30d". It costs
    /// memory for every customer and day.
    leaves_within: Option<String>,
    /// Whether `memberships` says which smallest change of one column would lead the customer to another segment, in all schemes that
    /// can tell it; true by default.
    nearest_change: Option<bool>,
    /// A CSV file with the columns customer, scheme, segment, until, why and by: these customers are in these segments up to and
    /// with the day `until`, or for good where it is empty.
    pins: Option<String>,
}

/// Shares at which customers enter and leave a tier.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct LimitsTable {
    /// Who was below the tier enters it up to this share; at most that of the tier, which is the default.
    enter: Option<f64>,
    /// Who was in the tier leaves it beyond this share; at least that of the tier, which is the default, and below 1.
    exit: Option<f64>,
}
