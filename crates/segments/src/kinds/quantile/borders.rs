//! Customers at the border of a tier, who stay above or below it.

use std::collections::BTreeMap;

use tessera_spec::pipeline::TierLimits;
use tessera_spec::shown::grouped;

use super::{QuantileScheme, tier_at, tier_of_value};
use crate::cells::{Axis, Cells};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::rank::Ranking;
use crate::rfm::Closed;
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
    let shares: Vec<_> = (0..config.tiers.len())
        .map(|before| shares(config, limits, before))
        .collect();
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

/// The share of every border for who was in a tier.
fn shares(
    config: &QuantileScheme,
    limits: &BTreeMap<String, TierLimits>,
    before: usize,
) -> Vec<(String, f64)> {
    let share = |(tier, (name, share)): (usize, &(String, f64))| {
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
}

/// The tiers between their lowest values, for who is in none of them and, by the limits of entering and leaving, for who is in each;
/// `None` where no customer has a number.
///
/// # Errors
/// The number is not a column of the customers.
pub fn tiers_within(
    config: &QuantileScheme,
    limits: &BTreeMap<String, TierLimits>,
    customers: &Customers,
) -> Result<Option<Cells>, SegmentError> {
    let ranking = Ranking::new(customers.numeric(&config.by.value)?.values());
    if ranking.len() == 0 {
        return Ok(None);
    }
    let own = begins(&config.tiers, &ranking);
    let from = (0..config.tiers.len()).map(|before| shares(config, limits, before));
    let from: Vec<_> = from.map(|shares| begins(&shares, &ranking)).collect();
    // The last tier of each begins below all numbers.
    let all = from.iter().chain([&own]);
    let mut edges: Vec<f64> = all
        .flat_map(|begins| begins.iter().rev().skip(1).map(|(value, _)| *value))
        .collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let cells = |begins: &[(f64, usize)]| -> Vec<u32> {
        let lowest = [f64::NEG_INFINITY];
        let values = lowest.iter().chain(&edges);
        let tiers = values.map(|value| tier_of_value(begins, *value) as u32);
        tiers.collect()
    };
    let within = (0..).zip(&from);
    Ok(Some(Cells {
        cells: cells(&own),
        within: within.map(|(tier, begins)| (tier, cells(begins))).collect(),
        segments: config.tiers.iter().map(|(name, _)| name.clone()).collect(),
        axes: vec![Axis {
            column: config.by.value.clone(),
            limits: edges,
            closed: Closed::Left,
            by_time: false,
        }],
    }))
}

/// The lowest number of each tier that customers are in by these shares, highest first, with the place of the tier.
fn begins(shares: &[(String, f64)], ranking: &Ranking) -> Vec<(f64, usize)> {
    let mut begins: Vec<(f64, usize)> = Vec::new();
    for tie in ranking.ties() {
        let above = ranking.len() - tie.end;
        let tier = tier_at(shares, 2 * above + tie.len(), 2 * ranking.len());
        // Ties rise, and so do their tiers.
        if begins.last().is_none_or(|(_, last)| *last != tier) {
            begins.push((ranking.values()[tie.start], tier));
        }
    }
    begins.reverse();
    begins
}
