//! Who is in which variant of an experiment: as the version before has it, else drawn now.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Date32Type, Field, Float64Type, Int64Type};
use tessera_history::{ABSENT, Alignment};
use tessera_model::experiment::{bucket, variant_of};
use tessera_snapshot::Version;
use tessera_spec::pipeline::Experiment;

use crate::error::PipelineError;
use crate::history::numbers;
use crate::prepared::Prepared;

/// The customers of a run, in the order of their published table.
pub(super) struct Everyone<'a> {
    pub(super) prepared: &'a Prepared,
    /// The day of the run.
    pub(super) day: i32,
    pub(super) customers: &'a RecordBatch,
    pub(super) keys: &'a ArrayRef,
    /// Rows in ascending order of keys.
    pub(super) by_key: UInt32Array,
    pub(super) before: Option<&'a Version>,
}

/// What an experiment says of every customer, in the order of the published table.
pub(super) struct Enrolled {
    /// Place of the variant among those of the experiment; none for those who take no part, or are in a variant that is no more.
    pub(super) variant: Vec<Option<usize>>,
    /// The day on which the customer was drawn.
    pub(super) day: Vec<Option<i32>>,
    /// The metric on that day; NaN where it was not known.
    pub(super) metric_before: Vec<f64>,
    /// Customers of each variant in the version before who are no customers any more.
    pub(super) gone: Vec<u64>,
    /// Names of variants as they are published, those that are no more among them.
    names: Vec<Option<String>>,
}

/// Who was drawn before, in the order of the version before.
struct Drawn {
    table: RecordBatch,
    rows: Alignment,
}

impl Drawn {
    fn text(&self, column: &str) -> Option<&StringArray> {
        self.table.column_by_name(column)?.as_string_opt::<i32>()
    }

    fn day(&self, column: &str, row: usize) -> Option<i32> {
        let days = self.table.column_by_name(column)?;
        let days = days.as_primitive_opt::<Date32Type>()?;
        days.is_valid(row).then(|| days.value(row))
    }

    fn number(&self, column: &str, row: usize) -> f64 {
        let numbers = self.table.column_by_name(column);
        let numbers = numbers.and_then(|column| column.as_primitive_opt::<Float64Type>());
        let known = numbers.filter(|numbers| numbers.is_valid(row));
        known.map_or(f64::NAN, |numbers| numbers.value(row))
    }
}

impl Everyone<'_> {
    /// The metric of an experiment; NaN where it is not known.
    pub(super) fn metric(&self, experiment: &Experiment) -> Result<Vec<f64>, PipelineError> {
        let place = self.customers.schema().index_of(&experiment.metric.value)?;
        Ok(numbers(self.customers.column(place)))
    }

    /// Who is in which variant. Those `apart` are not drawn.
    pub(super) fn enrol(
        &self,
        experiment: &Experiment,
        apart: &[bool],
    ) -> Result<Enrolled, PipelineError> {
        let customers = self.customers.num_rows();
        let variants = &experiment.variants;
        let mut enrolled = Enrolled {
            variant: vec![None; customers],
            day: vec![None; customers],
            metric_before: vec![f64::NAN; customers],
            gone: vec![0; variants.len()],
            names: vec![None; customers],
        };
        if let Some(drawn) = self.drawn_before(experiment)? {
            enrolled.keep(experiment, &drawn);
        }
        if !experiment.draws_on(self.prepared.as_of) {
            return Ok(enrolled);
        }
        let metric = self.metric(experiment)?;
        let shares: Vec<f64> = variants.iter().map(|variant| variant.share).collect();
        let segments = match &experiment.of {
            Some(of) => {
                let place = self.customers.schema().index_of(&of.scheme.value)?;
                let segments = self.customers.column(place).as_string::<i32>();
                Some((segments, of.segment.value.as_str()))
            }
            None => None,
        };
        for row in 0..customers {
            let is_of_it = segments.is_none_or(|(segments, wanted)| {
                segments.is_valid(row) && segments.value(row) == wanted
            });
            if !is_of_it || apart[row] || enrolled.names[row].is_some() {
                continue;
            }
            let place = bucket(&experiment.name.value, &self.key(row));
            if let Some(variant) = variant_of(place, &shares) {
                enrolled.variant[row] = Some(variant);
                enrolled.names[row] = Some(variants[variant].name.clone());
                enrolled.day[row] = Some(self.day);
                enrolled.metric_before[row] = metric[row];
            }
        }
        Ok(enrolled)
    }

    /// The key of a customer as text.
    fn key(&self, row: usize) -> String {
        match self.keys.as_primitive_opt::<Int64Type>() {
            Some(numbers) => numbers.value(row).to_string(),
            None => self.keys.as_string::<i32>().value(row).to_owned(),
        }
    }

    /// Who was drawn before; none where the version before does not say.
    fn drawn_before(&self, experiment: &Experiment) -> Result<Option<Drawn>, PipelineError> {
        let Some(version) = self.before else {
            return Ok(None);
        };
        let key = self.prepared.pipeline.customer.key.as_str();
        let columns = experiment.columns();
        let batches = version.read_columns("customers", |name| {
            name == key || columns.iter().any(|column| column == name)
        })?;
        let Some(first) = batches.first() else {
            return Ok(None);
        };
        let table = concat_batches(&first.schema(), &batches)?;
        let is_there = |name: &str| table.column_by_name(name).is_some();
        if !columns.iter().all(|column| is_there(column)) {
            return Ok(None);
        }
        let Some(keys) = table.column_by_name(key) else {
            return Ok(None);
        };
        let by_key = |place: usize| self.by_key.value(place) as usize;
        let Some(rows) = Alignment::new(keys, self.keys, by_key) else {
            return Ok(None);
        };
        Ok(Some(Drawn { table, rows }))
    }
}

impl Enrolled {
    /// Keeps who was drawn before in its variant.
    fn keep(&mut self, experiment: &Experiment, drawn: &Drawn) {
        let variants = &experiment.variants;
        let Some(names) = drawn.text(experiment.variant_column()) else {
            return;
        };
        let (day, before) = (experiment.day_column(), experiment.before_column());
        let place = |row: usize| {
            let name = names.is_valid(row).then(|| names.value(row))?;
            Some((
                name,
                variants.iter().position(|variant| variant.name == name),
            ))
        };
        let mut unknown: u64 = 0;
        for (row, &then) in drawn.rows.before.iter().enumerate() {
            let then = then as usize;
            if then == ABSENT as usize {
                continue;
            }
            let Some((name, variant)) = place(then) else {
                continue;
            };
            unknown += u64::from(variant.is_none());
            self.variant[row] = variant;
            self.names[row] = Some(name.to_owned());
            self.day[row] = drawn.day(&day, then);
            self.metric_before[row] = drawn.number(&before, then);
        }
        for &row in &drawn.rows.gone {
            if let Some((_, Some(variant))) = place(row as usize) {
                self.gone[variant] += 1;
            }
        }
        if unknown > 0 {
            tracing::warn!(
                "experiment `{}`: {unknown} customers are in variants that it does not have any more; they keep them and are compared with nobody",
                experiment.name.value
            );
        }
    }

    /// The columns of `customers`.
    pub(super) fn columns(&self, experiment: &Experiment) -> [(Field, ArrayRef); 3] {
        let [variant, day, before] = experiment.columns();
        let field = |name: String, ty: DataType| Field::new(name, ty, true);
        let known = |value: &f64| Some(*value).filter(|value| !value.is_nan());
        let numbers: Float64Array = self.metric_before.iter().map(known).collect();
        let names: StringArray = self.names.iter().map(Option::as_deref).collect();
        let days: Date32Array = self.day.iter().copied().collect();
        [
            (field(variant, DataType::Utf8), Arc::new(names)),
            (field(day, DataType::Date32), Arc::new(days)),
            (field(before, DataType::Float64), Arc::new(numbers)),
        ]
    }
}
