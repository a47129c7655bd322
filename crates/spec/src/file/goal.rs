//! `[goal]`

use chrono::NaiveDate;
use toml::de::DeValue;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{Goal, Objective, Target};
use crate::reader::{Reader, wrong_type};

/// The goal of the segmentation.
pub(super) fn goal(table: &Reader<'_>) -> Goal {
    let objective = table.required_word(
        "objective",
        "add `objective = \"retention\"`, or upsell, adoption, acquisition",
    );
    let goal = Goal {
        objective: objective.map_or(Objective::Retention, |objective| objective.value),
        kpi: table.required_text(
            "kpi",
            "add `kpi = \"…\"`, the name of a numeric feature or score column",
        ),
        target: table.table("target").and_then(|target| target_of(&target)),
        owner: table.text("owner").map(|text| text.value),
        review_by: date(table, "review_by"),
    };
    table.finish();
    goal
}

fn target_of(table: &Reader<'_>) -> Option<Target> {
    let (below, above) = (table.number("below"), table.number("above"));
    table.finish();
    match (below, above) {
        (Some(below), None) => Some(Target::Below(below.value)),
        (None, Some(above)) => Some(Target::Above(above.value)),
        (below, _) => {
            let one = ["below", "above"].into_iter().any(|key| table.has(key));
            if below.is_some() || !one {
                let message = "a target needs either `below` or `above`";
                table.notes.add(
                    Diagnostic::error("TS-P016", message, table.span.clone())
                        .with_help("write { below = 0.25 } or { above = 0.5 }"),
                );
            }
            None
        }
    }
}

fn date(table: &Reader<'_>, key: &str) -> Option<NaiveDate> {
    let value = table.get(key)?;
    let parsed = match value.get_ref() {
        DeValue::Datetime(time) if time.time.is_none() => time.date.and_then(|date| {
            let (month, day) = (u32::from(date.month), u32::from(date.day));
            NaiveDate::from_ymd_opt(i32::from(date.year), month, day)
        }),
        _ => None,
    };
    if parsed.is_none() {
        let wanted = "a date without quotes, such as 2026-12-31";
        wrong_type(table.notes, value, &format!("`{key}`"), wanted);
    }
    parsed
}
