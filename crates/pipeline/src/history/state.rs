//! The customers in one state between the previous version and this one, by their segments.

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use tessera_history::{ABSENT, Cause, Causes};

/// The segment of every customer of either version in one state: names, and the index of the name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) names: Vec<String>,
    pub(crate) of: Vec<u32>,
}

/// A table of customers in another state, and its row for each customer of either version.
pub(super) struct Standing {
    pub(super) table: RecordBatch,
    pub(super) rows: Vec<u32>,
    /// The customers of this version whom `rows` are of, in rising order; all of either version without.
    pub(super) only: Option<Vec<u32>>,
    pub(super) as_of: NaiveDate,
    /// Whether the table has the columns with which scores are applied.
    pub(super) can_be_scored: bool,
}

impl Standing {
    /// The row of the table of a customer of this version.
    pub(super) fn row_of(&self, customer: u32) -> Option<usize> {
        let place = match &self.only {
            Some(only) => only.binary_search(&customer).ok()?,
            None => customer as usize,
        };
        self.rows
            .get(place)
            .filter(|row| **row != ABSENT)
            .map(|row| *row as usize)
    }
}

/// The steps of one scheme except the last one, and the causes of the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    pub(crate) states: Vec<(Causes, State)>,
    pub(crate) last: Causes,
}

/// The index of a segment's name, which is a new one where the name is.
pub(super) fn place_of(names: &mut Vec<String>, name: &str) -> u32 {
    let known = names.iter().position(|known| known == name);
    known.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    }) as u32
}

/// A state in which these customers are as in another one.
pub(super) fn mixed(mut state: State, other: &State, which: &[bool]) -> State {
    let names = other.names.iter();
    let places: Vec<u32> = names.map(|name| place_of(&mut state.names, name)).collect();
    for ((of, &segment), &other) in state.of.iter_mut().zip(&other.of).zip(which) {
        if other {
            *of = places.get(segment as usize).copied().unwrap_or(ABSENT);
        }
    }
    state
}

/// The first step, before it who came or left by late rows where it is those and what was learned: that makes no customers.
pub(super) fn late_customers_first(
    before: State,
    (causes, after): (Causes, &State),
) -> Vec<(Causes, State)> {
    let late = Causes::from(Cause::LateData);
    let mut steps = vec![(causes, after.clone())];
    if causes == late.with(Cause::Model) {
        let pairs = before.of.iter().zip(&after.of);
        let moved: Vec<bool> = pairs
            .map(|(before, after)| (*before == ABSENT) != (*after == ABSENT))
            .collect();
        steps.insert(0, (late, mixed(before, after, &moved)));
    }
    steps
}
