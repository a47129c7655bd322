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
    /// How many days ahead `memberships` says on which day customers leave their segments if no row comes, such as "30d". It costs
    /// memory for every customer and day.
    leaves_within: Option<String>,
    /// A CSV file with the columns customer, scheme, segment, until, why and by: these customers are in these segments up to and
    /// with the day `until`, or for good where it is empty.
    pins: Option<String>,
}
