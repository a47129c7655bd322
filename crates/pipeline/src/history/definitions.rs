//! What can have moved customers since the previous version, as far as the commits of both say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tessera_expr::columns;
use tessera_history::{Cause, Causes};
use tessera_snapshot::Version;
use tessera_spec::pipeline::{Scheme, SchemeKind, ScoreMethod, SourceKind};

use crate::identity;
use crate::prepare::Prepared;

/// Key of the commit's `pipeline` object under which the definitions stand.
pub(crate) const DEFINITIONS: &str = "definitions";

/// A hash of everything that defines each scheme: sources, features, scores, and the scheme with those that it uses.
pub(crate) fn definitions(prepared: &Prepared) -> Value {
    let hash = |scheme: &Scheme| {
        let used = used_schemes(prepared, scheme);
        let mut defined = prepared.pipeline.clone();
        defined.playbooks.clear();
        defined.goal = None;
        let is_used = |known: &Scheme| used.contains(known.name.value.as_str());
        defined.schemes.retain(is_used);
        let hash = Sha256::digest(tessera_spec::canonical(&defined).as_bytes());
        let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        (scheme.name.value.clone(), Value::from(digits))
    };
    let hashes = prepared.pipeline.schemes.iter().map(hash);
    Value::Object(hashes.collect())
}

/// What can have moved customers of each scheme. Without a step of their own these causes cannot be told apart.
pub(crate) fn possible(prepared: &Prepared, previous: &Version) -> BTreeMap<String, Causes> {
    let now = definitions(prepared);
    let commit = previous.commit();
    let same_program = commit.program == identity::program();
    let has = |kind: SourceKind| {
        let mut sources = prepared.pipeline.sources.iter();
        sources.any(|source| source.kind == kind)
    };
    let of = |scheme: &Scheme| {
        let name = scheme.name.value.as_str();
        let mut causes = Causes::from(Cause::LateData);
        if !same_program || commit.pipeline[DEFINITIONS][name] != now[name] {
            causes = causes.with(Cause::Definition);
        }
        if is_fitted(prepared, scheme) {
            causes = causes.with(Cause::Model);
        }
        if has(SourceKind::Attributes) {
            causes = causes.with(Cause::Attribute);
        }
        causes = causes.with(Cause::Ageing).with(Cause::Activity);
        (name.to_owned(), causes)
    };
    prepared.pipeline.schemes.iter().map(of).collect()
}

/// The scheme and those whose segments or scores its rules read, and theirs.
pub(crate) fn used_schemes<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> BTreeSet<&'a str> {
    let mut used = BTreeSet::new();
    let mut pending = vec![scheme.name.value.as_str()];
    while let Some(name) = pending.pop() {
        if !used.insert(name) {
            continue;
        }
        let rules = prepared.rules.get(name).into_iter().flatten();
        for column in rules.flat_map(columns) {
            let schemes = prepared.pipeline.schemes.iter();
            let owner = schemes
                .map(|scheme| scheme.name.value.as_str())
                .find(|name| column == *name || column.strip_suffix("_score") == Some(*name));
            pending.extend(owner);
        }
    }
    used
}

/// The columns of features, scores and values that a scheme reads, also by the schemes that it uses.
pub(crate) fn read_columns<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> BTreeSet<&'a str> {
    let used = used_schemes(prepared, scheme);
    let mut read = BTreeSet::new();
    for scheme in &prepared.pipeline.schemes {
        let name = scheme.name.value.as_str();
        if used.contains(name) {
            read.extend(tessera_segments::inputs(&scheme.kind));
            read.extend(
                prepared
                    .rules
                    .get(name)
                    .into_iter()
                    .flatten()
                    .flat_map(columns),
            );
        }
    }
    // Values are expressions over features and scores.
    for (info, expr) in &prepared.value {
        if read.contains(info.name.as_str()) {
            read.extend(columns(expr));
        }
    }
    read
}

/// Whether a scheme reads what a score says.
pub(crate) fn reads_scores(prepared: &Prepared, scheme: &Scheme) -> bool {
    let read = read_columns(prepared, scheme);
    let mut scored = prepared.scored.iter();
    scored.any(|info| read.contains(info.name.as_str()))
}

/// Whether something of a scheme is learned from the customers of each run.
fn is_fitted(prepared: &Prepared, scheme: &Scheme) -> bool {
    let used = used_schemes(prepared, scheme);
    let fitted = |scheme: &Scheme| match &scheme.kind {
        SchemeKind::Kmeans(_) | SchemeKind::Quantile(_) => true,
        SchemeKind::RfmGrid(rfm) => matches!(
            rfm.score_method,
            ScoreMethod::Midrank | ScoreMethod::Quantile { .. }
        ),
        SchemeKind::Attribute(attribute) => attribute.min_share > 0.0,
        SchemeKind::Rules(_) | SchemeKind::Lifecycle => false,
    };
    let mut schemes = prepared.pipeline.schemes.iter();
    let own = schemes.any(|known| used.contains(known.name.value.as_str()) && fitted(known));
    own || reads_scores(prepared, scheme)
}
