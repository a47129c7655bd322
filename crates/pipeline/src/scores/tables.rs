//! The published tables `backtest`, `calibration` and `quality`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::{SortColumn, concat, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};

use tessera_segments::Quality;

use super::CalibrationRow;

/// Predictions of the models of a score for single customers, and outcomes.
#[derive(Clone, Debug)]
pub(crate) struct Backtest {
    /// Keys of the customers.
    pub(crate) keys: ArrayRef,
    /// Dates of the predictions, days since 1970-01-01.
    pub(crate) observed_on: Vec<i32>,
    /// Whether the customer churned.
    pub(crate) churned: Vec<bool>,
    /// Model and prediction, one per key.
    pub(crate) predictions: Vec<(String, Vec<f64>)>,
}

/// Predictions for single customers, by key, score and model; `None` where no score has a backtest of single customers.
pub(crate) fn backtest_table(
    as_of: i32,
    key: &str,
    found: &[(String, Backtest)],
) -> Result<Option<RecordBatch>, arrow::error::ArrowError> {
    let mut keys: Vec<&dyn Array> = Vec::new();
    let (mut scores, mut models): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let (mut dates, mut happened): (Vec<i32>, Vec<i64>) = (Vec::new(), Vec::new());
    let mut predicted: Vec<f64> = Vec::new();
    for (score, backtest) in found {
        for (model, probabilities) in &backtest.predictions {
            keys.push(&backtest.keys);
            scores.extend(probabilities.iter().map(|_| score.as_str()));
            models.extend(probabilities.iter().map(|_| model.as_str()));
            dates.extend(&backtest.observed_on);
            predicted.extend(probabilities);
            happened.extend(backtest.churned.iter().map(|&churned| i64::from(churned)));
        }
    }
    if keys.is_empty() {
        return Ok(None);
    }
    let keys = concat(&keys)?;
    let fields = vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new(key, keys.data_type().clone(), false),
        Field::new("score", DataType::Utf8, false),
        Field::new("model", DataType::Utf8, false),
        Field::new("observed_on", DataType::Date32, false),
        Field::new("predicted", DataType::Float64, false),
        Field::new("churned", DataType::Int64, false),
    ];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![as_of; keys.len()])),
        keys,
        Arc::new(StringArray::from(scores)),
        Arc::new(StringArray::from(models)),
        Arc::new(Date32Array::from(dates)),
        Arc::new(Float64Array::from(predicted)),
        Arc::new(Int64Array::from(happened)),
    ];
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let by = |column: usize| SortColumn {
        values: table.column(column).clone(),
        options: None,
    };
    let order = lexsort_to_indices(&[by(1), by(2), by(3)], None)?;
    take_record_batch(&table, &order).map(Some)
}

/// Predictions and outcomes, by score, model and bin.
pub(crate) fn calibration_table(
    as_of: i32,
    mut rows: Vec<(String, CalibrationRow)>,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    rows.sort_by(|(a, x), (b, y)| (a, &x.model, x.bin).cmp(&(b, &y.model, y.bin)));
    let fields = vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new("score", DataType::Utf8, false),
        Field::new("model", DataType::Utf8, false),
        Field::new("bin", DataType::Int64, false),
        Field::new("predicted", DataType::Float64, false),
        Field::new("observed", DataType::Float64, false),
        Field::new("customers", DataType::Int64, false),
        Field::new("lift", DataType::Float64, true),
    ];
    let ints = |value: fn(&CalibrationRow) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            rows.iter().map(|(_, row)| value(row)),
        ))
    };
    let floats = |value: fn(&CalibrationRow) -> Option<f64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|(_, row)| value(row))
                .collect::<Float64Array>(),
        )
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![as_of; rows.len()])),
        text(rows.iter().map(|(score, _)| Some(score.as_str()))),
        text(rows.iter().map(|(_, row)| Some(row.model.as_str()))),
        ints(|row| row.bin),
        floats(|row| Some(row.predicted)),
        floats(|row| Some(row.observed)),
        ints(|row| row.customers),
        floats(|row| row.lift),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

/// Criteria on schemes and their segments, and on scores: the name of a score is in the column `scheme`, without a segment.
pub(crate) fn quality_table(
    as_of: i32,
    mut rows: Vec<(String, Quality)>,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    rows.sort_by(|(a, x), (b, y)| {
        let of = |row: &Quality| (row.segment.clone(), row.criterion, row.metric.clone());
        a.cmp(b).then_with(|| of(x).cmp(&of(y)))
    });
    let fields = vec![
        Field::new("as_of", DataType::Date32, false),
        Field::new("scheme", DataType::Utf8, false),
        Field::new("segment", DataType::Utf8, false),
        Field::new("criterion", DataType::Utf8, false),
        Field::new("metric", DataType::Utf8, false),
        Field::new("value", DataType::Float64, true),
        Field::new("threshold", DataType::Float64, true),
        Field::new("side", DataType::Utf8, true),
        Field::new("status", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, true),
    ];
    let floats = |value: fn(&Quality) -> Option<f64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|(_, row)| value(row))
                .collect::<Float64Array>(),
        )
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![as_of; rows.len()])),
        text(rows.iter().map(|(score, _)| Some(score.as_str()))),
        text(rows.iter().map(|(_, row)| Some(row.segment.as_str()))),
        text(rows.iter().map(|(_, row)| Some(row.criterion))),
        text(rows.iter().map(|(_, row)| Some(row.metric.as_str()))),
        floats(|row| row.value),
        floats(|row| row.threshold.map(|threshold| threshold.limit)),
        text(
            rows.iter()
                .map(|(_, row)| Some(row.threshold?.side.as_str())),
        ),
        text(rows.iter().map(|(_, row)| Some(row.status.as_str()))),
        text(rows.iter().map(|(_, row)| row.reason.as_deref())),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn text<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}
