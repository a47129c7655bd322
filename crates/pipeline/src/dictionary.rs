//! The data dictionary of `customers`: label, unit, direction and definition of each column.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use tessera_features::FeatureInfo;

use crate::error::PipelineError;
use crate::prepare::Prepared;
use crate::publish::{dated, word};

/// The value of a column of the dictionary for a feature.
type Text = fn(&FeatureInfo) -> Option<String>;

/// The table `features`: one row for every computed column of `customers`, by name.
pub(crate) fn table(as_of: i32, prepared: &Prepared) -> Result<RecordBatch, PipelineError> {
    let mut features: Vec<&FeatureInfo> = prepared.published().collect();
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
    let columns = columns.map(|(name, of)| (name, texts(of), name == "source"));
    dated(as_of, &RecordBatch::try_from_iter_with_nullable(columns)?)
}
