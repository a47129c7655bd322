//! Which customers are active: closed accounts leave the base.
//!
//! `active` of `[customer]` is a condition over features, computed at the date of the run and at every earlier date. An account is
//! closed only if it is false. Closed accounts keep their rows in `customers`, without scores and segments, and are counted.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array, new_null_array,
};
use arrow::compute::{concat_batches, filter_record_batch, nullif, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use tessera_expr::{Schema as Known, condition_at};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_segments::{Quality, QualityStatus};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{VALUE_AT_RISK, VALUE_FUTURE, VALUE_NOW};

use crate::error::PipelineError;
use crate::prepared::Prepared;

/// Name of the hidden column with the condition.
pub(crate) const CONDITION: &str = "__active";

/// Name of the published column.
pub(crate) const ACTIVE: &str = "active";

/// The name under which `quality` has the counts of the base.
pub(crate) const CUSTOMERS: &str = "customers";

/// Adds the condition to the columns that are computed at every date.
pub(crate) fn plan(
    pipeline: &Pipeline,
    known: &Known,
    features: &mut FeaturePlan,
) -> Result<(), Vec<Diagnostic>> {
    if let Some(text) = &pipeline.customer.active {
        let expr = condition_at(text, known)?;
        features.keep_derived(CONDITION.to_owned(), expr);
    }
    Ok(())
}

/// Finds names that conflict with the column `active`, and warns if earlier values of the condition are not known.
pub(crate) fn check(prepared: &Checked<'_>, found: &mut Diagnostics) {
    let Some(text) = &prepared.pipeline.customer.active else {
        return;
    };
    let schemes = prepared
        .pipeline
        .schemes
        .iter()
        .map(|s| s.name.value.as_str());
    let mut columns = prepared
        .published
        .iter()
        .map(|info| info.name.as_str())
        .chain(schemes);
    if columns.any(|name| name == ACTIVE) {
        let message =
            "`active` of [customer] adds the column `active` to `customers`, which already has one";
        let problem = Diagnostic::error("TS-G016", message, text.span.clone());
        found.extend([problem.with_help("rename the feature, score or scheme `active`")]);
    }
    if prepared.condition_is_untimed {
        let message = "`active` uses a feature of which only today's value is known";
        let warning = Diagnostic::warning("TS-G017", message, text.span.clone())
            .with_label("at earlier dates every customer counts as active");
        found.extend([warning.with_help("set `time` (since when a row is valid) in its source")]);
    }
}

/// The inputs of [`check`].
pub(crate) struct Checked<'a> {
    pub(crate) pipeline: &'a Pipeline,
    pub(crate) published: &'a [FeatureInfo],
    pub(crate) condition_is_untimed: bool,
}

/// Which rows of a table are active; `None` where the pipeline has no condition, or all rows are active.
pub(crate) fn active(table: &RecordBatch) -> Option<BooleanArray> {
    let condition = table.column_by_name(CONDITION)?.as_boolean_opt()?;
    // Null means that the account is not closed.
    let active: BooleanArray = condition
        .iter()
        .map(|fits| Some(fits != Some(false)))
        .collect();
    (active.false_count() > 0).then_some(active)
}

/// A column of a score without the values of closed accounts.
pub(crate) fn without_closed(
    column: &ArrayRef,
    active: &BooleanArray,
) -> Result<ArrayRef, PipelineError> {
    Ok(nullif(column, &arrow::compute::not(active)?)?)
}

/// The customers, split into active and closed.
pub(crate) struct Base {
    /// The active customers.
    pub(crate) active: RecordBatch,
    /// The closed accounts; `None` where the pipeline has no condition.
    pub(crate) closed: Option<Closed>,
}

/// Closed accounts.
#[derive(Clone)]
pub(crate) struct Closed {
    rows: RecordBatch,
    /// Whether each customer is active, in the order of keys.
    active: BooleanArray,
}

impl Base {
    /// Splits the customers; the value now and in the future of a closed account is null.
    pub(crate) fn part(prepared: &Prepared, table: RecordBatch) -> Result<Self, PipelineError> {
        if prepared.pipeline.customer.active.is_none() {
            return Ok(Self {
                active: table,
                closed: None,
            });
        }
        let everyone = || BooleanArray::from(vec![true; table.num_rows()]);
        let active = active(&table).unwrap_or_else(everyone);
        if active.true_count() == 0 {
            return Err(PipelineError::NoCustomers {
                as_of: prepared.as_of,
                sources: vec![format!(
                    "{} customers, and `active` of [customer] is false for all of them",
                    table.num_rows()
                )],
            });
        }
        let closed = filter_record_batch(&table, &arrow::compute::not(&active)?)?;
        let schema = closed.schema();
        let worthless = [VALUE_NOW, VALUE_FUTURE, VALUE_AT_RISK];
        let columns = schema
            .fields()
            .iter()
            .zip(closed.columns())
            .map(
                |(field, column)| match worthless.contains(&field.name().as_str()) {
                    true => new_null_array(field.data_type(), column.len()),
                    false => column.clone(),
                },
            );
        let rows = RecordBatch::try_new(schema.clone(), columns.collect())?;
        Ok(Self {
            active: filter_record_batch(&table, &active)?,
            closed: Some(Closed { rows, active }),
        })
    }
}

impl Closed {
    /// Whether each customer is active, in the order of keys.
    pub(crate) fn active(&self) -> &BooleanArray {
        &self.active
    }

    /// The table of active and closed customers, by key, with the column `active`.
    pub(crate) fn among(&self, customers: &RecordBatch) -> Result<RecordBatch, PipelineError> {
        let fields = customers.schema();
        let fields: Vec<Arc<Field>> = fields
            .fields()
            .iter()
            .map(|field| {
                let known = self.rows.schema().index_of(field.name()).is_ok();
                let nullable = field.is_nullable() || !known;
                Arc::new(field.as_ref().clone().with_nullable(nullable))
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let count = self.rows.num_rows();
        let column = |field: &Arc<Field>| match self.rows.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), count),
        };
        let closed: Vec<ArrayRef> = schema.fields().iter().map(column).collect();
        let closed = RecordBatch::try_new(schema.clone(), closed)?;
        let active = RecordBatch::try_new(schema.clone(), customers.columns().to_vec())?;
        let (mut of_active, mut of_closed) = (0, active.num_rows() as u32);
        let place = |is: bool| {
            let next = if is { &mut of_active } else { &mut of_closed };
            *next += 1;
            *next - 1
        };
        let order: UInt32Array = self.active.values().iter().map(place).collect();
        let all = take_record_batch(&concat_batches(&schema, [&active, &closed])?, &order)?;
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(ACTIVE, DataType::Boolean, false)));
        let mut columns = all.columns().to_vec();
        columns.push(Arc::new(self.active.clone()));
        Ok(RecordBatch::try_new(
            Arc::new(Schema::new(fields)),
            columns,
        )?)
    }

    /// The number of customers, of active ones and of closed ones.
    pub(crate) fn counts(&self, prepared: &Prepared) -> Vec<(String, Quality)> {
        let text = prepared.pipeline.customer.active.as_ref();
        let condition = text.map(|text| format!("`{}`", text.value.trim()));
        let row = |metric: &str, count: usize, reason: Option<String>| {
            let row = Quality {
                segment: String::new(),
                criterion: "base",
                metric: metric.to_owned(),
                value: Some(count as f64),
                threshold: None,
                status: QualityStatus::Ok,
                reason,
            };
            (CUSTOMERS.to_owned(), row)
        };
        let (all, active) = (self.active.len(), self.active.true_count());
        vec![
            row("customers", all, None),
            row("active", active, condition),
            row("closed", all - active, None),
        ]
    }
}
