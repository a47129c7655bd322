//! `[goal]`

use crate::diagnostic::Diagnostic;
use crate::pipeline::{Goal, Objective, Target};
use crate::reader::{Reader, date_of};

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
        review_by: table
            .get("review_by")
            .and_then(|value| date_of(table.notes, value, "`review_by`")),
    };
    table.finish();
    goal
}

fn target_of(table: &Reader<'_>) -> Option<Target> {
    let (below, above) = (table.number("below"), table.number("above"));
    table.finish();
    match (below, above) {
        (Some(below), None) => Some(Target::Below(below)),
        (None, Some(above)) => Some(Target::Above(above)),
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
