//! Features of customers as inputs of supervised models.

use std::collections::BTreeSet;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Int64Type};
use chrono::NaiveDate;
use tessera_expr::{Type, columns};
use tessera_features::{FeatureInfo, FeaturePlan};
use tessera_model::churn::Inputs;
use xxhash_rust::xxh3::xxh3_64;

use super::columns::{days, floats, texts};
use super::supervised::settings::SupervisedScore;
use super::{NotComputed, hidden_name};
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::sources::epoch_day;

/// Name of the hidden column that holds the label.
pub(crate) fn label_name(score: &str) -> String {
    hidden_name(score, "label")
}

/// The features that the models use.
pub(super) fn features<'p>(
    score: &SupervisedScore,
    name: &str,
    prepared: &'p Prepared,
) -> Vec<&'p FeatureInfo> {
    let of_label = match score.label {
        Some(_) => made_of_label(name, &prepared.features),
        None => BTreeSet::new(),
    };
    let wanted = |info: &&FeatureInfo| {
        let asked =
            score.features.is_empty() || score.features.iter().any(|f| f.value == info.name);
        // A label is of today, as its features are.
        let known = score.label.is_some() || !prepared.untimed.contains_key(&info.name);
        asked && known && !of_label.contains(info.name.as_str())
    };
    prepared.features.published.iter().filter(wanted).collect()
}

/// The features as inputs of a model: numbers, labels, and dates as days before the observation date.
pub(super) fn inputs(
    table: &RecordBatch,
    features: &[&FeatureInfo],
    as_of: NaiveDate,
    rows: Option<&[u32]>,
) -> Result<Inputs, NotComputed> {
    let chosen;
    let table = match rows {
        Some(rows) => {
            let rows = UInt32Array::from(rows.to_vec());
            chosen =
                arrow::compute::take_record_batch(table, &rows).map_err(PipelineError::from)?;
            &chosen
        }
        None => table,
    };
    let mut inputs = Inputs::new(table.num_rows());
    for info in features {
        let name = &info.name;
        inputs = match info.ty {
            Type::String => inputs.label(name, texts(table, name)?.iter())?,
            Type::Date | Type::Timestamp => {
                let today = epoch_day(as_of);
                let age = |day: Option<i32>| day.map_or(f64::NAN, |day| f64::from(today - day));
                let ages = days(table, name)?.into_iter().map(age).collect();
                inputs.number(name, ages)?
            }
            Type::Bool | Type::Int | Type::Float | Type::Decimal { .. } | Type::Null => {
                inputs.number(name, floats(table, name)?)?
            }
        };
    }
    Ok(inputs)
}

/// A hash of each key, the same in every run.
pub(super) fn customer_hashes(keys: &ArrayRef) -> Vec<u64> {
    match keys.data_type() {
        DataType::Int64 => {
            let keys = keys.as_primitive::<Int64Type>();
            let hash = |row: usize| xxh3_64(&keys.value(row).to_le_bytes());
            (0..keys.len()).map(hash).collect()
        }
        _ => {
            let keys = keys.as_string::<i32>();
            let hash = |row: usize| xxh3_64(keys.value(row).as_bytes());
            (0..keys.len()).map(hash).collect()
        }
    }
}

/// The features that the label is made of, or that are made of these: with them a model would read the label itself.
pub(super) fn made_of_label<'a>(score: &str, features: &'a FeaturePlan) -> BTreeSet<&'a str> {
    let derived = || features.derived.iter().chain(&features.late);
    let label = label_name(score);
    let mut open = vec![label.as_str()];
    let mut found: BTreeSet<&str> = BTreeSet::new();
    // Downwards: what the label is computed from.
    while let Some(name) = open.pop() {
        let Some((_, expr)) = derived().find(|(derived, _)| derived == name) else {
            continue;
        };
        for column in columns(expr) {
            if found.insert(column) {
                open.push(column);
            }
        }
    }
    // Upwards: what is computed from that.
    loop {
        let more: Vec<&str> = derived()
            .filter(|(name, expr)| {
                let mut read = columns(expr).into_iter();
                !found.contains(name.as_str()) && read.any(|column| found.contains(column))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}
