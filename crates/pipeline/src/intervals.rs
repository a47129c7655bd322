//! The table `score_intervals`: how exactly the expected values of scores are known, customer by customer.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use tessera_snapshot::StoreError;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::INTERVAL_ENDS;

use crate::error::PipelineError;

/// Customers whose intervals are in memory as rows at a time.
const CUSTOMERS_AT_ONCE: usize = 16_384;

/// The columns that hold ends of intervals while customers are scored and assigned; `customers` is published without them.
pub(crate) fn ends(pipeline: &Pipeline) -> BTreeSet<String> {
    let intervals = pipeline.scores.iter().flat_map(|score| score.intervals());
    intervals.flat_map(|interval| interval.ends).collect()
}

/// An estimate of a score with the ends of its intervals.
struct Estimate {
    score: String,
    column: String,
    value: Float64Array,
    ends: [Float64Array; 4],
}

/// The rows of the table, made a few customers at a time.
pub(crate) struct Intervals {
    as_of: i32,
    keys: ArrayRef,
    schema: SchemaRef,
    /// By score and column.
    estimates: Vec<Estimate>,
}

impl Intervals {
    /// Takes the estimates of customers who are sorted by their key, the first column; none where no score has intervals.
    pub(crate) fn read(
        as_of: i32,
        pipeline: &Pipeline,
        customers: &RecordBatch,
    ) -> Result<Option<Self>, PipelineError> {
        let numbers = |name: &str| -> Result<Float64Array, ArrowError> {
            let column = customers.column(customers.schema().index_of(name)?);
            let column = arrow::compute::cast(column, &DataType::Float64)?;
            Ok(column.as_primitive::<Float64Type>().clone())
        };
        let mut estimates = Vec::new();
        for score in &pipeline.scores {
            for interval in score.intervals() {
                let [a, b, c, d] = &interval.ends;
                estimates.push(Estimate {
                    score: score.name.value.clone(),
                    value: numbers(&interval.estimate)?,
                    column: interval.estimate,
                    ends: [numbers(a)?, numbers(b)?, numbers(c)?, numbers(d)?],
                });
            }
        }
        if estimates.is_empty() {
            return Ok(None);
        }
        estimates.sort_by(|a, b| (&a.score, &a.column).cmp(&(&b.score, &b.column)));
        let key = customers.schema().field(0).clone();
        let mut fields = vec![
            Field::new("as_of", DataType::Date32, false),
            key.with_nullable(false),
            Field::new("score", DataType::Utf8, false),
            Field::new("column_name", DataType::Utf8, false),
            Field::new("estimate", DataType::Float64, false),
        ];
        fields.extend(INTERVAL_ENDS.map(|end| Field::new(end, DataType::Float64, true)));
        Ok(Some(Self {
            as_of,
            keys: customers.column(0).clone(),
            schema: Arc::new(Schema::new(fields)),
            estimates,
        }))
    }

    /// Columns of the table.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// A row per customer and estimate, by key, score and column; what has no estimate has no row.
    pub(crate) fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, StoreError>> {
        let starts = (0..self.keys.len()).step_by(CUSTOMERS_AT_ONCE);
        starts.map(|start| {
            let end = (start + CUSTOMERS_AT_ONCE).min(self.keys.len());
            self.batch(start..end)
                .map_err(|error| StoreError::BadTable {
                    table: "score_intervals".to_owned(),
                    reason: error.to_string(),
                })
        })
    }

    fn batch(&self, customers: Range<usize>) -> Result<RecordBatch, ArrowError> {
        // Row of the customer, and which estimate.
        let rows: Vec<(usize, usize)> = customers
            .flat_map(|row| (0..self.estimates.len()).map(move |estimate| (row, estimate)))
            .filter(|&(row, estimate)| self.estimates[estimate].value.is_valid(row))
            .collect();
        let customers = UInt32Array::from_iter_values(rows.iter().map(|(row, _)| *row as u32));
        let text = |of: fn(&Estimate) -> &str| -> ArrayRef {
            let texts = rows.iter().map(|&(_, of_row)| of(&self.estimates[of_row]));
            Arc::new(StringArray::from_iter_values(texts))
        };
        let number = |of: &dyn Fn(&Estimate) -> &Float64Array| -> ArrayRef {
            let value = |&(row, of_row): &(usize, usize)| {
                let column = of(&self.estimates[of_row]);
                column.is_valid(row).then(|| column.value(row))
            };
            Arc::new(rows.iter().map(value).collect::<Float64Array>())
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Date32Array::from(vec![self.as_of; rows.len()])),
            take(&self.keys, &customers, None)?,
            text(|estimate| &estimate.score),
            text(|estimate| &estimate.column),
            number(&|estimate| &estimate.value),
        ];
        columns.extend((0..INTERVAL_ENDS.len()).map(|end| number(&|of| &of.ends[end])));
        RecordBatch::try_new(self.schema.clone(), columns)
    }
}
