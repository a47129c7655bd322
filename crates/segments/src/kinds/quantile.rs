//! `kind = "quantile"`: tiers by cumulative share of customers, highest first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tessera_spec::pipeline::{QuantileScheme, Refit, Scheme, SchemeKind};
use tessera_spec::shown::grouped;

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons, SegmentInfo, Warning};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::{Fit, Tiers};
use crate::rank::Ranking;
use crate::wording::{percent, write_number};

/// Tolerance for rounding errors in sums of shares: ranks are multiples of half a customer, so it moves no customer.
const SLACK: f64 = 1e-9;

pub(super) static KIND: Kind = Kind {
    name: "quantile",
    summary: "Tiers by cumulative share of customers, highest value first.",
    docs: "Decides: with p = (customers above + half of the equal ones) / all customers with a value, the tier is the first whose \
           cumulative share is at least p. With distinct values a share of 5% of 4,000 customers is exactly 200 customers; customers \
           with equal values are all in the tier of their middle rank, so the order of rows changes nothing.\n\
           Missing values: the `missing` segment; they do not count as customers of the base.\n\
           Publishes: in `models` the share and the lowest value of every tier.",
    accepts: |kind| matches!(kind, SchemeKind::Quantile(_)),
    inputs: |kind| match kind {
        SchemeKind::Quantile(config) => vec![config.by.value.as_str()],
        _ => Vec::new(),
    },
    assign,
};

/// What a tier is, with its lowest value when it was fitted.
fn fitted_words(config: &QuantileScheme, tier: usize, lowest: Option<f64>, refit: Refit) -> String {
    let words = tier_words(&config.tiers, tier, &config.by.value);
    match (refit, lowest) {
        (Refit::Always, _) | (_, None) => words,
        // Between fits the share of customers may be another.
        (_, Some(lowest)) => {
            let mut words = format!("{words} when the tiers were fitted, from ");
            write_number(lowest, &mut words);
            words
        }
    }
}

/// Rank of a customer without a value.
const NO_RANK: u32 = 0;

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let SchemeKind::Quantile(config) = &scheme.kind else {
        return Err(SegmentError::WrongKind { kind: KIND.name });
    };
    check_tiers(&config.tiers)?;
    let (name, by) = (scheme.name.value.as_str(), config.by.value.as_str());
    let ranking = Ranking::new(customers.numeric(by)?.values());
    let known = match extra.learned {
        Some(Fit::Tiers(known)) => Some(known),
        _ => None,
    };
    let mut tier_of = vec![u8::MAX; customers.len()];
    let mut rank_of = vec![NO_RANK; customers.len()];
    let mut lowest: Vec<Option<f64>> = vec![None; config.tiers.len()];
    for tie in ranking.ties() {
        let above = ranking.len() - tie.end;
        let value = ranking.values()[tie.start];
        let tier = match known {
            Some(known) => known_tier(config, known, value),
            None => tier_at(&config.tiers, 2 * above + tie.len(), 2 * ranking.len()),
        };
        // Ties rise, so the first one seen of a tier is its lowest.
        lowest[tier].get_or_insert(value);
        for &row in &ranking.rows()[tie] {
            tier_of[row as usize] = tier as u8;
            rank_of[row as usize] = above as u32 + 1;
        }
    }
    let learned = known.cloned().unwrap_or_else(|| learned(config, &lowest));
    if known.is_some() {
        let begins = |tier: &(String, f64)| {
            let known = learned.lowest.iter().find(|known| known.1 == tier.0);
            known.map(|known| known.0)
        };
        lowest = config.tiers.iter().map(begins).collect();
    }

    let mut segments: Vec<SegmentInfo> = Vec::new();
    let tiers = lowest.iter().enumerate();
    let words: Vec<String> = tiers
        .map(|(tier, lowest)| fitted_words(config, tier, *lowest, scheme.refit))
        .collect();
    let of_tier: Vec<u32> = config
        .tiers
        .iter()
        .zip(&words)
        .map(|((tier, _), words)| place(name, tier, words, &mut segments))
        .collect();
    let missing = match ranking.len() < customers.len() {
        true => place(
            name,
            &config.missing,
            &format!("{by} is missing"),
            &mut segments,
        ),
        false => 0,
    };
    let segment_of = tier_of
        .iter()
        .map(|&tier| of_tier.get(usize::from(tier)).copied().unwrap_or(missing))
        .collect();
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments,
        segment_of,
        reasons: reasons(words, by, tier_of, rank_of, ranking.len()),
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: parameters(config, &lowest, &ranking),
        warnings: warnings(config, &lowest, &ranking),
        quality: Vec::new(),
        fit: Fit::Tiers(learned),
    })
}

/// The tiers by their lowest values.
fn learned(config: &QuantileScheme, lowest: &[Option<f64>]) -> Tiers {
    let tiers = config.tiers.iter().zip(lowest);
    Tiers {
        lowest: tiers
            .filter_map(|((tier, _), lowest)| Some(((*lowest)?, tier.clone())))
            .collect(),
        missing: config.missing.clone(),
    }
}

/// The tier of a value by tiers that were fitted before; the last one where they do not name it.
fn known_tier(config: &QuantileScheme, known: &Tiers, value: f64) -> usize {
    let segment = known.segment(value);
    let found = config.tiers.iter().position(|(tier, _)| tier == segment);
    found.unwrap_or(config.tiers.len() - 1)
}

/// The first tier whose share reaches the doubled rank; the last one always does.
fn tier_at(tiers: &[(String, f64)], doubled_rank: usize, doubled_all: usize) -> usize {
    let reaches = |share: f64| doubled_rank as f64 <= share * doubled_all as f64 + SLACK;
    tiers
        .iter()
        .position(|(_, share)| reaches(*share))
        .unwrap_or(tiers.len() - 1)
}

/// Index of the segment with that name, appended where it is new.
fn place(scheme: &str, segment: &str, rule: &str, segments: &mut Vec<SegmentInfo>) -> u32 {
    let index = segments.iter().position(|info| info.name == segment);
    index.unwrap_or_else(|| {
        segments.push(SegmentInfo::new(scheme, segment, Some(rule.to_owned())));
        segments.len() - 1
    }) as u32
}

fn check_tiers(tiers: &[(String, f64)]) -> Result<(), SegmentError> {
    let refuse = |(tier, share): &(String, f64)| {
        Err(SegmentError::Tiers {
            tier: tier.clone(),
            share: *share,
        })
    };
    let Some(last) = tiers.last() else {
        return Err(SegmentError::NoTiers);
    };
    let mut before = 0.0;
    for tier in tiers {
        if !(tier.1 > before && tier.1 <= 1.0) {
            return refuse(tier);
        }
        before = tier.1;
    }
    // u8 numbers the tiers, its largest value marks a customer without one.
    if last.1 < 1.0 || tiers.len() >= usize::from(u8::MAX) {
        refuse(last)
    } else {
        Ok(())
    }
}

fn tier_words(tiers: &[(String, f64)], tier: usize, by: &str) -> String {
    match (
        tier.checked_sub(1).map(|before| tiers[before].1),
        tiers[tier].1,
    ) {
        (None, 1.0) => format!("any {by}"),
        (None, share) => format!("top {} by {by}", percent(share)),
        (Some(before), 1.0) => format!("below the top {} by {by}", percent(before)),
        (Some(before), share) => format!(
            "top {} by {by}, below the top {}",
            percent(share),
            percent(before)
        ),
    }
}

fn reasons(
    words: Vec<String>,
    by: &str,
    tier_of: Vec<u8>,
    rank_of: Vec<u32>,
    ranked: usize,
) -> Reasons {
    let missing = format!("{by} is missing");
    let all = grouped(ranked as u64);
    Reasons::Written(Arc::new(move |row, to| {
        match words.get(usize::from(tier_of[row])) {
            // Writing to a String cannot fail.
            Some(words) => {
                let _ = write!(
                    to,
                    "{words} (rank {} of {all})",
                    grouped(u64::from(rank_of[row]))
                );
            }
            None => to.push_str(&missing),
        }
    }))
}

fn parameters(
    config: &QuantileScheme,
    lowest: &[Option<f64>],
    ranking: &Ranking,
) -> Vec<Parameter> {
    let model = KIND.name;
    let mut rows = vec![
        Parameter::text(model, "by", config.by.value.clone()),
        Parameter::number(model, "customers_ranked", ranking.len() as f64),
    ];
    for ((tier, share), lowest) in config.tiers.iter().zip(lowest) {
        rows.push(Parameter::number(model, format!("share_{tier}"), *share));
        rows.extend(lowest.map(|value| Parameter::number(model, format!("lowest_{tier}"), value)));
    }
    rows
}

fn warnings(config: &QuantileScheme, lowest: &[Option<f64>], ranking: &Ranking) -> Vec<Warning> {
    let empty = config
        .tiers
        .iter()
        .zip(lowest)
        .filter(|(_, lowest)| lowest.is_none());
    let tiers: Vec<String> = empty.map(|((tier, _), _)| tier.clone()).collect();
    if tiers.is_empty() || ranking.len() < config.tiers.len() {
        Vec::new()
    } else {
        vec![Warning::EmptyTiers { tiers }]
    }
}
