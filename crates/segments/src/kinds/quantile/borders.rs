//! Customers at the border of a tier, who stay above or below it.

use std::collections::BTreeMap;

use tessera_spec::pipeline::TierLimits;
use tessera_spec::shown::grouped;

use super::{QuantileScheme, tier_at};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::rank::Ranking;
use crate::wording::percent;

/// A customer whom limits put into another segment than the rank alone.
#[derive(Debug, Clone, PartialEq)]
pub struct WithinLimits {
    /// The row of the table of customers.
    pub row: u32,
    /// The tier or segment.
    pub tier: String,
    /// Why, without what the rank alone would give.
    pub reason: String,
}

/// The customers whom limits keep above or below the border of a tier. `tier_before` is the tier of the customer in a row in the
/// previous version; who was in none has the tier of the rank.
///
/// # Errors
/// The number is not a column of the customers.
pub fn within_limits(
    config: &QuantileScheme,
    limits: &BTreeMap<String, TierLimits>,
    customers: &Customers,
    tier_before: impl Fn(usize) -> Option<usize>,
) -> Result<Vec<WithinLimits>, SegmentError> {
    let ranking = Ranking::new(customers.numeric(&config.by.value)?.values());
    let (count, mut found) = (ranking.len(), Vec::new());
    // The share of every border, by the tier before.
    let share_of = |before: usize| {
        let share = move |(tier, (name, share)): (usize, &(String, f64))| {
            let limits = limits.get(name);
            let limit = limits.and_then(|limits| {
                let limit = if before <= tier {
                    &limits.exit
                } else {
                    &limits.enter
                };
                limit.as_ref().map(|limit| limit.value)
            });
            (name.clone(), limit.unwrap_or(*share))
        };
        config.tiers.iter().enumerate().map(share).collect()
    };
    let shares: Vec<Vec<(String, f64)>> = (0..config.tiers.len()).map(share_of).collect();
    for tie in ranking.ties() {
        let above = count - tie.end;
        let (doubled_rank, doubled_all) = (2 * above + tie.len(), 2 * count);
        let own = tier_at(&config.tiers, doubled_rank, doubled_all);
        for &row in &ranking.rows()[tie] {
            let Some(shares) = tier_before(row as usize).and_then(|tier| shares.get(tier)) else {
                continue;
            };
            let tier = tier_at(shares, doubled_rank, doubled_all);
            if tier == own {
                continue;
            }
            // The border that decides is that of the higher one of the two tiers.
            let (border, does) = match tier < own {
                true => (tier, "leaves"),
                false => (own, "enters"),
            };
            let reason = format!(
                "by its limits in `{}` (rank {} of {}): {does} `{}` at the top {} by {}",
                shares[tier].0,
                grouped(above as u64 + 1),
                grouped(count as u64),
                shares[border].0,
                percent(shares[border].1),
                config.by.value
            );
            found.push(WithinLimits {
                row,
                tier: shares[tier].0.clone(),
                reason,
            });
        }
    }
    Ok(found)
}
