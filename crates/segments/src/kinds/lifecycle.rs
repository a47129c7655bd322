//! `kind = "lifecycle"`: the stages of the `lifecycle_stage` feature.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tessera_spec::SchemeSyntax;
use tessera_spec::pipeline::{LifecycleLimits, Scheme, SchemeInput, SchemeKind, SchemeSettings};

use crate::assignment::{AssignedBy, Assignment, Extra, Reasons};
use crate::cells::{Axis, Cells};
use crate::customers::{Customers, Numeric};
use crate::error::SegmentError;
use crate::fit::Fit;
use crate::kind::{Kind, Nearest, Vacant, declared};
use crate::label_targets::{Target, assign_by_label};
use crate::parameter::Parameter;
use crate::rfm::Closed;
use crate::wording::write_number;

/// The catalogue feature that holds the stage.
const STAGE: &str = "lifecycle_stage";

/// The catalogue feature with the days since the last activity.
const RECENCY: &str = "recency_days";

/// The catalogue feature with the days since the first activity.
const TENURE: &str = "tenure_days";

/// The catalogue feature by which stages are told by cadence.
const OVERDUE: &str = "overdue_ratio";

/// Segment of customers without a stage.
pub const NO_STAGE: &str = "no stage";

pub(super) static KIND: Kind = Kind {
    syntax: SchemeSyntax {
        name: "lifecycle",
        summary: "One segment per lifecycle stage; limits are those of `lifecycle` in [features].",
        keys: &[],
        refit: None,
        clusters: false,
        read: |_| Some(SchemeKind::new(KIND.syntax.name, LifecycleScheme {})),
    },
    docs: "Decides: the catalogue feature `lifecycle_stage`, computed with the limits of `[features] lifecycle`, is the segment.\n\
           Missing values: a customer without a stage (no activity up to the date) is `no stage`.\n\
           Publishes: in `models` the feature and its number of stages.",
    words: "lifecycle stages",
    example: "",
    nearest: Nearest::Limits(|_, limits, _| Ok(Some(cells(limits)))),
    declared: declared::<LifecycleScheme>,
    assign,
    learning: None,
    vacant: |_, limits, segment| {
        let known = LifecycleScheme {}.segments(limits)?;
        let rule = || match segment {
            NO_STAGE => NO_STAGE_WORDS.to_owned(),
            stage => words(stage),
        };
        known
            .iter()
            .any(|name| name == segment)
            .then(|| Vacant::Stated(rule()))
    },
};

/// Rule and reason of customers without a stage.
const NO_STAGE_WORDS: &str =
    "no lifecycle stage: no activity up to this date, or too little to tell";

/// Rule and reason of a stage.
fn words(stage: &str) -> String {
    format!("lifecycle stage is {stage}")
}

/// `kind = "lifecycle"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LifecycleScheme {}

/// The stages by the columns that the feature is made from, each limit belonging to the stage below it.
fn cells(limits: &LifecycleLimits) -> Cells {
    let axis = |column: &str, limits: &[f64], by_time: bool| Axis {
        column: column.to_owned(),
        limits: limits.to_vec(),
        closed: Closed::Right,
        by_time,
    };
    let (axes, cells) = match *limits {
        LifecycleLimits::Fixed {
            active_days,
            at_risk_days,
            dormant_days,
        } => {
            let days = [active_days, at_risk_days, dormant_days].map(f64::from);
            let tenure = axis(TENURE, &days[..1], true);
            // Who is new is new whatever the days since the last activity.
            let cells = vec![0, 0, 0, 0, 1, 2, 3, 4];
            (vec![tenure, axis(RECENCY, &days, false)], cells)
        }
        LifecycleLimits::Cadence { .. } => (
            vec![axis(OVERDUE, &[1.0, 2.0, 3.0], false)],
            vec![0, 1, 2, 3],
        ),
    };
    Cells {
        axes,
        segments: stages(limits).iter().map(|of| (*of).to_owned()).collect(),
        cells,
        within: BTreeMap::new(),
    }
}

/// The stages in their order.
fn stages(limits: &LifecycleLimits) -> &'static [&'static str] {
    match limits {
        LifecycleLimits::Fixed { .. } => &["new", "active", "at risk", "dormant", "churned"],
        LifecycleLimits::Cadence { .. } => &["active", "slipping", "at risk", "lapsed"],
    }
}

impl SchemeSettings for LifecycleScheme {
    fn inputs(&self) -> Vec<SchemeInput<'_>> {
        vec![SchemeInput::Implied {
            feature: STAGE,
            missing: "a lifecycle scheme needs the feature `lifecycle_stage`",
            help: "add \"lifecycle\" to `use` in [features]",
        }]
    }

    fn segments(&self, limits: &LifecycleLimits) -> Option<Vec<String>> {
        let all = stages(limits).iter().chain([&NO_STAGE]);
        Some(all.map(|stage| (*stage).to_owned()).collect())
    }

    fn made_of(&self) -> Vec<&str> {
        vec![STAGE, RECENCY]
    }
}

fn assign(
    scheme: &Scheme,
    customers: &Customers,
    _: &Extra<'_>,
) -> Result<Assignment, SegmentError> {
    let name = scheme.name.value.as_str();
    let labels = customers.labels(STAGE)?;
    let missing = Target {
        segment: NO_STAGE.to_owned(),
        rule: NO_STAGE_WORDS.to_owned(),
        reason: NO_STAGE_WORDS.to_owned(),
    };
    let target = |_, stage: &str| Target {
        segment: stage.to_owned(),
        rule: words(stage),
        reason: words(stage),
    };
    let assigned = assign_by_label(name, &labels, target, missing);
    Ok(Assignment {
        scheme: name.to_owned(),
        kind: KIND.syntax.name,
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
            Parameter::text(KIND.syntax.name, "by", STAGE),
            Parameter::number(KIND.syntax.name, "stages", labels.values().len() as f64),
        ],
        warnings: Vec::new(),
        quality: Vec::new(),
        fit: Fit::default(),
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
