//! What gates and expectations say of a planned run.

use serde::Serialize;
use tessera_segments::QualityStatus;
use tessera_spec::pipeline::{Expect, Subject};

use crate::compute::Walk;
use crate::error::PipelineError;
use crate::gates;
use crate::marks;
use crate::prepared::Prepared;
use crate::unmet::Unmet;

/// What gates and expectations say of a planned run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Judged {
    /// Measures that fall short of a gate with `fail_run`: the run would publish nothing.
    pub failed: Vec<String>,
    /// Schemes that fall short of a gate with `hold_previous`, and what serves them.
    pub held: Vec<HeldScheme>,
    /// Measures that fall short of other gates, which only state it.
    pub flagged: Vec<String>,
    /// Expectations that were checked.
    pub expectations: usize,
    /// Those that do not hold: the run would publish nothing.
    pub unmet: Vec<Unmet>,
    /// Lines of expectations that were not checked, because the tables that they are about are made of the lake, which was not read.
    pub not_checked: Vec<usize>,
}

/// A scheme that falls short of a gate with `hold_previous`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeldScheme {
    /// The scheme.
    pub scheme: String,
    /// What serves it, and why.
    pub reason: String,
}

impl Judged {
    /// Whether the run would publish nothing.
    pub fn ends_the_run(&self) -> bool {
        !self.failed.is_empty() || !self.unmet.is_empty()
    }

    /// Why the run would publish nothing, in one sentence each.
    pub fn reasons(&self) -> Vec<String> {
        let unmet = self.unmet.iter().map(Unmet::to_string);
        self.failed.iter().cloned().chain(unmet).collect()
    }
}

/// What the gates said while the customers were assigned.
pub(super) fn gates(walk: &mut Walk<'_>) -> Result<Judged, PipelineError> {
    let failed = walk.failed();
    let mut judged = Judged {
        failed,
        ..Judged::default()
    };
    for assignment in walk.assigned()?.assignments() {
        for row in &assignment.quality {
            if row.status != QualityStatus::Flagged {
                continue;
            }
            if row.metric == crate::held::HOLD_PREVIOUS {
                judged.held.push(HeldScheme {
                    scheme: assignment.scheme.clone(),
                    reason: row.reason.clone().unwrap_or_default(),
                });
            } else {
                let words = gates::words(&assignment.scheme, row);
                if !judged.failed.contains(&words) {
                    judged.flagged.push(words);
                }
            }
        }
    }
    Ok(judged)
}

/// What the expectations say of the finished tables. `whole`: whether the lake was read, so that every table is as in a run.
pub(super) fn expectations(
    prepared: &Prepared,
    walk: &mut Walk<'_>,
    whole: bool,
    judged: &mut Judged,
) -> Result<(), PipelineError> {
    let of_day = prepared.pipeline.expect.iter();
    let of_day = of_day.filter(|expect| expect.as_of.is_none_or(|day| day == prepared.as_of));
    let pipeline = &prepared.pipeline;
    // How far segments can be relied on follows from what was found of scores when they were learned.
    let relies = !pipeline.scores.is_empty() || pipeline.value.is_some();
    let made_of_the_lake = |expect: &Expect| {
        let known = ["customers", "memberships", "segments", "profiles"];
        let mut columns = expect.checks.iter().map(|(column, _)| &column.value);
        let mut is_marked = || columns.any(|column| marks::RELIANCE.contains(&column.as_str()));
        match &expect.subject {
            Subject::Segment { .. } if relies && is_marked() => true,
            Subject::Table(name) if relies && name.value == "segments" && is_marked() => true,
            Subject::Table(name) => !known.contains(&name.value.as_str()),
            // Closed accounts are not among the customers that schemes assign.
            Subject::Customer(_) => prepared.pipeline.customer.active.is_some(),
            Subject::Segment { .. } => false,
        }
    };
    let expected = of_day.clone().count();
    if expected == 0 {
        return Ok(());
    }
    if !whole {
        let left = of_day.filter(|expect| made_of_the_lake(expect));
        judged.not_checked = left.map(|expect| expect.line).collect();
    }
    match walk.make_tables() {
        Ok(()) => {}
        Err(PipelineError::Expectations { unmet, .. }) => judged.unmet = unmet,
        Err(error) => return Err(error),
    }
    let not_checked = &judged.not_checked;
    judged
        .unmet
        .retain(|unmet| !not_checked.contains(&unmet.line));
    judged.expectations = expected - not_checked.len();
    Ok(())
}
