//! The smallest change of every customer of a run.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use chrono_tz::Tz;
use rayon::prelude::*;
use tessera_engine::Engine;
use tessera_segments::{AssignedBy, Assignment, Stay};

use super::{Answers, Candidates, Columns, Found, NONE, Spread, To, Untold, bound, difference};
use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::history::Limits;
use crate::prepared::Prepared;

/// Rows that are asked at a time.
const ROWS: usize = 1 << 16;

/// Fills in the smallest change for every customer, in the schemes that can tell it at little cost: finding those of clusters for
/// everyone takes half as long as the rest of a run.
pub(crate) fn fill(
    prepared: &Prepared,
    engine: &(dyn Engine + Sync),
    assigned: &Assigned,
    stays: &mut [Stay],
) -> Result<(), PipelineError> {
    if prepared.pipeline.memberships.no_nearest_change {
        return Ok(());
    }
    let table = assigned.shown()?;
    let mut asked = Vec::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (place, assignment) in assigned.assignments().iter().enumerate() {
        let name = &assignment.scheme;
        let (Some(scheme), false) = (
            prepared.pipeline.scheme(name),
            Limits::of(prepared, name).is_some(),
        ) else {
            continue;
        };
        if assignment.assigned_by == AssignedBy::Held {
            continue;
        }
        let rules = prepared.rules.get(name).map(Vec::as_slice);
        match Candidates::new(scheme, (rules, &assignment.fit), &table.schema(), &[]) {
            Ok(candidates) if candidates.are_of_centres() => {
                tracing::debug!("`{name}`: `explain` tells the nearest changes of single customers")
            }
            Ok(candidates) => {
                names.extend(candidates.columns().map(str::to_owned));
                asked.push((place, candidates));
            }
            Err(Untold::TooMany(why)) => tracing::warn!(
                "scheme `{name}`: `nearest_change` is null, since {why}; `nearest_change = false` in [memberships] leaves it out"
            ),
            Err(Untold::Unknown(why)) => {
                tracing::debug!("`{name}`: no nearest change, since {why}")
            }
        }
    }
    let known = Columns::new::<PipelineError>(&names, &table, |_, numbers| {
        Ok(Spread::of(numbers.iter().copied()))
    })?;
    let when = (prepared.as_of, prepared.pipeline.timezone);
    for (place, candidates) in asked {
        let assignment = &assigned.assignments()[place];
        let found = of_all(&candidates, (engine, when), (&table, &known), assignment)?;
        (stays[place].nearest, stays[place].changes) = found;
    }
    Ok(())
}

/// The smallest change of every customer as index into the texts that are told; beyond their end where there is none.
fn of_all(
    candidates: &Candidates,
    (engine, when): (&(dyn Engine + Sync), (NaiveDate, Tz)),
    with: (&RecordBatch, &Columns),
    assignment: &Assignment,
) -> Result<(Vec<u32>, Vec<String>), PipelineError> {
    let starts: Vec<usize> = (0..assignment.len()).step_by(ROWS).collect();
    let of_rows = |&start: &usize| -> Result<Vec<u32>, PipelineError> {
        let rows = ROWS.min(assignment.len() - start);
        let answers = candidates.answers((engine, when), with, (start, rows))?;
        let segments = assignment.segments.iter();
        let own: Vec<u32> = segments.map(|segment| answers.own(&segment.name)).collect();
        let code = |row: usize| {
            let at = start + row;
            if assignment.held.contains_key(&(at as u32)) {
                return NONE;
            }
            let own = own[assignment.segment_of[at] as usize];
            let found = answers.nearest(row, own);
            found.map_or(NONE, |found| answers.code(&found, row))
        };
        Ok((0..rows).map(code).collect())
    };
    let found = starts
        .par_iter()
        .map(of_rows)
        .collect::<Result<Vec<_>, _>>()?;
    // Changes by code: most of the possible ones are those of no customer.
    let mut texts = Vec::new();
    let mut places = vec![NONE; candidates.tried.len() * candidates.segments.len() * SIGNS];
    let mut codes = found.concat();
    for code in codes.iter_mut().filter(|code| **code != NONE) {
        let place = &mut places[*code as usize];
        if *place == NONE {
            *place = texts.len() as u32;
            texts.push(candidates.text(*code as usize));
        }
        *code = *place;
    }
    Ok((codes, texts))
}

/// Whether a number rises, falls, or is none.
const SIGNS: usize = 3;

impl Answers<'_> {
    /// The number of a change among all that can be told of a scheme.
    fn code(&self, found: &Found, row: usize) -> u32 {
        let To::Tried(place) = found.to else {
            return NONE;
        };
        let difference = difference(&self.candidates.tried[place].1, self.number(found, row).0);
        let sign = match difference {
            Some(difference) if difference > 0.0 => 0,
            Some(_) => 1,
            None => 2,
        };
        let segments = self.candidates.segments.len();
        ((place * segments + found.segment as usize) * SIGNS + sign) as u32
    }
}

impl Candidates {
    /// The text of a change by its number: `recency_days at most 30 leads to active`.
    fn text(&self, code: usize) -> String {
        let difference = [Some(1.0), Some(-1.0), None][code % SIGNS];
        let (place, segment) = (
            code / SIGNS / self.segments.len(),
            code / SIGNS % self.segments.len(),
        );
        let (column, to) = &self.tried[place];
        let told = to.told(bound(to, difference));
        format!(
            "{} {told} leads to {}",
            self.columns[*column], self.segments[segment]
        )
    }
}
