//! The moves of customers in a scheme, and since when they are in their segment.

use std::collections::{BTreeMap, BTreeSet};

use arrow::util::display::array_value_to_string;
use tessera_history::{ABSENT, Cause, Causes, Moves, SchemeBefore, Step};
use tessera_segments::{AssignedBy, Assignment, Customers, SegmentInfo, Stay, segment_id};

use super::Previous;
use super::state::{State, Steps};
use crate::error::PipelineError;
use crate::prepared::Prepared;

/// The customers whom limits keep in the segment that they were in, or people put into one, with that segment.
pub(super) fn stayed<'a>(
    previous: &Previous,
    assignment: &'a Assignment,
) -> impl Iterator<Item = (u32, &'a SegmentInfo)> {
    let before = previous.before.schemes.get(&assignment.scheme);
    let held = assignment.held.iter();
    held.filter_map(move |(&row, held)| {
        let segment = assignment.segment(row as usize);
        let same = || segment_before(previous, before?, row).map(|id| id == segment.id);
        (held.by == AssignedBy::Pin || same() == Some(true)).then_some((row, segment))
    })
}

/// The customers whom people put into another segment than the one they were in.
pub(super) fn put(previous: &Previous, before: &SchemeBefore, assignment: &Assignment) -> Vec<u32> {
    let held = assignment.held.iter();
    let pinned = held.filter(|(_, held)| held.by == AssignedBy::Pin);
    let rows = pinned.map(|(row, _)| *row);
    rows.filter(|&row| {
        let then = segment_before(previous, before, row);
        then.is_some_and(|then| then != assignment.segment(row as usize).id)
    })
    .collect()
}

/// The customers whose pins people took away since the previous version; those whose pins ended by themselves are not among them.
pub(super) fn released(
    prepared: &Prepared,
    previous: &Previous,
    (before, customers): (&SchemeBefore, &Customers),
    assignment: &Assignment,
) -> Result<Vec<u32>, PipelineError> {
    let mut found = Vec::new();
    if before.pinned.is_empty() {
        return Ok(found);
    }
    for (&old, row) in previous.alignment.before.iter().zip(0_u32..) {
        let was_pinned = before.pinned.contains(&old);
        if !was_pinned || assignment.decided_by(row as usize) == AssignedBy::Pin {
            continue;
        }
        let customer = array_value_to_string(customers.key(), row as usize)?;
        let since = previous.version.as_of();
        if !prepared
            .pins
            .has_ended(&assignment.scheme, &customer, since)
        {
            found.push(row);
        }
    }
    Ok(found)
}

/// The id of the segment that a customer of this version was in.
fn segment_before(previous: &Previous, before: &SchemeBefore, row: u32) -> Option<i64> {
    let old = *previous.alignment.before.get(row as usize)?;
    let place = *before.segment_of.get(old as usize)?;
    before.segments.get(place as usize).map(|segment| segment.0)
}

/// The steps from the previous version to this one. `ids`: of the segments that only states between them have. `by_pins`: the customers
/// whose pins people took away, and those whom pins moved in a scheme that this one reads.
pub(super) fn moves(
    previous: &Previous,
    before: &SchemeBefore,
    assignment: &Assignment,
    (replayed, ids, by_pins): (Steps, &BTreeMap<String, i64>, &BTreeSet<u32>),
) -> Moves {
    let mut segments: Vec<(i64, String)> = before.segments.clone();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    for (place, segment) in segments.iter().enumerate() {
        names.insert(segment.1.clone(), place as u32);
    }
    let mut places = Vec::with_capacity(assignment.segments.len());
    for segment in &assignment.segments {
        let known = segments.iter().position(|known| known.0 == segment.id);
        let place = known.unwrap_or_else(|| {
            segments.push((segment.id, segment.name.clone()));
            segments.len() - 1
        });
        segments[place].1.clone_from(&segment.name);
        names.insert(segment.name.clone(), place as u32);
        places.push(place as u32);
    }
    let mut steps = Vec::new();
    for (causes, State { names: own, of }) in replayed.states {
        let mut own_places = Vec::with_capacity(own.len());
        for name in own {
            let place = *names.entry(name.clone()).or_insert_with(|| {
                let own = || segment_id(&assignment.scheme, &name);
                let id = ids.get(&name).copied().unwrap_or_else(own);
                let known = segments.iter().position(|known| known.0 == id);
                let place = known.unwrap_or_else(|| {
                    segments.push((id, name));
                    segments.len() - 1
                });
                place as u32
            });
            own_places.push(place);
        }
        let place = |place: u32| own_places.get(place as usize).copied().unwrap_or(ABSENT);
        steps.push(Step {
            causes,
            after: of.into_iter().map(place).collect(),
        });
    }
    let now: Vec<u32> = assignment
        .segment_of
        .iter()
        .map(|&segment| places[segment as usize])
        .collect();
    steps.push(Step {
        causes: replayed.last,
        after: previous.alignment.of_now(&now, ABSENT),
    });
    let before = previous.alignment.of_before(&before.segment_of, ABSENT);
    without_held(assignment, &before, by_pins, &mut steps);
    Moves {
        segments,
        before,
        steps,
    }
}

/// Customers who are held where they were do not move in any step, and those whom people put somewhere do so in one step of its own.
/// Who moves although limits hold it in another tier than its rank does so in the steps of its rank. Whom people put elsewhere in a scheme
/// that this one reads, and those whose pins they took away, move with that, in the same step. Who comes does so in the step in which it is
/// there, into the segment in which it is put.
fn without_held(
    assignment: &Assignment,
    before: &[u32],
    by_pins: &BTreeSet<u32>,
    steps: &mut Vec<Step>,
) {
    let Some(last) = steps.last().map(|step| step.after.clone()) else {
        return;
    };
    let held = assignment.held.iter();
    let held = held.map(|(row, held)| (*row as usize, held.by == AssignedBy::Pin));
    let settled = held.filter(|(row, pinned)| *pinned || last[*row] == before[*row]);
    let (settled, come): (Vec<usize>, Vec<usize>) = settled
        .map(|(row, _)| row)
        .partition(|row| before[*row] != ABSENT);
    for row in come {
        let steps = steps.iter_mut().filter(|step| step.after[row] != ABSENT);
        steps.for_each(|step| step.after[row] = last[row]);
    }
    for &row in &settled {
        steps
            .iter_mut()
            .for_each(|step| step.after[row] = last[row]);
    }
    let mut after = before.to_vec();
    let first = steps.first().map_or(&last, |step| &step.after);
    let through = by_pins.iter().map(|row| *row as usize);
    let rows = settled.into_iter().chain(through);
    let put: Vec<(usize, u32)> = rows.map(|row| (row, first[row])).collect();
    if put.iter().any(|(row, segment)| before[*row] != *segment) {
        put.iter().for_each(|(row, segment)| after[*row] = *segment);
        let causes = Cause::Definition.into();
        steps.insert(0, Step { causes, after });
    }
}

/// The stays of customers in a scheme that the previous version did not have.
pub(super) fn first_stay(as_of: i32, assignment: &Assignment) -> Stay {
    Stay {
        entered_on: vec![as_of; assignment.len()],
        ..Stay::default()
    }
}

/// The stays of customers in a scheme that both versions have.
pub(super) fn stay(as_of: i32, previous: &Previous, before: &SchemeBefore, moves: &Moves) -> Stay {
    let last = moves.steps.last().map_or(&moves.before, |step| &step.after);
    let rows = &previous.alignment.before;
    let entered_on = rows.iter().enumerate().map(|(row, &old)| {
        let stayed = moves.before[row] == last[row];
        let since = before.entered_on.get(old as usize).copied();
        since.filter(|_| stayed).unwrap_or(as_of)
    });
    let mut words: Vec<(Causes, String)> = Vec::new();
    let cause = moves.causes().into_iter().take(rows.len()).map(|causes| {
        if causes.is_empty() {
            return ABSENT;
        }
        let known = words.iter().position(|known| known.0 == causes);
        known.unwrap_or_else(|| {
            words.push((causes, causes.to_string()));
            words.len() - 1
        }) as u32
    });
    let cause = cause.collect();
    Stay {
        entered_on: entered_on.collect(),
        segments_before: before.segments.clone(),
        before: moves.before[..rows.len()].to_vec(),
        causes: words.into_iter().map(|word| word.1).collect(),
        cause,
        ..Stay::default()
    }
}
