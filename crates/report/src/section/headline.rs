//! The first screen: how many customers, how the KPI stands, which segments matter, whether the data can be relied on.

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::{Facts, Scheme};
use crate::number::{count, counted, percent};
use crate::record::SegmentRow;
use crate::text::{Name, printable, title, words};

pub(super) const SECTION: Section = Section {
    name: "headline",
    title: "At a glance",
    template: include_str!("../../templates/sections/headline.html"),
    build: Build::Opening(build),
};

#[derive(Serialize)]
struct View {
    figures: Vec<Figure>,
    /// The scheme the findings are about.
    scheme: Option<Link>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Link {
    anchor: String,
    title: String,
}

/// A number worth a large font.
#[derive(Serialize)]
struct Figure {
    label: String,
    number: String,
    note: String,
    /// good, bad or neutral; the note says the same as text.
    tone: &'static str,
}

/// A sentence about a segment: `lead`, its name, `text`.
#[derive(Serialize)]
struct Finding {
    lead: &'static str,
    name: Name,
    text: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let mut figures = vec![customers(facts)];
    figures.extend(kpi(facts));
    figures.extend(value(facts));
    figures.extend(data(facts));
    let scheme = facts.leading_scheme();
    let findings = scheme
        .map(|scheme| findings(facts, scheme))
        .unwrap_or_default();
    let link = |s: &Scheme| Link {
        anchor: s.anchor.clone(),
        title: title(&s.name),
    };
    Part::ready(View {
        figures,
        scheme: scheme.map(link),
        findings,
    })
}

fn customers(facts: &Facts<'_>) -> Figure {
    let schemes = facts.schemes.as_ref().map_or(0, Vec::len) as i64;
    Figure {
        label: "Customers".to_owned(),
        number: facts
            .customers
            .map_or_else(|| crate::number::NONE.to_owned(), count),
        note: match schemes {
            0 => "not divided into segments".to_owned(),
            n => format!("divided in {}", counted(n, "way", "ways")),
        },
        tone: "neutral",
    }
}

fn kpi(facts: &Facts<'_>) -> Option<Figure> {
    let kpi = facts.kpi.as_ref()?;
    let target = kpi.target_words(facts.meta);
    let (note, tone) = match (kpi.met(kpi.overall), target) {
        (Some(true), Some(target)) => (format!("✓ meets the target: {target}"), "good"),
        (Some(false), Some(target)) => (format!("✗ misses the target: {target}"), "bad"),
        (_, Some(target)) => (format!("target: {target}"), "neutral"),
        (_, None) => ("no target declared".to_owned(), "neutral"),
    };
    let label = format!("Mean {}", words(&kpi.name));
    let note = match kpi.of_whom(facts.customers) {
        Some(whom) => format!("{whom}; {note}"),
        None => note,
    };
    Some(Figure {
        label,
        number: kpi.measure.show_opt(kpi.overall, facts.meta),
        note,
        tone,
    })
}

fn value(facts: &Facts<'_>) -> Option<Figure> {
    let value = facts.value?;
    let customers = facts.customers.filter(|&n| n > 0)?;
    let each = facts
        .value_measure()
        .show(value / customers as f64, facts.meta);
    let name = facts
        .meta
        .value
        .as_deref()
        .map_or_else(|| "value".to_owned(), words);
    Some(Figure {
        label: format!("Value ({name})"),
        number: facts.value_short(value),
        note: format!("{each} a customer"),
        tone: "neutral",
    })
}

fn data(facts: &Facts<'_>) -> Option<Figure> {
    let sources = facts.sources.as_deref().filter(|s| !s.is_empty())?;
    let rows: i64 = sources.iter().map(|s| s.rows).sum();
    let refused: i64 = sources.iter().map(|s| s.quarantined + s.dropped).sum();
    let troubled = sources
        .iter()
        .filter(|s| s.status.as_deref().is_some_and(|s| s != "ok") || !s.adds_up())
        .count();
    let note = match (refused, troubled) {
        (_, 1..) => format!(
            "✗ {} in need of attention",
            counted(troubled as i64, "source", "sources")
        ),
        (0, _) => "✓ every row was accepted or filtered".to_owned(),
        (n, _) => format!(
            "{} refused ({})",
            count(n),
            percent(n as f64 / rows.max(1) as f64)
        ),
    };
    let tone = if troubled > 0 { "bad" } else { "neutral" };
    Some(Figure {
        label: "Rows read".to_owned(),
        number: count(rows),
        note,
        tone,
    })
}

fn findings(facts: &Facts<'_>, scheme: &Scheme) -> Vec<Finding> {
    let mut findings: Vec<Finding> = most_valuable(facts, scheme).into_iter().collect();
    findings.extend(most_at_stake(facts, scheme));
    findings.extend(largest(scheme, &findings));
    findings
}

fn most_valuable(facts: &Facts<'_>, scheme: &Scheme) -> Option<Finding> {
    let best = max_by(&scheme.segments, |s| s.value_share)?;
    let value = best
        .value
        .map(|v| format!(" ({})", facts.value_short(v)))
        .unwrap_or_default();
    let share = percent(best.value_share?);
    let text = format!(
        ", {share} of the value{value} with {} of the customers.",
        percent(scheme.share(best))
    );
    Some(Finding {
        lead: "Most value:",
        name: Name::new(&best.name),
        text,
    })
}

/// The segment that misses the target with the most value, or with the most customers where no value is known.
fn most_at_stake(facts: &Facts<'_>, scheme: &Scheme) -> Option<Finding> {
    let kpi = facts.kpi.as_ref()?;
    let missing: Vec<SegmentRow> = scheme
        .segments
        .iter()
        .filter(|s| kpi.met(s.kpi) == Some(false) && s.customers > 0)
        .cloned()
        .collect();
    let worst = max_by(&missing, |s| s.value.or(Some(s.customers as f64)))?;
    let value = worst
        .value
        .map(|v| format!(" and {}", facts.value_short(v)))
        .unwrap_or_default();
    let action = match (&worst.playbook, &worst.owner) {
        (Some(playbook), Some(owner)) => format!(
            " Playbook: {}, owner: {}.",
            words(playbook),
            printable(owner)
        ),
        (Some(playbook), None) => format!(" Playbook: {}.", words(playbook)),
        (None, _) => " It has no playbook.".to_owned(),
    };
    let text = format!(
        ", {}{value}, at a mean {} of {} against a target {}.{action}",
        counted(worst.customers, "customer", "customers"),
        words(&kpi.name),
        kpi.measure.show_opt(worst.kpi, facts.meta),
        kpi.target_words(facts.meta).unwrap_or_default(),
    );
    Some(Finding {
        lead: "Most at stake off target:",
        name: Name::new(&worst.name),
        text,
    })
}

fn largest(scheme: &Scheme, said: &[Finding]) -> Option<Finding> {
    let largest = max_by(&scheme.segments, |s| Some(s.customers as f64))?;
    let name = Name::new(&largest.name);
    if said.iter().any(|finding| finding.name == name) {
        return None;
    }
    let share = percent(scheme.share(largest));
    let value = largest
        .value_share
        .map(|v| format!(" and {} of the value", percent(v)))
        .unwrap_or_default();
    Some(Finding {
        lead: "Most customers:",
        name,
        text: format!(", {share} of them{value}."),
    })
}

/// The first segment with the largest number.
fn max_by(
    segments: &[SegmentRow],
    number: impl Fn(&SegmentRow) -> Option<f64>,
) -> Option<&SegmentRow> {
    let known = segments.iter().filter_map(|s| number(s).map(|n| (s, n)));
    known
        .reduce(|best, next| if next.1 > best.1 { next } else { best })
        .map(|(s, _)| s)
}
