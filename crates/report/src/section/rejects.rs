//! What was rejected and why: rows by source and rule, with the first of each.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::number::{count, counted, percent};
use crate::record::RejectExample;
use crate::text::{Name, printable, shortened};

pub(super) const SECTION: Section = Section {
    name: "rejects",
    title: "What was rejected, and why",
    template: include_str!("../../templates/sections/rejects.html"),
    build: Build::Closing(build),
};

/// Longest row shown, in characters; the table holds the whole.
const LONGEST_ROW: usize = 240;

#[derive(Serialize)]
struct View {
    sentence: String,
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    source: Name,
    rule: Name,
    outcome: String,
    rows: String,
    /// Share of the source's rows, where the source is known.
    share: Option<String>,
    examples: Vec<Example>,
}

#[derive(Serialize)]
struct Example {
    place: String,
    row: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let Some(rejects) = &facts.rejects else {
        return Part::no_table("reject_rules");
    };
    let all: i64 = rejects.iter().map(|g| g.rows).sum();
    let groups = rejects.iter().map(|group| {
        let source = facts
            .sources
            .iter()
            .flatten()
            .find(|s| s.source == group.source && s.rows > 0);
        Group {
            source: Name::new(&group.source),
            rule: Name::new(&group.rule),
            outcome: printable(&group.outcome),
            rows: count(group.rows),
            share: source.map(|s| percent(group.rows as f64 / s.rows as f64)),
            examples: group.examples.iter().map(example).collect(),
        }
    });
    let sentence = match all {
        0 => "No row was rejected.".to_owned(),
        n => format!(
            "{} rejected and not used.",
            counted(n, "row was", "rows were")
        ),
    };
    Part::ready(View {
        sentence,
        groups: groups.collect(),
    })
}

fn example(example: &RejectExample) -> Example {
    let row = example.row_number.map(|n| format!("row {}", count(n)));
    let file = Some(printable(&example.file)).filter(|f| !f.is_empty());
    Example {
        place: [file, row]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
        row: shortened(&printable(&example.row), LONGEST_ROW),
    }
}
