//! The smallest change of every customer of a run.

use std::collections::{BTreeSet, HashMap};

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use chrono_tz::Tz;
use rayon::prelude::*;
use tessera_engine::Engine;
use tessera_segments::{AssignedBy, Assignment, Stay};

use super::{
    Answers, Candidates, Columns, Found, NONE, Room, Spread, To, Untold, bound, difference,
};
use crate::customers::Assigned;
use crate::error::PipelineError;
use crate::history::Limits;
use crate::prepared::Prepared;

/// Rows that are asked at a time.
const ROWS: usize = 1 << 16;

/// Fills in the smallest change for every customer, in the schemes that can tell it.
pub(crate) fn fill(
    prepared: &Prepared,
    engine: &(dyn Engine + Sync),
    assigned: &Assigned,
    stays: &mut [Stay],
) -> Result<(), PipelineError> {
    if prepared.pipeline.memberships.nearest_change == Some(false) {
        return Ok(());
    }
    let table = assigned.shown()?;
    let mut asked = Vec::new();
    let mut read: BTreeSet<String> = BTreeSet::new();
    for (place, assignment) in assigned.assignments().iter().enumerate() {
        let name = &assignment.scheme;
        let Some(scheme) = prepared.pipeline.scheme(name) else {
            continue;
        };
        if assignment.assigned_by == AssignedBy::Held {
            continue;
        }
        let rules = prepared.rules.get(name).map(Vec::as_slice);
        let segments = assignment.segments.iter();
        let names: Vec<_> = segments.map(|of| (of.id, of.name.as_str())).collect();
        let stages = &prepared.pipeline.features.lifecycle;
        let limits = Limits::of(&prepared.pipeline.memberships, scheme);
        let within = limits.map(|limits| limits.cells(assigned.customers()));
        let by = (rules, &assignment.fit, within.transpose()?.flatten());
        match Candidates::new((scheme, stages), by, &table.schema(), &names) {
            Ok(candidates) => {
                read.extend(candidates.columns().map(str::to_owned));
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
    let known = Columns::new::<PipelineError>(&read, &table, |_, numbers| {
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
    let of_rows = |&start: &usize| -> Result<Numbered, PipelineError> {
        let rows = ROWS.min(assignment.len() - start);
        let answers = candidates.answers((engine, when), with, (start, rows))?;
        let segments = assignment.segments.iter();
        let own: Vec<u32> = segments.map(|segment| answers.own(&segment.name)).collect();
        let (mut numbered, mut room) = (Numbered::default(), Room::default());
        for row in 0..rows {
            let at = start + row;
            let own = own[assignment.segment_of[at] as usize];
            // Only limits of entering and leaving decide by the numbers; pins and minimum stays do not.
            let found = match assignment.held.get(&(at as u32)) {
                Some(held) if held.by == AssignedBy::Pin || !answers.keeps(row, own) => None,
                _ => answers.nearest(row, own, &mut room),
            };
            numbered.push(found.map(|found| answers.told_of(&found, row)));
        }
        Ok(numbered)
    };
    let found = starts
        .par_iter()
        .map(of_rows)
        .collect::<Result<Vec<_>, _>>()?;
    let mut all = Numbered::default();
    all.codes.reserve(assignment.len());
    for rows in found {
        let places: Vec<u32> = rows.told.iter().map(|told| all.number(*told)).collect();
        let codes = rows.codes.iter();
        all.codes
            .extend(codes.map(|code| places.get(*code as usize).copied().unwrap_or(NONE)));
    }
    let texts = all.told.iter().map(|told| candidates.text(told)).collect();
    Ok((all.codes, texts))
}

/// What is told of a change: customers with the same text share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Told {
    column: usize,
    to: ToldTo,
    segment: u32,
    /// Whether the number of the customer rises to it, where both have one.
    rises: Option<bool>,
}

/// [`To`] by the bits of the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum ToldTo {
    Tried(usize),
    Value(u64, bool),
}

/// What is told of each row, numbered in the order of its first row.
#[derive(Default)]
struct Numbered {
    told: Vec<Told>,
    numbers: HashMap<Told, u32>,
    /// By row; [`NONE`] where nothing is told.
    codes: Vec<u32>,
}

impl Numbered {
    fn number(&mut self, told: Told) -> u32 {
        *self.numbers.entry(told).or_insert_with(|| {
            self.told.push(told);
            self.told.len() as u32 - 1
        })
    }

    fn push(&mut self, told: Option<Told>) {
        let code = told.map_or(NONE, |told| self.number(told));
        self.codes.push(code);
    }
}

impl Answers<'_> {
    fn told_of(&self, found: &Found, row: usize) -> Told {
        let to = self.candidates.to(found.to);
        Told {
            column: found.column,
            to: match found.to {
                To::Tried(place) => ToldTo::Tried(place),
                To::Value(value, is_whole) => ToldTo::Value(value.to_bits(), is_whole),
            },
            segment: found.segment,
            rises: difference(&to, self.number(found, row).0).map(|by| by > 0.0),
        }
    }
}

impl Candidates {
    /// The text of a change: `recency_days at most 30 leads to active`.
    fn text(&self, told: &Told) -> String {
        let difference = told.rises.map(|rises| if rises { 1.0 } else { -1.0 });
        let to = self.to(match told.to {
            ToldTo::Tried(place) => To::Tried(place),
            ToldTo::Value(bits, is_whole) => To::Value(f64::from_bits(bits), is_whole),
        });
        format!(
            "{} {} leads to {}",
            self.columns[told.column],
            to.told(bound(&to, difference)),
            self.segments[told.segment as usize]
        )
    }
}
