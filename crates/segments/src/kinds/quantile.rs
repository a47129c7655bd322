//! `kind = "quantile"`: tiers by cumulative share of customers, highest first.

mod borders;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{
    At, Learns, LifecycleLimits, Refit, Scheme, SchemeInput, SchemeKind, SchemeSettings,
};
use tessera_spec::reader::Reader;
use tessera_spec::shown::grouped;
use tessera_spec::{Key, KeyValue, SchemeSyntax};

pub use borders::{WithinLimits, tiers_within, within_limits};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons, SegmentInfo, Warning, WhyEmpty};
use crate::cells::{Axis, Cells};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::kind::{Kind, Learning, Nearest, Vacant, declared, never_too_few, settings};
use crate::parameter::Parameter;
use crate::rank::Ranking;
use crate::rfm::Closed;
use crate::wording::{percent, write_number};

/// Tolerance for rounding errors in sums of shares: ranks are multiples of half a customer, so it moves no customer.
const SLACK: f64 = 1e-9;

const BY: Key = Key::required(
    "by",
    KeyValue::Text,
    "The numeric feature to rank by.",
    "add `by = \"…\"`, the numeric feature to rank by",
);

const TIERS: Key = Key::required(
    "tiers",
    KeyValue::Of(tiers_shape),
    "Names with cumulative shares of customers, rising, the last 1.0: { top = 0.05, high = 0.20, low = 1.0 }.",
    "add `tiers = { top = 0.05, high = 0.20, low = 1.0 }`: cumulative shares, highest first",
);

const MISSING: Key = Key::optional(
    "missing",
    KeyValue::Text,
    "Segment of customers without the number; `unknown` by default.",
);

fn tiers_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    })
}

/// The name of the form in which it stores what it learned.
const FORM: &str = "tiers";

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "quantile",
        summary: "Tiers by cumulative share of customers, highest value first.",
        keys: &[BY, TIERS, MISSING],
        refit: Some(Refit::Always),
        clusters: false,
        read,
    },
    docs: "Decides: with p = (customers above + half of the equal ones) / all customers with a value, the tier is the first whose \
           cumulative share is at least p. With distinct values a share of 5% of 4,000 customers is exactly 200 customers; customers \
           with equal values are all in the tier of their middle rank, so the order of rows changes nothing.\n\
           Missing values: the `missing` segment; they do not count as customers of the base.\n\
           Publishes: in `models` the share and the lowest value of every tier.",
    words: "ranked by a number",
    example: "by = \"spend_total\"\ntiers = { top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }",
    nearest: Nearest::Limits(limits),
    declared: declared::<QuantileScheme>,
    assign,
    learning: Some(Learning {
        form: FORM,
        files: &[
            "crates/segments/src/rank.rs",
            "crates/segments/src/kinds/quantile.rs",
        ],
        restore: Fit::restored::<Tiers>,
        too_few: never_too_few,
        apply,
    }),
    vacant: |scheme, _, segment| {
        let config: &QuantileScheme = scheme.kind.of()?;
        let is_missing = segment == config.missing;
        is_missing.then(|| Vacant::Stated(missing_words(config)))
    },
};

/// Rule and reason of customers without the number.
fn missing_words(config: &QuantileScheme) -> String {
    format!("{} is missing", config.by.value)
}

/// `kind = "quantile"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QuantileScheme {
    /// The number to rank by, highest first.
    pub by: At<String>,
    /// Tier names with the cumulative share of customers, rising, the last 1.0.
    pub tiers: Vec<(String, f64)>,
    /// Segment of customers whose number is null.
    pub missing: String,
}

impl SchemeSettings for QuantileScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        vec![SchemeInput::number(&self.by)]
    }

    fn learns(&self) -> Learns {
        Learns::Again
    }

    fn learned_by(&self) -> Option<Value> {
        // What tiers are called decides nothing about where they begin.
        let shares: Vec<f64> = self.tiers.iter().map(|(_, share)| *share).collect();
        Some(json!([self.by, shares]))
    }

    fn declared(&self) -> Option<Vec<&str>> {
        let named = self.tiers.iter().map(|(name, _)| name.as_str());
        Some(named.chain([self.missing.as_str()]).collect())
    }
}

fn read(table: &Reader<'_>) -> Option<SchemeKind> {
    let by = table.stated(&BY);
    let missing = table.segment_or(&MISSING, "unknown");
    table.require(&TIERS);
    let tiers = tiers(&table.table(TIERS.name)?)?;
    if tiers.iter().any(|(name, _)| *name == missing) {
        let message =
            format!("`{missing}` is both a tier and the segment of customers without a value");
        table.note(
            Diagnostic::error("TS-P035", message, table.value_span("tiers"))
                .with_help("rename the tier, or set another `missing`"),
        );
    }
    Some(SchemeKind::new(
        KIND.syntax.name,
        QuantileScheme { by, tiers, missing },
    ))
}

/// Names and cumulative shares: above 0, rising, the last 1.
fn tiers(inner: &Reader<'_>) -> Option<Vec<(String, f64)>> {
    const HELP: &str = "for example { top = 0.05, high = 0.20, mid = 0.50, low = 1.0 }: the top 5%, the next 15%, …";
    let wrong = |message: String, span: std::ops::Range<usize>| {
        let found = Diagnostic::error("TS-P035", message, span).with_note(
            "tiers are cumulative shares of the customers, from the highest tier: they increase up to 1.0",
        );
        inner.note(found.with_help(HELP));
    };
    let mut tiers: Vec<(String, f64)> = Vec::new();
    let mut good = true;
    for entry in inner.entries() {
        inner.check_segment(&entry.key);
        let Some(share) = inner.number(&entry.key.value) else {
            good = false;
            continue;
        };
        let before = tiers.last().map_or(0.0, |(_, share)| *share);
        if share.value <= before || share.value > 1.0 {
            let message = match tiers.last() {
                _ if share.value > 1.0 => format!("tier `{}` is above 1.0", entry.key.value),
                Some((name, before)) => {
                    format!(
                        "tier `{}` must be above {before}, the share up to tier `{name}`",
                        entry.key.value
                    )
                }
                None => format!("tier `{}` must be above 0", entry.key.value),
            };
            wrong(message, share.span);
            good = false;
        }
        tiers.push((entry.key.value, share.value));
    }
    if good && tiers.last().is_none_or(|tier| tier.1 != 1.0) {
        let last = inner.entries().pop();
        let span = last.map_or_else(
            || inner.span.clone(),
            |entry| inner.value_span(&entry.key.value),
        );
        wrong(
            "the last tier must be 1.0, so that every customer is in a tier".to_owned(),
            span,
        );
        good = false;
    }
    good.then_some(tiers)
}

/// What a tier is; where its lowest value is kept, with that: the share of customers may be another since.
fn fitted_words(config: &QuantileScheme, tier: usize, kept: Option<f64>) -> String {
    let mut words = tier_words(&config.tiers, tier, &config.by.value);
    if let Some(lowest) = kept {
        words.push_str(" when the tiers were fitted, from ");
        write_number(lowest, &mut words);
    }
    words
}

/// Tier of a customer without a value: beyond all of them.
const NO_TIER: u32 = u32::MAX;

/// Rank of a customer without a value.
const NO_RANK: u32 = 0;

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &QuantileScheme = settings(&KIND, scheme)?;
    check_tiers(&config.tiers)?;
    let (name, by) = (scheme.name.value.as_str(), config.by.value.as_str());
    let ranking = Ranking::new(customers.numeric(by)?.values());
    let known = extra.learned.and_then(Fit::get::<Tiers>);
    let known = known.map(|known| (known, known.begins(&config.tiers)));
    let mut tier_of = vec![NO_TIER; customers.len()];
    let mut rank_of = vec![NO_RANK; customers.len()];
    let mut lowest: Vec<Option<f64>> = vec![None; config.tiers.len()];
    for tie in ranking.ties() {
        let above = ranking.len() - tie.end;
        let value = ranking.values()[tie.start];
        let tier = match &known {
            Some((_, begins)) => tier_of_value(begins, value),
            None => tier_at(&config.tiers, 2 * above + tie.len(), 2 * ranking.len()),
        };
        // Ties rise, so the first one seen of a tier is its lowest.
        lowest[tier].get_or_insert(value);
        for &row in &ranking.rows()[tie] {
            tier_of[row as usize] = tier as u32;
            rank_of[row as usize] = above as u32 + 1;
        }
    }
    let fit = match &known {
        Some((known, begins)) => {
            lowest = vec![None; config.tiers.len()];
            begins
                .iter()
                .for_each(|(begin, tier)| lowest[*tier] = Some(*begin));
            Fit::new(FORM, (*known).clone())
        }
        // Of nobody there is nothing to learn: the next run does.
        None if ranking.len() == 0 => Fit::default(),
        None => Fit::new(FORM, learned(config, &lowest)),
    };

    let mut segments: Vec<SegmentInfo> = Vec::new();
    // An earlier definition that serves instead of today's keeps its tiers also where each run would fit them.
    let is_kept = known.is_some() || scheme.refit != Refit::Always;
    let tiers = lowest.iter().enumerate();
    let words: Vec<String> = tiers
        .map(|(tier, lowest)| fitted_words(config, tier, lowest.filter(|_| is_kept)))
        .collect();
    let of_tier: Vec<u32> = config
        .tiers
        .iter()
        .zip(&words)
        .map(|((tier, _), words)| place(name, tier, words, &mut segments))
        .collect();
    let missing = match ranking.len() < customers.len() {
        true => place(name, &config.missing, &missing_words(config), &mut segments),
        false => 0,
    };
    let segment_of = tier_of
        .iter()
        .map(|&tier| of_tier.get(tier as usize).copied().unwrap_or(missing))
        .collect();
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.syntax.name,
        segments,
        segment_of,
        reasons: reasons(words, by, tier_of, rank_of, ranking.len()),
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: parameters(config, &lowest, &ranking),
        warnings: warnings(config, &lowest, &ranking, known.is_some()),
        quality: Vec::new(),
        fit,
    })
}

/// Tiers by their lowest value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tiers {
    /// The lowest value of each tier that has customers, highest first, and what the tier was called.
    pub lowest: Vec<(f64, String)>,
    /// What the segment of customers without the number was called.
    pub missing: String,
    /// The place of each of these among the tiers of the scheme, where not every tier has customers: names may change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<u32>,
}

impl Tiers {
    /// Where tiers begin, highest first, with the place of each among the tiers of the scheme, whatever they are called now.
    fn begins(&self, tiers: &[(String, f64)]) -> Vec<(f64, usize)> {
        let place = |index: usize, name: &String| match self.places.get(index) {
            Some(place) => Some(*place as usize),
            None if self.lowest.len() == tiers.len() => Some(index),
            None => tiers.iter().position(|(tier, _)| tier == name),
        };
        let lowest = self.lowest.iter().enumerate();
        let begins = lowest.filter_map(|(index, (lowest, name))| {
            let place = place(index, name).filter(|place| *place < tiers.len())?;
            Some((*lowest, place))
        });
        begins.collect()
    }
}

/// The place of the tier of a value; below all tiers it is the last that has customers.
fn tier_of_value(begins: &[(f64, usize)], value: f64) -> usize {
    let found = begins.iter().find(|(lowest, _)| value >= *lowest);
    found.or(begins.last()).map_or(0, |(_, place)| *place)
}

/// The tiers between their lowest values, the lowest tier below all of them.
fn limits(scheme: &Scheme, _: &LifecycleLimits, fit: &Fit) -> Result<Option<Cells>, SegmentError> {
    let config: &QuantileScheme = settings(&KIND, scheme)?;
    let begins = fit.get::<Tiers>().map(|tiers| tiers.begins(&config.tiers));
    let begins = begins.filter(|begins| !begins.is_empty());
    Ok(begins.map(|begins| {
        let rising = begins.iter().rev();
        Cells {
            axes: vec![Axis {
                column: config.by.value.clone(),
                limits: rising.clone().skip(1).map(|tier| tier.0).collect(),
                closed: Closed::Left,
                by_time: false,
            }],
            segments: rising.map(|tier| config.tiers[tier.1].0.clone()).collect(),
            cells: (0..begins.len() as u32).collect(),
            within: BTreeMap::new(),
        }
    }))
}

/// Assigns by tiers that were fitted to other customers.
fn apply(
    learned: &Assignment,
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &QuantileScheme = settings(&KIND, scheme)?;
    let tiers: &Tiers = learned.learned(&KIND)?;
    let begins = tiers.begins(&config.tiers);
    let values = customers.numeric(&config.by.value)?;
    let segment = |value: &f64| match value.is_nan() {
        true => config.missing.as_str(),
        false => config.tiers[tier_of_value(&begins, *value)].0.as_str(),
    };
    Ok(Assignment::by_names(
        &scheme.name.value,
        KIND.syntax.name,
        values.values().iter().map(segment),
    ))
}

/// The tiers by their lowest values.
fn learned(config: &QuantileScheme, lowest: &[Option<f64>]) -> Tiers {
    let tiers = config.tiers.iter().zip(lowest).enumerate();
    let (lowest, mut places): (Vec<_>, Vec<u32>) = tiers
        .filter_map(|(place, ((tier, _), lowest))| Some((((*lowest)?, tier.clone()), place as u32)))
        .unzip();
    if places.len() == config.tiers.len() {
        places.clear();
    }
    Tiers {
        lowest,
        missing: config.missing.clone(),
        places,
    }
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
    match last.1 < 1.0 {
        true => refuse(last),
        false => Ok(()),
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
    tier_of: Vec<u32>,
    rank_of: Vec<u32>,
    ranked: usize,
) -> Reasons {
    let missing = format!("{by} is missing");
    let all = grouped(ranked as u64);
    Reasons::Written(Arc::new(move |row, to| {
        match words.get(tier_of[row] as usize) {
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
    let model = KIND.syntax.name;
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

fn warnings(
    config: &QuantileScheme,
    lowest: &[Option<f64>],
    ranking: &Ranking,
    is_applied: bool,
) -> Vec<Warning> {
    if ranking.len() < config.tiers.len() {
        return Vec::new();
    }
    let all = ranking.len();
    // As if all values differed.
    let is_reached = |tier: usize| {
        let mut ranks = (0..all).map(|above| tier_at(&config.tiers, 2 * above + 1, 2 * all));
        ranks.any(|reached| reached == tier)
    };
    let why = |tier: usize| match is_applied {
        true => WhyEmpty::Fit,
        false if is_reached(tier) => WhyEmpty::Ties,
        false => WhyEmpty::Share {
            customers: all as u64,
        },
    };
    let mut found: Vec<(WhyEmpty, Vec<String>)> = Vec::new();
    for (tier, (name, _)) in config.tiers.iter().enumerate() {
        if lowest[tier].is_some() {
            continue;
        }
        let why = why(tier);
        match found.iter_mut().find(|(known, _)| *known == why) {
            Some((_, tiers)) => tiers.push(name.clone()),
            None => found.push((why, vec![name.clone()])),
        }
    }
    let found = found.into_iter();
    found
        .map(|(why, tiers)| Warning::EmptyTiers { tiers, why })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_take_values_between_and_below_those_they_were_learned_from_whatever_they_are_called() {
        let tiers = Tiers {
            lowest: vec![(100.0, "top".to_owned()), (10.0, "rest".to_owned())],
            missing: "unknown".to_owned(),
            places: vec![0, 2],
        };
        let called = ["best", "none", "others"].map(|name| (name.to_owned(), 1.0));
        let begins = tiers.begins(&called);
        let found = [250.0, 100.0, 99.0, 1.0].map(|value| tier_of_value(&begins, value));
        assert_eq!(found, [0, 0, 2, 2]);
        let stored = r#"{"lowest": [[100.0, "top"], [10.0, "rest"]], "missing": "unknown"}"#;
        let stored: Tiers = serde_json::from_str(stored).unwrap();
        assert_eq!(stored.begins(&called[..2]), [(100.0, 0), (10.0, 1)]);
    }
}
