//! Checks of `hysteresis` and `score_margin` of `[memberships]`: which schemes have tiers and scores, and at which shares of the
//! customers they may be entered and left.

use tessera_segments::{QuantileScheme, RfmGrid, ScoreMethod};
use tessera_spec::Pipeline;
use tessera_spec::diagnostic::{Diagnostic, Diagnostics, unknown_name};
use tessera_spec::pipeline::{At, Refit, TierLimits};

/// Finds limits of schemes without tiers, of tiers that do not exist, and shares on the wrong side of a tier's own.
pub(super) fn check(pipeline: &Pipeline, found: &mut Diagnostics) {
    for (name, tiers) in &pipeline.memberships.hysteresis {
        let spans = tiers.values().map(|limits| limits.span.clone());
        let span = spans.min_by_key(|span| span.start).unwrap_or_default();
        let Some(scheme) = pipeline.scheme(name) else {
            let schemes = pipeline.schemes.iter();
            let names: Vec<&str> = schemes.map(|s| s.name.value.as_str()).collect();
            found.extend([unknown_name("TS-P018", "scheme", name, span, &names)]);
            continue;
        };
        let Some(config) = scheme.kind.of::<QuantileScheme>() else {
            let message = format!("`{name}` has no tiers, so customers have no limits in it");
            let help = "limits are for schemes of kind \"quantile\"; a minimum stay, `min_stay`, is for every kind";
            found.extend([Diagnostic::error("TS-G021", message, span).with_help(help)]);
            continue;
        };
        if scheme.refit != Refit::Always {
            let message = format!("the tiers of `{name}` are not fitted in every run");
            let help = "limits are shares of the customers of the day: take `refit` out of the scheme, or the limits";
            found.extend([Diagnostic::error("TS-G021", message, span).with_help(help)]);
            continue;
        }
        // The last tier has no border below it.
        let known = &config.tiers[..config.tiers.len().saturating_sub(1)];
        for (tier, limits) in tiers {
            let Some((_, share)) = known.iter().find(|known| known.0 == *tier) else {
                let names: Vec<&str> = known.iter().map(|known| known.0.as_str()).collect();
                let what = "tier above the last";
                let span = limits.span.clone();
                found.extend([unknown_name("TS-P018", what, tier, span, &names)]);
                continue;
            };
            found.extend(of_tier(tier, *share, limits));
        }
    }
}

/// Finds margins of schemes whose scores are not ranks of the day, and shares that are none.
pub(super) fn check_margins(pipeline: &Pipeline, found: &mut Diagnostics) {
    for (name, margin) in &pipeline.memberships.score_margins {
        let span = margin.span.clone();
        let Some(scheme) = pipeline.scheme(name) else {
            let schemes = pipeline.schemes.iter();
            let names: Vec<&str> = schemes.map(|s| s.name.value.as_str()).collect();
            found.extend([unknown_name("TS-P018", "scheme", name, span, &names)]);
            continue;
        };
        let Some(config) = scheme.kind.of::<RfmGrid>() else {
            let message = format!("`{name}` has no scores, so it has no margin of scores");
            let help = "margins are for schemes of kind \"rfm_grid\"; a minimum stay, `min_stay`, is for every kind";
            found.extend([Diagnostic::error("TS-G021", message, span).with_help(help)]);
            continue;
        };
        let by_rank = matches!(
            config.score_method,
            ScoreMethod::Midrank | ScoreMethod::Quantile { .. }
        );
        if !by_rank || scheme.refit != Refit::Always {
            let message =
                format!("the scores of `{name}` are not ranks of the customers of the day");
            let help = "a margin is a share of these: use `score_method = \"midrank\"` without `refit`, or leave the margin out";
            found.extend([Diagnostic::error("TS-G021", message, span).with_help(help)]);
            continue;
        }
        let most = 1.0 / f64::from(config.scores);
        if !(margin.value > 0.0 && margin.value < most) {
            let message = format!(
                "`score_margin` of `{name}` must be above 0 and below {most}, the share of a score, and is {}",
                margin.value
            );
            found.extend([Diagnostic::error("TS-P080", message, span)]);
        }
    }
}

/// What is wrong with the limits of a tier.
fn of_tier(tier: &str, share: f64, limits: &TierLimits) -> Vec<Diagnostic> {
    let wrong = |key: &str, limit: &At<f64>, wanted: String| {
        let message = format!(
            "`{key}` of tier `{tier}` must be {wanted}, and is {}",
            limit.value
        );
        Diagnostic::error("TS-P080", message, limit.span.clone())
    };
    let enter = limits.enter.iter();
    let enter = enter.filter(|enter| !(enter.value > 0.0 && enter.value <= share));
    let exit = limits.exit.iter();
    let exit = exit.filter(|exit| !(exit.value >= share && exit.value < 1.0));
    let at_most = || format!("above 0 and at most {share}, the share of the tier");
    let at_least = || format!("at least {share}, the share of the tier, and below 1");
    enter
        .map(|enter| wrong("enter", enter, at_most()))
        .chain(exit.map(|exit| wrong("exit", exit, at_least())))
        .collect()
}
