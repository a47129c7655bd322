//! Features of which a run knows today's value only, among those that a model learns from.

use std::collections::BTreeMap;

use tessera_expr::rel::{Join, Scan};
use tessera_expr::{Type, columns};
use tessera_features::FeaturePlan;
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics};
use tessera_spec::pipeline::{ScoreKind, SourceKind};

/// Warns of every supervised score that learns from a feature without a past: at each observation date the model sees the value
/// of today, which may tell what happened after it (a plan that reads `cancelled`), so that its backtest is too good.
pub(crate) fn warn(pipeline: &Pipeline, features: &FeaturePlan, found: &mut Diagnostics) {
    let untimed = untimed(pipeline, features);
    for score in &pipeline.scores {
        let ScoreKind::Supervised(supervised) = &score.kind else {
            continue;
        };
        let named = supervised
            .features
            .iter()
            .map(|feature| (&feature.value, &feature.span));
        let all = features
            .published
            .iter()
            .map(|feature| (&feature.name, &supervised.from.span));
        let seen: Vec<_> = if supervised.features.is_empty() {
            all.collect()
        } else {
            named.collect()
        };
        let seen = seen
            .into_iter()
            .filter(|(name, _)| untimed.contains_key(name.as_str()));
        found.extend(seen.map(|(name, span)| {
            let message = format!(
                "the score `{}` learns from `{name}`, of which only today's value is known: {} has no `time`",
                score.name.value,
                untimed[name.as_str()]
            );
            Diagnostic::warning("TS-G012", message, span.clone())
                .with_label("at each observation date the model sees the value of today")
                .with_help("state `time` (since when a row holds) in the source, or list the score's `features` without it")
        }));
    }
}

/// Features that rest on rows that say neither since when they hold nor when they became known: those of an attributes source, or
/// of a lookup that is not asked by a day either. Each with what has no time, in words.
fn untimed<'a>(pipeline: &Pipeline, features: &'a FeaturePlan) -> BTreeMap<&'a str, String> {
    let of_today = |name: &str| {
        let mut sources = pipeline.sources.iter();
        sources.any(|source| {
            source.name.value == name
                && source.kind == SourceKind::Attributes
                && source.time.is_none()
                && source.known_at.is_none()
        })
    };
    let mut untimed = BTreeMap::new();
    for pass in &features.passes {
        let joined = joined_today(&pass.aggregate.rows.scan);
        for agg in &pass.aggregate.aggs {
            let read = agg.func.of().into_iter().chain(&agg.filter);
            let lookup = read.flat_map(columns).find_map(|column| joined.get(column));
            let what = match lookup {
                _ if of_today(&pass.source) => "its source".to_owned(),
                Some(lookup) => format!("the lookup `{lookup}`"),
                None => continue,
            };
            untimed.insert(agg.name.as_str(), what);
        }
    }
    for (name, expr) in features.derived.iter().chain(&features.late) {
        let what = columns(expr)
            .into_iter()
            .find_map(|column| untimed.get(column).cloned());
        if let Some(what) = what {
            untimed.insert(name.as_str(), what);
        }
    }
    untimed
}

/// Columns that are joined from a lookup of which only today's rows are known, and columns derived from them, with the lookup.
fn joined_today(scan: &Scan) -> BTreeMap<&str, &str> {
    let has_day = |join: &Join| {
        let mut keys = join.on.iter().map(|(_, key)| key.ty);
        keys.any(|ty| matches!(ty, Type::Date | Type::Timestamp))
    };
    let of_today = |join: &&Join| {
        join.lookup.time.is_none() && join.lookup.known_at.is_none() && !has_day(join)
    };
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    for join in scan.joins.iter().filter(of_today) {
        let lookup = join.lookup.scan.source.as_str();
        found.extend(join.columns.iter().map(|c| (c.name.as_str(), lookup)));
    }
    for (name, expr) in &scan.derive {
        let lookup = columns(expr)
            .into_iter()
            .find_map(|column| found.get(column).copied());
        if let Some(lookup) = lookup {
            found.insert(name, lookup);
        }
    }
    found
}
