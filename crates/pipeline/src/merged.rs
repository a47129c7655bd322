//! Keys that belong to another customer now, by the map of `[customer.identity]`: the table `merged_keys`, and how many there are.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{cast, concat_batches, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use tessera_engine::Engine;
use tessera_segments::{Quality, QualityStatus};
use tessera_snapshot::Version;

use crate::base::CUSTOMERS;
use crate::error::PipelineError;
use crate::prepared::Prepared;
use crate::sources::SourceOutcome;

/// Name of the table.
pub(crate) const TABLE: &str = "merged_keys";

/// Its column with the key that is replaced.
pub(crate) const KEY: &str = "merged_key";

/// The keys that the map replaces and the customer that each belongs to, by key; `None` where the pipeline has no map. Keys have the
/// type of the published ones.
pub(crate) fn keys(
    prepared: &Prepared,
    engine: &dyn Engine,
    key_type: &DataType,
) -> Result<Option<RecordBatch>, PipelineError> {
    if prepared.pipeline.customer.identity.is_none() {
        return Ok(None);
    }
    // Every source with keys is joined with the same map.
    let mut passes = prepared.features.passes.iter();
    let Some(pass) = passes.find(|pass| !pass.is_lookup) else {
        return Ok(None);
    };
    let Some(found) = engine.replaced(&pass.aggregate.rows)? else {
        return Ok(None);
    };
    let replaced = cast(found.column(0), key_type)?;
    let order = sort_to_indices(&replaced, None, None)?;
    let customers = cast(found.column(1), key_type)?;
    let columns: Vec<ArrayRef> = vec![
        take(&replaced, &order, None)?,
        take(&customers, &order, None)?,
    ];
    let names = [KEY, prepared.pipeline.customer.key.as_str()];
    let fields: Vec<Field> = names
        .into_iter()
        .map(|name| Field::new(name, key_type.clone(), false))
        .collect();
    Ok(Some(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?))
}

/// How many keys the map replaces, by how many customers, and in how many used rows of each source.
pub(crate) fn quality(
    merged: Option<&RecordBatch>,
    outcomes: &[SourceOutcome],
) -> Result<Vec<(String, Quality)>, PipelineError> {
    let Some(merged) = merged else {
        return Ok(Vec::new());
    };
    let row = |metric: String, count: u64| {
        let row = Quality {
            segment: String::new(),
            criterion: "identity",
            metric,
            value: Some(count as f64),
            threshold: None,
            status: QualityStatus::Ok,
            reason: None,
        };
        (CUSTOMERS.to_owned(), row)
    };
    let customers = texts(merged.column(1))?;
    let customers: HashSet<String> = customers.into_iter().collect();
    let mut rows = vec![
        row("merged_keys".to_owned(), merged.num_rows() as u64),
        row("merged_into".to_owned(), customers.len() as u64),
    ];
    for outcome in outcomes {
        let metric = format!("resolved_rows_{}", outcome.name);
        rows.extend(outcome.resolved.map(|resolved| row(metric, resolved)));
    }
    Ok(rows)
}

/// The keys of a published version and the customer that each belongs to; `None` where it has no map of keys.
pub(crate) fn published(version: &Version) -> Result<Option<RecordBatch>, PipelineError> {
    if !version.has(TABLE) {
        return Ok(None);
    }
    let batches = version.read(TABLE)?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let all = concat_batches(&first.schema(), &batches)?;
    // Behind `as_of`.
    Ok(Some(all.project(&[1, 2])?))
}

/// The customer that a key belongs to in a published version, where that is another one.
pub(crate) fn customer_of(version: &Version, key: &str) -> Result<Option<String>, PipelineError> {
    let Some(published) = published(version)? else {
        return Ok(None);
    };
    let keys = texts(published.column(0))?;
    let row = keys.iter().position(|known| known == key);
    let customer = |row| Ok(array_value_to_string(published.column(1), row)?);
    row.map(customer).transpose()
}

/// Keys as texts, in which an integer is its digits.
pub(crate) fn texts(keys: &ArrayRef) -> Result<Vec<String>, PipelineError> {
    let text = |row| Ok(array_value_to_string(keys, row)?);
    (0..keys.len()).map(text).collect()
}
