//! Experiments: who is drawn into which variant, and what the variants brought.
//!
//! A customer is drawn in the first version that has it in the segment, by a hash of the experiment's name and its key, and stays in
//! its variant. Experiments of all customers are drawn first, and their controls take part in no other.
//!
//! Where to look: `enrol` draws, and reads who was drawn before; `compared` makes the table `experiments`.

mod compared;
mod enrol;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter, sort_to_indices};
use arrow::datatypes::{Field, FieldRef, Schema};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{Experiment, FeatureBody};

use crate::base::ACTIVE;
use crate::error::PipelineError;
use crate::history::History;
use crate::prepared::Prepared;
use crate::sources::epoch_day;
use enrol::{Enrolled, Everyone};

/// Name of the table.
pub(crate) const TABLE: &str = "experiments";

/// The customers of a run with what experiments say of them.
pub(crate) struct Conducted {
    /// The published table of customers, with the columns of the experiments.
    pub(crate) customers: RecordBatch,
    /// The table `experiments`, without its column `as_of`; only with experiments.
    pub(crate) table: Option<RecordBatch>,
    /// By scheme which customers of its table no playbook may have: they are in the control of an experiment of their segment, or of
    /// all customers.
    pub(crate) kept_out: BTreeMap<String, BooleanArray>,
    /// The columns of the experiments, of active customers.
    pub(crate) columns: Vec<(Field, ArrayRef)>,
}

impl Conducted {
    /// The customers of a run without experiments.
    pub(crate) fn none(customers: RecordBatch) -> Self {
        Self {
            customers,
            table: None,
            kept_out: BTreeMap::new(),
            columns: Vec::new(),
        }
    }
}

/// Draws the customers of a run, whose published table this is, and compares the variants.
pub(crate) fn conduct(
    prepared: &Prepared,
    customers: RecordBatch,
    history: &History,
) -> Result<Conducted, PipelineError> {
    let experiments = &prepared.pipeline.experiments;
    if experiments.is_empty() {
        return Ok(Conducted::none(customers));
    }
    if history.is_cut_off() {
        tracing::warn!(
            "nothing is compared with the version before this day, so it is not known who is in an experiment: customers are drawn anew, as of \
             this day, into the same variants as before, and those who have left the segment since are not drawn"
        );
    }
    let customers = &customers;
    let key = prepared.pipeline.customer.key.as_str();
    let keys = customers.column(customers.schema().index_of(key)?);
    let everyone = Everyone {
        prepared,
        day: epoch_day(prepared.as_of),
        customers,
        keys,
        by_key: sort_to_indices(keys, None, None)?,
        before: history.version_before(),
    };
    let mut apart = vec![false; customers.num_rows()];
    let mut drawn: Vec<(&Experiment, Enrolled)> = Vec::new();
    let (all, some): (Vec<_>, Vec<_>) = experiments.iter().partition(|one| one.of.is_none());
    for experiment in all.into_iter().chain(some) {
        let enrolled = everyone.enrol(experiment, &apart)?;
        if experiment.of.is_none() {
            for (apart, variant) in apart.iter_mut().zip(&enrolled.variant) {
                *apart |= *variant == Some(0);
            }
        }
        drawn.push((experiment, enrolled));
    }
    // Columns come in the order of the file.
    drawn.sort_by_key(|(own, _)| experiments.iter().position(|e| e.name == own.name));
    let table = compared::table(&everyone, &drawn)?;
    let columns: Vec<(Field, ArrayRef)> = drawn
        .iter()
        .flat_map(|(experiment, enrolled)| enrolled.columns(experiment))
        .collect();
    let active = customers.column_by_name(ACTIVE);
    let active = active.and_then(|column| column.as_boolean_opt());
    let of_active = |column: &ArrayRef| match active {
        Some(active) => filter(column, active),
        None => Ok(column.clone()),
    };
    let mut kept_out = BTreeMap::new();
    for scheme in &prepared.pipeline.schemes {
        let name = scheme.name.value.as_str();
        if let Some(rows) = kept_out_of(customers, name, &drawn)? {
            let rows: ArrayRef = Arc::new(rows);
            kept_out.insert(name.to_owned(), of_active(&rows)?.as_boolean().clone());
        }
    }
    let shown = columns
        .iter()
        .map(|(field, column)| Ok((field.clone(), of_active(column)?)))
        .collect::<Result<_, PipelineError>>()?;
    Ok(Conducted {
        customers: with_columns(customers, columns)?,
        table: Some(table),
        kept_out,
        columns: shown,
    })
}

/// The customers with further columns.
fn with_columns(
    customers: &RecordBatch,
    further: Vec<(Field, ArrayRef)>,
) -> Result<RecordBatch, PipelineError> {
    let mut fields: Vec<FieldRef> = customers.schema().fields().iter().cloned().collect();
    let mut columns = customers.columns().to_vec();
    for (field, column) in further {
        fields.push(Arc::new(field));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// The customers whom no playbook of a scheme may have; none where no experiment keeps one out.
fn kept_out_of(
    customers: &RecordBatch,
    scheme: &str,
    drawn: &[(&Experiment, Enrolled)],
) -> Result<Option<BooleanArray>, PipelineError> {
    let segments = customers.column(customers.schema().index_of(scheme)?);
    let mut found: Option<Vec<bool>> = None;
    for (experiment, enrolled) in drawn {
        let of = experiment.of.as_ref();
        if of.is_some_and(|of| of.scheme.value != scheme) {
            continue;
        }
        let segments = segments.as_string::<i32>();
        let rows = found.get_or_insert_with(|| vec![false; segments.len()]);
        for (row, kept_out) in rows.iter_mut().enumerate() {
            let is_there = of
                .is_none_or(|of| segments.is_valid(row) && segments.value(row) == of.segment.value);
            *kept_out |= is_there && enrolled.variant[row] == Some(0);
        }
    }
    Ok(found.map(BooleanArray::from))
}

/// Days after which what the metric of an experiment counts came after a customer was drawn: those that the experiment states, else the
/// window of the metric. `None` where neither is stated.
fn measured_days(
    pipeline: &Pipeline,
    features: &FeaturePlan,
    experiment: &Experiment,
) -> Option<u32> {
    experiment
        .after_days
        .or_else(|| window(pipeline, features, &experiment.metric.value))
}

/// How many days before the day of a run the rows begin that a feature is made of, at any depth; `None` where it has no such day.
fn window(pipeline: &Pipeline, features: &FeaturePlan, feature: &str) -> Option<u32> {
    let declared = &pipeline.features.declared;
    let mut first = None;
    for name in features.made_of(std::iter::once(feature)) {
        match &declared.iter().find(|one| one.name.value == name)?.body {
            FeatureBody::Expr(_) => {}
            FeatureBody::Aggregate {
                window_days,
                offset_days,
                ..
            } => first = first.max(Some(window_days.as_ref()?.value + offset_days)),
        }
    }
    first
}

/// Checks what experiments name, once the columns of `customers` are known.
pub(crate) fn check(
    pipeline: &Pipeline,
    (features, published): (&FeaturePlan, &[FeatureInfo]),
    found: &mut Diagnostics,
) {
    for experiment in &pipeline.experiments {
        let (name, metric) = (&experiment.name, &experiment.metric);
        let columns = experiment.columns();
        if let Some(same) = published.iter().find(|info| columns.contains(&info.name)) {
            let message = format!(
                "`{}` is a feature or score and a column of the experiment `{}`, but can be only one column of `customers`",
                same.name, name.value
            );
            let problem = Diagnostic::error("TS-G004", message, name.span.clone());
            found.extend([problem.with_help("rename the experiment")]);
        }
        if !published.iter().any(|info| info.name == metric.value) {
            continue;
        }
        match (
            experiment.after_days,
            window(pipeline, features, &metric.value),
        ) {
            (None, None) => {
                let message = format!(
                    "it is not known from when on `{}` counts only what came after a customer was drawn",
                    metric.value
                );
                let problem = Diagnostic::error("TS-G029", message, metric.span.clone());
                found.extend([problem.with_help(
                    "add `after = \"30d\"`, the days after which a customer is compared; or compare by a feature with a `window`",
                )]);
            }
            (Some(after), Some(window)) if after < window => {
                let message = format!(
                    "`{}` counts {window} days, of which some are before a customer was drawn: it is compared after {after} days",
                    metric.value
                );
                let problem = Diagnostic::warning("TS-G030", message, metric.span.clone());
                found.extend([problem.with_help(format!(
                    "differences are shown smaller than they are; leave out `after`, which is {window}d by default"
                ))]);
            }
            _ => {}
        }
    }
}
