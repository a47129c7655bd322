//! Whether the customers of a version are those that a run would compute.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, new_null_array};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::json;
use tessera_expr::Type;
use tessera_snapshot::{Commit, Store, StoreError, Version};
use tessera_spec::pipeline::Score;

use crate::artifacts;
use crate::base::ACTIVE;
use crate::error::PipelineError;
use crate::gates;
use crate::history::{DEFINITIONS, MAP, definitions, read_columns};
use crate::identity::{self, DECLARED, KNOWN_AS_OF};
use crate::intervals;
use crate::prepared::Prepared;

/// The customers with features, scores and values of a version, where a run would compute the same; else why it would not.
pub(super) fn customers(
    prepared: &Prepared,
    store: &Store,
    version: &Version,
) -> Result<Result<RecordBatch, String>, PipelineError> {
    // `customers` is published without the ends of intervals.
    let ends = intervals::ends(&prepared.pipeline);
    let why = differs(prepared, store, version)?;
    if let Some(why) = why.or_else(|| needs_ends(prepared, &ends)) {
        return Ok(Err(why));
    }
    let key = prepared.pipeline.customer.key.as_str();
    let wanted = |name: &str| {
        name == key || name == ACTIVE || prepared.published().any(|info| info.name == name)
    };
    let batches = version.read_columns("customers", wanted)?;
    let Some(first) = batches.first() else {
        return Ok(Err(format!(
            "version {} has no customers",
            version.number()
        )));
    };
    let table = concat_batches(&first.schema(), &batches)?;
    let table = match prepared.pipeline.customer.active.is_some() {
        true => active(&table)?,
        false => Some(table),
    };
    let Some(table) = table else {
        return Ok(Err(format!(
            "version {} does not state who is active",
            version.number()
        )));
    };
    let Some(keys) = table.column_by_name(key).cloned() else {
        return Ok(Err(format!(
            "version {} has no column `{key}`",
            version.number()
        )));
    };
    let mut fields = vec![Field::new(key, keys.data_type().clone(), false)];
    let mut columns: Vec<ArrayRef> = vec![keys];
    for info in prepared.published() {
        let column = match table.column_by_name(&info.name) {
            Some(column) => column.clone(),
            None if ends.contains(&info.name) => {
                new_null_array(&DataType::Float64, table.num_rows())
            }
            None => {
                return Ok(Err(format!(
                    "version {} has no column `{}`",
                    version.number(),
                    info.name
                )));
            }
        };
        let ty = arrow_type(info.ty).unwrap_or_else(|| column.data_type().clone());
        columns.push(cast(&column, &ty)?);
        fields.push(Field::new(info.name.clone(), ty, true));
    }
    Ok(Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?))
}

/// The customers who are not closed accounts; none where that is not stated.
fn active(table: &RecordBatch) -> Result<Option<RecordBatch>, PipelineError> {
    let column = table.column_by_name(ACTIVE);
    let Some(active) = column.and_then(|column| column.as_boolean_opt()) else {
        return Ok(None);
    };
    let active = active.iter().map(|active| Some(active != Some(false)));
    let active: BooleanArray = active.collect();
    Ok(Some(filter_record_batch(table, &active)?))
}

/// What reads the ends of intervals, so that it cannot be computed from a version.
fn needs_ends(prepared: &Prepared, ends: &BTreeSet<String>) -> Option<String> {
    if gates::compared(prepared)
        .intersection(ends)
        .next()
        .is_some()
    {
        return Some("a gate compares segments by the end of an interval".to_owned());
    }
    let mut schemes = prepared.pipeline.schemes.iter();
    let reads = |scheme| {
        let read = read_columns(prepared, scheme);
        read.iter().any(|name| ends.contains(*name))
    };
    let any = schemes.any(reads);
    any.then(|| "a scheme reads the end of an interval".to_owned())
}

/// The type of a column in memory; none for types that stay as they are published.
fn arrow_type(ty: Type) -> Option<DataType> {
    match ty.published() {
        Type::Int => Some(DataType::Int64),
        Type::Float => Some(DataType::Float64),
        Type::String => Some(DataType::Utf8),
        Type::Date => Some(DataType::Date32),
        Type::Bool => Some(DataType::Boolean),
        Type::Timestamp | Type::Decimal { .. } | Type::Null => None,
    }
}

/// What makes a run compute other customers than those of a version.
fn differs(
    prepared: &Prepared,
    store: &Store,
    version: &Version,
) -> Result<Option<String>, PipelineError> {
    let (number, commit) = (version.number(), version.commit());
    let why = |text: &str| Ok(Some(format!("version {number} {text}")));
    if version.as_of() != prepared.as_of {
        return why(&format!("is of another day, {}", version.as_of()));
    }
    if commit.program != identity::program() {
        return why("was made by another program");
    }
    if commit.pipeline[KNOWN_AS_OF] != prepared.known_as_of.to_string().as_str() {
        return why("knew rows up to another day");
    }
    let (then, now) = (&commit.pipeline[DEFINITIONS], definitions(prepared));
    if then["features"] != now["features"] || then[MAP] != now[MAP] {
        return why("has other definitions of rows, features or scores");
    }
    if let Some(score) = learns_otherwise(prepared, commit) {
        return why(&format!("may have learned score `{score}` on another day"));
    }
    if store.inputs(commit)? != identity::inputs(prepared) {
        return why("was made of other files");
    }
    // What is learned may follow from the version before.
    let previous = match store.previous(prepared.as_of) {
        Err(StoreError::Expired { .. }) => return why("follows a version that has expired since"),
        found => found?.map_or(0, |version| version.number()),
    };
    if commit.previous != previous {
        return why("follows another version than a run would");
    }
    Ok(None)
}

/// A score of which a run would learn or apply something else than a version did, because `refit` says so. Of what the same `refit`
/// decides, both have the same.
fn learns_otherwise<'p>(prepared: &'p Prepared, commit: &Commit) -> Option<&'p str> {
    let declared = commit.pipeline[DECLARED]["scores"].as_array();
    let declared = declared.map_or(&[][..], Vec::as_slice);
    let is_same = |score: &&Score| {
        let name = score.name.value.as_str();
        let known = declared.iter().find(|known| known["name"] == name);
        if known.is_some_and(|known| known["refit"] == json!(score.refit)) {
            return true;
        }
        let of = artifacts::of_score(name);
        let choice = prepared.artifacts.get(&of);
        let applied = choice.filter(|choice| choice.fit.is_none());
        let applied = applied.and_then(|choice| choice.known.as_ref());
        let then = commit.artifacts.iter().find(|artifact| artifact.of == of);
        let then = then.map(|artifact| artifact.id.as_str());
        applied.is_some_and(|known| then == Some(known.committed.id.as_str()))
    };
    let mut scores = prepared.pipeline.scores.iter();
    let score = scores.find(|score| !is_same(score))?;
    Some(&score.name.value)
}
