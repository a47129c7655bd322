//! The loop that everything waits for: rows of a batch into the states of the customers a worker holds.
//!
//! A worker takes the rows whose key belongs to it, in the order of the scan, a chunk at a time: first the customers'
//! numbers (with prefetching, since the table and the states lie all over memory), then one accumulator after the other over
//! the whole chunk. Whatever the number of workers, a customer's rows are seen by one worker in the order of the scan.

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
            for slot in &self.layout.slots {
                accumulate(
                    slot,
                    batch,
                    &self.rows,
                    &self.numbers,
                    &self.masks[slot.selection],
                    &mut State {
                        customers: &mut self.customers,
                        sides: &mut self.sides,
                        unsummable: &mut self.unsummable,
                    },
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

fn accumulate(
    slot: &Slot,
    batch: &Batch,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    state: &mut State<'_>,
) {
    match slot.op {
        Op::CountRows => {
            for (&number, &taken) in numbers.iter().zip(mask) {
                state.customers.state_mut(number as usize)[slot.at] += u64::from(taken);
            }
        }
        Op::CountValues(value) => {
            let column = &batch.values[value];
            for_each_value(column, rows, numbers, mask, |_, number| {
                state.customers.state_mut(number as usize)[slot.at] += 1;
            });
        }
        Op::SumInt(value) => {
            let column = &batch.values[value];
            for_each_value(column, rows, numbers, mask, |row, number| {
                let Values::Int(values) = &column.values else {
                    return;
                };
                add(
                    &mut state.customers.state_mut(number as usize)[slot.at..],
                    i128::from(values.value(row)),
                );
            });
        }
        Op::SumFixed(value) => sum_fixed(slot, value, batch, rows, numbers, mask, state),
        Op::SumSquares(value) => {
            let column = &batch.values[value];
            for_each_value(column, rows, numbers, mask, |row, number| {
                let x = column.float(row);
                let (high, low) = square(x);
                match (to_fixed(high), to_fixed(low)) {
                    (Some(high), Some(low)) => add(
                        &mut state.customers.state_mut(number as usize)[slot.at..],
                        high + low,
                    ),
                    _ => *state.unsummable = Some((value, x)),
                }
            });
        }
        Op::Min(value) => extreme(
            slot,
            &batch.values[value],
            rows,
            numbers,
            mask,
            state,
            std::cmp::Ordering::Less,
        ),
        Op::Max(value) => extreme(
            slot,
            &batch.values[value],
            rows,
            numbers,
            mask,
            state,
            std::cmp::Ordering::Greater,
        ),
        Op::FirstDay => {
            for_each_row(rows, numbers, mask, |row, number| {
                let word = &mut state.customers.state_mut(number as usize)[slot.at];
                *word = (*word as i64).max(i64::from(batch.age_days[row])) as u64;
            });
        }
        Op::LastDay => {
            for_each_row(rows, numbers, mask, |row, number| {
                let word = &mut state.customers.state_mut(number as usize)[slot.at];
                *word = (*word as i64).min(i64::from(batch.age_days[row])) as u64;
            });
        }
        Op::SumOnFirstDay(value) => {
            sum_on_first_day(slot, value, batch, rows, numbers, mask, state)
        }
        Op::First(value) => pick(
            slot,
            &batch.values[value],
            batch,
            rows,
            numbers,
            mask,
            state,
            |time, known| time < known,
        ),
        Op::Last(value) => pick(
            slot,
            &batch.values[value],
            batch,
            rows,
            numbers,
            mask,
            state,
            |time, known| time >= known,
        ),
        Op::Distinct(value) => {
            let column = &batch.values[value];
            let side = &mut state.sides[slot.side];
            for_each_value(column, rows, numbers, mask, |row, number| {
                note(
                    side,
                    &mut state.customers.state_mut(number as usize)[slot.at..],
                    number,
                    column.code(row),
                );
            });
        }
        Op::DistinctDays => {
            let side = &mut state.sides[slot.side];
            for_each_row(rows, numbers, mask, |row, number| {
                let code = batch.age_days[row] as u32 as u64;
                note(
                    side,
                    &mut state.customers.state_mut(number as usize)[slot.at..],
                    number,
                    code,
                );
            });
        }
        Op::Median(value) => {
            let column = &batch.values[value];
            let list = &mut state.sides[slot.side].list;
            for_each_value(column, rows, numbers, mask, |row, number| {
                list.push((number, column.float(row)))
            });
        }
    }
}

/// Calls `take(row, number)` for the rows of the selection.
#[inline(always)]
fn for_each_row(rows: &[u32], numbers: &[u32], mask: &[bool], mut take: impl FnMut(usize, u32)) {
    for ((&row, &number), &taken) in rows.iter().zip(numbers).zip(mask) {
        if taken {
            take(row as usize, number);
        }
    }
}

/// Calls `take(row, number)` for the rows of the selection that have a value.
#[inline(always)]
fn for_each_value(
    column: &Column,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    mut take: impl FnMut(usize, u32),
) {
    if column.validity.is_none() {
        for_each_row(rows, numbers, mask, take);
    } else {
        for_each_row(rows, numbers, mask, |row, number| {
            if column.is_valid(row) {
                take(row, number);
            }
        });
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

fn sum_fixed(
    slot: &Slot,
    value: usize,
    batch: &Batch,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    state: &mut State<'_>,
) {
    let column = &batch.values[value];
    for_each_value(column, rows, numbers, mask, |row, number| {
        let x = column.float(row);
        match to_fixed(x) {
            Some(fixed) => add(
                &mut state.customers.state_mut(number as usize)[slot.at..],
                fixed,
            ),
            None => *state.unsummable = Some((value, x)),
        }
    });
}

fn sum_on_first_day(
    slot: &Slot,
    value: usize,
    batch: &Batch,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    state: &mut State<'_>,
) {
    let column = &batch.values[value];
    for_each_row(rows, numbers, mask, |row, number| {
        let words = &mut state.customers.state_mut(number as usize)[slot.at..];
        let age = i64::from(batch.age_days[row]);
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

fn extreme(
    slot: &Slot,
    column: &Column,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    state: &mut State<'_>,
    wanted: std::cmp::Ordering,
) {
    for_each_value(column, rows, numbers, mask, |row, number| {
        let words = &mut state.customers.state_mut(number as usize)[slot.at..];
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

#[allow(clippy::too_many_arguments)]
fn pick(
    slot: &Slot,
    column: &Column,
    batch: &Batch,
    rows: &[u32],
    numbers: &[u32],
    mask: &[bool],
    state: &mut State<'_>,
    better: impl Fn(i64, i64) -> bool,
) {
    let side = &mut state.sides[slot.side];
    for_each_row(rows, numbers, mask, |row, number| {
        let words = &mut state.customers.state_mut(number as usize)[slot.at..];
        let time = batch.micros.get(row).copied().unwrap_or(0);
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
