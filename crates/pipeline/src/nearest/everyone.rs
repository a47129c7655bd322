//! The smallest change of every customer of a run.

use std::collections::{BTreeSet, HashMap};

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

/// Fills in the smallest change for every customer, in the schemes that can tell it.
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
    let mut read: BTreeSet<String> = BTreeSet::new();
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
        let segments = assignment.segments.iter();
        let names: Vec<_> = segments.map(|s| (s.id, s.name.as_str())).collect();
        match Candidates::new(scheme, (rules, &assignment.fit), &table.schema(), &names) {
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
    let of_rows = |&start: &usize| -> Result<Vec<Option<Told>>, PipelineError> {
        let rows = ROWS.min(assignment.len() - start);
        let answers = candidates.answers((engine, when), with, (start, rows))?;
        let segments = assignment.segments.iter();
        let own: Vec<u32> = segments.map(|segment| answers.own(&segment.name)).collect();
        let told = |row: usize| {
            let at = start + row;
            if assignment.held.contains_key(&(at as u32)) {
                return None;
            }
            let own = own[assignment.segment_of[at] as usize];
            let found = answers.nearest(row, own)?;
            Some(answers.told(&found, row))
        };
        Ok((0..rows).map(told).collect())
    };
    let found = starts.par_iter().map(of_rows);
    let found = found.collect::<Result<Vec<_>, _>>()?;
    let mut texts = Texts::new(candidates);
    let places = found.into_iter().flatten();
    let places = places.map(|told| told.map_or(NONE, |told| texts.place(told)));
    Ok((places.collect(), texts.texts))
}

/// A change as it is told: customers of whom the same is told share a text.
#[derive(Clone, Copy)]
struct Told {
    column: usize,
    to: To,
    segment: u32,
    sign: usize,
}

/// Whether a number rises, falls, or is none.
const SIGNS: [Option<f64>; 3] = [Some(1.0), Some(-1.0), None];

impl Answers<'_> {
    fn told(&self, found: &Found, row: usize) -> Told {
        let difference = match found.to {
            To::Tried(place) => {
                difference(&self.candidates.tried[place].1, self.number(found, row).0)
            }
            To::Value(value, _) => self.number(found, row).0.map(|from| value - from),
        };
        Told {
            column: found.column,
            to: found.to,
            segment: found.segment,
            sign: match difference {
                Some(difference) if difference > 0.0 => 0,
                Some(_) => 1,
                None => 2,
            },
        }
    }
}

/// The texts of changes, each once, in the order in which customers have them.
struct Texts<'c> {
    candidates: &'c Candidates,
    texts: Vec<String>,
    /// Of the values that are tried, by value, segment and sign: most are those of no customer.
    of_tried: Vec<u32>,
    /// Of other values, by column, bits of the value, segment and sign.
    of_values: HashMap<(usize, u64, u32, usize), u32>,
}

impl<'c> Texts<'c> {
    fn new(candidates: &'c Candidates) -> Self {
        let tried = candidates.tried.len() * candidates.segments.len() * SIGNS.len();
        Self {
            candidates,
            texts: Vec::new(),
            of_tried: vec![NONE; tried],
            of_values: HashMap::new(),
        }
    }

    /// The place of the text of a change.
    fn place(&mut self, told: Told) -> u32 {
        let next = self.texts.len() as u32;
        let segments = self.candidates.segments.len();
        let place = match told.to {
            To::Tried(place) => {
                let code = (place * segments + told.segment as usize) * SIGNS.len() + told.sign;
                &mut self.of_tried[code]
            }
            To::Value(value, _) => {
                let key = (told.column, value.to_bits(), told.segment, told.sign);
                self.of_values.entry(key).or_insert(NONE)
            }
        };
        if *place == NONE {
            *place = next;
            self.texts.push(self.candidates.text(told));
            return next;
        }
        *place
    }
}

impl Candidates {
    /// `recency_days at most 30 leads to active`.
    fn text(&self, told: Told) -> String {
        let to = self.to(told.to);
        let value = to.told(bound(&to, SIGNS[told.sign]));
        let (column, segment) = (
            &self.columns[told.column],
            &self.segments[told.segment as usize],
        );
        format!("{column} {value} leads to {segment}")
    }
}
