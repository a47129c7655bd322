//! What `[memberships]` means: customers who stay in a segment for a while, and customers whom people put into one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::At;

/// `[memberships]`
#[derive(Debug, Clone, Default, Serialize)]
pub struct Memberships {
    /// Days that a customer stays in a segment of a scheme at least, by scheme.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub min_stay_days: BTreeMap<String, u32>,
    /// How many days ahead it is told on which day customers leave their segments if no row comes; not told without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves_within_days: Option<u32>,
    /// The file of pins. Its content decides, not its place.
    #[serde(skip)]
    pub pins: Option<At<String>>,
}
