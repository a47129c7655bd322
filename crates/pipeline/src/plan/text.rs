//! A plan as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tessera_spec::shown::grouped;

use super::Plan;
use crate::diff::{definitions_text, figure, scheme_text};
use crate::stage::bytes_words;

pub(super) fn text(plan: &Plan) -> String {
    let mut to = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        to,
        "plan of {} as of {}: nothing is published",
        plan.pipeline, plan.as_of
    );
    let _ = writeln!(to, "{}", against(plan));
    let _ = writeln!(to, "{}", reads(plan));
    if plan.program_changed {
        to.push_str("program: another one than that of the version\n");
    }
    definitions_text(&plan.definitions, &mut to);
    let customers = &plan.customers;
    let _ = writeln!(
        to,
        "\ncustomers: {} -> {}; {} would come, {} would leave",
        grouped(customers.before),
        grouped(customers.after),
        grouped(customers.came),
        grouped(customers.left)
    );
    if let Some(line) = not_compared(plan) {
        let _ = writeln!(to, "{line}");
    }
    for scheme in &plan.schemes {
        scheme_text(scheme, &mut to);
    }
    to.push('\n');
    for line in judged(plan) {
        let _ = writeln!(to, "{line}");
    }
    to.push_str("\ncolumns of `customers`: ");
    to.push_str(if plan.columns.is_empty() {
        "the same\n"
    } else {
        "\n"
    });
    for column in &plan.columns {
        let breaking = if column.breaking { " (breaking)" } else { "" };
        let types: Vec<&str> = [&column.before, &column.after]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let _ = writeln!(
            to,
            "  {}: {}{breaking}, {}",
            column.column,
            column.change,
            types.join(" -> ")
        );
    }
    if plan.is_empty() {
        to.push_str("\nno customer would move, and no column would change\n");
    }
    to
}

/// That the run would compare nothing, and why, in one sentence.
pub(super) fn not_compared(plan: &Plan) -> Option<String> {
    let why = plan.not_compared.as_ref()?;
    Some(format!(
        "the run would compare no customer with the version, since {why}: every stay begins anew, and no move has a cause"
    ))
}

/// What the plan is held against, in one sentence.
pub(super) fn against(plan: &Plan) -> String {
    let Some(side) = &plan.against else {
        return "the store has no version of this pipeline yet, so every customer would be new"
            .to_owned();
    };
    let (version, day) = (side.version, side.as_of);
    let published = match plan.already_published {
        true => "; an equal run has published already, so a run would publish nothing",
        false => "",
    };
    match plan.same_day {
        true => format!("against version {version} of the same day{published}"),
        false => format!(
            "against version {version} of {day}: that is another day, so time and new rows move customers too{published}"
        ),
    }
}

/// What gates and expectations say, a line each.
pub(super) fn judged(plan: &Plan) -> Vec<String> {
    let judged = &plan.judged;
    let mut lines = Vec::new();
    let failed = judged.failed.iter();
    lines.extend(failed.map(|words| format!("gate: the run would publish nothing: {words}")));
    let held = judged.held.iter();
    lines.extend(held.map(|held| format!("gate: scheme `{}`: {}", held.scheme, held.reason)));
    lines.push(match judged.flagged.len() {
        0 => "gates: no other measure falls short".to_owned(),
        1 => "gates: 1 measure falls short, which `quality` would state".to_owned(),
        count => format!("gates: {count} measures fall short, which `quality` would state"),
    });
    let unmet = judged.unmet.iter();
    lines.extend(unmet.map(|unmet| format!("expectation: the run would publish nothing: {unmet}")));
    let unmet: BTreeSet<usize> = judged.unmet.iter().map(|unmet| unmet.line).collect();
    let held = judged.expectations.saturating_sub(unmet.len());
    let not_checked = match judged.not_checked.len() {
        0 => String::new(),
        count => format!("; {count} not checked, because the lake was not read"),
    };
    if judged.expectations + judged.not_checked.len() > 0 {
        lines.push(format!(
            "expectations: {held} of {} hold{not_checked}",
            judged.expectations
        ));
    }
    lines
}

/// What was read, and what a run will read, in one sentence.
pub(super) fn reads(plan: &Plan) -> String {
    let reads = &plan.reads;
    let lake = format!(
        "{} files, {}",
        grouped(reads.files),
        bytes_words(reads.bytes)
    );
    let took = reads.last_run_seconds.map_or_else(String::new, |seconds| {
        format!("; the run of that version took {} s", figure(seconds))
    });
    match &reads.why_not {
        None => format!(
            "features and scores are those of the version, so the lake ({lake}) was not read{took}"
        ),
        Some(why) => format!("the lake was read ({lake}): {why}{took}"),
    }
}
