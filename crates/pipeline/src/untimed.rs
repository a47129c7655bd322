//! Features of which only today's value is known, and what depends on them.
//!
//! Today's value may reveal what happened after an earlier date (a plan `cancelled`), so a model trained on it would look better
//! than it is: such features are not used in scores that are trained on earlier dates.

use std::collections::{BTreeMap, BTreeSet};

use tessera_expr::rel::{Join, Scan};
use tessera_expr::{Type, columns};
use tessera_features::{FeaturePlan, Pass};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use tessera_spec::pipeline::{Source, SourceKind};

use crate::scores::{self, TrainedOn};

const HELP: &str = "set `time` (since when a row is valid) there, or list there what never changes, in `unchanging`: columns of a lookup, features of any other source";

/// Features from rows without `time` and `known_at`: those of an attributes source, or of a lookup whose key has no day either,
/// except what their source or the lookup lists as unchanging. Each with the source or lookup without a time.
pub(crate) fn untimed(pipeline: &Pipeline, features: &FeaturePlan) -> BTreeMap<String, String> {
    let mut untimed = BTreeMap::new();
    for pass in &features.passes {
        let Some(source) = pipeline.source(&pass.source) else {
            continue;
        };
        let stays = |name: &str| source.unchanging.iter().any(|listed| listed.value == name);
        let rests = of_today(pipeline, source, pass).into_iter();
        untimed.extend(
            rests
                .filter(|(name, _)| !stays(name))
                .map(|(name, what)| (name.to_owned(), what)),
        );
    }
    for (name, expr) in features.derived.iter().chain(&features.late) {
        let what = columns(expr)
            .into_iter()
            .find_map(|column| untimed.get(column).cloned());
        if let Some(what) = what {
            untimed.insert(name.clone(), what);
        }
    }
    untimed
}

/// The aggregates of a pass of which only today's value is known, with the source or lookup without a time.
fn of_today<'a>(pipeline: &Pipeline, source: &Source, pass: &'a Pass) -> Vec<(&'a str, String)> {
    let attributes =
        source.kind == SourceKind::Attributes && source.time.is_none() && source.known_at.is_none();
    let joined = joined_today(pipeline, &pass.aggregate.rows.scan);
    let aggs = pass.aggregate.aggs.iter();
    aggs.filter_map(|agg| {
        let read = agg.func.of.iter().chain(&agg.filter);
        let lookup = read.flat_map(columns).find_map(|column| joined.get(column));
        let what = match lookup {
            _ if attributes => source.name.value.as_str(),
            Some(lookup) => lookup,
            None => return None,
        };
        Some((agg.name.as_str(), what.to_owned()))
    })
    .collect()
}

/// The untimed features that a score would be trained on, in the order of the published ones.
pub(crate) fn left_out<'a>(
    trained: &TrainedOn<'_>,
    features: &'a FeaturePlan,
    untimed: &BTreeMap<String, String>,
) -> Vec<&'a str> {
    let stated = trained.features;
    let asked =
        |name: &str| stated.is_empty() || stated.iter().any(|feature| feature.value == name);
    let published = features.published.iter().map(|info| info.name.as_str());
    published
        .filter(|name| asked(name) && untimed.contains_key(*name))
        .collect()
}

/// Warns of the features that are left out of scores, and finds errors in `unchanging` and in populations that use such
/// features.
pub(crate) fn check(
    pipeline: &Pipeline,
    features: &FeaturePlan,
    untimed: &BTreeMap<String, String>,
    found: &mut Diagnostics,
) {
    unchanging(pipeline, features, found);
    for score in &pipeline.scores {
        let Some(trained) = scores::of(&score.kind).trained_on() else {
            continue;
        };
        let name = &score.name.value;
        let left = left_out(&trained, features, untimed);
        for feature in trained.features {
            if left.contains(&feature.value.as_str()) {
                let message = unused(&[&feature.value], name, untimed);
                let warning = Diagnostic::warning("TS-G012", message, feature.span.clone())
                    .with_label("at each observation date the model would see the value of today");
                found.extend([warning.with_help(HELP)]);
            }
        }
        if trained.features.is_empty() && !left.is_empty() {
            let message = unused(&left, name, untimed);
            let place = trained.from.span.clone();
            found.extend([Diagnostic::warning("TS-G012", message, place).with_help(HELP)]);
        }
        let condition = scores::condition_name(name);
        if let Some(text) = trained.population
            && untimed.contains_key(&condition)
        {
            let message = format!(
                "the population of the score `{name}` uses a feature of which only today's value is known"
            );
            let problem = Diagnostic::error("TS-G014", message, text.span.clone())
                .with_label("who could churn at an earlier date is not known from it");
            found.extend([problem.with_help(HELP)]);
        }
    }
}

/// That a score does not use these features, and which sources without `time` are the cause.
fn unused(features: &[&str], score: &str, untimed: &BTreeMap<String, String>) -> String {
    let sources: BTreeSet<&String> = features.iter().map(|name| &untimed[*name]).collect();
    let of: Vec<String> = sources
        .iter()
        .map(|name| format!("[sources.{name}]"))
        .collect();
    let (are, of_them) = match features.len() {
        1 => ("is", "value of it is"),
        _ => ("are", "values of them are"),
    };
    let have = if of.len() == 1 { "has" } else { "have" };
    format!(
        "{} {are} not used in the score `{score}`: only today's {of_them} known, because {} {have} no `time`",
        named(features),
        of.join(" and ")
    )
}

/// Names in `unchanging` that are not features of their source, or columns that are joined from it, or whose earlier values are
/// known.
fn unchanging(pipeline: &Pipeline, features: &FeaturePlan, found: &mut Diagnostics) {
    for source in &pipeline.sources {
        if source.kind == SourceKind::Lookup {
            unchanging_columns(pipeline, source, found);
            continue;
        }
        let mut passes = features.passes.iter();
        let pass = passes.find(|pass| pass.source == source.name.value);
        let names = pass.map_or_else(Vec::new, |pass| of_today(pipeline, source, pass));
        let published = |name: &&str| features.published.iter().any(|info| info.name == **name);
        let names: Vec<&str> = names
            .iter()
            .map(|(name, _)| *name)
            .filter(published)
            .collect();
        // What has a mistake itself is not known to be one.
        let is_refused = |name: &str| {
            let mut all = features.published.iter();
            all.any(|info| info.name == name && info.ty == Type::Null)
        };
        for stays in &source.unchanging {
            if !names.contains(&stays.value.as_str()) && !is_refused(&stays.value) {
                let name = &source.name.value;
                let what = format!("feature of `{name}` of which only today's value is known");
                let span = stays.span.clone();
                found.extend([unknown_name("TS-G015", &what, &stays.value, span, &names)]);
            }
        }
    }
}

/// Names in `unchanging` of a lookup that no source joins from it, or whose earlier values are known.
fn unchanging_columns(pipeline: &Pipeline, lookup: &Source, found: &mut Diagnostics) {
    let timed = lookup.time.is_some() || lookup.known_at.is_some();
    let joins = pipeline.sources.iter().flat_map(|source| &source.joins);
    let joins = joins.filter(|join| !timed && join.from.value == lookup.name.value);
    let columns: BTreeSet<&str> = joins
        .flat_map(|join| &join.columns)
        .map(|(_, of)| of.value.as_str())
        .collect();
    let columns: Vec<&str> = columns.into_iter().collect();
    for stays in &lookup.unchanging {
        if !columns.contains(&stays.value.as_str()) {
            let name = &lookup.name.value;
            let what = format!(
                "column of `{name}` that is joined and of which only today's value is known"
            );
            let span = stays.span.clone();
            found.extend([unknown_name("TS-G015", &what, &stays.value, span, &columns)]);
        }
    }
}

/// Names in backticks, as a list.
pub(crate) fn named(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Columns that are joined from a lookup of which only today's rows are known, or found by such a column, and columns derived from
/// them, with that lookup. What the lookup lists as unchanging is known at every date.
fn joined_today<'a>(pipeline: &Pipeline, scan: &'a Scan) -> BTreeMap<&'a str, &'a str> {
    let has_day = |join: &Join| {
        let mut keys = join.on.iter().map(|(_, key)| key.ty);
        keys.any(|ty| matches!(ty, Type::Date | Type::Timestamp))
    };
    let of_today = |join: &Join| {
        join.lookup.time.is_none() && join.lookup.known_at.is_none() && !has_day(join)
    };
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for place in 0..=scan.derive.len() {
        for join in scan.joins.iter().filter(|join| join.after == place) {
            let lookup = join.lookup.scan.source.as_str();
            let stays = pipeline.source(lookup).map(|source| &source.unchanging);
            let stays = |column: &str| {
                stays.is_some_and(|listed| listed.iter().any(|name| name.value == column))
            };
            let searched = join.on.iter().map(|(own, _)| own).chain(&join.as_of);
            let searched = searched
                .flat_map(columns)
                .find_map(|own| found.get(own).copied());
            for column in &join.columns {
                let what = searched.or((of_today(join) && !stays(&column.of)).then_some(lookup));
                found.extend(what.map(|what| (column.name.as_str(), what)));
            }
        }
        let Some((name, expr)) = scan.derive.get(place) else {
            continue;
        };
        let lookup = columns(expr)
            .into_iter()
            .find_map(|column| found.get(column).copied());
        found.extend(lookup.map(|lookup| (name.as_str(), lookup)));
    }
    found
}
