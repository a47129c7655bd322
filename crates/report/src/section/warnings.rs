//! Warnings: scores in doubt, sources with problems, missing declarations.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::input::Before;
use crate::mark::{Group, MADE_FROM_SCORES, first_clause};
use crate::number::{count, counted, percent};
use crate::record::{QualityStatus, SourceRow};
use crate::text::{Name, printable, words};

pub(super) const SECTION: Section = Section {
    name: "warnings",
    title: "Warnings",
    template: include_str!("../../templates/sections/warnings.html"),
    build: Build::Front(build),
};

/// Largest number of warnings on the first page; the rest is counted.
const MOST: usize = 5;
/// Share of a source's rows above which rejects are a warning.
const USUAL_REJECTS: f64 = 0.01;

#[derive(Serialize)]
struct View {
    warnings: Vec<Warning>,
    left_out: Option<String>,
}

#[derive(Serialize)]
struct Warning {
    about: Name,
    text: String,
    /// Anchor of the section with more details.
    more: Option<&'static str>,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let mut warnings = scores(facts);
    warnings.extend(goal(facts));
    warnings.extend(value(facts));
    warnings.extend(sources(facts));
    warnings.extend(schemes(facts));
    if let Before::Gone { reason, .. } = &facts.input.before {
        warnings.push(Warning {
            about: Name::new("The version before"),
            text: format!(
                "cannot be read, so that nothing is compared: {}",
                printable(reason)
            ),
            more: None,
        });
    }
    if warnings.is_empty() {
        return Ok(Part::NotApplicable);
    }
    let hidden = warnings.len().saturating_sub(MOST);
    warnings.truncate(MOST);
    Part::ready(View {
        warnings,
        left_out: (hidden > 0).then(|| {
            format!(
                "{} in the appendix.",
                counted(hidden as i64, "more warning is", "more warnings are")
            )
        }),
    })
}

/// What is known against scores, and which figures are made from them.
fn scores(facts: &Facts<'_>) -> Vec<Warning> {
    let warning = |group: Group<'_>| {
        let figures: Vec<String> = group.figures.iter().map(|name| words(name)).collect();
        let made = match figures.is_empty() {
            true => String::new(),
            false => format!("; made from it: {}", figures.join(", ")),
        };
        Warning {
            about: match group.mark.score() {
                Some(score) => Name::new(&format!("Score {}", words(score))),
                None => Name::new("A score"),
            },
            text: format!("{}{made}", group.mark.predicate()),
            more: Some("scores"),
        }
    };
    facts.marks.groups().into_iter().map(warning).collect()
}

fn goal(facts: &Facts<'_>) -> Option<Warning> {
    facts.kpi.is_none().then(|| Warning {
        about: Name::new("Goal"),
        text: "is not declared, so that segments have nothing to be judged by: write [goal] with a `kpi`".to_owned(),
        more: None,
    })
}

fn value(facts: &Facts<'_>) -> Option<Warning> {
    let name = facts.meta.value.as_deref()?;
    (!name.starts_with("value_")).then(|| Warning {
        about: Name::new("Value"),
        text: format!(
            "is {}, since the pipeline declares no [value]: write what customers pay or spend now as `now`, and what they will as `future`",
            words(name)
        ),
        more: None,
    })
}

fn sources(facts: &Facts<'_>) -> Vec<Warning> {
    let warning = |source: &SourceRow| {
        let rejected = source.quarantined + source.dropped;
        let share = rejected as f64 / source.rows.max(1) as f64;
        let text = match source.status.as_deref() {
            _ if !source.adds_up() => {
                "does not add up: its rows and their outcomes differ".to_owned()
            }
            // Where no freshness is declared, nothing is known to be wrong.
            Some(status) if !matches!(status, "ok" | "unjudged") => printable(status),
            _ if share > USUAL_REJECTS => {
                format!("lost {} rows ({})", count(rejected), percent(share))
            }
            _ => return None,
        };
        Some(Warning {
            about: Name::new(&format!("Source {}", source.source)),
            text,
            more: Some("sources"),
        })
    };
    facts.sources.iter().flatten().filter_map(warning).collect()
}

/// What flagged criteria say of segments.
const CRITERIA: [(&str, &str, &str); 4] = [
    ("actionable", "has no playbook", "have no playbook"),
    (
        "distinguishable",
        "hardly differs from the rest",
        "hardly differ from the rest",
    ),
    (
        "stable",
        "keeps too few of its customers",
        "keep too few of their customers",
    ),
    ("substantial", "is too small", "are too small"),
];

/// Flagged criteria of schemes, counted.
fn schemes(facts: &Facts<'_>) -> Vec<Warning> {
    let warning = |scheme: &crate::facts::Scheme| {
        let rows = facts.quality.iter().flatten();
        let flagged: Vec<_> = rows
            .filter(|row| row.scheme == scheme.name && row.status == QualityStatus::Flagged)
            // What is known against scores stands with the scores.
            .filter(|row| row.criterion != MADE_FROM_SCORES)
            .collect();
        let first = flagged.first()?;
        let mut found: Vec<String> = Vec::new();
        for (criterion, one, many) in CRITERIA {
            let of: BTreeSet<&str> = flagged
                .iter()
                .filter(|row| row.criterion == criterion && !row.segment.is_empty())
                .map(|row| row.segment.as_str())
                .collect();
            if !of.is_empty() {
                let has = if of.len() == 1 { one } else { many };
                let segments = counted(of.len() as i64, "segment", "segments");
                found.push(format!("{segments} {has}"));
            }
        }
        let of_scheme = flagged.iter().find(|row| row.segment.is_empty());
        if let Some(row) = of_scheme.or(found.is_empty().then_some(first)) {
            found.push(first_clause(row.reason.as_deref().unwrap_or(&row.metric)));
        }
        Some(Warning {
            about: Name::new(&format!("Scheme {}", words(&scheme.name))),
            text: found.join("; "),
            more: None,
        })
    };
    facts.schemes.iter().flatten().filter_map(warning).collect()
}
