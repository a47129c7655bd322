//! The form of a pipeline that is hashed: its meaning, without the comments and the order of the file.

use crate::pipeline::{Duplicates, Pipeline};

/// Canonical JSON of what the pipeline means: equal for two files that differ in comments, spacing, the order of tables,
/// of keys and of lists that are sets, the place of the lake or of the store.
///
/// Order is kept where it has meaning: rules (the first decides), contract rules (the first is the reason), tiers, derived
/// columns (a later one may hide a column that an earlier one read), the features and names of clusters, own grids, the models
/// of scores (the first is used), their features, and components of health (sums are taken in that order).
pub fn canonical(pipeline: &Pipeline) -> String {
    let mut sorted = pipeline.clone();
    sorted.customer.from.sort_by(|a, b| a.value.cmp(&b.value));
    sorted
        .sources
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    for source in &mut sorted.sources {
        let contract = &mut source.contract;
        contract
            .columns
            .sort_by(|a, b| a.name.value.cmp(&b.name.value));
        if let Duplicates::Unique { columns, .. } = &mut contract.duplicates {
            columns.sort_by(|a, b| a.value.cmp(&b.value));
        }
        let mut keys: Vec<_> = source.keys().cloned().collect();
        keys.sort_by(|a, b| a.value.cmp(&b.value));
        source.more_keys = keys.split_off(1);
        source.key = keys.remove(0);
        source.joins.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        for join in &mut source.joins {
            join.on.sort_by(|a, b| a.1.value.cmp(&b.1.value));
            join.columns.sort_by(|a, b| a.0.value.cmp(&b.0.value));
        }
        let attributes = &mut source.attributes;
        attributes.sort_by(|a, b| a.column.value.cmp(&b.column.value));
        source.unchanging.sort_by(|a, b| a.value.cmp(&b.value));
    }
    let features = &mut sorted.features;
    features.catalogue.sort_by(|a, b| a.value.cmp(&b.value));
    features
        .declared
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    features
        .described
        .sort_by(|(a, _), (b, _)| a.value.cmp(&b.value));
    sorted
        .scores
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    sorted
        .schemes
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    sorted
        .playbooks
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    sorted
        .experiments
        .sort_by(|a, b| a.name.value.cmp(&b.name.value));
    sorted.gates.sort();
    serde_json::json!(sorted).to_string()
}
