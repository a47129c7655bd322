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

/// Largest number of warnings that are open on the first page; a click shows the rest.
const MOST: usize = 5;
/// Sources with missing rows that have a line of their own.
const MOST_ALONE: usize = 2;
/// Share of a source's rows above which rejects are a warning.
const USUAL_REJECTS: f64 = 0.01;

#[derive(Serialize)]
struct View {
    warnings: Vec<Warning>,
    folded: Option<Folded>,
}

/// The warnings that a click shows.
#[derive(Serialize)]
struct Folded {
    count: String,
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
struct Warning {
    about: Name,
    text: String,
    /// Anchor of the section with more details.
    more: Option<&'static str>,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let mut warnings = doubtful(facts);
    warnings.extend(scores(facts));
    warnings.extend(goal(facts));
    warnings.extend(value(facts));
    warnings.extend(sources(facts));
    warnings.extend(schemes(facts));
    warnings.extend(before(facts));
    if warnings.is_empty() {
        return Ok(Part::NotApplicable);
    }
    let folded = warnings.split_off(warnings.len().min(MOST));
    Part::ready(View {
        warnings,
        folded: (!folded.is_empty()).then(|| Folded {
            count: counted(folded.len() as i64, "more warning", "more warnings"),
            warnings: folded,
        }),
    })
}

/// Why nothing is compared with the version before, where there is one.
fn before(facts: &Facts<'_>) -> Option<Warning> {
    let text = match &facts.input.before {
        Before::None | Before::Known(_) => return None,
        Before::Gone { reason, .. } => format!(
            "cannot be read, so that nothing is compared: {}",
            printable(reason)
        ),
        Before::Other { pipeline } => format!(
            "is of another pipeline that shares the store, `{}`, so that nothing is compared",
            printable(pipeline)
        ),
    };
    Some(Warning {
        about: Name::new("The version before"),
        text,
        more: None,
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

/// Sources with missing rows, each by itself, and all other warnings of sources in one line: how many, and the worst.
fn doubtful(facts: &Facts<'_>) -> Vec<Warning> {
    let mut sources: Vec<&SourceRow> = facts.sources.iter().flatten().collect();
    sources.retain(|source| !source.warnings.is_empty());
    sources.sort_by_key(|source| source.badness());
    let alone = sources.iter().take(MOST_ALONE);
    let alone = alone.take_while(|source| source.badness() == 0).count();
    let more = Some("sources");
    let mut found: Vec<Warning> = sources[..alone]
        .iter()
        .filter_map(|source| {
            let others = match source.warnings.len() - 1 {
                0 => String::new(),
                n => format!("{} of it: ", counted(n as i64 + 1, "warning", "warnings")),
            };
            Some(Warning {
                about: Name::new(&format!("Source {}", source.source)),
                text: format!("{others}{}", sentence(source.warnings.first()?)),
                more,
            })
        })
        .collect();
    let rest = &sources[alone..];
    let number: usize = rest.iter().map(|source| source.warnings.len()).sum();
    let first = rest.first().and_then(|source| {
        let of = Name::new(&source.source).shown;
        Some((of, sentence(source.warnings.first()?)))
    });
    found.extend(first.map(|(of, first)| Warning {
        about: Name::new(if alone > 0 {
            "Other sources"
        } else {
            "Sources"
        }),
        text: match number {
            1 => format!("1 warning, of {of}: {first}"),
            _ => format!(
                "{} of {}, the worst of {of}: {first}",
                counted(number as i64, "warning", "warnings"),
                counted(rest.len() as i64, "source", "sources")
            ),
        },
        more,
    }));
    found
}

/// A warning without its full stop.
fn sentence(text: &str) -> String {
    printable(text.trim_end_matches('.'))
}

/// What the numbers of a source say beside its warnings, which versions of earlier programs do not publish: these count quarantined rows,
/// but not dropped ones.
fn sources(facts: &Facts<'_>) -> Vec<Warning> {
    let warning = |source: &SourceRow| {
        let is_warned = !source.warnings.is_empty();
        let quarantined = if is_warned { 0 } else { source.quarantined };
        let rejected = quarantined + source.dropped;
        let share = rejected as f64 / source.rows.max(1) as f64;
        let text = match source.status.as_deref() {
            _ if !source.adds_up() => {
                "does not add up: its rows and their outcomes differ".to_owned()
            }
            // Where no freshness is declared, nothing is known to be wrong.
            Some(status) if !is_warned && !matches!(status, "ok" | "unjudged") => printable(status),
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

/// What flagged criteria say of segments: criterion, measure (any, where there is none), of one segment, of several.
const CRITERIA: [(&str, Option<&str>, &str, &str); 6] = [
    (
        "actionable",
        Some("playbook"),
        "has no playbook",
        "have no playbook",
    ),
    (
        "actionable",
        Some("reachable_share"),
        "has too few customers who may be contacted",
        "have too few customers who may be contacted",
    ),
    (
        "actionable",
        Some("reachable_known_share"),
        "has many customers of whom it is not known whether they may be contacted",
        "have many customers of whom it is not known whether they may be contacted",
    ),
    (
        "distinguishable",
        None,
        "hardly differs from the rest",
        "hardly differ from the rest",
    ),
    (
        "stable",
        None,
        "keeps too few of its customers",
        "keep too few of their customers",
    ),
    ("substantial", None, "is too small", "are too small"),
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
        for (criterion, metric, one, many) in CRITERIA {
            let of: BTreeSet<&str> = flagged
                .iter()
                .filter(|row| row.criterion == criterion && !row.segment.is_empty())
                .filter(|row| metric.is_none_or(|metric| row.metric == metric))
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
