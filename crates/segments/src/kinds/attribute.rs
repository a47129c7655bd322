//! `kind = "attribute"`: the values of a label.

use tessera_spec::pipeline::{AttributeScheme, Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons, SegmentInfo};
use crate::customers::{Customers, Labels};
use crate::error::SegmentError;
use crate::wording::percent;

/// More segments than this say nothing to anyone; the label is an identifier rather than an attribute.
const MOST_SEGMENTS: usize = 10_000;

pub(super) static KIND: Kind = Kind {
    name: "attribute",
    summary: "One segment per value of a label.",
    docs: "Decides: the customer's value of the label is the segment; values that fewer than `min_share` of all customers have fall \
           into `other`. Labels are texts, booleans (`true`, `false`) and whole numbers.\n\
           Missing values: a missing or blank value is the `missing` segment.\n\
           Publishes: in `models` the label, its number of values and how many of them are rare.",
    accepts: |kind| matches!(kind, SchemeKind::Attribute(_)),
    inputs: |kind| match kind {
        SchemeKind::Attribute(config) => vec![config.by.value.as_str()],
        _ => Vec::new(),
    },
    divide,
};

/// Where the customers with one value go, and why.
struct Target {
    segment: String,
    rule: String,
    reason: String,
}

fn divide(
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let SchemeKind::Attribute(config) = &scheme.kind else {
        return Err(SegmentError::WrongKind { kind: KIND.name });
    };
    let (name, by) = (scheme.name.value.as_str(), config.by.value.as_str());
    let labels = customers.labels(by)?;
    let counts = labels.counts();
    let rare = |count: u64| (count as f64) < config.min_share * customers.len() as f64;
    let values = || labels.values().iter().zip(&counts);
    let kept = values()
        .filter(|(value, count)| !value.trim().is_empty() && !rare(**count))
        .count();
    if kept > MOST_SEGMENTS {
        return Err(SegmentError::TooManySegments {
            feature: by.to_owned(),
            values: kept,
            limit: MOST_SEGMENTS,
        });
    }
    let mut targets: Vec<Target> = values()
        .map(|(value, count)| target(config, value, rare(*count)))
        .collect();
    let rare_values = values()
        .filter(|(value, count)| !value.trim().is_empty() && rare(**count))
        .count();
    let missing = targets.len() as u32;
    let codes: Vec<u32> = labels
        .codes()
        .iter()
        .map(|&code| {
            if code == Labels::MISSING {
                missing
            } else {
                code
            }
        })
        .collect();
    if labels.codes().contains(&Labels::MISSING) {
        targets.push(target(config, "", false));
    }

    // Values rise by name and so do their segments; `other` and `missing` stand where they first occur.
    let mut segments: Vec<SegmentInfo> = Vec::new();
    let mut places = std::collections::HashMap::new();
    let mut of_code: Vec<u32> = Vec::with_capacity(targets.len());
    for target in &targets {
        let place = *places.entry(target.segment.as_str()).or_insert_with(|| {
            segments.push(SegmentInfo::new(
                name,
                &target.segment,
                Some(target.rule.clone()),
            ));
            segments.len() as u32 - 1
        });
        of_code.push(place);
    }
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments,
        segment_of: codes.iter().map(|&code| of_code[code as usize]).collect(),
        reasons: Reasons::PerCode {
            codes,
            texts: targets.into_iter().map(|target| target.reason).collect(),
        },
        assigned_by: AssignedBy::Rule,
        columns: Vec::new(),
        parameters: vec![
            Parameter::text(KIND.name, "by", by),
            Parameter::number(KIND.name, "min_share", config.min_share),
            Parameter::number(KIND.name, "values", counts.len() as f64),
            Parameter::number(KIND.name, "rare_values", rare_values as f64),
        ],
        warnings: Vec::new(),
    })
}

fn target(config: &AttributeScheme, value: &str, rare: bool) -> Target {
    let by = &config.by.value;
    if value.trim().is_empty() {
        let words = format!("{by} is missing");
        return Target {
            segment: config.missing.clone(),
            rule: words.clone(),
            reason: words,
        };
    }
    if !rare {
        let words = format!("{by} is {value}");
        return Target {
            segment: value.to_owned(),
            rule: words.clone(),
            reason: words,
        };
    }
    let share = percent(config.min_share);
    Target {
        segment: config.other.clone(),
        rule: format!("{by} has a value that fewer than {share} of the customers have"),
        reason: format!("{by} is {value}, which fewer than {share} of the customers have"),
    }
}
