//! `kind = "attribute"`: the values of a label.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tessera_spec::pipeline::{
    At, Learns, LifecycleLimits, Naming, Refit, Scheme, SchemeInput, SchemeKind, SchemeSettings,
};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue, SchemeSyntax, share};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons, Warning};
use crate::customers::{Customers, Labels};
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::kind::{Kind, Learning, Nearest, Vacant, declared, never_too_few, settings};
use crate::label_targets::{Target, assign_by_label, is_blank};
use crate::parameter::Parameter;
use crate::quality::{Quality, Threshold};
use crate::wording::percent;

/// Largest number of segments: a label with more values is an identifier rather than an attribute.
const MOST_SEGMENTS: usize = 10_000;

const BY: Key = Key::required(
    "by",
    KeyValue::Text,
    "The label feature.",
    "add `by = \"…\"`, the label feature whose values are the segments",
);

const MISSING: Key = Key::optional(
    "missing",
    KeyValue::Text,
    "Segment of customers without a value; `unknown` by default.",
);

const MIN_SHARE: Key = Key::optional(
    "min_share",
    KeyValue::SmallShare,
    "Values of a smaller share of customers are merged into `other`; 0 by default.",
);

const OTHER: Key = Key::optional(
    "other",
    KeyValue::Text,
    "Name of the segment of rare values; `other` by default.",
);

/// The name of the form in which it stores what it learned.
const FORM: &str = "labels";

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "attribute",
        summary: "One segment per value of a label.",
        keys: &[BY, MISSING, MIN_SHARE, OTHER],
        refit: Some(Refit::Always),
        clusters: false,
        read,
    },
    docs: "Decides: the customer's value of the label is the segment; values that fewer than `min_share` of all customers have fall \
           into `other`. Labels are texts, booleans (`true`, `false`) and whole numbers.\n\
           Missing values: a missing or blank value is the `missing` segment.\n\
           Publishes: in `models` the label, its number of values and how many of them are rare; in `quality` a row `one meaning` \
           where customers with a value share the segment of those without one, or of those with rare ones, because the value is \
           called like it. `missing` and `other` give these other names.",
    words: "values of an attribute",
    example: "by = \"country\"\nmin_share = 0.02",
    nearest: Nearest::Untold("the segment is the value of a label"),
    declared: declared::<AttributeScheme>,
    assign,
    learning: Some(Learning {
        form: FORM,
        files: &["crates/segments/src/kinds/attribute.rs"],
        restore: Fit::restored::<CommonLabels>,
        too_few: never_too_few,
        apply,
    }),
    vacant,
};

/// Any value may be one that customers had; the names of missing and rare values are stated.
fn vacant(scheme: &Scheme, _: &LifecycleLimits, segment: &str) -> Option<Vacant> {
    let config: &AttributeScheme = scheme.kind.of()?;
    Some(match segment {
        _ if segment == config.missing => Vacant::Stated(missing_words(config)),
        _ if segment == config.other && config.min_share > 0.0 => {
            Vacant::Stated(target(config, segment, Some(have(scheme, false))).rule)
        }
        _ if is_blank(segment) => return None,
        _ => Vacant::Label(target(config, segment, None).rule),
    })
}

/// Rule and reason of customers without a value.
fn missing_words(config: &AttributeScheme) -> String {
    format!("{} is missing", config.by.value)
}

/// `kind = "attribute"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttributeScheme {
    /// The label feature.
    pub by: At<String>,
    /// Segment of customers without a value.
    pub missing: String,
    /// Values rarer than this share of customers fall into `other`; 0 by default.
    pub min_share: f64,
    /// Name of the segment of rare values.
    pub other: String,
}

impl SchemeSettings for AttributeScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        vec![SchemeInput::label(&self.by)]
    }

    fn learned_by(&self) -> Option<Value> {
        // What the segments of rare and of missing values are called decides nothing about which are rare.
        Some(json!([self.by, self.min_share]))
    }

    fn learns(&self) -> Learns {
        match self.min_share > 0.0 {
            true => Learns::Again,
            false => Learns::Nothing("without `min_share` nothing is learned from the customers"),
        }
    }
}

fn read(table: &Reader<'_>) -> Option<SchemeKind> {
    let settings = AttributeScheme {
        by: table.stated(&BY),
        missing: table.segment_or(&MISSING, "unknown"),
        min_share: table.small_share(&MIN_SHARE).unwrap_or(0.0),
        other: table.segment_or(&OTHER, "other"),
    };
    Some(SchemeKind::new(KIND.syntax.name, settings))
}

/// The segment of each label that occurred, by the names of then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct CommonLabels {
    /// Segment by label.
    segments: BTreeMap<String, String>,
    /// Segment of rare labels.
    other: String,
    /// Segment of customers without a label.
    missing: String,
    /// Whether a label that is called as the segment of rare ones is none of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    other_is_common: bool,
}

impl CommonLabels {
    /// Whether a label was rare, also by the name that it had then, or did not occur.
    fn is_rare(&self, label: &str, naming: &Naming) -> bool {
        let is_common = |label: &str| match self.segments.get(label) {
            Some(segment) if label == self.other => *segment != self.other || self.other_is_common,
            Some(segment) => *segment != self.other,
            None => false,
        };
        !is_common(label) && !naming.was(label).is_some_and(is_common)
    }
}

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    extra: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &AttributeScheme = settings(&KIND, scheme)?;
    let (name, by) = (scheme.name.value.as_str(), config.by.value.as_str());
    let labels = customers.labels(by)?;
    let counts = labels.counts();
    let rare = |code: usize| match extra.learned.and_then(Fit::get::<CommonLabels>) {
        Some(known) => known.is_rare(&labels.values()[code], &scheme.naming),
        None => share::is_less(counts[code], customers.len() as u64, config.min_share),
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
    let missing = Target {
        segment: config.missing.clone(),
        rule: missing_words(config),
        reason: missing_words(config),
    };
    let have = have(scheme, extra.learned.is_some());
    let assigned = assign_by_label(
        name,
        &labels,
        |code, value| target(config, value, rare(code).then_some(have)),
        missing,
    );
    let segment_of_label = |code: usize| {
        let label = labels.values()[code].clone().into_owned();
        let target = target(config, &label, rare(code).then_some(have));
        (label, target.segment)
    };
    let common = || CommonLabels {
        segments: named().map(segment_of_label).collect(),
        other: config.other.clone(),
        missing: config.missing.clone(),
        other_is_common: named().any(|code| *labels.values()[code] == *config.other && !rare(code)),
    };
    let learned = match extra.learned {
        // Where no label is too rare, every label is a segment, whatever the customers.
        _ if config.min_share == 0.0 => Fit::default(),
        Some(learned) => learned.clone(),
        // Of nobody there is nothing to learn: the next run does.
        None if named().next().is_none() => Fit::default(),
        None => Fit::new(FORM, common()),
    };
    let shared = shared(config, &labels, &counts, rare);
    let number = |of: &str, value| Parameter::number(KIND.syntax.name, of, value);
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.syntax.name,
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
            Parameter::text(KIND.syntax.name, "by", by),
            number("min_share", config.min_share),
            number("values", named().count() as f64),
            number("rare_values", (named().count() - kept) as f64),
        ],
        quality: shared.iter().filter_map(one_meaning).collect(),
        warnings: shared,
        fit: learned,
    })
}

/// Values that are called as the segment of customers without a value or with rare ones, where there are such customers.
fn shared(
    config: &AttributeScheme,
    labels: &Labels<'_>,
    counts: &[u64],
    rare: impl Fn(usize) -> bool,
) -> Vec<Warning> {
    let sum = |of: &dyn Fn(usize) -> bool| -> u64 {
        let codes = (0..counts.len()).filter(|code| of(*code));
        codes.map(|code| counts[code]).sum()
    };
    let is_none = |code: usize| is_blank(&labels.values()[code]);
    let uncoded = labels.codes().iter();
    let uncoded = uncoded.filter(|code| **code == Labels::MISSING).count() as u64;
    let without = uncoded + sum(&is_none);
    let with_rare = sum(&|code: usize| !is_none(code) && rare(code));
    let cases = [
        (&config.missing, without, false),
        (&config.other, with_rare, true),
    ];
    let found = cases.into_iter().filter_map(|(segment, others, of_rare)| {
        let named = |code: usize| *labels.values()[code] == **segment && !rare(code);
        let with_value = sum(&named);
        (with_value > 0 && others > 0).then(|| Warning::SharedSegment {
            segment: segment.clone(),
            with_value,
            others,
            rare: of_rare,
        })
    });
    found.collect()
}

/// A segment that stands for a value and for something else has two meanings.
fn one_meaning(warning: &Warning) -> Option<Quality> {
    let Warning::SharedSegment {
        segment,
        others,
        rare,
        ..
    } = warning
    else {
        return None;
    };
    let metric = match rare {
        true => "customers_with_rare_values",
        false => "customers_without_value",
    };
    Some(Quality::judged(
        segment,
        "one meaning",
        metric,
        (*others as f64, Threshold::at_most(0.0)),
        Some(warning.to_string()),
    ))
}

/// Assigns by the labels that were common among other customers.
fn apply(
    learned: &Assignment,
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let config: &AttributeScheme = settings(&KIND, scheme)?;
    let known: &CommonLabels = learned.learned(&KIND)?;
    let labels = customers.labels(&config.by.value)?;
    let segment = |row| match labels.get(row).filter(|label| !is_blank(label)) {
        Some(label) if known.is_rare(label, &scheme.naming) => config.other.as_str(),
        Some(label) => label,
        None => config.missing.as_str(),
    };
    Ok(Assignment::by_names(
        &scheme.name.value,
        KIND.syntax.name,
        (0..customers.len()).map(segment),
    ))
}

/// Of whom it is said that few have a value: where what is rare is kept from one run to the next, those of the fit.
fn have(scheme: &Scheme, is_applied: bool) -> &'static str {
    match is_applied || scheme.refit != Refit::Always {
        true => "had when the segments were fitted",
        false => "have",
    }
}

/// The segment of a value; of a rare one with whether the customers of today or of the fit have it.
fn target(config: &AttributeScheme, value: &str, rare: Option<&str>) -> Target {
    let by = &config.by.value;
    let Some(have) = rare else {
        let words = format!("{by} is {value}");
        return Target {
            segment: value.to_owned(),
            rule: words.clone(),
            reason: words,
        };
    };
    let share = percent(config.min_share);
    Target {
        segment: config.other.clone(),
        rule: format!("{by} has a value that fewer than {share} of the customers {have}"),
        reason: format!("{by} is {value}, which fewer than {share} of the customers {have}"),
    }
}
