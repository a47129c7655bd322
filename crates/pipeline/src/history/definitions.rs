//! Possible causes of moves since the previous version, from the commits of both versions.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use serde_json::{Map, Value, json};
use tessera_expr::columns;
use tessera_history::{Cause, Causes};
use tessera_snapshot::Version;
use tessera_spec::Pipeline;
use tessera_spec::pipeline::{
    Duplicates, Naming, Refit, Scheme, SchemeInput, Score, Source, SourceKind, VALUE_AT_RISK,
    VALUE_FUTURE, VALUE_NOW, VALUE_PAST,
};

use super::called::{kind_before, stated_before};
use super::column_definitions;
use crate::artifacts;
use crate::base;
use crate::defining;
use crate::digits::digits;
use crate::error::PipelineError;
use crate::identity;
use crate::prepared::Prepared;

/// Key of the definitions in the commit's `pipeline` object.
pub(crate) const DEFINITIONS: &str = "definitions";

/// Key of the map of keys among the definitions, where there is one.
pub(crate) const MAP: &str = "identity";

/// Key of the definitions of what each scheme reads, among the definitions.
const READ: &str = "read";

/// Key of the definitions of the columns of `customers`, among the definitions.
pub(super) const COLUMNS: &str = "columns";

/// Hashes of the definitions of the features, of each scheme with the schemes that it uses, of what each scheme reads, of each column,
/// and of the map of keys.
pub(crate) fn definitions(prepared: &Prepared) -> Value {
    let mut data = defining::rows_and_columns(&prepared.pipeline);
    // Which key belongs to which customer is a cause of its own.
    let map = data.take_identity();
    let read = defining::sources_read(prepared);
    data.sources
        .retain(|source| read.contains(source.name.value.as_str()));
    let of_scheme = |scheme: &Scheme| {
        let name = scheme.name.value.clone();
        (name, of_scheme(prepared, scheme).into())
    };
    let schemes: Map<String, Value> = prepared.pipeline.schemes.iter().map(of_scheme).collect();
    let features = digits(&tessera_spec::canonical(&data));
    let of_read = |scheme: &Scheme| {
        let hash = match read_by(prepared, scheme) {
            Some(read) => digits(&read_definitions(&data, &read)),
            None => features.clone(),
        };
        (scheme.name.value.clone(), hash.into())
    };
    let read: Map<String, Value> = prepared.pipeline.schemes.iter().map(of_read).collect();
    let columns = column_definitions::all(prepared);
    let mut all = json!({"features": features, "schemes": schemes, READ: read, COLUMNS: columns});
    if let Some(map) = map {
        all[MAP] = digits(&json!(map).to_string()).into();
    }
    all
}

/// Whether a scheme is another one than in a version. Renames that `was` states change nothing.
pub(super) fn is_edited(prepared: &Prepared, scheme: &Scheme, version: &Version) -> bool {
    let name = scheme.name.value.as_str();
    let then = version.commit().pipeline[DEFINITIONS]["schemes"][name].as_str();
    let is = |hash: String| then == Some(hash.as_str());
    let by_names_before = || of_scheme_called(prepared, scheme, Some(version));
    !is(of_scheme(prepared, scheme)) && !is(by_names_before())
}

/// Hash of the definition of a scheme with the schemes that it uses.
fn of_scheme(prepared: &Prepared, scheme: &Scheme) -> String {
    of_scheme_called(prepared, scheme, None)
}

/// The same by the names that segments had in an earlier version.
fn of_scheme_called(prepared: &Prepared, scheme: &Scheme, before: Option<&Version>) -> String {
    let used = used_schemes(prepared, scheme);
    let all = prepared.pipeline.schemes.iter();
    let mut schemes: Vec<&Scheme> = all
        .filter(|known| used.contains(known.name.value.as_str()))
        .collect();
    schemes.sort_by(|a, b| a.name.value.cmp(&b.name.value));
    let stated = |known: &Scheme| {
        let mut plain = known.clone();
        // When something is learned again defines nothing, nor does what people call a segment, but where rules read it.
        plain.refit = Refit::Always;
        plain.naming.was = Vec::new();
        if known.name.value == scheme.name.value {
            plain.naming = Naming::default();
        }
        let mut stated = json!(plain);
        if let Some(version) = before {
            stated["kind"] = kind_before(prepared, known, version);
        }
        stated
    };
    let memberships = &prepared.pipeline.memberships;
    let limits = |known: &Scheme| {
        let stated = json!(memberships.hysteresis.get(&known.name.value));
        match before {
            Some(version) => stated_before(stated, known, version),
            None => stated,
        }
    };
    // Who stays in a segment is in it for the schemes that read it.
    let held = schemes.iter();
    let held = held.filter(|known| known.name.value != scheme.name.value);
    let held: Vec<Value> = held
        .filter_map(|known| {
            let name = &known.name.value;
            let stay = memberships.min_stay_days.get(name);
            let margin = memberships.score_margins.get(name);
            let limits = limits(known);
            let any = stay.is_some() || !limits.is_null() || margin.is_some();
            any.then(|| json!([name, stay, limits, margin]))
        })
        .collect();
    let name = &scheme.name.value;
    let stay = memberships.min_stay_days.get(name);
    let schemes: Vec<Value> = schemes.into_iter().map(stated).collect();
    let mut all = vec![json!(schemes), json!(stay), limits(scheme)];
    all.extend(
        memberships
            .score_margins
            .get(name)
            .map(|margin| json!(margin)),
    );
    if !held.is_empty() {
        all.push(held.into());
    }
    digits(&json!(all).to_string())
}

/// The columns that a scheme reads, who is active, and all that these are made of; none where scores are among them, which may be learned from
/// anything.
fn read_by(prepared: &Prepared, scheme: &Scheme) -> Option<BTreeSet<String>> {
    let read = read_columns(prepared, scheme);
    let active = std::iter::once(base::CONDITION);
    let made = prepared.features.made_of(read.into_iter().chain(active));
    (!reads_scores(prepared, scheme)).then_some(made)
}

/// The definitions of what is read of the pipeline: without other features, and without scores.
fn read_definitions(pipeline: &Pipeline, read: &BTreeSet<String>) -> String {
    let mut data = pipeline.clone();
    let features = &mut data.features;
    features.catalogue.clear();
    features.described.clear();
    features
        .declared
        .retain(|known| read.contains(&known.name.value));
    data.scores.clear();
    if ![VALUE_NOW, VALUE_PAST, VALUE_FUTURE, VALUE_AT_RISK]
        .iter()
        .any(|name| read.contains(*name))
    {
        data.value = None;
    }
    json!([tessera_spec::canonical(&data), read]).to_string()
}

/// Differences from the previous version other than time and new rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    /// Whether the rows dated up to the previous day differ from those that were known then.
    pub(crate) late: bool,
    /// Whether features may be computed in another way.
    pub(crate) features: bool,
    /// Whether rows dated up to the previous day may have taken the place of as many others.
    pub(crate) exchanged: bool,
    /// By scheme: causes before attributes, time and new rows.
    first: BTreeMap<String, Causes>,
    /// By scheme: all possible causes of moves.
    all: BTreeMap<String, Causes>,
    /// Of what something else is applied than in the previous version: names as the commit states them.
    learned_anew: BTreeSet<String>,
}

impl Changes {
    /// Compares this run with the version before it. `inputs` are that version's, `dated` the used rows of today's sources up to
    /// the close of its day.
    pub(crate) fn new(
        prepared: &Prepared,
        (previous, inputs): (&Version, &Value),
        dated: &BTreeMap<String, u64>,
        applied: &BTreeMap<&str, &str>,
    ) -> Result<Self, PipelineError> {
        let now = definitions(prepared);
        let commit = previous.commit();
        let then = &commit.pipeline[DEFINITIONS];
        let features = commit.program != identity::program() || then["features"] != now["features"];
        let late = late_sources(prepared, previous, inputs, dated)?;
        let mut changes = Self {
            late: !late.is_empty(),
            features,
            exchanged: may_be_exchanged(prepared, inputs),
            learned_anew: learned_anew(prepared, previous, applied),
            ..Self::default()
        };
        let attributes = prepared
            .pipeline
            .sources
            .iter()
            .any(|source| source.kind == SourceKind::Attributes);
        for scheme in &prepared.pipeline.schemes {
            let name = scheme.name.value.as_str();
            let mut first = Causes::NONE;
            if is_concerned(prepared, scheme, &late) {
                first = first.with(Cause::LateData);
            }
            // Versions of earlier programs do not state what each scheme reads.
            let is_known = commit.program == identity::program() && then[READ][name].is_string();
            let reads_others = match is_known {
                true => then[READ][name] != now[READ][name],
                false => features,
            };
            if reads_others || is_edited(prepared, scheme, previous) {
                first = first.with(Cause::Definition);
            }
            if changes.is_refitted(prepared, scheme) {
                first = first.with(Cause::Model);
            }
            let mut all = first.with(Cause::Ageing).with(Cause::Activity);
            if attributes {
                all = all.with(Cause::Attribute);
            }
            changes.first.insert(name.to_owned(), first);
            changes.all.insert(name.to_owned(), all);
        }
        Ok(changes)
    }

    /// Whether something else is applied of a score or scheme, named as the commit states it, than in the previous version.
    pub(super) fn is_learned_anew(&self, of: &str) -> bool {
        self.learned_anew.contains(of)
    }

    /// Whether what a scheme applies, or the scores that it reads, was learned anew since the previous version.
    fn is_refitted(&self, prepared: &Prepared, scheme: &Scheme) -> bool {
        let used = used_schemes(prepared, scheme);
        let mut used = used.iter().map(|name| artifacts::of_scheme(name));
        let mut scores = scores_of(prepared, scheme);
        used.any(|of| self.is_learned_anew(&of))
            || scores.any(|score| self.is_learned_anew(&artifacts::of_score(&score.name.value)))
    }

    /// The causes of the first step of a scheme; empty where it changes nothing.
    pub(crate) fn first_step(&self, scheme: &str) -> Causes {
        self.first.get(scheme).copied().unwrap_or_default()
    }

    /// All possible causes of moves in a scheme.
    pub(crate) fn all(&self, scheme: &str) -> Causes {
        self.all.get(scheme).copied().unwrap_or_default()
    }
}

/// Whether a scheme can be another because of late, changed or removed rows of these sources: they make up the base, or it reads what is made of them.
fn is_concerned(prepared: &Prepared, scheme: &Scheme, late: &BTreeSet<&str>) -> bool {
    let Some(read) = read_by(prepared, scheme) else {
        return !late.is_empty();
    };
    late.iter().any(|source| {
        let mut passes = prepared.features.passes.iter();
        let pass = passes.find(|pass| pass.source == *source);
        // Lookups are joined to any of the others.
        pass.is_none_or(|pass| {
            let mut aggs = pass.aggregate.aggs.iter();
            pass.is_lookup || pass.in_base || aggs.any(|agg| read.contains(&agg.name))
        })
    })
}

/// The sources of which rows of events and intervals dated up to the previous day may differ from those that its version used: one of
/// its files has changed, or the number of used rows is another.
fn late_sources<'p>(
    prepared: &'p Prepared,
    previous: &Version,
    inputs: &Value,
    dated: &BTreeMap<String, u64>,
) -> Result<BTreeSet<&'p str>, PipelineError> {
    let now = identity::inputs(prepared);
    let mut used: BTreeMap<String, i64> = BTreeMap::new();
    for batch in previous.read_columns("sources", |name| ["source", "used"].contains(&name))? {
        let names = batch
            .column_by_name("source")
            .and_then(|names| names.as_string_opt::<i32>());
        let counts = batch.column_by_name("used");
        let counts = counts.and_then(|counts| counts.as_primitive_opt::<Int64Type>());
        if let (Some(names), Some(counts)) = (names, counts) {
            let names = names.iter().flatten().map(str::to_owned);
            used.extend(names.zip(counts.values().iter().copied()));
        }
    }
    let is_late = |source: &&Source| {
        let name = source.name.value.as_str();
        let counted = dated.get(name).and_then(|rows| i64::try_from(*rows).ok());
        let (then, today) = (files(inputs, name), files(&now, name));
        let kept = || then.is_subset(&today);
        // Of a lake without a change the same rows are used, unless rows of it became known later.
        let others = source.only_keys_of.as_ref().map(|of| of.value.as_str());
        let is_changed = |of: &str| files(inputs, of) != files(&now, of);
        let is_same =
            || then == today && source.known_at.is_none() && !others.is_some_and(is_changed);
        match source.kind {
            SourceKind::Attributes => false,
            SourceKind::Lookup => prepared.pipeline.is_joined(name) && then != today,
            _ => !is_same() && (!kept() || counted != used.get(name).copied()),
        }
    };
    let late = prepared.pipeline.sources.iter().filter(is_late);
    Ok(late.map(|source| source.name.value.as_str()).collect())
}

/// Whether other files may have exchanged rows that were used for as many others: where the first of several rows counts, and where
/// another source says which keys are used.
fn may_be_exchanged(prepared: &Prepared, inputs: &Value) -> bool {
    let now = identity::inputs(prepared);
    let is_changed = |name: &str| files(inputs, name) != files(&now, name);
    let of_source = |source: &Source| {
        let chosen = matches!(source.contract.duplicates, Duplicates::Unique { .. });
        let others = source.only_keys_of.as_ref().map(|of| of.value.as_str());
        (chosen && is_changed(&source.name.value)) || others.is_some_and(is_changed)
    };
    prepared.pipeline.sources.iter().any(of_source)
}

/// The files of a source.
fn files(inputs: &Value, source: &str) -> BTreeSet<String> {
    let mut sources = inputs.as_array().into_iter().flatten();
    let found = sources.find(|known| known["source"] == source);
    let files = found.and_then(|found| found["files"].as_array());
    files.into_iter().flatten().map(Value::to_string).collect()
}

/// The scheme, the schemes whose columns its rules read, and the schemes that those use in turn.
pub(crate) fn used_schemes<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> BTreeSet<&'a str> {
    let mut used = BTreeSet::new();
    let mut pending = vec![scheme.name.value.as_str()];
    while let Some(name) = pending.pop() {
        if !used.insert(name) {
            continue;
        }
        let rules = prepared.rules.get(name).into_iter().flatten();
        for column in rules.flat_map(columns) {
            let owner = prepared.pipeline.scheme_of_column(column);
            pending.extend(owner.map(|scheme| scheme.name.value.as_str()));
        }
    }
    used
}

/// Columns that a scheme itself reads: its inputs, or those of its rules.
pub(crate) fn own_columns<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> BTreeSet<&'a str> {
    let rules = prepared.rules.get(&scheme.name.value);
    let of_rules = rules.into_iter().flatten().flat_map(columns);
    let inputs = scheme.kind.settings().inputs();
    inputs
        .iter()
        .map(SchemeInput::name)
        .chain(of_rules)
        .collect()
}

/// The columns of features, scores and values that a scheme reads, directly or through the schemes that it uses.
pub(crate) fn read_columns<'a>(prepared: &'a Prepared, scheme: &'a Scheme) -> BTreeSet<&'a str> {
    let used = used_schemes(prepared, scheme);
    let mut read = BTreeSet::new();
    for scheme in &prepared.pipeline.schemes {
        let name = scheme.name.value.as_str();
        if used.contains(name) {
            read.extend(own_columns(prepared, scheme));
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

/// The scores whose columns a scheme reads, directly or through the schemes and values that it uses.
pub(super) fn scores_of<'p>(
    prepared: &'p Prepared,
    scheme: &'p Scheme,
) -> impl Iterator<Item = &'p Score> {
    let read = read_columns(prepared, scheme);
    let reads = move |score: &&Score| {
        let columns = score.columns();
        let mut names = columns.iter().map(|column| column.name.as_str());
        names.any(|name| read.contains(name))
    };
    prepared.pipeline.scores.iter().filter(reads)
}

/// Whether a scheme reads a column of a score.
pub(crate) fn reads_scores(prepared: &Prepared, scheme: &Scheme) -> bool {
    let read = read_columns(prepared, scheme);
    let mut scored = prepared.scored.iter();
    scored.any(|info| read.contains(info.name.as_str()))
}

/// Of which scores and schemes this run applies something else than the previous version did.
fn learned_anew(
    prepared: &Prepared,
    previous: &Version,
    applied: &BTreeMap<&str, &str>,
) -> BTreeSet<String> {
    let schemes = prepared.pipeline.schemes.iter();
    let scores = prepared.pipeline.scores.iter();
    let schemes = schemes.map(|scheme| artifacts::of_scheme(&scheme.name.value));
    let all = schemes.chain(scores.map(|score| artifacts::of_score(&score.name.value)));
    let differs = |of: &String| {
        let mut before = previous.commit().artifacts.iter();
        let before = before.find(|artifact| artifact.of == *of);
        let before = before.map(|artifact| artifact.id.as_str());
        prepared.artifacts.get(of).is_some()
            && (before.is_none() || before != applied.get(of.as_str()).copied())
    };
    all.filter(differs).collect()
}
