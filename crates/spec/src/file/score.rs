//! `[scores.NAME]`: what is the same for every kind. The rest of the table is read by its kind, see [`ScoreSyntax`].

use crate::pipeline::{Refit, Score, ScoreKind, Source};
use crate::reader::{Reader, choice_of};
use crate::score_syntax::ScoreSyntax;

use super::name::{Names, check_name};
use super::refit::refit;

/// All scores, in file order.
pub(super) fn scores(file: &Reader<'_>, sources: &[Source], kinds: &[&ScoreSyntax]) -> Vec<Score> {
    let Some(tables) = file.table("scores") else {
        return Vec::new();
    };
    let mut scores = Vec::new();
    for entry in tables.entries() {
        let name = format!("[scores.{}]", entry.key.value);
        if let Some(table) = tables.as_table(entry.value, &name, &name) {
            check_name(file.notes, Names::Column, "score", &entry.key);
            let score = score(&table, sources, kinds);
            scores.extend(score.map(|(kind, refit)| Score {
                name: entry.key,
                kind,
                refit,
            }));
        }
    }
    scores
}

fn score(
    table: &Reader<'_>,
    sources: &[Source],
    kinds: &[&ScoreSyntax],
) -> Option<(ScoreKind, Refit)> {
    let choices = kinds.iter().map(|kind| (kind.name, *kind));
    let choices: Vec<(&str, &ScoreSyntax)> = choices.collect();
    if !table.has("kind") {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = format!("add `kind = \"…\"`, one of {}", names.join(", "));
        table.missing("kind", help);
    }
    // Which keys belong here is not known without the kind.
    let syntax = choice_of(table.notes, &table.text("kind")?, "kind", &choices)?;
    let kind = (syntax.read)(table, sources);
    let refit = refit(table, syntax.refit);
    table.finish();
    Some((kind?, refit))
}
