//! `kind = "lifecycle"`: the stages of the `lifecycle_stage` feature (DEFINITIONS §3).

use tessera_spec::pipeline::{Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons, SegmentInfo};
use crate::customers::{Customers, Labels};
use crate::error::SegmentError;

/// The catalogue feature that holds the stage.
const STAGE: &str = "lifecycle_stage";

/// Segment of customers without any activity up to `as_of`.
const NO_STAGE: &str = "no_activity";

pub(super) static KIND: Kind = Kind {
    name: "lifecycle",
    summary: "One segment per lifecycle stage.",
    docs: "Decides: the catalogue feature `lifecycle_stage`, computed with the limits of `[features] lifecycle`, is the segment.\n\
           Missing values: a customer without any activity up to the date has no stage and is `no_activity`.\n\
           Publishes: in `models` the feature and its number of stages.",
    accepts: |kind| matches!(kind, SchemeKind::Lifecycle),
    inputs: |_| vec![STAGE],
    divide,
};

fn divide(
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let name = scheme.name.value.as_str();
    let labels = customers.labels(STAGE)?;
    let mut segments: Vec<SegmentInfo> = Vec::new();
    let mut texts = Vec::new();
    for stage in labels.values() {
        let words = format!("lifecycle stage is {stage}");
        segments.push(SegmentInfo::new(name, stage, Some(words.clone())));
        texts.push(words);
    }
    let without = labels
        .values()
        .iter()
        .position(|stage| *stage == NO_STAGE)
        .unwrap_or(segments.len()) as u32;
    let missing = texts.len() as u32;
    if labels.codes().contains(&Labels::MISSING) {
        let words = "no activity up to this date, hence no lifecycle stage".to_owned();
        if without as usize == segments.len() {
            segments.push(SegmentInfo::new(name, NO_STAGE, Some(words.clone())));
        }
        texts.push(words);
    }
    let replace = |by: u32| move |&code: &u32| if code == Labels::MISSING { by } else { code };
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments,
        segment_of: labels.codes().iter().map(replace(without)).collect(),
        reasons: Reasons::PerCode {
            codes: labels.codes().iter().map(replace(missing)).collect(),
            texts,
        },
        assigned_by: AssignedBy::Rule,
        columns: Vec::new(),
        parameters: vec![
            Parameter::text(KIND.name, "by", STAGE),
            Parameter::number(KIND.name, "stages", labels.values().len() as f64),
        ],
        warnings: Vec::new(),
    })
}
