//! What an artifact depends on, as hashes: the data and features it is learned from, the settings that ask for it, and the files
//! of the program that learn it. Labels, descriptions, names of segments and everything that is only shown change nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tessera_features::FeatureInfo;
use tessera_features::catalogue::{self, Definition};
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{
    FeatureBody, LifecycleLimits, Refit, Scheme, SchemeInput, Score, VALUE_COLUMNS,
};

use crate::defining;
use crate::digits::digits;
use crate::program;
use crate::publish::names;
use crate::scores;

/// What says what the numbers mean that are learned from: the features and the data.
pub(super) const OF_DATA: [&str; 2] = ["its features", "the sources"];

/// What a score depends on.
pub(super) fn of_score(
    pipeline: &Pipeline,
    score: &Score,
    published: &[FeatureInfo],
) -> BTreeMap<String, String> {
    let model = scores::of(&score.kind);
    let settings = Score {
        refit: Refit::Always,
        ..score.clone()
    };
    let program = program::hash_of(scores::kind(&score.kind).map_or(&[], |kind| kind.files));
    let reads = model.reads(published);
    let with = (pipeline, published);
    basis(with, reads, json!([settings, pipeline.seed]), &program)
}

/// What a scheme depends on. Names are given to what was found, so they decide nothing about it.
pub(super) fn of_scheme(
    pipeline: &Pipeline,
    scheme: &Scheme,
    published: &[FeatureInfo],
) -> BTreeMap<String, String> {
    let learning = tessera_segments::kind(scheme.kind.name()).and_then(|kind| kind.learning);
    let program = learning.map_or_else(String::new, |learning| program::hash_of(learning.files));
    let inputs = scheme.kind.settings().inputs();
    let reads = inputs.iter().map(SchemeInput::name).map(str::to_owned);
    let settings = json!([scheme.name.value, scheme.kind.learned_by(), pipeline.seed]);
    let with = (pipeline, published);
    basis(with, reads.collect(), settings, &program)
}

fn basis(
    with: (&Pipeline, &[FeatureInfo]),
    reads: Vec<String>,
    settings: Value,
    program: &str,
) -> BTreeMap<String, String> {
    let mut basis = BTreeMap::from([
        ("its settings".to_owned(), digits(&settings.to_string())),
        ("the program".to_owned(), program.to_owned()),
    ]);
    let (features, data) = read(with, reads);
    let of_data = [digits(&features.to_string()), digits(&data)];
    basis.extend(OF_DATA.map(str::to_owned).into_iter().zip(of_data));
    basis
}

/// The definitions of these features and of those that they are made of, and of the data.
fn read((pipeline, published): (&Pipeline, &[FeatureInfo]), reads: Vec<String>) -> (Value, String) {
    let mut pending = reads;
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut definitions: BTreeMap<String, Value> = BTreeMap::new();
    let mut by_limits = false;
    while let Some(name) = pending.pop() {
        if !known.insert(name.clone()) {
            continue;
        }
        let declared = pipeline.features.declared.iter();
        if let Some(feature) = declared.into_iter().find(|known| known.name.value == name) {
            if let FeatureBody::Expr(text) = &feature.body {
                pending.extend(names(&text.value));
            }
            definitions.insert(name, json!(feature.body));
        } else if let Some(score) = pipeline
            .scores
            .iter()
            .find(|score| score.columns().iter().any(|column| column.name == name))
        {
            pending.extend(scores::of(&score.kind).reads(published));
            definitions.insert(name, json!(score.kind));
        } else if VALUE_COLUMNS.contains(&name.as_str()) {
            let columns = pipeline.value_columns().into_iter();
            let texts: Vec<String> = columns.map(|column| column.text).collect();
            pending.extend(texts.iter().flat_map(|text| names(text)));
            definitions.insert(name, json!(texts));
        } else {
            // Of the catalogue or an attribute: what it means is the program's, or the source's.
            let definition = catalogue::find(&name).map(|feature| feature.definition);
            by_limits |= matches!(definition, Some(Definition::Stage | Definition::Late(_)));
            definitions.insert(name, Value::Null);
        }
    }
    let mut data = defining::rows_and_columns(pipeline);
    data.currency.clear();
    data.value = None;
    data.scores.clear();
    data.features.declared.clear();
    data.features.catalogue.clear();
    data.take_identity();
    if !by_limits {
        data.features.lifecycle = LifecycleLimits::default();
    }
    (json!(definitions), tessera_spec::canonical(&data))
}
