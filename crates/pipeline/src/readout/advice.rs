//! What to do about a verdict, in one sentence.

use tessera_spec::shown::grouped;

use super::text::{number, percent};
use super::{ExperimentRead, VariantRead};

/// What to do about the verdict on a variant; nothing of control.
pub(super) fn next(experiment: &ExperimentRead, variant: &VariantRead) -> Option<String> {
    let (name, metric) = (&variant.variant, &experiment.metric);
    let ended = experiment.ended;
    Some(match variant.verdict.as_str() {
        "control" => return None,
        "better" if ended => format!("give `{name}` to all of them"),
        "better" => format!(
            "give `{name}` to all of them: the interval holds at every look, so there is no need to wait for the end"
        ),
        "worse" if ended => format!("drop `{name}`"),
        "worse" => format!(
            "stop `{name}`: the interval holds at every look, so there is no need to wait for the end"
        ),
        "higher" | "lower" => format!(
            "decide whether more of `{metric}` is good; `direction = \"high is good\"` or `\"low is good\"` of the feature makes the verdict `better` or `worse`"
        ),
        "no difference shown" => not_shown(experiment, variant),
        "uneven groups" => uneven(experiment),
        "too early" => too_early(experiment),
        _ => counts(experiment, variant),
    })
}

/// What could be seen, and whether to go on.
fn not_shown(experiment: &ExperimentRead, variant: &VariantRead) -> String {
    let control = experiment.variants.iter().find(|one| one.control);
    let mean = control.and_then(|one| one.adjusted_mean.or(one.mean));
    let seen = variant.smallest_effect.map(|effect| {
        let share = mean.filter(|mean| *mean > 0.0).map(|mean| effect / mean);
        let share = share.map_or_else(String::new, |share| {
            format!(" ({} of control's mean)", percent(share))
        });
        format!("{}{share}", number(effect))
    });
    let seen = seen.unwrap_or_else(|| "some size".to_owned());
    if experiment.ended {
        return format!(
            "take `{}` for no better than control as far as differences of {seen} go, which so many customers show four times of five; to find smaller ones, start another experiment with more customers or a longer time",
            variant.variant
        );
    }
    let coming = sum(experiment, |one| one.too_recent);
    let coming = match coming {
        0 => String::new(),
        n => format!(
            "; {} more are compared once {} days have passed for them",
            grouped(n),
            experiment.measured_days
        ),
    };
    format!(
        "keep it running: the customers compared so far show a difference of {seen} four times of five, in a single look, and more customers show smaller ones{coming}"
    )
}

/// Where to look for what made the groups uneven.
fn uneven(experiment: &ExperimentRead) -> String {
    let drawn = |one: &VariantRead| (one.enrolled + one.lost).max(0) as f64;
    let all: f64 = experiment.variants.iter().map(drawn).sum();
    let shares: f64 = experiment.variants.iter().map(|one| one.share).sum();
    let groups = experiment.variants.iter().map(|one| {
        format!(
            "`{}` has {} instead of {}",
            one.variant,
            percent(drawn(one) / all),
            percent(one.share / shares)
        )
    });
    let groups: Vec<String> = groups.collect();
    format!(
        "conclude nothing: {}. Look whether shares or variants were edited after the first customers were drawn, and whether something that a variant does takes customers out of the base or brings them in; then start again under another name",
        groups.join(", ")
    )
}

/// When there will be something to compare.
fn too_early(experiment: &ExperimentRead) -> String {
    let days = experiment.measured_days;
    match (sum(experiment, |one| one.too_recent), experiment.starts) {
        (0, Some(first)) => format!(
            "wait: customers are drawn from {first} on, and compared {days} days after they were drawn"
        ),
        (0, None) => format!(
            "wait: customers are compared {days} days after they were drawn, and so far nobody was drawn who could be"
        ),
        (coming, _) => format!(
            "wait: {} customers are drawn, and compared {days} days after they were",
            grouped(coming)
        ),
    }
}

/// Where to look for what is missing.
fn counts(experiment: &ExperimentRead, variant: &VariantRead) -> String {
    match sum(experiment, |one| one.missing) {
        0 => format!(
            "look at the counts of `{}` and of control, and whether `{}` differs between customers at all",
            variant.variant, experiment.metric
        ),
        missing => format!(
            "look at `{}`: {} of the customers drawn have no value; compare by a column that all of them have",
            experiment.metric,
            grouped(missing)
        ),
    }
}

/// A count over all variants.
fn sum(experiment: &ExperimentRead, of: impl Fn(&VariantRead) -> i64) -> u64 {
    let counts = experiment.variants.iter().map(|one| of(one).max(0));
    counts.sum::<i64>().unsigned_abs()
}
