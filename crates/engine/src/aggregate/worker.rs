//! The loop that everything waits for: rows of a batch into the states of the customers a worker holds.
//!
//! A worker takes the rows whose key belongs to it, in the order of the scan, a chunk at a time: first the customers'
//! numbers (with prefetching, since the table and the states lie all over memory), then one accumulator after the other over
//! the whole chunk. Whatever the number of workers, a customer's rows are seen by one worker in the order of the scan.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashSet;

use super::batch::{Batch, Column, KeyWords, Values};
use super::keys::Customers;
use super::layout::{Layout, NULL, Op, Selection, Slot};
use crate::fixed::{square, to_fixed};

/// Rows per chunk: small enough for the touched states to stay in the second-level cache.
const CHUNK: usize = 1024;

/// How far ahead of its use a table slot is asked for.
const AHEAD: usize = 16;

/// What a slot keeps beside the states.
#[derive(Default)]
pub(crate) struct Side {
    /// Common values of a distinct count: code and bit number.
    common: Vec<u64>,
    /// Further values of a distinct count: customer and code.
    others: HashSet<(u32, u64), BuildHasherDefault<PairHasher>>,
    /// Texts of first and last values.
    text_codes: HashMap<Box<str>, u64>,
    /// The texts by code.
    pub(crate) texts: Vec<Box<str>>,
    /// Values of a median.
    pub(crate) list: Vec<(u32, f64)>,
}

/// One worker's part of the customers.
pub(crate) struct Worker<'a> {
    layout: &'a Layout,
    /// This worker takes keys with `part_of(hash) == part`.
    part: usize,
    parts: usize,
    pub(crate) customers: Customers,
    pub(crate) sides: Vec<Side>,
    /// A value column with a number that cannot be summed, and that number.
    pub(crate) unsummable: Option<(usize, f64)>,
    rows: Vec<u32>,
    numbers: Vec<u32>,
    masks: Vec<Vec<bool>>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(layout: &'a Layout, part: usize, parts: usize) -> Self {
        Self {
            layout,
            part,
            parts,
            customers: Customers::new(layout.empty.clone()),
            sides: (0..layout.sides).map(|_| Side::default()).collect(),
            unsummable: None,
            rows: Vec::with_capacity(CHUNK),
            numbers: Vec::with_capacity(CHUNK),
            masks: vec![Vec::with_capacity(CHUNK); layout.selections.len()],
        }
    }

    /// Takes this worker's rows of the batch.
    pub(crate) fn take(&mut self, batch: &Batch) {
        let mut rest = batch.used.as_slice();
        while !rest.is_empty() {
            self.rows.clear();
            let mut seen = 0;
            for &row in rest {
                seen += 1;
                if part_of(batch.hashes[row as usize], self.parts) == self.part {
                    self.rows.push(row);
                    if self.rows.len() == CHUNK {
                        break;
                    }
                }
            }
            rest = &rest[seen..];
            self.number_rows(batch);
            self.mask_rows(batch);
            let mut state = State {
                customers: &mut self.customers,
                sides: &mut self.sides,
                unsummable: &mut self.unsummable,
            };
            for slot in &self.layout.slots {
                let (rows, numbers, mask) =
                    (&self.rows, &self.numbers, &self.masks[slot.selection]);
                accumulate(
                    &Chunk {
                        slot,
                        batch,
                        rows,
                        numbers,
                        mask,
                    },
                    &mut state,
                );
            }
        }
    }

    fn number_rows(&mut self, batch: &Batch) {
        self.numbers.clear();
        for (i, &row) in self.rows.iter().enumerate() {
            if let Some(&later) = self.rows.get(i + AHEAD) {
                self.customers.prefetch(batch.hashes[later as usize]);
            }
            let (key, text): (KeyWords, &[u8]) = batch.key(row as usize);
            let number = self.customers.number(batch.hashes[row as usize], key, text);
            self.customers.prefetch_state(number);
            self.numbers.push(number);
        }
    }

    fn mask_rows(&mut self, batch: &Batch) {
        for (selection, mask) in self.layout.selections.iter().zip(&mut self.masks) {
            mask.clear();
            mask.extend(
                self.rows
                    .iter()
                    .map(|&row| selects(selection, batch, row as usize)),
            );
        }
    }
}

/// The worker of a hash.
#[inline]
fn part_of(hash: u64, parts: usize) -> usize {
    // The upper bits: the lower ones choose the slot of the table.
    ((u128::from(hash) * parts as u128) >> 64) as usize
}

#[inline]
fn selects(selection: &Selection, batch: &Batch, row: usize) -> bool {
    let in_window = selection.window.is_none_or(|window| {
        let age = i64::from(batch.age_days[row]) - i64::from(window.offset_days);
        age >= 0 && window.days.is_none_or(|days| age < i64::from(days))
    });
    in_window
        && selection
            .filter
            .is_none_or(|filter| batch.filters[filter][row])
}

/// What accumulators change.
struct State<'s> {
    customers: &'s mut Customers,
    sides: &'s mut [Side],
    unsummable: &'s mut Option<(usize, f64)>,
}

/// The rows of a chunk that one accumulator may take.
struct Chunk<'c> {
    slot: &'c Slot,
    batch: &'c Batch,
    rows: &'c [u32],
    numbers: &'c [u32],
    mask: &'c [bool],
}

impl Chunk<'_> {
    /// Calls `take(row, number)` for the rows of the selection.
    #[inline(always)]
    fn each_row(&self, mut take: impl FnMut(usize, u32)) {
        for ((&row, &number), &taken) in self.rows.iter().zip(self.numbers).zip(self.mask) {
            if taken {
                take(row as usize, number);
            }
        }
    }

    /// Calls `take(row, number)` for the rows of the selection that have a value.
    #[inline(always)]
    fn each_value(&self, column: &Column, mut take: impl FnMut(usize, u32)) {
        if column.validity.is_none() {
            self.each_row(take);
        } else {
            self.each_row(|row, number| {
                if column.is_valid(row) {
                    take(row, number);
                }
            });
        }
    }
}

impl State<'_> {
    /// The words of a slot in the state of a customer.
    #[inline(always)]
    fn words(&mut self, slot: &Slot, number: u32) -> &mut [u64] {
        &mut self.customers.state_mut(number as usize)[slot.at..]
    }
}

fn accumulate(chunk: &Chunk<'_>, state: &mut State<'_>) {
    let slot = chunk.slot;
    match slot.op {
        Op::CountRows => {
            for (&number, &taken) in chunk.numbers.iter().zip(chunk.mask) {
                state.words(slot, number)[0] += u64::from(taken);
            }
        }
        Op::CountValues(value) => {
            chunk.each_value(&chunk.batch.values[value], |_, number| {
                state.words(slot, number)[0] += 1
            });
        }
        Op::SumInt(value) => sum_int(chunk, value, state),
        Op::SumFixed(value) => sum_fixed(chunk, value, state),
        Op::SumSquares(value) => sum_squares(chunk, value, state),
        Op::Min(value) => extreme(chunk, value, state, Ordering::Less),
        Op::Max(value) => extreme(chunk, value, state, Ordering::Greater),
        Op::FirstDay => chunk.each_row(|row, number| {
            let word = &mut state.words(slot, number)[0];
            *word = (*word as i64).max(i64::from(chunk.batch.age_days[row])) as u64;
        }),
        Op::LastDay => chunk.each_row(|row, number| {
            let word = &mut state.words(slot, number)[0];
            *word = (*word as i64).min(i64::from(chunk.batch.age_days[row])) as u64;
        }),
        Op::SumOnFirstDay(value) => sum_on_first_day(chunk, value, state),
        Op::First(value) => pick(chunk, value, state, |time, known| time < known),
        Op::Last(value) => pick(chunk, value, state, |time, known| time >= known),
        Op::Distinct(value) => {
            let column = &chunk.batch.values[value];
            let side = &mut state.sides[slot.side];
            let customers = &mut *state.customers;
            chunk.each_value(column, |row, number| {
                note(
                    side,
                    &mut customers.state_mut(number as usize)[slot.at..],
                    number,
                    column.code(row),
                );
            });
        }
        Op::DistinctDays => {
            let side = &mut state.sides[slot.side];
            let customers = &mut *state.customers;
            chunk.each_row(|row, number| {
                let code = u64::from(chunk.batch.age_days[row] as u32);
                note(
                    side,
                    &mut customers.state_mut(number as usize)[slot.at..],
                    number,
                    code,
                );
            });
        }
        Op::Median(value) => {
            let column = &chunk.batch.values[value];
            let list = &mut state.sides[slot.side].list;
            chunk.each_value(column, |row, number| list.push((number, column.float(row))));
        }
    }
}

/// Adds to the 128-bit number in the first two words.
#[inline(always)]
fn add(words: &mut [u64], amount: i128) {
    set(words, get(words).wrapping_add(amount));
}

/// The 128-bit number in the first two words.
#[inline(always)]
pub(crate) fn get(words: &[u64]) -> i128 {
    ((u128::from(words[1]) << 64) | u128::from(words[0])) as i128
}

#[inline(always)]
fn set(words: &mut [u64], number: i128) {
    words[0] = number as u64;
    words[1] = (number >> 64) as u64;
}

fn sum_int(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    let Values::Int(values) = &column.values else {
        return;
    };
    chunk.each_value(column, |row, number| {
        add(
            state.words(chunk.slot, number),
            i128::from(values.value(row)),
        )
    });
}

fn sum_fixed(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    chunk.each_value(column, |row, number| {
        let x = column.float(row);
        match to_fixed(x) {
            Some(fixed) => add(state.words(chunk.slot, number), fixed),
            None => *state.unsummable = Some((value, x)),
        }
    });
}

fn sum_squares(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    chunk.each_value(column, |row, number| {
        let x = column.float(row);
        let (high, low) = square(x);
        match (to_fixed(high), to_fixed(low)) {
            (Some(high), Some(low)) => add(state.words(chunk.slot, number), high + low),
            _ => *state.unsummable = Some((value, x)),
        }
    });
}

fn sum_on_first_day(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    chunk.each_row(|row, number| {
        let words = state.words(chunk.slot, number);
        let age = i64::from(chunk.batch.age_days[row]);
        if age > words[0] as i64 {
            words[0] = age as u64;
            set(&mut words[1..], 0);
        }
        if age == words[0] as i64 && column.is_valid(row) {
            let x = column.float(row);
            match to_fixed(x) {
                Some(fixed) => add(&mut words[1..], fixed),
                None => *state.unsummable = Some((value, x)),
            }
        }
    });
}

fn extreme(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>, wanted: Ordering) {
    let column = &chunk.batch.values[value];
    chunk.each_value(column, |row, number| {
        let words = state.words(chunk.slot, number);
        let (candidate, order) = match &column.values {
            Values::Float(values) => {
                let x = values.value(row) + 0.0;
                (x.to_bits(), x.total_cmp(&f64::from_bits(words[0])))
            }
            Values::Int(values) => (
                values.value(row) as u64,
                values.value(row).cmp(&(words[0] as i64)),
            ),
            Values::Text(_) => return,
        };
        if words[1] == 0 || order == wanted {
            words[0] = candidate;
            words[1] = 1;
        }
    });
}

fn pick(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>, better: impl Fn(i64, i64) -> bool) {
    let column = &chunk.batch.values[value];
    let side = &mut state.sides[chunk.slot.side];
    let customers = &mut *state.customers;
    chunk.each_row(|row, number| {
        let words = &mut customers.state_mut(number as usize)[chunk.slot.at..];
        let time = chunk.batch.micros.get(row).copied().unwrap_or(0);
        if better(time, words[0] as i64) {
            words[0] = time as u64;
            words[1] = if column.is_valid(row) {
                payload(side, column, row)
            } else {
                NULL
            };
        }
    });
}

/// The word that stands for a first or last value. Integers are rotated so that -1, the word of all ones, is not taken for
/// null; the one integer that then is, `i64::MAX`, is published as null.
fn payload(side: &mut Side, column: &Column, row: usize) -> u64 {
    match &column.values {
        Values::Int(values) => values.value(row) as u64 ^ (1 << 63),
        Values::Float(values) => values.value(row).to_bits(),
        Values::Text(texts) => {
            let text = texts.value(row);
            if let Some(&code) = side.text_codes.get(text) {
                return code;
            }
            let code = side.texts.len() as u64;
            side.texts.push(text.into());
            side.text_codes.insert(text.into(), code);
            code
        }
    }
}

/// Notes a value of a distinct count. The first 64 different values of a column have a bit each in the customer's state;
/// others go through a set.
#[inline]
fn note(side: &mut Side, words: &mut [u64], number: u32, code: u64) {
    // Rows of one order or day tend to stand together: the last value spares the search.
    let seen_any = words[0] != 0 || words[1] != 0;
    if seen_any && words[2] == code {
        return;
    }
    words[2] = code;
    if let Some(bit) = side.common.iter().position(|&known| known == code) {
        words[0] |= 1 << bit;
    } else if side.common.len() < 64 {
        words[0] |= 1 << side.common.len();
        side.common.push(code);
    } else if side.others.insert((number, code)) {
        words[1] += 1;
    }
}

/// Hashes a pair of customer and code.
#[derive(Default)]
pub(crate) struct PairHasher(u64);

impl Hasher for PairHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = super::batch::mix((u128::from(self.0) << 64) | u128::from(value));
    }
}
