//! What `[memberships]` means: customers who stay in a segment for a while, and customers whom people put into one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{At, Span};

/// `[memberships]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Memberships {
    /// Days that a customer stays in a segment of a scheme at least, by scheme.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub min_stay_days: BTreeMap<String, u32>,
    /// By quantile scheme and tier: the shares at which customers enter and leave the tier, where they are others than its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hysteresis: BTreeMap<String, BTreeMap<String, TierLimits>>,
    /// By scheme of kind `rfm_grid`: the share of customers by which ranks may be better or worse before a customer leaves its
    /// segment.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub score_margins: BTreeMap<String, At<f64>>,
    /// How many days ahead it is told on which day customers leave their segments if no row comes; not told without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaves_within_days: Option<u32>,
    /// Whether it is told which smallest change would move each customer, where the file states it; told without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_change: Option<bool>,
    /// The file of pins. Its content decides, not its place.
    #[serde(skip)]
    pub pins: Option<At<String>>,
}

/// Cumulative shares of customers, from the highest, at which customers enter and leave a tier.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TierLimits {
    /// Where the tier is named.
    #[serde(skip)]
    pub span: Span,
    /// Who was below the tier enters it, or one above, up to this share; that of the tier by default.
    pub enter: Option<At<f64>>,
    /// Who was in the tier, or above, leaves it beyond this share; that of the tier by default.
    pub exit: Option<At<f64>>,
}
