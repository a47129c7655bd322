//! Which numbers are in doubt: whether a column of `customers` comes, directly or through the columns it is computed from, from
//! a score without a model, one that failed a test, or one that was not tested on later data.

use std::collections::BTreeSet;

use crate::facts::Facts;
use crate::record::QualityStatus;
use crate::score::{Score, is_base_rate, scores};
use crate::text::{printable, shortened, words};

/// Longest reason, in characters.
const LONGEST: usize = 160;

/// Why a score is in doubt.
pub(crate) struct Doubt {
    /// In one or two words: `flagged`.
    pub(crate) short: &'static str,
    pub(crate) why: String,
}

/// The scores in doubt that a column comes from, in short: "score value (flagged)"; `None` where there are none.
pub(crate) fn doubt_in_short(facts: &Facts<'_>, column: &str) -> Option<String> {
    let each = doubts(facts, column)
        .into_iter()
        .map(|(score, doubt)| format!("score {} ({})", words(score), doubt.short));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// Why a column is in doubt, as one sentence; `None` where it is not.
pub(crate) fn doubt_of(facts: &Facts<'_>, column: &str) -> Option<String> {
    let each = doubts(facts, column)
        .into_iter()
        .map(|(score, doubt)| format!("score {} is {}: {}", words(score), doubt.short, doubt.why));
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| each.join("; "))
}

fn doubts<'a>(facts: &'a Facts<'_>, column: &str) -> Vec<(&'a str, Doubt)> {
    let found = scores(facts);
    let of_score = |name: &'a str| {
        let score = found.iter().find(|score| score.name == name)?;
        Some((name, doubt(facts, score)?))
    };
    scores_behind(facts, column)
        .into_iter()
        .filter_map(of_score)
        .collect()
}

/// Scores whose columns a column is, or is computed from.
fn scores_behind<'a>(facts: &'a Facts<'_>, column: &str) -> BTreeSet<&'a str> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = facts
        .meta
        .feature(column)
        .map(|f| f.name.as_str())
        .into_iter()
        .collect();
    let mut behind = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(feature) = facts.meta.feature(name).filter(|_| seen.insert(name)) else {
            continue;
        };
        if let Some(score) = &feature.score {
            behind.insert(score.as_str());
            continue;
        }
        let text = feature.notes.as_deref().unwrap_or_default();
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        open.extend(
            text.split(|c| !is_part(c))
                .filter(|word| facts.meta.feature(word).is_some()),
        );
    }
    behind
}

/// Why a score is in doubt; `None` where it is not.
pub(crate) fn doubt(facts: &Facts<'_>, score: &Score<'_>) -> Option<Doubt> {
    let of = |short, why: String| Some(Doubt { short, why });
    let models = facts.models.as_deref().unwrap_or_default();
    if is_base_rate(models, &format!("{}_probability", score.name)) {
        let why = "no model is used, and every customer has the base rate";
        return of("not validated", why.to_owned());
    }
    if let Some(flagged) = score.criteria(QualityStatus::Flagged).next() {
        let reason = flagged.reason.as_deref().unwrap_or(&flagged.metric);
        return of("flagged", first_clause(reason));
    }
    if !score.tested().is_empty() || !score.bins.is_empty() {
        return None;
    }
    of(
        "not validated",
        "it was not tested on later data".to_owned(),
    )
}

/// A reason up to its first semicolon: what was found, without advice.
pub(crate) fn first_clause(reason: &str) -> String {
    let clause = reason.split(';').next().unwrap_or_default().trim();
    shortened(printable(clause).trim_end_matches('.'), LONGEST)
}
