//! The data dictionary of `customers`: label, unit, direction and definition of each column.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use tessera_features::FeatureInfo;

use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::publish::{dated, word};
use crate::reliance::{OK, Reliance};

/// The value of a column of the dictionary for a feature.
type Text = fn(&FeatureInfo) -> Option<String>;

/// The table `features`: one row for every computed column of `customers`, by name.
pub(crate) fn table(
    as_of: i32,
    prepared: &Prepared,
    reliance: &Reliance,
) -> Result<RecordBatch, PipelineError> {
    let mut features: Vec<&FeatureInfo> = prepared.in_customers().collect();
    features.sort_by(|a, b| a.name.cmp(&b.name));
    let texts = |of: Text| -> ArrayRef {
        Arc::new(
            features
                .iter()
                .map(|feature| of(feature))
                .collect::<StringArray>(),
        )
    };
    let columns: [(&str, Text); 7] = [
        ("name", |feature| Some(feature.name.clone())),
        ("label", |feature| Some(feature.label.clone())),
        ("unit", |feature| Some(word(&feature.unit))),
        ("base", |feature| Some(word(&feature.base))),
        ("direction", |feature| Some(word(&feature.direction))),
        ("definition", |feature| Some(feature.definition.clone())),
        ("source", |feature| feature.source.clone()),
    ];
    let marks: Vec<_> = features.iter().map(|f| reliance.of(&f.name)).collect();
    let status: StringArray = marks
        .iter()
        .map(|mark| Some(mark.map_or(OK, |mark| mark.against.name())))
        .collect();
    let reasons: StringArray = marks
        .iter()
        .map(|mark| mark.map(|mark| mark.reason.as_str()))
        .collect();
    let told: [(&str, ArrayRef); 2] = [
        ("status", Arc::new(status)),
        ("status_reason", Arc::new(reasons)),
    ];
    let columns = columns.map(|(name, of)| (name, texts(of), name == "source"));
    let columns = columns
        .into_iter()
        .chain(told.map(|(name, texts)| (name, texts, true)));
    dated(as_of, &RecordBatch::try_from_iter_with_nullable(columns)?)
}
