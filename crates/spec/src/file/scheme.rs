//! `[schemes.NAME]`: what is the same for every kind. The rest of the table is read by its kind, see [`SchemeSyntax`].

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{Learns, Naming, Refit, Scheme, SchemeKind};
use crate::reader::{Reader, check_segment, choice_of};
use crate::scheme_syntax::SchemeSyntax;

use super::name::{Names, check_name};
use super::playbook::segments;
use super::refit;

/// All schemes, in file order.
pub(super) fn schemes(file: &Reader<'_>, kinds: &[&SchemeSyntax]) -> Vec<Scheme> {
    let Some(tables) = file.table("schemes") else {
        return Vec::new();
    };
    let mut schemes = Vec::new();
    for entry in tables.entries() {
        let name = format!("[schemes.{}]", entry.key.value);
        if let Some(table) = tables.as_table(entry.value, &name, &name) {
            check_name(file.notes, Names::Column, "scheme", &entry.key);
            let read = scheme(&table, kinds);
            schemes.extend(read.map(|(kind, refit, naming)| Scheme {
                name: entry.key,
                kind,
                refit,
                naming,
            }));
        }
    }
    schemes
}

fn scheme(table: &Reader<'_>, kinds: &[&SchemeSyntax]) -> Option<(SchemeKind, Refit, Naming)> {
    let mut choices: Vec<(&str, &SchemeSyntax)> = Vec::new();
    choices.extend(kinds.iter().map(|kind| (kind.name, *kind)));
    if !table.has("kind") {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = format!("add `kind = \"…\"`, one of {}", names.join(", "));
        table.missing("kind", help);
    }
    // Which keys belong here is not known without the kind.
    let syntax = choice_of(table.notes, &table.text("kind")?, "kind", &choices)?;
    let kind = (syntax.read)(table);
    let refit = match (&kind, syntax.refit) {
        (_, None) => Some(Refit::Never),
        (Some(kind), Some(default)) => Some(refit_of(table, kind, default)),
        // Not an unknown key, whatever else is wrong.
        (None, Some(_)) => table.text("refit").and(None),
    };
    let mut naming = Naming::default();
    if syntax.clusters {
        naming.by_id = names_by_id(table);
    } else {
        naming.was = renamed(table, kind.as_ref());
    }
    table.finish();
    let (kind, refit) = kind.zip(refit)?;
    Some((kind, refit, naming))
}

/// When what a scheme learned is learned again.
fn refit_of(table: &Reader<'_>, kind: &SchemeKind, default: Refit) -> Refit {
    match kind.settings().learns() {
        Learns::Again => refit::refit(table, default),
        Learns::Once(because) | Learns::Nothing(because) => refit::none(table, because),
    }
}

/// `was`: renamed segments, each with the name before.
fn renamed(table: &Reader<'_>, kind: Option<&SchemeKind>) -> Vec<(String, String)> {
    let Some(inner) = table.table("was") else {
        return Vec::new();
    };
    let known = kind.and_then(segments);
    let mut renamed = Vec::new();
    for entry in inner.entries() {
        check_segment(inner.notes, &entry.key);
        let unknown = known
            .as_ref()
            .filter(|known| !known.contains(&entry.key.value.as_str()));
        if let Some(known) = unknown {
            let (what, span) = (format!("segment in {}", table.name), entry.key.span.clone());
            let found = unknown_name("TS-P019", &what, &entry.key.value, span, known);
            inner.notes.add(found);
        }
        if let Some(was) = inner.text(&entry.key.value) {
            renamed.push((entry.key.value, was.value));
        }
    }
    renamed.sort();
    if let Some(circle) = circle(&renamed) {
        let names = circle.join("`, `");
        let found = Diagnostic::error(
            "TS-P092",
            format!("`{names}` take each other's names, which a rename cannot tell from no change"),
            inner.span.clone(),
        );
        inner.notes.add(found.with_help(
            "rename one of them to a name that no segment has, run the pipeline, and rename the others then",
        ));
    }
    in_order(renamed)
}

/// The renames in an order in which each can be applied after those before: one that gives a name away comes before the one that takes it.
fn in_order(mut waiting: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_free = |name: &String| !waiting.iter().any(|(_, was)| was == name);
        // In a circle, which is an error, none is.
        let next = waiting.iter().position(|(name, _)| is_free(name));
        ordered.push(waiting.remove(next.unwrap_or_default()));
    }
    ordered
}

/// Names of which each is the one that the next had before, and the last one that of the first.
fn circle(renamed: &[(String, String)]) -> Option<Vec<&str>> {
    let before = |name: &str| {
        let found = renamed.iter().find(|(now, _)| now == name);
        found.map(|(_, was)| was.as_str())
    };
    renamed.iter().find_map(|(first, _)| {
        let mut names = vec![first.as_str()];
        while let Some(was) = before(names[names.len() - 1]) {
            if was == first && names.len() > 1 {
                return Some(names);
            }
            if names.contains(&was) {
                return None;
            }
            names.push(was);
        }
        None
    })
}

/// `names = { 3 = "weekenders" }`: names of clusters by id.
fn names_by_id(table: &Reader<'_>) -> Vec<(i64, String)> {
    if !table.is_table("names") {
        return Vec::new();
    }
    let Some(inner) = table.table("names") else {
        return Vec::new();
    };
    let mut named: Vec<(i64, String)> = Vec::new();
    for entry in inner.entries() {
        let Some(name) = inner.text(&entry.key.value) else {
            continue;
        };
        check_segment(inner.notes, &name);
        if let Some((other, _)) = named.iter().find(|(_, known)| *known == name.value) {
            let found = Diagnostic::error(
                "TS-P007",
                format!("`{}` is the name of cluster {other} already", name.value),
                name.span.clone(),
            );
            inner
                .notes
                .add(found.with_help("give each cluster a name of its own"));
        }
        match entry.key.value.parse::<i64>() {
            Ok(id) if id > 0 => named.push((id, name.value)),
            _ => inner.notes.add(
                Diagnostic::error(
                    "TS-P084",
                    format!("`{}` is not the id of a cluster", entry.key.value),
                    entry.key.span,
                )
                .with_help("clusters are numbered from 1: `segment_id` in table `segments`"),
            ),
        }
    }
    named.sort();
    named
}
