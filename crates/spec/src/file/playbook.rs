//! `[playbooks.NAME]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{At, Export, Pipeline, Playbook, Scheme, SchemeKind};
use crate::reader::{Notes, Reader, word_of};
use crate::written::word::Touch;

use super::name::{Names, check_name};

/// All playbooks, in file order.
pub(super) fn playbooks(file: &Reader<'_>, schemes: &[Scheme]) -> Vec<Playbook> {
    let Some(tables) = file.table("playbooks") else {
        return Vec::new();
    };
    let mut playbooks: Vec<Playbook> = Vec::new();
    for entry in tables.entries() {
        let name = format!("[playbooks.{}]", entry.key.value);
        let Some(table) = tables.as_table(entry.value, &name, &name) else {
            continue;
        };
        check_name(file.notes, Names::Dashed, "playbook", &entry.key);
        let playbook = playbook(&table, entry.key);
        check_segment_exists(file.notes, &playbook, schemes);
        check_only_one(file.notes, &playbook, &playbooks);
        playbooks.push(playbook);
    }
    playbooks
}

/// Columns of the table `actions`.
const ACTION_COLUMNS: [&str; 12] = [
    "as_of",
    "scheme",
    "segment",
    "playbook",
    "goal",
    "touch",
    "channel",
    "owner",
    "reason",
    "value_now",
    "value_at_risk",
    "priority",
];

/// `[actions]`: further columns of the table `actions`.
pub(super) fn action_columns(file: &Reader<'_>) -> Vec<At<String>> {
    let Some(table) = file.table("actions") else {
        return Vec::new();
    };
    let columns = table.texts("columns").unwrap_or_default();
    for column in &columns {
        if ACTION_COLUMNS.contains(&column.value.as_str()) {
            let message = format!(
                "the table `actions` has a column `{}` already",
                column.value
            );
            table.notes.add(
                Diagnostic::error("TS-P007", message, column.span.clone())
                    .with_help("remove it from `columns`"),
            );
        }
    }
    table.finish();
    columns
}

fn playbook(table: &Reader<'_>, name: At<String>) -> Playbook {
    let playbook = Playbook {
        scheme: table.required_text(
            "scheme",
            "add `scheme = \"…\"`, the scheme whose segment this is for",
        ),
        segment: table.text("segment").unwrap_or_else(|| name.clone()),
        goal: table.text("goal").map(|text| text.value),
        touch: touch(table),
        channel: table.text("channel").map(|text| text.value),
        owner: table.text("owner").map(|text| text.value),
        export: table
            .table("export")
            .map_or_else(Export::default, |table| export(&table)),
        name,
    };
    table.finish();
    playbook
}

/// `export`: whether its columns exist is known only with the features.
fn export(table: &Reader<'_>) -> Export {
    let format = table.word("format").map(|format| format.value);
    let columns = table.texts("columns");
    if columns.as_ref().is_some_and(Vec::is_empty) {
        let message = format!("`columns` of {} names no column", table.name);
        table.notes.add(
            Diagnostic::error("TS-P009", message, table.value_span("columns"))
                .with_help("name at least the customer's key, or remove `columns`: then all columns of `actions` are exported"),
        );
    }
    table.finish();
    Export {
        format: format.unwrap_or_default(),
        columns: columns.filter(|columns| !columns.is_empty()),
    }
}

/// Checks that every stated list of columns has the customer's key, by which changes are applied.
pub(super) fn check_exports(notes: &Notes, pipeline: &Pipeline) {
    let key = &pipeline.customer.key;
    for playbook in &pipeline.playbooks {
        let Some(columns) = &playbook.export.columns else {
            continue;
        };
        let (Some(first), Some(last)) = (columns.first(), columns.last()) else {
            continue;
        };
        if !key.is_empty() && !columns.iter().any(|column| column.value == *key) {
            let message = format!(
                "the exported columns of playbook `{}` lack the customer's key `{key}`",
                playbook.name.value
            );
            let span = first.span.start..last.span.end;
            notes.add(Diagnostic::error("TS-P099", message, span).with_help(format!(
                "add \"{key}\" to `columns`: without it, who reads the list cannot tell whom a later change is of"
            )));
        }
    }
}

fn touch(table: &Reader<'_>) -> Option<String> {
    let text = table.text("touch")?;
    word_of::<Touch>(table.notes, &text, "touch").map(|_| text.value)
}

/// Reports a playbook for a segment that its scheme does not have.
fn check_segment_exists(notes: &Notes, playbook: &Playbook, schemes: &[Scheme]) {
    let segment = &playbook.segment;
    let Some(found) = unknown_segment((&playbook.scheme, segment), schemes) else {
        return;
    };
    let is_scheme = found.span == playbook.scheme.span;
    let by_name = !is_scheme && found.help.is_none() && segment.span == playbook.name.span;
    notes.add(if by_name {
        found.with_help("a playbook is for the segment with its own name, unless `segment = \"…\"` names another")
    } else {
        found
    });
}

/// A scheme that the file does not have, or a segment that the scheme does not have as far as the file itself names them.
pub(super) fn unknown_segment(
    (wanted, segment): (&At<String>, &At<String>),
    schemes: &[Scheme],
) -> Option<Diagnostic> {
    if wanted.value.is_empty() {
        return None;
    }
    let Some(scheme) = schemes.iter().find(|s| s.name.value == wanted.value) else {
        let names: Vec<&str> = schemes.iter().map(|s| s.name.value.as_str()).collect();
        let span = wanted.span.clone();
        let unknown = unknown_name("TS-P018", "scheme", &wanted.value, span, &names);
        return Some(unknown);
    };
    let segments = segments(&scheme.kind)?;
    if segments.contains(&segment.value.as_str()) {
        return None;
    }
    let what = format!("segment of scheme `{}`", scheme.name.value);
    let span = segment.span.clone();
    Some(unknown_name(
        "TS-P019",
        &what,
        &segment.value,
        span,
        &segments,
    ))
}

/// Segments that the file itself names; none where they depend on data or on a named grid.
pub(super) fn segments(kind: &SchemeKind) -> Option<Vec<&str>> {
    let mut segments = kind.settings().declared()?;
    let mut seen = Vec::new();
    segments.retain(|name| {
        let new = !seen.contains(name);
        seen.push(*name);
        new
    });
    Some(segments)
}

/// Checks that no segment has two playbooks, since the table `segments` has one per segment.
fn check_only_one(notes: &Notes, playbook: &Playbook, before: &[Playbook]) {
    let same = |other: &&Playbook| {
        other.scheme.value == playbook.scheme.value && other.segment.value == playbook.segment.value
    };
    if let Some(other) = before.iter().find(same) {
        let (segment, scheme) = (&playbook.segment.value, &playbook.scheme.value);
        notes.add(
            Diagnostic::error(
                "TS-P041",
                format!("segment `{segment}` of scheme `{scheme}` has two playbooks"),
                playbook.name.span.clone(),
            )
            .with_label(format!("the other is `{}`", other.name.value))
            .with_help("a segment has one playbook; merge the two, or split the segment"),
        );
    }
}
