//! Customers who stay where they were because they have not been there long enough, and customers whom people put somewhere.

use arrow::array::Array;
use arrow::util::display::array_value_to_string;
use chrono::NaiveDate;
use tessera_segments::{AssignedBy, Assignment, Customers, Held, Quality, QualityStatus};

use super::History;
use crate::error::PipelineError;
use crate::prepare::Prepared;

/// Days between 0001-01-01, from which chrono counts, and 1970-01-01.
const EPOCH: i32 = 719_163;

impl History {
    /// Holds customers back who would leave a segment before their minimum stay, then puts pinned ones where they are pinned. The
    /// segments of the assignment have their ids.
    pub(super) fn hold(
        &self,
        prepared: &Prepared,
        customers: &Customers,
        assignment: &mut Assignment,
    ) -> Result<(), PipelineError> {
        let scheme = assignment.scheme.clone();
        if let Some(&days) = prepared.pipeline.memberships.min_stay_days.get(&scheme) {
            let held = self.stay(days, assignment);
            assignment
                .quality
                .push(counted("moves_held_back", held, None));
        }
        if prepared.pins.of(&scheme).is_some() {
            let (pinned, problem) = pin(prepared, customers, assignment)?;
            assignment
                .quality
                .push(counted("pinned_customers", pinned, problem));
        }
        Ok(())
    }

    /// Who moved into their segment less than so many days ago stays there; returns how many would have left.
    fn stay(&self, days: u32, assignment: &mut Assignment) -> u64 {
        let before = self.scheme_before(&assignment.scheme);
        let (Some(before), Some(previous)) = (before, &self.previous) else {
            return 0;
        };
        let places: Vec<Option<usize>> = before
            .segments
            .iter()
            .map(|(id, _)| {
                assignment
                    .segments
                    .iter()
                    .position(|segment| segment.id == *id)
            })
            .collect();
        let mut count = 0;
        for (row, &old) in previous.alignment.before.iter().enumerate() {
            let old = old as usize;
            let (Some(&segment), Some(&entered)) =
                (before.segment_of.get(old), before.entered_on.get(old))
            else {
                continue;
            };
            // A segment that is gone holds nobody.
            let Some(place) = places.get(segment as usize).copied().flatten() else {
                continue;
            };
            let stays_until = i64::from(entered) + i64::from(days);
            if assignment.segment_of[row] as usize == place || i64::from(self.as_of) >= stays_until
            {
                continue;
            }
            let reason = format!(
                "held in `{}` since {} for a minimum stay of {days} days; would be in `{}`: {}",
                assignment.segments[place].name,
                day(entered),
                assignment.segment(row).name,
                assignment.reason(row)
            );
            let by = AssignedBy::Held;
            assignment.held.insert(row as u32, Held { by, reason });
            assignment.segment_of[row] = place as u32;
            count += 1;
        }
        count
    }
}

/// Puts customers where people want them; returns how many, and what is wrong with the others.
fn pin(
    prepared: &Prepared,
    customers: &Customers,
    assignment: &mut Assignment,
) -> Result<(u64, Option<String>), PipelineError> {
    let Some(pins) = prepared.pins.of(&assignment.scheme) else {
        return Ok((0, None));
    };
    let (mut count, mut known, mut problems) = (0, 0, Vec::new());
    let keys = customers.key();
    for row in 0..keys.len() {
        let Some(pin) = pins.get(&array_value_to_string(keys, row)?) else {
            continue;
        };
        known += 1;
        let mut segments = assignment.segments.iter();
        let Some(place) = segments.position(|segment| segment.name == pin.segment) else {
            problems.push(format!("line {} names no segment of the scheme", pin.line));
            continue;
        };
        let until = pin
            .until
            .map_or_else(String::new, |until| format!(" until {until}"));
        let reason = format!(
            "pinned{until} by {}: {}; would be in `{}`: {}",
            pin.by,
            pin.why,
            assignment.segment(row).name,
            assignment.reason(row)
        );
        let by = AssignedBy::Pin;
        assignment.held.insert(row as u32, Held { by, reason });
        assignment.segment_of[row] = place as u32;
        count += 1;
    }
    let absent = pins.len() - known;
    if absent > 0 {
        problems.push(format!(
            "{absent} of the pinned customers are not in the base"
        ));
    }
    problems.sort();
    let problem = (!problems.is_empty()).then(|| problems.join("; "));
    if let Some(problem) = &problem {
        tracing::warn!("pins of scheme `{}`: {problem}", assignment.scheme);
    }
    Ok((count, problem))
}

fn counted(metric: &str, count: u64, problem: Option<String>) -> Quality {
    Quality {
        segment: String::new(),
        criterion: "held",
        metric: metric.to_owned(),
        value: Some(count as f64),
        threshold: None,
        status: match problem {
            Some(_) => QualityStatus::Flagged,
            None => QualityStatus::Ok,
        },
        reason: problem,
    }
}

fn day(days: i32) -> NaiveDate {
    NaiveDate::from_num_days_from_ce_opt(days + EPOCH).unwrap_or_default()
}
