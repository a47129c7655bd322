//! `kind = "attribute"`: the values of a label.

use std::collections::BTreeMap;

use tessera_spec::pipeline::{AttributeScheme, Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons};
use crate::customers::Customers;
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::label_targets::{Target, assign_by_label, is_blank};
use crate::wording::percent;

/// Largest number of segments: a label with more values is an identifier rather than an attribute.
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
    assign,
};

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let SchemeKind::Attribute(config) = &scheme.kind else {
        return Err(SegmentError::WrongKind { kind: KIND.name });
    };
    let (name, by) = (scheme.name.value.as_str(), config.by.value.as_str());
    let labels = customers.labels(by)?;
    let counts = labels.counts();
    let rare = |code: usize| match extra.learned {
        // A label that was not there at the fit counts as rare.
        Some(Fit::Labels {
            segments, other, ..
        }) => segments
            .get(labels.values()[code].as_ref())
            .is_none_or(|segment| segment == other),
        _ => (counts[code] as f64) < config.min_share * customers.len() as f64,
    };
    let named = || (0..counts.len()).filter(|code| !is_blank(&labels.values()[*code]));
    let kept = named().filter(|code| !rare(*code)).count();
    if kept > MOST_SEGMENTS {
        return Err(SegmentError::TooManySegments {
            feature: by.to_owned(),
            values: kept,
            limit: MOST_SEGMENTS,
        });
    }
    let words = format!("{by} is missing");
    let missing = Target {
        segment: config.missing.clone(),
        rule: words.clone(),
        reason: words,
    };
    let assigned = assign_by_label(
        name,
        &labels,
        |code, value| target(config, value, rare(code)),
        missing,
    );
    let segment_of_label = |code: usize| {
        let label = labels.values()[code].clone().into_owned();
        let target = target(config, &label, rare(code));
        (label, target.segment)
    };
    // Where no label is too rare, every label is a segment, whatever the customers.
    let learned = match config.min_share > 0.0 {
        true if extra.learned.is_some() => extra.learned.cloned().unwrap_or_default(),
        true => Fit::Labels {
            segments: named().map(segment_of_label).collect(),
            other: config.other.clone(),
            missing: config.missing.clone(),
        },
        false => Fit::None,
    };
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments: assigned.segments,
        segment_of: assigned.segment_of,
        reasons: Reasons::PerCode {
            codes: assigned.codes,
            texts: assigned.texts,
        },
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: vec![
            Parameter::text(KIND.name, "by", by),
            Parameter::number(KIND.name, "min_share", config.min_share),
            Parameter::number(KIND.name, "values", named().count() as f64),
            Parameter::number(
                KIND.name,
                "rare_values",
                named().filter(|code| rare(*code)).count() as f64,
            ),
        ],
        warnings: Vec::new(),
        quality: Vec::new(),
        fit: learned,
    })
}

fn target(config: &AttributeScheme, value: &str, rare: bool) -> Target {
    let by = &config.by.value;
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
