//! Whether it can be said of a customer in which segment they are: by a rule that people can read, and by inputs that are there.

use arrow::array::Array;
use tessera_spec::{GateSyntax, Limit, share};

use crate::assignment::AssignedBy;
use crate::customers::ColumnKind;
use crate::error::SegmentError;
use crate::gates::{Gate, Judged, Measure};
use crate::quality::{Quality, QualityStatus, Threshold};
use crate::wording::percent;

const NAME: &str = "identifiable";

/// Clusters are held against it where their short rules are learned.
pub(crate) static MIN_FIDELITY: Limit<f64> = Limit::share(
    NAME,
    "min_fidelity",
    0.9,
    "Smallest balanced accuracy of the short rule of a cluster, on customers that it was not learned from.",
);

static MIN_COVERAGE: Limit<f64> = Limit::share(
    NAME,
    "min_coverage",
    0.95,
    "Smallest share of customers with a value, of every input of the scheme; whom a score leaves out and says why, such as who churned before, count as known.",
);

pub(super) static GATE: Gate = Gate {
    syntax: GateSyntax {
        name: NAME,
        summary: "It can be said of a customer in which segment they are.",
        limits: &[&MIN_FIDELITY, &MIN_COVERAGE],
    },
    criteria: &[NAME],
    asks: "Whether a short rule says who is in a segment, and whether the inputs of the scheme have values.",
    measures: &[
        Measure::new(
            "stated_rule",
            &[],
            "1 where people can read the rule: in every kind but those that find clusters",
        ),
        Measure::new(
            "balanced_accuracy",
            &["min_fidelity"],
            "of the short rule of a cluster, on customers it was not learned from",
        ),
        Measure::new(
            "input_coverage",
            &["min_coverage"],
            "the smallest share of customers with a value, or of whom a score states why it has none, over the inputs of the scheme",
        ),
    ],
    judge,
};

fn judge(judged: &Judged<'_>) -> Result<Vec<Quality>, SegmentError> {
    let mut rows = Vec::new();
    // The short rules of clusters are judged where they are learned.
    if judged.assignment.assigned_by == AssignedBy::Rule {
        rows.push(Quality {
            segment: String::new(),
            criterion: NAME,
            metric: "stated_rule".to_owned(),
            value: Some(1.0),
            threshold: None,
            status: QualityStatus::Ok,
            reason: None,
        });
    }
    rows.extend(coverage(judged)?);
    Ok(rows)
}

/// The smallest share of customers with a value, over the inputs.
fn coverage(judged: &Judged<'_>) -> Result<Option<Quality>, SegmentError> {
    let customers = judged.customers;
    if customers.is_empty() {
        return Ok(None);
    }
    let limit = MIN_COVERAGE.of(judged.criteria);
    let all = customers.len() as u64;
    let mut known: Vec<(u64, &str)> = Vec::new();
    for (name, kind) in customers.features() {
        if !judged.reads.contains(name) {
            continue;
        }
        let missing: Vec<bool> = match kind {
            ColumnKind::Label => {
                let labels = customers.column(name)?;
                (0..labels.len()).map(|row| labels.is_null(row)).collect()
            }
            ColumnKind::Number | ColumnKind::Date => {
                let values = customers.numeric(name)?;
                values.values().iter().map(|value| value.is_nan()).collect()
            }
        };
        // Of those a score does not speak of, it is known why.
        let stated = judged.excluded.get(name);
        let stated = stated.map(|why| customers.column(why)).transpose()?;
        let is_stated = |row: usize| stated.as_ref().is_some_and(|why| why.is_valid(row));
        let missing = missing.iter().enumerate();
        let missing = missing
            .filter(|(row, is_missing)| **is_missing && !is_stated(*row))
            .count();
        known.push((all - missing as u64, name));
    }
    known.sort_unstable();
    let Some(&(least, _)) = known.first() else {
        return Ok(None);
    };
    let share = |known: u64| known as f64 / all as f64;
    let below: Vec<String> = known
        .iter()
        .filter(|(known, _)| share::is_less(*known, all, limit))
        .map(|(known, name)| format!("`{name}` {}", percent(share(*known))))
        .collect();
    let reason = (!below.is_empty()).then(|| {
        format!(
            "customers with a value: {}; other inputs, or a source that has more of them, would pass",
            below.join(", ")
        )
    });
    let row = Quality::judged(
        "",
        NAME,
        "input_coverage",
        (share(least), Threshold::at_least(limit)),
        reason,
    );
    Ok(Some(row))
}
