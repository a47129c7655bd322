//! Schemes held against `[gates]`: what is judged of the customers, and what ends the run.

use std::collections::BTreeSet;

use arrow::array::{AsArray, RecordBatch};
use tessera_expr::{Schema, columns, condition_at};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_segments::{Assignment, Customers, Judged, Quality, Since};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostics, unknown_name};
use tessera_spec::pipeline::{Criteria, OnFail, Scheme, VALUE_AT_RISK};

use crate::error::PipelineError;
use crate::history::{own_columns, read_columns};
use crate::prepare::Prepared;

/// Name of the hidden column that says who may be contacted, for schemes without a condition of their own.
const REACHABLE: &str = "__reachable";

/// The hidden column of a scheme.
fn reachable_name(pipeline: &Pipeline, scheme: &str) -> String {
    match pipeline.gates.schemes.contains_key(scheme) {
        true => format!("{REACHABLE}_{scheme}"),
        false => REACHABLE.to_owned(),
    }
}

/// Checks the names in `[gates]`, and adds who may be contacted to what is computed of the customers.
pub(crate) fn plan(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    features: &mut FeaturePlan,
    found: &mut Diagnostics,
) {
    let names: Vec<&str> = published.iter().map(|info| info.name.as_str()).collect();
    let mut reported = BTreeSet::new();
    for criteria in pipeline.gates.each() {
        for kpi in criteria.distinguishable.kpis.iter().flatten() {
            // What a scheme takes over from the general criteria is one mistake.
            if !names.contains(&kpi.value.as_str()) && reported.insert(kpi.span.start) {
                let span = kpi.span.clone();
                found.extend([unknown_name("TS-G001", "feature", &kpi.value, span, &names)]);
            }
        }
    }
    let known = Schema {
        columns: features
            .published
            .iter()
            .map(|f| (f.name.clone(), f.ty))
            .collect(),
    };
    let own = pipeline.gates.schemes.iter();
    let own = own.map(|(scheme, criteria)| (reachable_name(pipeline, scheme), criteria));
    for (name, criteria) in std::iter::once((REACHABLE.to_owned(), &pipeline.gates.all)).chain(own)
    {
        let Some(text) = &criteria.actionable.reachable else {
            continue;
        };
        match condition_at(text, &known) {
            Ok(expr) if features.base_gap.is_some() => features.late.push((name, expr)),
            Ok(expr) => features.derived.push((name, expr)),
            Err(problems) if reported.insert(text.span.start) => found.extend(problems),
            Err(_) => {}
        }
    }
}

/// Columns in which segments should differ: those that the pipeline states, else the KPI of its goal and what customers are worth.
fn kpis(prepared: &Prepared, criteria: &Criteria) -> Vec<String> {
    if let Some(stated) = &criteria.distinguishable.kpis {
        return stated.iter().map(|kpi| kpi.value.clone()).collect();
    }
    let goal = prepared
        .pipeline
        .goal
        .as_ref()
        .map(|goal| goal.kpi.value.clone());
    let values = prepared.value.iter().map(|(info, _)| info.name.clone());
    let mut kpis: Vec<String> = goal.into_iter().chain(values).collect();
    // It follows from the future value and the probability of churn.
    kpis.retain(|kpi| kpi != VALUE_AT_RISK);
    let mut seen = BTreeSet::new();
    kpis.retain(|kpi| seen.insert(kpi.clone()));
    kpis
}

/// Columns that a scheme assigns by, and values that are computed from them.
fn inputs<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> Vec<&'a str> {
    let read = read_columns(prepared, scheme);
    let made = prepared.value.iter().filter(|(_, expr)| {
        let used = columns(expr);
        used.iter().any(|column| read.contains(column))
    });
    let made: Vec<&str> = made.map(|(info, _)| info.name.as_str()).collect();
    read.iter().copied().chain(made).collect()
}

/// Holds a scheme and its segments against the criteria. `features` are all columns of the customers, hidden ones too.
pub(crate) fn judge(
    prepared: &Prepared,
    scheme: &Scheme,
    (customers, features): (&Customers, &RecordBatch),
    assignment: &Assignment,
    since: &Since,
) -> Result<Vec<Quality>, PipelineError> {
    let pipeline = &prepared.pipeline;
    let name = scheme.name.value.as_str();
    let criteria = pipeline.gates.of(name);
    let reachable = features.column_by_name(&reachable_name(pipeline, name));
    let judged = Judged {
        criteria,
        customers,
        assignment,
        reads: &own_columns(prepared, scheme),
        inputs: &inputs(prepared, scheme),
        kpis: &kpis(prepared, criteria),
        value: prepared.value_feature(),
        playbooks: &pipeline.playbooks,
        reachable: reachable.and_then(|column| column.as_boolean_opt()),
        since,
    };
    Ok(tessera_segments::judge(&judged)?)
}

/// The measures of a scheme that fall short where more is asked than to state it.
#[derive(Debug, Default)]
pub(crate) struct Short {
    /// Of criteria that end the run.
    pub(crate) fail: Vec<String>,
    /// Of criteria that hold the definition of the previous version.
    pub(crate) hold: Vec<String>,
}

/// The measures of a scheme that fall short where more is asked than to state it.
pub(crate) fn short(prepared: &Prepared, assignment: &Assignment) -> Short {
    let scheme = assignment.scheme.as_str();
    let criteria = prepared.pipeline.gates.of(scheme);
    let mut short = Short::default();
    for (on_fail, row) in tessera_segments::failed(criteria, &assignment.quality) {
        match on_fail {
            OnFail::FailRun => short.fail.push(words(scheme, row)),
            OnFail::HoldPrevious => short.hold.push(words(scheme, row)),
            OnFail::Flag => {}
        }
    }
    short
}

/// `scheme `touch`, segment `rescue`: substantial: customers 12, limit 200: …`
pub(crate) fn words(scheme: &str, row: &Quality) -> String {
    let segment = match row.segment.as_str() {
        "" => String::new(),
        segment => format!(", segment `{segment}`"),
    };
    let number = |value: Option<f64>| match value {
        Some(value) if value.fract() == 0.0 => format!("{value}"),
        Some(value) => format!("{value:.3}"),
        None => "unknown".to_owned(),
    };
    let limit = row
        .threshold
        .map(|limit| format!(", limit {}", number(Some(limit))));
    format!(
        "scheme `{scheme}`{segment} is not {}: {} is {}{} ({})",
        row.criterion,
        row.metric,
        number(row.value),
        limit.unwrap_or_default(),
        row.reason.as_deref().unwrap_or("no reason is known")
    )
}
