//! Schemes held against `[gates]`: what is judged of the customers, and what ends the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use tessera_engine::Engine;
use tessera_expr::{Expr, columns, condition_at};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_segments::{
    Assignment, Customers, Judged, KPIS, Quality, Since, Threshold, WHO_MAY_BE_CONTACTED,
};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostics, unknown_name};
use tessera_spec::pipeline::{Criteria, OnFail, Scheme, Score, StatedLimit, VALUE_AT_RISK};

use crate::error::PipelineError;
use crate::history::{own_columns, read_columns};
use crate::labels::Labels;
use crate::prepared::Prepared;
use crate::truths;

/// Name of the hidden column that says of whom a condition of a gate is true; `scheme` is the one that has its own criteria.
fn condition_name(gate: &str, limit: &str, scheme: Option<&str>) -> String {
    match scheme {
        Some(scheme) => format!("__{gate}_{limit}_{scheme}"),
        None => format!("__{gate}_{limit}"),
    }
}

/// Checks the names in `[gates]`, and adds of whom its conditions are true to what is computed of the customers.
pub(crate) fn plan(
    pipeline: &Pipeline,
    published: &[FeatureInfo],
    labels: &Labels,
    features: &mut FeaturePlan,
    found: &mut Diagnostics,
) {
    let names: Vec<&str> = published.iter().map(|info| info.name.as_str()).collect();
    let mut reported = BTreeSet::new();
    for (_, _, stated) in pipeline.gates.each().flat_map(Criteria::each) {
        let StatedLimit::Columns(columns) = stated else {
            continue;
        };
        for column in columns {
            // What a scheme takes over from the general criteria is one mistake.
            if !names.contains(&column.value.as_str()) && reported.insert(column.span.start) {
                let span = column.span.clone();
                found.extend([unknown_name(
                    "TS-G001",
                    "feature",
                    &column.value,
                    span,
                    &names,
                )]);
            }
        }
    }
    let known = tessera_expr::Schema {
        columns: features
            .published
            .iter()
            .map(|f| (f.name.clone(), f.ty))
            .collect(),
    };
    let own = pipeline.gates.schemes.iter();
    let own = own.map(|(scheme, criteria)| (Some(scheme.as_str()), criteria));
    let all = std::iter::once((None, &pipeline.gates.all)).chain(own);
    let stated =
        all.flat_map(|(scheme, criteria)| criteria.each().map(move |found| (scheme, found)));
    for (scheme, (gate, limit, stated)) in stated {
        let StatedLimit::Condition(text) = stated else {
            continue;
        };
        let name = condition_name(gate, limit, scheme);
        match condition_at(text, &known) {
            Ok(expr) => {
                if reported.insert(text.span.start) {
                    labels.check(text, &expr, found);
                }
                match features.base_gap {
                    Some(_) => features.late.push((name, expr)),
                    None => features.derived.push((name, expr)),
                }
            }
            Err(problems) if reported.insert(text.span.start) => found.extend(problems),
            Err(_) => {}
        }
    }
}

/// Customers of whom the published columns are known, with the hidden ones that say of whom conditions of gates are true.
pub(crate) fn with_conditions(
    prepared: &Prepared,
    engine: &dyn Engine,
    customers: &RecordBatch,
) -> Result<RecordBatch, PipelineError> {
    let gates = &prepared.pipeline.gates;
    let own = gates.schemes.iter();
    let own = own.map(|(scheme, criteria)| (Some(scheme.as_str()), criteria));
    let all = std::iter::once((None, &gates.all)).chain(own);
    let names = all.flat_map(|(scheme, criteria)| {
        let stated = criteria.each();
        stated.map(move |(gate, limit, _)| condition_name(gate, limit, scheme))
    });
    let names: BTreeSet<String> = names.collect();
    let features = &prepared.features;
    let computed = features.derived.iter().chain(&features.late);
    let (names, exprs): (Vec<&String>, Vec<Expr>) = computed
        .filter(|(name, _)| names.contains(name))
        .map(|(name, expr)| (name, expr.clone()))
        .unzip();
    let when = (prepared.as_of, prepared.pipeline.timezone);
    let truths = truths::evaluate(engine, customers, when, &exprs)?;
    let mut fields: Vec<FieldRef> = customers.schema().fields().iter().cloned().collect();
    let mut columns = customers.columns().to_vec();
    for (name, truth) in names.into_iter().zip(truths) {
        fields.push(Arc::new(Field::new(name, DataType::Boolean, true)));
        columns.push(Arc::new(truth));
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The columns that gates compare segments by.
pub(crate) fn compared(prepared: &Prepared) -> BTreeSet<String> {
    let schemes = prepared.pipeline.schemes.iter();
    let criteria = schemes.map(|scheme| prepared.pipeline.gates.of(&scheme.name.value));
    criteria
        .flat_map(|criteria| kpis(prepared, criteria))
        .collect()
}

/// Columns in which segments should differ: those that the pipeline states, else the KPI of its goal and what customers are worth.
fn kpis(prepared: &Prepared, criteria: &Criteria) -> Vec<String> {
    if let Some(stated) = KPIS.of(criteria) {
        return stated;
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

/// Columns that a scheme assigns by, and features and values that are computed from them, at any depth. What a score learns from them is
/// none of these.
fn inputs<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> Vec<&'a str> {
    let read = read_columns(prepared, scheme);
    let features = &prepared.features;
    let is_made_of = |mut made_of: BTreeSet<String>, own: &str| {
        made_of.remove(own);
        made_of.iter().any(|column| read.contains(column.as_str()))
    };
    let of_features = features.published.iter().filter(|info| {
        let made_of = features.made_of(std::iter::once(info.name.as_str()));
        is_made_of(made_of, &info.name)
    });
    let of_values = prepared.value.iter().filter(|(info, expr)| {
        let made_of = features.made_of(columns(expr).into_iter());
        is_made_of(made_of, &info.name)
    });
    let of_values = of_values.map(|(info, _)| info);
    let made = of_features.chain(of_values).map(|info| info.name.as_str());
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
    let own = pipeline.gates.schemes.contains_key(name).then_some(name);
    let conditions = criteria.each().filter_map(|(gate, limit, _)| {
        let column = features.column_by_name(&condition_name(gate, limit, own))?;
        Some(((gate, limit), column.as_boolean_opt()?))
    });
    let conditions: BTreeMap<_, _> = conditions.collect();
    let losses = pipeline.scores.iter().filter_map(Score::loss);
    let excluded = losses.map(|loss| (loss.probability, loss.excluded));
    let judged = Judged {
        criteria,
        excluded: &excluded.collect(),
        customers,
        assignment,
        reads: &own_columns(prepared, scheme),
        inputs: &inputs(prepared, scheme),
        kpis: &kpis(prepared, criteria),
        value: prepared.value_feature(),
        playbooks: &pipeline.playbooks,
        conditions: &conditions,
        since,
    };
    Ok(tessera_segments::judge(&judged)?)
}

/// By scheme who may be contacted, where its criteria state that. `features` are all columns of the customers, hidden ones too.
pub(crate) fn reachable(
    prepared: &Prepared,
    features: &RecordBatch,
) -> BTreeMap<String, BooleanArray> {
    let pipeline = &prepared.pipeline;
    let (gate, limit) = WHO_MAY_BE_CONTACTED;
    let of_scheme = |scheme: &Scheme| {
        let name = scheme.name.value.as_str();
        let own = pipeline.gates.schemes.contains_key(name).then_some(name);
        let mut stated = pipeline.gates.of(name).each();
        stated.find(|(known, of, _)| (*known, *of) == (gate, limit))?;
        let column = features.column_by_name(&condition_name(gate, limit, own))?;
        Some((name.to_owned(), column.as_boolean_opt()?.clone()))
    };
    pipeline.schemes.iter().filter_map(of_scheme).collect()
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
    let limit = row.threshold.map(|Threshold { side, limit }| {
        format!(", where {} {} passes", side.as_str(), number(Some(limit)))
    });
    format!(
        "scheme `{scheme}`{segment} is not {}: {} is {}{} ({})",
        row.criterion,
        row.metric,
        number(row.value),
        limit.unwrap_or_default(),
        row.reason.as_deref().unwrap_or("no reason is known")
    )
}
