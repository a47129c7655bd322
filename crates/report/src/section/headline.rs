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

/// Columns that `[value]` of a pipeline adds to `customers`.
const DECLARED_VALUES: [&str; 3] = ["value_now", "value_future", "value_past"];

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
    figures.extend(at_risk(facts));
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
    let target = target.map(|target| match kpi.unvalidated() {
        Some(why) => format!("{target}; {why}"),
        None => target,
    });
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
    let name = facts.meta.value.as_deref();
    let declared = name.filter(|name| DECLARED_VALUES.contains(name));
    let label = match (declared, name) {
        (Some(declared), _) => title(declared),
        (None, Some(name)) => format!("Value ({})", words(name)),
        (None, None) => "Value (value)".to_owned(),
    };
    let per = facts.meta.value_per.as_deref().map(printable);
    let note = match (declared, per) {
        (Some(_), Some(per)) => format!("per {per}; {each} a customer"),
        (Some(_), None) => format!("{each} a customer"),
        (None, _) => format!("{each} a customer; the pipeline declares no [value]"),
    };
    Some(Figure {
        label,
        number: facts.value_short(value),
        note,
        tone: "neutral",
    })
}

/// What of the future value is expected to be lost.
fn at_risk(facts: &Facts<'_>) -> Option<Figure> {
    let scheme = facts.leading_scheme()?;
    let at_risk = scheme.at_risk()?;
    Some(Figure {
        label: "Value at risk".to_owned(),
        number: crate::number::money_short(at_risk, facts.meta.currency.as_deref()),
        note: "probability of churn x future value, of those who can churn".to_owned(),
        tone: "neutral",
    })
}

fn data(facts: &Facts<'_>) -> Option<Figure> {
    let sources = facts.sources.as_deref().filter(|s| !s.is_empty())?;
    let rows: i64 = sources.iter().map(|s| s.rows).sum();
    let left_out: i64 = sources.iter().map(|s| s.quarantined + s.dropped).sum();
    // Where no freshness is declared, nothing is known to be wrong.
    let is_wrong = |status: &str| !matches!(status, "ok" | "unjudged");
    let troubled = sources
        .iter()
        .filter(|s| s.status.as_deref().is_some_and(is_wrong) || !s.adds_up())
        .count();
    let note = match (left_out, troubled) {
        (_, 1..) => format!(
            "✗ {} in need of attention",
            counted(troubled as i64, "source", "sources")
        ),
        (0, _) => "✓ every row was accepted or filtered".to_owned(),
        (n, _) => format!(
            "{} quarantined or dropped ({})",
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

/// The segment with the most value at risk; where none is known, the one that misses the target with the most value, or with
/// the most customers.
fn most_at_stake(facts: &Facts<'_>, scheme: &Scheme) -> Option<Finding> {
    if let Some(all) = scheme.at_risk().filter(|all| *all > 0.0) {
        let worst = max_by(&scheme.segments, |s| s.value_at_risk)?;
        let own = worst.value_at_risk?;
        return Some(Finding {
            lead: "Most at stake:",
            name: Name::new(&worst.name),
            text: format!(
                ", {} of the {} at risk, with {}.{}",
                crate::number::money_short(own, facts.meta.currency.as_deref()),
                crate::number::money_short(all, facts.meta.currency.as_deref()),
                counted(worst.customers, "customer", "customers"),
                action(worst)
            ),
        });
    }
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
    let text = format!(
        ", {}{value}, at a mean {} of {} against a target {}.{}",
        counted(worst.customers, "customer", "customers"),
        words(&kpi.name),
        kpi.measure.show_opt(worst.kpi, facts.meta),
        kpi.target_words(facts.meta).unwrap_or_default(),
        action(worst)
    );
    Some(Finding {
        lead: "Most at stake off target:",
        name: Name::new(&worst.name),
        text,
    })
}

/// What is done with a segment.
fn action(segment: &SegmentRow) -> String {
    let goal = segment.goal.as_deref();
    let goal = goal
        .map(|goal| format!(" ({})", printable(goal)))
        .unwrap_or_default();
    match (&segment.playbook, &segment.owner) {
        (Some(playbook), Some(owner)) => format!(
            " Playbook: {}{goal}, owner: {}.",
            words(playbook),
            printable(owner)
        ),
        (Some(playbook), None) => format!(" Playbook: {}{goal}.", words(playbook)),
        (None, _) => " It has no playbook.".to_owned(),
    }
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
