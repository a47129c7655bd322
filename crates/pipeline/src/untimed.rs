//! Features of which a run knows today's value only, among those that a model learns from.

use std::collections::BTreeSet;

use tessera_expr::columns;
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
            .filter(|(name, _)| untimed.contains(name.as_str()));
        found.extend(seen.map(|(name, span)| {
            let message = format!(
                "the score `{}` learns from `{name}`, of which only today's value is known: its source has no `time`",
                score.name.value
            );
            Diagnostic::warning("TS-G012", message, span.clone())
                .with_label("at each observation date the model sees the value of today")
                .with_help("state `time` (since when a row holds) in the source, or list the score's `features` without it")
        }));
    }
}

/// Features that rest on an attributes source whose rows say neither since when they hold nor when they became known.
fn untimed<'a>(pipeline: &Pipeline, features: &'a FeaturePlan) -> BTreeSet<&'a str> {
    let of_today = |name: &str| {
        let mut sources = pipeline.sources.iter();
        sources.any(|source| {
            source.name.value == name
                && source.kind == SourceKind::Attributes
                && source.time.is_none()
                && source.known_at.is_none()
        })
    };
    let passes = features.passes.iter();
    let passes = passes.filter(|pass| of_today(&pass.source));
    let mut untimed: BTreeSet<&str> = passes
        .flat_map(|pass| pass.aggregate.aggs.iter().map(|agg| agg.name.as_str()))
        .collect();
    for (name, expr) in features.derived.iter().chain(&features.late) {
        if columns(expr).iter().any(|column| untimed.contains(column)) {
            untimed.insert(name.as_str());
        }
    }
    untimed
}
