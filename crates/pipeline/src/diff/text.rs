//! A comparison of two versions as text.

use std::fmt::Write as _;

use tessera_segments::write_number;
use tessera_spec::shown::grouped;

use crate::sources::percent;

use super::{
    CauseCount, ColumnDiff, Definitions, Diff, SchemeDiff, SegmentDiff, SourceDiff, TextDiff,
};

/// How many moves of a scheme are listed.
const MOVES: usize = 12;

/// Longest definition that is shown whole.
const DEFINITION: usize = 160;

pub(super) fn text(diff: &Diff) -> String {
    let mut to = String::new();
    for (name, side) in [("from", &diff.from), ("to", &diff.to)] {
        // Writing to a String cannot fail.
        let _ = writeln!(
            to,
            "{name:<4} version {} of {} ({})",
            side.version, side.as_of, side.pipeline
        );
    }
    if !diff.same_pipeline {
        to.push_str("the versions are of different pipelines\n");
    }
    let program = if diff.program_changed {
        "another one"
    } else {
        "the same"
    };
    let _ = writeln!(to, "\nprogram: {program}");
    definitions_text(&diff.definitions, &mut to);
    to.push_str("\nsources\n");
    for source in &diff.sources {
        to.push_str(&of_source(source));
    }
    let customers = &diff.customers;
    let _ = writeln!(
        to,
        "\ncustomers: {} -> {}; {} came, {} left, {} are in both",
        grouped(customers.before),
        grouped(customers.after),
        grouped(customers.came),
        grouped(customers.left),
        grouped(customers.both)
    );
    if let Some(column) = &diff.value {
        let _ = writeln!(
            to,
            "value: `{column}`, of customers who left as it was in version {}",
            diff.from.version
        );
    }
    for scheme in &diff.schemes {
        scheme_text(scheme, &mut to);
    }
    columns(&diff.columns, &mut to);
    to
}

/// Appends what is declared in another way.
pub(crate) fn definitions_text(found: &Definitions, to: &mut String) {
    let mut said = Vec::new();
    if found.features_changed {
        said.push("what features, scores and rows depend on differs".to_owned());
    }
    if !found.texts_known {
        said.push("a version does not state its pipeline, so keys are not compared".to_owned());
    }
    if !found.schemes_changed.is_empty() {
        said.push(format!(
            "schemes that differ: {}",
            found.schemes_changed.join(", ")
        ));
    }
    let said = if said.is_empty() {
        "the same".to_owned()
    } else {
        said.join("; ")
    };
    let _ = writeln!(to, "definitions: {said}");
    for TextDiff {
        what,
        before,
        after,
    } in &found.texts
    {
        let _ = match (before, after) {
            (None, Some(after)) => writeln!(to, "  + {what}: {}", short(after)),
            (Some(before), None) => writeln!(to, "  - {what}: {}", short(before)),
            (before, after) => writeln!(
                to,
                "  ~ {what}: {} -> {}",
                short(before.as_deref().unwrap_or_default()),
                short(after.as_deref().unwrap_or_default())
            ),
        };
    }
}

/// The text on one line, and no longer than is read.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= DEFINITION {
        return line;
    }
    let kept: String = line.chars().take(DEFINITION).collect();
    format!("{kept}…")
}

fn of_source(source: &SourceDiff) -> String {
    let name = &source.source;
    match source.state {
        "added" => return format!("  {name}: added\n"),
        "removed" => return format!("  {name}: removed\n"),
        _ => {}
    }
    let mut files = Vec::new();
    for (count, what) in [
        (source.files_added, "added"),
        (source.files_removed, "removed"),
        (source.files_changed, "changed"),
    ] {
        if count > 0 {
            files.push(format!("{} {what}", grouped(count)));
        }
    }
    let files = match files.is_empty() {
        true => "the same files".to_owned(),
        false => format!(
            "files: {}, {} the same",
            files.join(", "),
            grouped(source.files_same)
        ),
    };
    format!(
        "  {name}: {files}; rows used {}; rejected {}\n",
        from_to(source.used_before, source.used_after),
        from_to(source.rejected_before, source.rejected_after)
    )
}

/// `1,200 -> 1,300 (+100)`, or `1,200` where nothing changed.
pub(crate) fn from_to(before: i64, after: i64) -> String {
    if before == after {
        return count(after);
    }
    format!(
        "{} -> {} ({})",
        count(before),
        count(after),
        signed(after - before)
    )
}

fn count(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// `+1,200`
pub(crate) fn signed(number: i64) -> String {
    let sign = if number < 0 { '-' } else { '+' };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// A number as people write it.
pub(crate) fn figure(number: f64) -> String {
    let mut text = String::new();
    write_number(number, &mut text);
    text
}

/// Appends the segments and moves of a scheme.
pub(crate) fn scheme_text(scheme: &SchemeDiff, to: &mut String) {
    let name = &scheme.scheme;
    let _ = match scheme.state {
        "both" => writeln!(
            to,
            "\nscheme {name}: {} of {} customers are in another segment ({})",
            grouped(scheme.moved),
            grouped(scheme.compared),
            percent(scheme.moved, scheme.compared)
        ),
        state => writeln!(to, "\nscheme {name}: {state}"),
    };
    causes(scheme, to);
    let widest = scheme
        .segments
        .iter()
        .map(|one| one.segment.chars().count())
        .max();
    for segment in &scheme.segments {
        of_segment(segment, widest.unwrap_or(0), to);
    }
    for event in &scheme.events {
        let before = event.name_before.as_ref();
        let before = before.map_or_else(String::new, |name| format!(", before: {name}"));
        let evidence = event.evidence.as_ref();
        let evidence = evidence.map_or_else(String::new, |text| format!(" ({text})"));
        let _ = writeln!(
            to,
            "  {}: {} {}{before}{evidence}",
            event.as_of, event.segment, event.event
        );
    }
    for one in scheme.moves.iter().take(MOVES) {
        let end = |name: &Option<String>| {
            name.clone()
                .unwrap_or_else(|| "(not in the base)".to_owned())
        };
        let _ = writeln!(
            to,
            "  {} -> {}: {} (value {})",
            end(&one.from_segment),
            end(&one.to_segment),
            grouped(one.customers),
            figure(one.value)
        );
    }
    if let Some(more) = scheme
        .moves
        .len()
        .checked_sub(MOVES)
        .filter(|more| *more > 0)
    {
        let _ = writeln!(to, "  and {more} smaller moves: see --json");
    }
    for one in &scheme.sample {
        let end = |name: &Option<String>| name.clone().unwrap_or_else(|| "-".to_owned());
        let (from, into) = (end(&one.from_segment), end(&one.to_segment));
        let _ = writeln!(to, "  customer {}: {from} -> {into}", one.customer);
    }
}

fn causes(scheme: &SchemeDiff, to: &mut String) {
    if let Some(why) = &scheme.causes_unknown {
        let _ = writeln!(to, "  by cause: not known: {why}");
    }
    let Some(found) = scheme.causes.as_ref().filter(|found| !found.is_empty()) else {
        return;
    };
    let of = |one: &CauseCount| {
        format!(
            "{} {} (value {})",
            one.cause,
            count(one.customers),
            figure(one.value)
        )
    };
    let found: Vec<String> = found.iter().map(of).collect();
    let _ = writeln!(to, "  steps by cause: {}", found.join(", "));
}

fn of_segment(segment: &SegmentDiff, widest: usize, to: &mut String) {
    let state = match (&segment.name_before, segment.state) {
        (Some(before), _) => format!("  renamed, before: {before}"),
        (None, "both") => String::new(),
        (None, state) => format!("  {state}"),
    };
    let name = &segment.segment;
    let customers = from_to(segment.customers_before, segment.customers_after);
    let value = match (segment.value_before, segment.value_after) {
        (None, None) => String::new(),
        (before, after) => {
            let shown = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), figure);
            format!("  value {} -> {}", shown(before), shown(after))
        }
    };
    let _ = writeln!(to, "  {name:<widest$}  {customers}{value}{state}");
}

fn columns(columns: &[ColumnDiff], to: &mut String) {
    let of = |column: &&ColumnDiff| {
        column.state != "both" || column.changed + column.became_missing + column.became_known > 0
    };
    let differ: Vec<&ColumnDiff> = columns.iter().filter(of).collect();
    let _ = writeln!(
        to,
        "\nfeatures and scores: {} of {} differ",
        differ.len(),
        columns.len()
    );
    for column in differ {
        let name = format!("  {} ({})", column.column, column.kind);
        let types = |ty: &Option<String>| ty.clone().unwrap_or_default();
        let _ = match column.state {
            "both" => writeln!(to, "{name}: {}", changes(column)),
            "type changed" => writeln!(
                to,
                "{name}: type {} -> {}, so no value is compared",
                types(&column.type_before),
                types(&column.type_after)
            ),
            state => writeln!(to, "{name}: {state}"),
        };
    }
}

fn changes(column: &ColumnDiff) -> String {
    let mut said = vec![format!(
        "{} of {} changed",
        grouped(column.changed),
        grouped(column.compared)
    )];
    for (count, what) in [
        (column.became_missing, "became missing"),
        (column.became_known, "became known"),
    ] {
        if count > 0 {
            said.push(format!("{} {what}", grouped(count)));
        }
    }
    if let (Some(before), Some(after)) = (column.mean_before, column.mean_after) {
        said.push(format!("mean {} -> {}", figure(before), figure(after)));
    }
    if let Some(largest) = &column.largest {
        let customer = largest.customer.as_ref();
        let customer = customer.map_or_else(String::new, |key| format!(", customer {key}"));
        said.push(format!(
            "largest change {} ({} -> {}{customer})",
            figure(largest.change),
            largest.before,
            largest.after
        ));
    }
    if let Some(most) = column.frequent.first() {
        said.push(format!(
            "most often {} -> {} ({})",
            most.before,
            most.after,
            grouped(most.customers)
        ));
    }
    said.join("; ")
}
