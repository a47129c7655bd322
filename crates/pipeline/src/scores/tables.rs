//! The published tables `calibration` and `quality`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};

use tessera_segments::Quality;

use super::CalibrationRow;

/// Predictions against what happened, by score, model and bin.
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

/// Criteria on schemes and their segments, and on scores: a score stands in the column `scheme`, without a segment.
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
        floats(|row| row.threshold),
        text(rows.iter().map(|(_, row)| Some(row.status.as_str()))),
        text(rows.iter().map(|(_, row)| row.reason.as_deref())),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn text<'t>(texts: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(texts.collect::<StringArray>())
}
