//! The inner loop of a pass: rows of a batch into the states of the customers a worker holds.
//!
//! A worker takes the rows whose key belongs to it, in the order of the scan, a chunk at a time: first the customers'
//! numbers (with prefetching, since the table and the states lie all over memory), then one accumulator after the other over
//! the whole chunk. With any number of workers, a customer's rows are seen by one worker in the order of the scan.
//! Rows tend to come in the order of time, so most chunks lie within a window or outside it as a whole.

mod distinct;
mod entries;
mod in_order;
mod mask;
mod newest;
mod older;
mod picks;
mod sums;
mod texts;

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tessera_expr::exact::{Wide, to_fixed};

use super::batch::{Batch, Code, Column, Values};
use super::keys::Customers;
use super::layout::{Layout, Op, Slot};
use super::lowest::Lowest;
use super::place::ORDER_BYTES;
use super::records::{Records, Spot};
use crate::budget::{Budget, States};
use crate::error::EngineError;
use distinct::Distinct;
pub(crate) use distinct::count as distinct_count;
use in_order::{Collected, Kind, collect};
use mask::{Mask, Taken};
use newest::Newest;
use picks::{extreme, extreme_wide, pick, pick_wide};
pub(crate) use sums::get;
use sums::{add, set, sum, sum_on_first_day, sum_squares};
use texts::Texts;

/// Rows per chunk: small enough for the touched states to stay in the second-level cache.
const CHUNK: usize = 1024;

/// Rows whose slots, then whose keys and states are asked for before the first of them is used.
const BLOCK: usize = 64;

/// What a slot keeps beside the states.
#[derive(Default)]
pub(crate) struct Side {
    /// Values of a distinct count.
    distinct: Option<Distinct>,
    /// Values of an aggregate that is found among them in their order.
    in_order: Option<Collected>,
    /// What the words of a customer's sum cannot hold.
    pub(crate) beyond: HashMap<u32, Wide>,
    /// Customers whose first or last value is the largest integer, which is stored as null is.
    pub(crate) largest: HashSet<u32>,
    /// The texts among first, last and collected values.
    pub(crate) texts: Texts,
}

/// About how many bytes an entry of a hash table takes beside what it points to.
const TABLE_ENTRY_BYTES: usize = 64;

impl Side {
    fn new(op: Op, budget: &Budget) -> Self {
        let is_distinct = matches!(op, Op::Distinct(_) | Op::DistinctDays);
        let is_in_order = matches!(op, Op::InOrder(..) | Op::InOrderWide(..));
        Self {
            distinct: is_distinct.then(|| Distinct::new(budget)),
            in_order: is_in_order.then(|| Collected::new(budget)),
            ..Self::default()
        }
    }

    fn relieve(&mut self) -> Result<(), EngineError> {
        self.distinct.as_mut().map_or(Ok(()), Distinct::relieve)?;
        self.in_order.as_mut().map_or(Ok(()), Collected::relieve)
    }

    /// Bytes of what cannot go to files.
    fn bytes(&self) -> usize {
        let entries = self.beyond.len() + self.largest.len();
        entries * TABLE_ENTRY_BYTES + self.texts.bytes()
    }
}

/// One worker's part of the customers.
pub(crate) struct Worker<'a> {
    layout: &'a Layout,
    /// This worker takes keys with `part_of(hash) == part`.
    part: usize,
    parts: usize,
    pub(crate) customers: Customers,
    /// What customers with newest rows have beside their state.
    pub(crate) newest: Newest,
    pub(crate) sides: Vec<Side>,
    /// A value column with a number that cannot be summed because it is not finite, and that number.
    pub(crate) unsummable: Option<(usize, f64)>,
    states: States,
    draw: Option<Draw>,
    rows: Vec<u32>,
    /// Where the states of a chunk's customers lie.
    spots: Vec<Spot>,
    ages: Vec<i32>,
    masks: Vec<Mask>,
    sums: Vec<Fixed>,
}

/// Of a pass that keeps the customers with the lowest hashes.
struct Draw {
    lowest: Arc<Lowest>,
    /// The hash of each customer of the worker, by number.
    hashes: Vec<u64>,
}

impl Draw {
    /// Enters the new ones among the customers of these rows, whose numbers rise.
    fn enter(&mut self, batch: &Batch, rows: &[u32], spots: &[Spot]) {
        let known = self.hashes.len();
        for (&row, spot) in rows.iter().zip(spots) {
            if spot.number as usize == self.hashes.len() {
                self.hashes.push(batch.drawn_by(row as usize));
            }
        }
        if self.hashes.len() > known {
            self.lowest.enter(&self.hashes[known..]);
        }
    }
}

/// The values of a column in a chunk as they are summed: floats in fixed point, integers as they are; 0 where null.
#[derive(Default)]
struct Fixed {
    values: Vec<i128>,
    /// Some value does not fit, and stands as [`BEYOND`].
    beyond: bool,
}

/// Stands for a value that does not fit into fixed point; no value that fits is as small.
const BEYOND: i128 = i128::MIN;

impl<'a> Worker<'a> {
    pub(crate) fn new(
        layout: &'a Layout,
        (part, parts): (usize, usize),
        lowest: Option<Arc<Lowest>>,
        budget: &Budget,
    ) -> Self {
        let beside = layout.slots.iter().filter(|slot| slot.op.keeps_beside());
        let mut beside: Vec<&Slot> = beside.collect();
        beside.sort_by_key(|slot| slot.side);
        Self {
            layout,
            part,
            parts,
            customers: Customers::new(layout.empty.clone()),
            newest: Newest::new(layout),
            sides: beside
                .into_iter()
                .map(|slot| Side::new(slot.op, budget))
                .collect(),
            unsummable: None,
            states: budget.states(),
            draw: lowest.map(|lowest| Draw {
                lowest,
                hashes: Vec::new(),
            }),
            rows: Vec::new(),
            spots: Vec::with_capacity(CHUNK),
            ages: Vec::with_capacity(CHUNK),
            masks: layout.selections.iter().map(|_| Mask::default()).collect(),
            sums: layout.values.iter().map(|_| Fixed::default()).collect(),
        }
    }

    /// Takes this worker's rows of the batch. Whether the states of the run do not take more than they may.
    pub(crate) fn take(&mut self, batch: &Batch) -> Result<bool, EngineError> {
        let mut own = std::mem::take(&mut self.rows);
        self.own_rows(batch, &mut own);
        for rows in own.chunks(CHUNK) {
            self.take_chunk(batch, rows);
        }
        self.rows = own;
        self.sides.iter_mut().try_for_each(Side::relieve)?;
        Ok(self.states.set(self.bytes()))
    }

    /// Bytes of what cannot go to files, and of the order in which the table is written.
    pub(crate) fn bytes(&self) -> u64 {
        let beside: usize = self.sides.iter().map(Side::bytes).sum();
        let order = self.customers.len() * ORDER_BYTES;
        let hashes = self.draw.as_ref().map_or(0, |draw| draw.hashes.capacity());
        let states = self.customers.bytes() + self.newest.bytes();
        (states + beside + order + hashes * size_of::<u64>()) as u64
    }

    /// Whether the table has a row of this customer, which all others may leave out.
    pub(crate) fn keeps(&self, number: usize, left_out: Option<u64>) -> bool {
        match (&self.draw, left_out) {
            (Some(draw), Some(left_out)) => draw.hashes[number] < left_out,
            _ => true,
        }
    }

    /// Gives back what it holds: its table is not made.
    pub(crate) fn give_up(&mut self) {
        self.customers = Customers::new(Vec::new());
        self.newest = Newest::new(self.layout);
        self.sides.clear();
        self.draw = None;
        self.states.set(0);
    }

    /// Finds what needs all rows: distinct counts, what is found among values in their order, and what is the same among older
    /// rows as elsewhere.
    pub(crate) fn close(&mut self) -> Result<(), EngineError> {
        for slot in &self.layout.slots {
            if !slot.op.keeps_beside() {
                continue;
            }
            let side = &mut self.sides[slot.side];
            let customers = &mut self.customers;
            if let Some(distinct) = side.distinct.take() {
                distinct.count(|number| {
                    customers.records.state_mut(number as usize)[slot.at + 1] += 1
                })?;
            }
            let (Op::InOrder(value, finder) | Op::InOrderWide(value, finder)) = slot.op else {
                continue;
            };
            let (ty, finder) = (self.layout.values[value].ty, &self.layout.finders[finder]);
            let mut finder = (finder.finds)(ty, &finder.arguments);
            if let Some(collected) = side.in_order.take() {
                collected.find(
                    (Kind::of(ty), &side.texts),
                    &mut *finder,
                    customers,
                    |customers, number| customers.records.state(number as usize)[slot.at],
                    |customers, number, found| {
                        in_order::set(
                            &mut customers.records.state_mut(number as usize)[slot.at..],
                            slot.op,
                            found,
                        );
                    },
                )?;
            }
        }
        self.add_older();
        Ok(())
    }

    fn own_rows(&self, batch: &Batch, own: &mut Vec<u32>) {
        own.clear();
        own.resize(batch.used.len(), 0);
        let mut count = 0;
        for &row in &batch.used {
            // Without a branch: half of the branch predictions would fail.
            own[count] = row;
            count += usize::from(part_of(batch.hashes[row as usize], self.parts) == self.part);
        }
        own.truncate(count);
    }

    fn take_chunk(&mut self, batch: &Batch, rows: &[u32]) {
        self.mask_rows(batch, rows);
        self.number_rows(batch, rows);
        for &value in &self.layout.summed {
            self.sums[value].read(&batch.values[value], rows);
        }
        for slot in &self.layout.slots {
            let mask = &self.masks[slot.selection];
            if mask.taken == Taken::None {
                continue;
            }
            let (spots, records) = match slot.newest_of {
                Some(_) => (&self.newest.spots, &mut self.newest.records),
                None => (&self.spots, &mut self.customers.records),
            };
            let chunk = Chunk {
                slot,
                batch,
                rows,
                spots,
                ages: &self.ages,
                sums: &self.sums,
                mask,
            };
            let mut state = State {
                records,
                sides: &mut self.sides,
                unsummable: &mut self.unsummable,
            };
            accumulate(&chunk, &mut state);
        }
    }

    /// The accumulators that take rows of the chunk, into the states of newest rows or into the others.
    fn takes(&self, is_newest: bool) -> impl Iterator<Item = &Slot> {
        self.layout.slots.iter().filter(move |slot| {
            slot.newest_of.is_some() == is_newest && self.masks[slot.selection].taken != Taken::None
        })
    }

    /// Numbers of the customers. Two loads that each may miss every cache stand between a hash and a state: they are begun
    /// for a block of rows before the first of them is needed.
    fn number_rows(&mut self, batch: &Batch, rows: &[u32]) {
        let known = self.customers.len();
        let last = self.takes(false).map(|slot| slot.at);
        let words = last.max().map_or(0, |at| at + 1);
        self.spots.clear();
        for block in rows.chunks(BLOCK) {
            for &row in block {
                self.customers.prefetch(batch.hashes[row as usize]);
            }
            for &row in block {
                self.customers
                    .prefetch_first(batch.hashes[row as usize], words);
            }
            for &row in block {
                let (key, text) = batch.key(row as usize);
                let number = self.customers.number(batch.hashes[row as usize], key, text);
                self.spots.push(self.customers.records.spot(number));
            }
        }
        if self.customers.len() > known
            && let Some(draw) = &mut self.draw
        {
            draw.enter(batch, rows, &self.spots);
        }
        if self.takes(true).next().is_some() {
            self.newest.find(&self.spots, &self.ages);
        }
    }

    fn mask_rows(&mut self, batch: &Batch, rows: &[u32]) {
        self.ages.clear();
        self.ages
            .extend(rows.iter().map(|&row| batch.age_days[row as usize]));
        let (mut youngest, mut oldest) = (i32::MAX, i32::MIN);
        for &age in &self.ages {
            youngest = youngest.min(age);
            oldest = oldest.max(age);
        }
        for (selection, mask) in self.layout.selections.iter().zip(&mut self.masks) {
            mask.select(selection, batch, rows, &self.ages, youngest..=oldest);
        }
    }
}

/// The worker of a hash.
#[inline]
fn part_of(hash: u64, parts: usize) -> usize {
    // The upper bits: the lower ones choose the slot of the table.
    ((u128::from(hash) * parts as u128) >> 64) as usize
}

impl Fixed {
    fn read(&mut self, column: &Column, rows: &[u32]) {
        self.values.clear();
        self.beyond = false;
        for &row in rows {
            let row = row as usize;
            let fixed = match &column.values {
                _ if !column.is_valid(row) => 0,
                Values::Int(values) => i128::from(values.value(row)),
                Values::Wide(values) => values.value(row),
                Values::Float(values) => to_fixed(values.value(row)).unwrap_or(BEYOND),
                Values::Text(..) => 0,
            };
            self.beyond |= fixed == BEYOND;
            self.values.push(fixed);
        }
    }
}

/// The state that accumulators change.
struct State<'s> {
    records: &'s mut Records,
    sides: &'s mut [Side],
    unsummable: &'s mut Option<(usize, f64)>,
}

/// The rows of a chunk that one accumulator may take, with the places of their states; a place is a row's position in the chunk.
struct Chunk<'c> {
    slot: &'c Slot,
    batch: &'c Batch,
    rows: &'c [u32],
    spots: &'c [Spot],
    ages: &'c [i32],
    sums: &'c [Fixed],
    mask: &'c Mask,
}

impl Chunk<'_> {
    /// Calls `take(place, spot)` for the rows of the selection.
    #[inline(always)]
    fn each(&self, mut take: impl FnMut(usize, Spot)) {
        match self.mask.taken {
            Taken::None => {}
            Taken::All => {
                for (place, &spot) in self.spots.iter().enumerate() {
                    take(place, spot);
                }
            }
            Taken::Some => {
                let taken = self.spots.iter().zip(&self.mask.rows).enumerate();
                for (place, (&spot, &taken)) in taken {
                    if taken {
                        take(place, spot);
                    }
                }
            }
        }
    }

    /// Calls `take(row, spot)` for the rows of the selection.
    #[inline(always)]
    fn each_row(&self, mut take: impl FnMut(usize, Spot)) {
        self.each(|place, spot| take(self.rows[place] as usize, spot));
    }

    /// Calls `take(row, spot)` for the rows of the selection that have a value.
    #[inline(always)]
    fn each_value(&self, column: &Column, mut take: impl FnMut(usize, Spot)) {
        if column.validity.is_none() {
            self.each_row(take);
        } else {
            self.each_row(|row, spot| {
                if column.is_valid(row) {
                    take(row, spot);
                }
            });
        }
    }

    /// Adds the values in fixed point to the words from `at` on, for rows that `takes(state, place, spot)` lets through.
    #[inline(always)]
    fn each_fixed(
        &self,
        value: usize,
        at: usize,
        state: &mut State<'_>,
        mut takes: impl FnMut(&mut State<'_>, usize, Spot) -> bool,
    ) {
        let sums = &self.sums[value];
        self.each(|place, spot| {
            if !takes(state, place, spot) {
                return;
            }
            let fixed = sums.values[place];
            let beyond = sums.beyond && fixed == BEYOND;
            if beyond || !add(&mut state.words(self.slot, spot)[at..], fixed) {
                state.add_beyond(self, value, place, spot.number);
            }
        });
    }
}

impl State<'_> {
    /// The words of a slot in the state that lies there.
    #[inline(always)]
    fn words(&mut self, slot: &Slot, spot: Spot) -> &mut [u64] {
        &mut self.records.at(spot)[slot.at..]
    }

    /// What the words of a customer's sum cannot hold.
    fn beyond(&mut self, slot: &Slot, number: u32) -> &mut Wide {
        self.sides[slot.side].beyond.entry(number).or_default()
    }

    /// Adds a value that does not fit into the words of a customer's sum.
    #[cold]
    fn add_beyond(&mut self, chunk: &Chunk<'_>, value: usize, place: usize, number: u32) {
        let row = chunk.rows[place] as usize;
        match &chunk.batch.values[value].values {
            Values::Int(values) => {
                let whole = i128::from(values.value(row));
                self.beyond(chunk.slot, number).add_whole(whole, 0);
            }
            Values::Wide(values) => self
                .beyond(chunk.slot, number)
                .add_whole(values.value(row), 0),
            Values::Float(values) => {
                let x = values.value(row);
                if x.is_finite() {
                    self.beyond(chunk.slot, number).add(x);
                } else {
                    *self.unsummable = Some((value, x));
                }
            }
            Values::Text(..) => {}
        }
    }
}

fn accumulate(chunk: &Chunk<'_>, state: &mut State<'_>) {
    let slot = chunk.slot;
    match slot.op {
        Op::CountRows => chunk.each(|_, spot| state.words(slot, spot)[0] += 1),
        Op::CountValues(value) => {
            chunk.each_value(&chunk.batch.values[value], |_, spot| {
                state.words(slot, spot)[0] += 1
            });
        }
        Op::Sum(value) => sum(chunk, value, state),
        Op::SumSquares(value) => sum_squares(chunk, value, state),
        Op::Min(value) => extreme(chunk, value, state, Ordering::Less),
        Op::Max(value) => extreme(chunk, value, state, Ordering::Greater),
        Op::FirstDay => chunk.each(|place, spot| {
            let word = &mut state.words(slot, spot)[0];
            *word = (*word as i64).max(i64::from(chunk.ages[place])) as u64;
        }),
        Op::LastDay => chunk.each(|place, spot| {
            let word = &mut state.words(slot, spot)[0];
            *word = (*word as i64).min(i64::from(chunk.ages[place])) as u64;
        }),
        Op::MinWide(value) => extreme_wide(chunk, value, state, Ordering::Less),
        Op::MaxWide(value) => extreme_wide(chunk, value, state, Ordering::Greater),
        Op::SumOnFirstDay(value) => sum_on_first_day(chunk, value, state),
        Op::First(value) => pick(chunk, value, state, |time, known| time < known),
        Op::Last(value) => pick(chunk, value, state, |time, known| time >= known),
        Op::FirstWide(value) => pick_wide(chunk, value, state, |time, known| time < known),
        Op::LastWide(value) => pick_wide(chunk, value, state, |time, known| time >= known),
        Op::Distinct(value) => {
            let column = &chunk.batch.values[value];
            let Some(distinct) = &mut state.sides[slot.side].distinct else {
                return;
            };
            let records = &mut *state.records;
            chunk.each_value(column, |row, spot| {
                let words = &mut records.at(spot)[slot.at..];
                distinct.note(words, spot.number, column.code(row));
            });
        }
        Op::DistinctDays => {
            let Some(distinct) = &mut state.sides[slot.side].distinct else {
                return;
            };
            let records = &mut *state.records;
            chunk.each(|place, spot| {
                let words = &mut records.at(spot)[slot.at..];
                let age = Code::Exact(u64::from(chunk.ages[place] as u32));
                distinct.note(words, spot.number, age);
            });
        }
        Op::InOrder(value, _) | Op::InOrderWide(value, _) => collect(chunk, value, state),
    }
}
