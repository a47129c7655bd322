//! What of a pipeline defines the rows and columns of its customers. All the rest of it is only checked or shown, names what was found,
//! or decides when something is learned or published.

use std::collections::BTreeSet;

use tessera_spec::Pipeline;
use tessera_spec::pipeline::{
    Description, Gates, Limits, Memberships, Refit, Score, Source, SourceKind,
};

use crate::prepared::Prepared;

/// The pipeline without what defines neither a row nor a column of its customers. What its schemes are is no part of it.
pub(crate) fn rows_and_columns(pipeline: &Pipeline) -> Pipeline {
    let mut data = pipeline.clone();
    data.name.clear();
    data.goal = None;
    data.schemes.clear();
    data.playbooks.clear();
    data.gates = Gates::default();
    data.memberships = Memberships::default();
    data.action_columns.clear();
    data.experiments.clear();
    data.customer.cohorts = false;
    for source in &mut data.sources {
        source.freshness = None;
        source.contract.keep_rejects = 0;
        source.contract.limits = Limits::default();
        for attribute in &mut source.attributes {
            attribute.description = Description::default();
        }
    }
    data.features.described.clear();
    for feature in &mut data.features.declared {
        feature.description = Description::default();
    }
    for score in &mut data.scores {
        score.refit = Refit::Always;
    }
    data
}

/// The names of the sources of which something is made: customers, features or scores, or other such sources. The map of keys is not
/// among them by that alone.
pub(crate) fn sources_read(prepared: &Prepared) -> BTreeSet<&str> {
    let pipeline = &prepared.pipeline;
    let passes = prepared.features.passes.iter();
    let aged = prepared.aged.as_ref().map(|aged| &aged.sources);
    let made = passes.filter(|pass| {
        // The rows of a source are counted whether or not anything is made of them.
        let since = aged.and_then(|aged| aged.get(&pass.source));
        let since = since.map(|source| &source.new_rows);
        let mut aggs = pass.aggregate.aggs.iter();
        let any = aggs.any(|agg| ![Some(&pass.rows), since].contains(&Some(&agg.name)));
        !pass.is_lookup && (pass.in_base || any)
    });
    let mut read: BTreeSet<&str> = made.map(|pass| pass.source.as_str()).collect();
    for source in &pipeline.sources {
        let name = source.name.value.as_str();
        let mut scores = pipeline.scores.iter();
        let is_learned_from = scores.any(|score| learned_from(score).as_deref() == Some(name));
        if is_learned_from || source.kind == SourceKind::Attributes {
            read.insert(name);
        }
    }
    let mut pending: Vec<&str> = read.iter().copied().collect();
    while let Some(source) = pending.pop().and_then(|name| pipeline.source(name)) {
        for other in made_with(source) {
            if read.insert(other) {
                pending.push(other);
            }
        }
    }
    read
}

/// The source from whose rows a score is learned; none where its settings state none.
pub(crate) fn learned_from(score: &Score) -> Option<String> {
    let settings = serde_json::json!(score);
    settings["from"].as_str().map(str::to_owned)
}

/// The sources that the rows of a source are joined with or chosen by.
pub(crate) fn made_with(source: &Source) -> impl Iterator<Item = &str> {
    let joined = source.joins.iter().map(|join| &join.from);
    let all = joined.chain(&source.only_keys_of);
    all.map(|other| other.value.as_str())
}
