//! `[scores.NAME]`

mod clv;
mod contractual;
mod health;
mod supervised;

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::duration;
use crate::pipeline::{At, Refit, Score, ScoreKind, Source, SourceKind};
use crate::reader::{Reader, choice_of};

use super::name::{Names, check_name};
use super::refit::{MONTHLY, refit};

/// Kinds of scores, each with the function that reads the rest of its table.
type ReadKind = fn(&Reader<'_>, &[Source]) -> Option<ScoreKind>;
const KINDS: &[(&str, ReadKind)] = &[
    ("supervised", supervised::supervised),
    ("clv", clv::clv),
    ("contractual", contractual::contractual),
    ("health", health::health),
];

/// Discount per year of pipelines that state none.
const DEFAULT_DISCOUNT: f64 = 0.1;

/// All scores, in file order.
pub(super) fn scores(file: &Reader<'_>, sources: &[Source]) -> Vec<Score> {
    let Some(tables) = file.table("scores") else {
        return Vec::new();
    };
    let mut scores = Vec::new();
    for entry in tables.entries() {
        let name = format!("[scores.{}]", entry.key.value);
        if let Some(table) = tables.as_table(entry.value, &name, &name) {
            check_name(file.notes, Names::Column, "score", &entry.key);
            let score = score(&table, sources);
            scores.extend(score.map(|(kind, refit)| Score {
                name: entry.key,
                kind,
                refit,
            }));
        }
    }
    scores
}

fn score(table: &Reader<'_>, sources: &[Source]) -> Option<(ScoreKind, Refit)> {
    if !table.has("kind") {
        table.missing(
            "kind",
            "add `kind = \"…\"`: supervised, clv, contractual or health",
        );
    }
    // Which keys belong here is not known without the kind.
    let read = choice_of(table.notes, &table.text("kind")?, "kind", KINDS)?;
    let kind = read(table, sources);
    let refit = refit(table, MONTHLY);
    table.finish();
    Some((kind?, refit))
}

/// The declared source that `from` names, of one of these kinds.
fn source_of(
    table: &Reader<'_>,
    sources: &[Source],
    kinds: &[SourceKind],
    help: &str,
) -> At<String> {
    let name = table.required_text("from", help);
    let fitting = sources.iter().filter(|source| kinds.contains(&source.kind));
    let names: Vec<&str> = fitting.map(|source| source.name.value.as_str()).collect();
    if name.value.is_empty() || names.contains(&name.value.as_str()) {
        return name;
    }
    let words: Vec<&str> = kinds.iter().map(|kind| word(*kind)).collect();
    let what = format!("{} source", words.join(" or "));
    let found = unknown_name("TS-P017", &what, &name.value, name.span.clone(), &names);
    let declared = sources.iter().find(|s| s.name.value == name.value);
    table.notes.add(match declared {
        Some(source) => found.with_label(format!(
            "[sources.{}] is of kind \"{}\"",
            name.value,
            word(source.kind)
        )),
        None => found,
    });
    name
}

fn word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Events => "events",
        SourceKind::Attributes => "attributes",
        SourceKind::Intervals => "intervals",
        SourceKind::Lookup => "lookup",
    }
}

/// Days that are predicted.
fn horizon(table: &Reader<'_>) -> Option<At<u32>> {
    if !table.has("horizon") {
        table.missing(
            "horizon",
            "add `horizon = \"90d\"`: how far ahead it looks, in whole days or weeks",
        );
    }
    days(table, "horizon")
}

/// A duration of whole days.
fn days(table: &Reader<'_>, key: &str) -> Option<At<u32>> {
    duration::days(table.notes, &table.text(key)?, key)
}

/// A number that must satisfy a condition; `wanted` describes it for the message.
fn number_that(
    table: &Reader<'_>,
    key: &str,
    fits: impl Fn(f64) -> bool,
    wanted: &str,
    help: &str,
) -> Option<At<f64>> {
    let number = table.number(key)?;
    if fits(number.value) {
        return Some(number);
    }
    let message = format!("`{key}` must be {wanted}");
    table
        .notes
        .add(Diagnostic::error("TS-P042", message, number.span).with_help(help));
    None
}

/// Discount of money a year ahead.
fn discount_per_year(table: &Reader<'_>) -> f64 {
    number_that(
        table,
        "discount_per_year",
        |rate| rate >= 0.0,
        "a rate from 0",
        "with 0.1, money of next year is worth 1 / 1.1 of money of today; 0 means no discount",
    )
    .map_or(DEFAULT_DISCOUNT, |rate| rate.value)
}

/// Notes settings of money that have no effect, since no money is modelled.
fn refuse_money(table: &Reader<'_>, keys: &[&str], help: &str) {
    for key in keys.iter().filter(|key| table.has(key)) {
        let message = format!("`{key}` has no effect: {} does not model money", table.name);
        table.notes.add(
            Diagnostic::error("TS-P043", message, table.key_span(key)).with_help(help.to_owned()),
        );
    }
}
