//! An explanation as text.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Change, Explanation, RuleExplained, SchemeExplained, ScoreExplained, Stay};
use crate::diff::figure;

/// How many of the nearest changes are shown.
const NEAREST: usize = 3;

pub(super) fn text(explanation: &Explanation) -> String {
    let mut to = String::new();
    let Explanation {
        customer,
        version,
        as_of,
        ..
    } = explanation;
    // Writing to a String cannot fail.
    let _ = writeln!(to, "customer {customer}, version {version} of {as_of}");
    if !explanation.assigned {
        to.push_str("the account is closed, so no scheme assigns it\n");
    }
    for scheme in &explanation.schemes {
        of_scheme(scheme, &mut to);
    }
    if let Some(why) = &explanation.history_ends {
        let _ = writeln!(to, "\nearlier segments are not known: {why}");
    }
    if !explanation.experiments.is_empty() {
        to.push_str("\nexperiments\n");
    }
    for experiment in &explanation.experiments {
        let _ = writeln!(to, "  {}", experiment.words());
    }
    if !explanation.scores.is_empty() {
        to.push_str("\nscores\n");
    }
    for score in &explanation.scores {
        of_score(score, &mut to);
    }
    if !explanation.missing.is_empty() {
        to.push_str("\nwithout a value\n");
    }
    for missing in &explanation.missing {
        let _ = writeln!(to, "  {}: {}", missing.feature, missing.why);
    }
    to
}

fn of_scheme(scheme: &SchemeExplained, to: &mut String) {
    let since = scheme.entered_on.as_ref();
    let since = since.map_or_else(String::new, |day| format!(", since {day}"));
    let _ = writeln!(to, "\n{}: {}{since}", scheme.scheme, scheme.segment);
    let _ = writeln!(to, "  why: {}", scheme.reason);
    if let Some(came) = scheme.stays.first().and_then(came) {
        let _ = writeln!(to, "  {came}");
    }
    if let Some(day) = &scheme.leaves_on {
        let segment = scheme.leaves_to.as_ref();
        let segment = segment.map_or_else(
            || "as a closed account".to_owned(),
            |segment| format!("to {segment}"),
        );
        let _ = writeln!(to, "  leaves on {day} {segment} if no row comes");
    }
    for rule in &scheme.rules {
        of_rule(rule, to);
    }
    for change in scheme.nearest.iter().take(NEAREST) {
        let _ = writeln!(to, "  {}", of_change(change));
    }
    if let Some(note) = &scheme.nearest_note {
        let _ = writeln!(to, "  nearest change: {note}");
    }
    for playbook in &scheme.playbooks {
        let part = |name: &str, text: &Option<String>| {
            text.as_ref()
                .map_or_else(String::new, |text| format!(", {name} {text}"))
        };
        let _ = writeln!(
            to,
            "  playbook {}: {}{}{}, rank {}",
            playbook.playbook,
            playbook.goal.as_deref().unwrap_or("no goal stated"),
            part("by", &playbook.channel),
            part("owner", &playbook.owner),
            playbook.priority
        );
    }
    if scheme.stays.len() > 1 {
        to.push_str("  before:\n");
    }
    for stay in scheme.stays.iter().skip(1) {
        let _ = writeln!(to, "    {}", of_stay(stay));
    }
}

/// From which segment the customer came into that of a stay, and why; nothing where no version says so.
fn came(stay: &Stay) -> Option<String> {
    let cause = stay.cause.as_ref()?;
    Some(match &stay.from_segment {
        Some(from) => format!("came from {from} by {cause}"),
        None => format!("came into the base by {cause}"),
    })
}

fn of_rule(rule: &RuleExplained, to: &mut String) {
    let state = if rule.holds { "true" } else { "not true" };
    let _ = writeln!(to, "  rule {} ({}) is {state}", rule.number, rule.segment);
    for condition in &rule.conditions {
        let state = match condition.holds {
            Some(true) => "true    ",
            Some(false) => "false   ",
            None => "unknown ",
        };
        let values: Vec<String> = condition
            .values
            .iter()
            .map(|(column, value)| format!("{column} is {}", shown(value)))
            .collect();
        let _ = writeln!(to, "    {state}{}: {}", condition.text, values.join(", "));
    }
}

fn of_change(change: &Change) -> String {
    let Change {
        column, segment, ..
    } = change;
    let to = match (change.bound, &change.to) {
        ("is not named", _) => "any other text".to_owned(),
        ("is", to) => shown(to),
        (bound, to) => format!("{bound} {}", shown(to)),
    };
    let difference = change.change.map_or_else(String::new, |change| {
        let sign = if change > 0.0 { "+" } else { "" };
        format!(", {sign}{}", figure(change))
    });
    format!(
        "would be {segment} if {column} were {to} (is {}{difference})",
        shown(&change.from)
    )
}

fn of_stay(stay: &Stay) -> String {
    let came = came(stay).map_or_else(String::new, |came| format!(", {came}"));
    format!(
        "{} to {}: {} ({} {}{came})",
        stay.first_day,
        stay.last_day,
        stay.segment,
        stay.versions,
        if stay.versions == 1 {
            "version"
        } else {
            "versions"
        }
    )
}

fn of_score(score: &ScoreExplained, to: &mut String) {
    let _ = writeln!(to, "  {}", score.score);
    for estimate in &score.estimates {
        if let Some(why) = &estimate.missing {
            let _ = writeln!(to, "    {}: none ({why})", estimate.column);
            continue;
        }
        let end = |name: &str| estimate.interval.get(name).copied().map(figure);
        let interval = |share: u8| {
            let ends = end(&format!("low_{share}")).zip(end(&format!("high_{share}")));
            ends.map_or_else(String::new, |(low, high)| {
                format!(", {share}%: {low} to {high}")
            })
        };
        let of = if estimate.interval.is_empty() {
            ""
        } else {
            " (intervals of the expected value; what one customer does varies more)"
        };
        let _ = writeln!(
            to,
            "    {}: {}{}{}{of}",
            estimate.column,
            shown(&estimate.value),
            interval(80),
            interval(95)
        );
    }
    for reason in &score.reasons {
        let does = score.reasons_direction.as_deref().unwrap_or("moves");
        let _ = writeln!(to, "    reason, {does} it: {reason}");
    }
    for doubt in &score.doubts {
        let _ = writeln!(to, "    flagged: {doubt}");
    }
}

/// A value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "missing".to_owned(),
        Value::String(text) if text.is_empty() => "''".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), figure),
        other => other.to_string(),
    }
}
