//! The states that a scheme goes through from the previous version to this one, put together from those that were computed.

use std::borrow::Cow;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use chrono::NaiveDate;
use tessera_history::{ABSENT, Alignment, Cause, Causes, Ledger, SchemeBefore};
use tessera_segments::{Assignment, SegmentInfo};
use tessera_spec::pipeline::Scheme;

use super::Previous;
use super::ids::name_now;
use super::state::{State, Steps, late_customers_first, place_of};
use crate::held;
use crate::prepared::Prepared;
use crate::sources::epoch_day;

/// The row of this table of the previous version's customers for each customer of either version: closed accounts have one there, but no
/// segment. `None` where keys are of another type than in the segments.
pub(super) fn members(previous: &Previous, table: &RecordBatch) -> Option<Vec<u32>> {
    let keys = &previous.before.keys;
    let rows = match table.num_rows() == keys.len() {
        true => (0..keys.len() as u32).collect(),
        false => Alignment::new(table.column(0), keys, |place| place)?.before,
    };
    Some(previous.alignment.of_before(&rows, ABSENT))
}

/// The segments of a scheme in the previous version by the names that they have now, also where nobody is in them any more: states
/// compare segments by name.
pub(super) fn by_names_now<'b>(
    before: &'b SchemeBefore,
    ledger: &Ledger,
    (scheme, assignment): (Option<&Scheme>, Option<&Assignment>),
) -> Cow<'b, SchemeBefore> {
    let now = assignment.map_or(&[][..], |assignment| &assignment.segments);
    let own = |(id, before): &(i64, String)| {
        let segment = now.iter().find(|segment| segment.id == *id);
        let there = segment.map(|segment| segment.name.as_str());
        let vacant = || name_now(ledger, scheme?, now, (*id, before));
        there.or_else(vacant).unwrap_or(before).to_owned()
    };
    let segments = before.segments.iter();
    let segments: Vec<(i64, String)> = segments.map(|segment| (segment.0, own(segment))).collect();
    match segments == before.segments {
        true => Cow::Borrowed(before),
        false => Cow::Owned(SchemeBefore {
            segments,
            ..before.clone()
        }),
    }
}

/// The customers of both versions whom the minimum stay of a scheme, or a pin that ended since, keeps on a day in the segment that they
/// were in: what would move them did so before, and their move is put off until the stay is over, or the pin.
pub(super) fn kept(
    (prepared, ledger): (&Prepared, &Ledger),
    previous: &Previous,
    (scheme, assignment): (&Scheme, &Assignment),
    day: NaiveDate,
) -> Vec<(u32, SegmentInfo)> {
    let name = &scheme.name.value;
    // An earlier definition holds all customers, for no time.
    let stays = prepared.pipeline.memberships.min_stay_days.get(name);
    let stays = stays.filter(|_| !held::is_held(&previous.version, name));
    let Some(before) = previous.before.schemes.get(name) else {
        return Vec::new();
    };
    if stays.is_none() && before.pinned.is_empty() {
        return Vec::new();
    }
    let limits = &prepared.pipeline.features.lifecycle;
    let called = by_names_now(before, ledger, (Some(scheme), Some(assignment)));
    let segment_now = |(id, name): &(i64, String)| {
        let mut there = assignment.segments.iter();
        let there = there.find(|segment| segment.id == *id).cloned();
        there.or_else(|| {
            tessera_segments::vacant(scheme, limits, name).map(|_| SegmentInfo {
                id: *id,
                name: name.clone(),
                rule: None,
            })
        })
    };
    let segments: Vec<Option<SegmentInfo>> = called.segments.iter().map(segment_now).collect();
    let is_pinned = |old: u32| {
        let customer = array_value_to_string(&previous.before.keys, old as usize);
        let ends = |customer: String| prepared.pins.has_ended(name, &customer, day);
        before.pinned.contains(&old) && customer.is_ok_and(ends)
    };
    let is_staying = |old: u32| {
        let days = stays.filter(|_| before.held.contains(&old));
        let entered = before.entered_on.get(old as usize);
        let until = entered.zip(days);
        let until = until.map(|(entered, days)| i64::from(*entered) + i64::from(*days));
        until.is_some_and(|until| i64::from(epoch_day(day)) < until)
    };
    let stays = |(&old, row): (&u32, u32)| {
        let segment = *before.segment_of.get(old as usize)?;
        let segment = segments.get(segment as usize)?.as_ref()?;
        (is_pinned(old) || is_staying(old)).then(|| (row, segment.clone()))
    };
    let rows = previous.alignment.before.iter().zip(0_u32..);
    rows.filter_map(stays).collect()
}

/// The segments of the previous version.
pub(super) fn state_before(previous: &Previous, before: &SchemeBefore) -> State {
    let names = before.segments.iter().map(|segment| segment.1.clone());
    State {
        names: names.collect(),
        of: previous.alignment.of_before(&before.segment_of, ABSENT),
    }
}

/// The steps before attributes, time and new rows, from the state after all of them.
pub(super) fn began(
    previous: &Previous,
    before: &SchemeBefore,
    first: Option<(Causes, &State)>,
    alone: Option<&State>,
) -> Vec<(Causes, State)> {
    match (&previous.keys, first) {
        (Some(keys), Some((others, after))) => {
            let alone = alone.or(others.is_empty().then_some(after));
            keys.steps(state_before(previous, before), (others, after), alone)
        }
        (None, Some(first)) => late_customers_first(state_before(previous, before), first),
        (_, None) => Vec::new(),
    }
}

/// The state with the attributes of today.
#[derive(Clone, Copy)]
pub(super) enum Attributes<'s> {
    Known(&'s State),
    /// It cannot be computed separately from time: the rows of the customers of this version of whom an attribute changed.
    Unknown(&'s [u32]),
}

/// The states of one scheme between the previous version and this one.
pub(super) struct States<'s> {
    /// The steps before attributes, time and new rows.
    pub(super) began: Vec<(Causes, State)>,
    /// `None` where no attribute changed.
    pub(super) attributes: Option<Attributes<'s>>,
    pub(super) aged: &'s State,
    pub(super) new_rows: &'s [i64],
    /// Why each customer left who is not in this version, where it can be told: as the last of the states, in their order.
    pub(super) left: &'s [Option<Cause>],
}

impl States<'_> {
    /// The steps of the scheme.
    pub(super) fn steps(mut self, previous: &Previous, before: &SchemeBefore) -> Steps {
        let mut states = std::mem::take(&mut self.began);
        let mut at = match states.last() {
            Some((_, state)) => state.clone(),
            None => state_before(previous, before),
        };
        match self.attributes {
            Some(Attributes::Known(state)) => {
                let mut made = entered(previous, &at, state, self.aged, self.new_rows);
                self.stay(&at, &mut made, &[Cause::Ageing, Cause::Activity]);
                at = made;
                states.push((Cause::Attribute.into(), at.clone()));
            }
            Some(Attributes::Unknown(changed)) => {
                // For all others only time passes.
                let mut made = with_time(previous, &at, self.aged, (changed, self.new_rows));
                self.stay(&at, &mut made, &[Cause::Ageing, Cause::Activity]);
                at = made;
                let both = Causes::from(Cause::Ageing).with(Cause::Attribute);
                states.push((both, at.clone()));
            }
            None => {}
        }
        let mut aged = without_activity(&at, self.aged, self.new_rows);
        self.stay(&at, &mut aged, &[Cause::Activity]);
        states.push((Cause::Ageing.into(), aged));
        Steps {
            states,
            last: Cause::Activity.into(),
        }
    }
}

impl States<'_> {
    /// Leaves those customers where they are who leave later, by one of these causes.
    fn stay(&self, at: &State, made: &mut State, later: &[Cause]) {
        let first = made.of.len() - self.left.len().min(made.of.len());
        for (cause, row) in self.left.iter().zip(first..) {
            let stays = cause.is_some_and(|cause| later.contains(&cause));
            if stays && at.of[row] != ABSENT && made.of[row] == ABSENT {
                made.of[row] = place_of(&mut made.names, &at.names[at.of[row] as usize]);
            }
        }
    }
}

/// The state after the attributes changed: customers who came because of attributes, without a row of events, are in their final
/// segment.
fn entered(
    previous: &Previous,
    at: &State,
    state: &State,
    aged: &State,
    new_rows: &[i64],
) -> State {
    let mut made = state.clone();
    for (row, &new) in new_rows.iter().enumerate() {
        let new_customer = previous.alignment.before[row] == ABSENT && at.of[row] == ABSENT;
        if new_customer && new == 0 && aged.of[row] != ABSENT {
            made.of[row] = place_of(&mut made.names, &aged.names[aged.of[row] as usize]);
        }
    }
    made
}

/// The state after attributes changed and time passed for the customers concerned: those of these rows, those who came without a row of
/// events, and those who are not in this version.
fn with_time(
    previous: &Previous,
    at: &State,
    aged: &State,
    (changed, new_rows): (&[u32], &[i64]),
) -> State {
    let mut made = at.clone();
    let mut put = |row: usize| {
        made.of[row] = match aged.of[row] {
            ABSENT => ABSENT,
            place => place_of(&mut made.names, &aged.names[place as usize]),
        };
    };
    changed.iter().for_each(|row| put(*row as usize));
    for (row, &new) in new_rows.iter().enumerate() {
        let is_new = previous.alignment.before[row] == ABSENT && at.of[row] == ABSENT;
        if is_new && new == 0 {
            put(row);
        }
    }
    (new_rows.len()..at.of.len()).for_each(put);
    made
}

/// The state after time passed: customers who come with new rows are not included yet.
fn without_activity(at: &State, aged: &State, new_rows: &[i64]) -> State {
    let mut made = aged.clone();
    for (row, &new) in new_rows.iter().enumerate() {
        if at.of[row] == ABSENT && new > 0 {
            made.of[row] = ABSENT;
        }
    }
    made
}
