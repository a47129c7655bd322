//! `kind = "lifecycle"`: the stages of the `lifecycle_stage` feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use tessera_spec::pipeline::{Scheme, SchemeKind};

use super::Kind;
use crate::assignment::{AssignedBy, Assignment, Extra, Parameter, Reasons};
use crate::customers::{Customers, Numeric};
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::label_targets::{Target, assign_by_label};
use crate::wording::write_number;

/// The catalogue feature that holds the stage.
const STAGE: &str = "lifecycle_stage";

/// The catalogue feature with the days since the last activity; only reasons read it.
const RECENCY: &str = "recency_days";

/// Segment of customers without a stage.
pub const NO_STAGE: &str = "no stage";

pub(super) static KIND: Kind = Kind {
    name: "lifecycle",
    summary: "One segment per lifecycle stage.",
    docs: "Decides: the catalogue feature `lifecycle_stage`, computed with the limits of `[features] lifecycle`, is the segment.\n\
           Missing values: a customer without a stage (no activity up to the date) is `no stage`.\n\
           Publishes: in `models` the feature and its number of stages.",
    accepts: |kind| matches!(kind, SchemeKind::Lifecycle),
    inputs: |_| vec![STAGE],
    assign,
};

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let name = scheme.name.value.as_str();
    let labels = customers.labels(STAGE)?;
    let words = "no lifecycle stage: no activity up to this date, or too little to tell".to_owned();
    let missing = Target {
        segment: NO_STAGE.to_owned(),
        rule: words.clone(),
        reason: words,
    };
    let target = |_, stage: &str| {
        let words = format!("lifecycle stage is {stage}");
        Target {
            segment: stage.to_owned(),
            rule: words.clone(),
            reason: words,
        }
    };
    let assigned = assign_by_label(name, &labels, target, missing);
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.name,
        segments: assigned.segments,
        segment_of: assigned.segment_of,
        reasons: reasons(
            assigned.codes,
            assigned.texts,
            customers.numeric(RECENCY).ok(),
        ),
        assigned_by: AssignedBy::Rule,
        held: BTreeMap::new(),
        columns: Vec::new(),
        parameters: vec![
            Parameter::text(KIND.name, "by", STAGE),
            Parameter::number(KIND.name, "stages", labels.values().len() as f64),
        ],
        warnings: Vec::new(),
        quality: Vec::new(),
        fit: Fit::None,
    })
}

/// The stage, and the days since the last activity where they are known.
fn reasons(codes: Vec<u32>, texts: Vec<String>, recency: Option<Numeric>) -> Reasons {
    let Some(recency) = recency else {
        return Reasons::PerCode { codes, texts };
    };
    Reasons::Written(Arc::new(move |row, to| {
        to.push_str(&texts[codes[row] as usize]);
        if let Some(days) = recency.get(row) {
            to.push_str(", ");
            write_number(days, to);
            to.push_str(if days == 1.0 {
                " day since the last activity"
            } else {
                " days since the last activity"
            });
        }
    }))
}
