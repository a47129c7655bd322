//! The loop that everything waits for: rows of a batch into the states of the customers a worker holds.
//!
//! A worker takes the rows whose key belongs to it, in the order of the scan, a chunk at a time: first the customers'
//! numbers (with prefetching, since the table and the states lie all over memory), then one accumulator after the other over
//! the whole chunk. Whatever the number of workers, a customer's rows are seen by one worker in the order of the scan.
//! Rows tend to come in the order of time, so most chunks lie within a window or outside it as a whole.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use hashbrown::HashSet;

use super::batch::{Batch, Column, Values};
use super::keys::Customers;
use super::layout::{Layout, NULL, Op, Selection, Slot};
use crate::fixed::{square_to_fixed, to_fixed};

/// Rows per chunk: small enough for the touched states to stay in the second-level cache.
const CHUNK: usize = 1024;

/// Rows whose slots, then whose keys and states are asked for before the first of them is used.
const BLOCK: usize = 64;

/// What a slot keeps beside the states.
pub(crate) struct Side {
    /// Common values of a distinct count: code and bit number.
    common: Vec<u64>,
    /// Where a common value was found last, by the low bits of its code.
    hints: [u8; 64],
    /// Further values of a distinct count: customer and code.
    others: HashSet<(u32, u64), BuildHasherDefault<PairHasher>>,
    /// Texts of first and last values.
    text_codes: HashMap<Box<str>, u64>,
    /// The texts by code.
    pub(crate) texts: Vec<Box<str>>,
    /// Values of a median.
    pub(crate) list: Vec<(u32, f64)>,
}

impl Default for Side {
    fn default() -> Self {
        Self {
            common: Vec::new(),
            hints: [0; 64],
            others: HashSet::default(),
            text_codes: HashMap::new(),
            texts: Vec::new(),
            list: Vec::new(),
        }
    }
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
    ages: Vec<i32>,
    masks: Vec<Mask>,
    sums: Vec<Fixed>,
}

/// Which rows of a chunk a selection takes.
#[derive(Default)]
struct Mask {
    taken: Taken,
    /// Per row, where only some are taken.
    rows: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Taken {
    #[default]
    None,
    All,
    Some,
}

/// The values of a column in a chunk in fixed point; 0 where null.
#[derive(Default)]
struct Fixed {
    values: Vec<i128>,
    /// Some value does not fit, and stands as [`UNSUMMABLE`].
    broken: bool,
}

/// Stands for a value that does not fit into fixed point; no value that fits is as small.
const UNSUMMABLE: i128 = i128::MIN;

impl<'a> Worker<'a> {
    pub(crate) fn new(layout: &'a Layout, part: usize, parts: usize) -> Self {
        Self {
            layout,
            part,
            parts,
            customers: Customers::new(layout.empty.clone()),
            sides: (0..layout.sides).map(|_| Side::default()).collect(),
            unsummable: None,
            rows: Vec::new(),
            numbers: Vec::with_capacity(CHUNK),
            ages: Vec::with_capacity(CHUNK),
            masks: layout.selections.iter().map(|_| Mask::default()).collect(),
            sums: layout.values.iter().map(|_| Fixed::default()).collect(),
        }
    }

    /// Takes this worker's rows of the batch.
    pub(crate) fn take(&mut self, batch: &Batch) {
        let mut own = std::mem::take(&mut self.rows);
        self.own_rows(batch, &mut own);
        for rows in own.chunks(CHUNK) {
            self.take_chunk(batch, rows);
        }
        self.rows = own;
    }

    fn own_rows(&self, batch: &Batch, own: &mut Vec<u32>) {
        own.clear();
        own.resize(batch.used.len(), 0);
        let mut count = 0;
        for &row in &batch.used {
            // Without a branch: half of them would go the other way.
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
        let mut state = State {
            customers: &mut self.customers,
            sides: &mut self.sides,
            unsummable: &mut self.unsummable,
        };
        for slot in &self.layout.slots {
            let mask = &self.masks[slot.selection];
            if mask.taken != Taken::None {
                let chunk = Chunk {
                    slot,
                    batch,
                    rows,
                    numbers: &self.numbers,
                    ages: &self.ages,
                    sums: &self.sums,
                    mask,
                };
                accumulate(&chunk, &mut state);
            }
        }
    }

    /// Numbers of the customers. Two loads that each may miss every cache stand between a hash and a state: they are begun
    /// for a block of rows before the first of them is needed.
    fn number_rows(&mut self, batch: &Batch, rows: &[u32]) {
        let used = |slot: &&Slot| self.masks[slot.selection].taken != Taken::None;
        let last = self.layout.slots.iter().filter(used).map(|slot| slot.at);
        let words = last.max().map_or(0, |at| at + 1);
        self.numbers.clear();
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
                self.numbers.push(number);
            }
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

impl Mask {
    fn select(
        &mut self,
        selection: &Selection,
        batch: &Batch,
        rows: &[u32],
        ages: &[i32],
        range: std::ops::RangeInclusive<i32>,
    ) {
        // Ages from `first` (inclusive) to `end` (exclusive) are in the window.
        let (first, end) = selection.window.map_or((i64::MIN, i64::MAX), |window| {
            let first = i64::from(window.offset_days);
            let end = window.days.map_or(i64::MAX, |days| first + i64::from(days));
            (first, end)
        });
        let (youngest, oldest) = (i64::from(*range.start()), i64::from(*range.end()));
        self.taken = if oldest < first || youngest >= end {
            Taken::None
        } else if youngest >= first && oldest < end {
            Taken::All
        } else {
            Taken::Some
        };
        self.rows.clear();
        if self.taken == Taken::Some {
            let in_window = |&age: &i32| i64::from(age) >= first && i64::from(age) < end;
            self.rows.extend(ages.iter().map(in_window));
        }
        let Some(filter) = selection.filter.map(|filter| &batch.filters[filter]) else {
            return;
        };
        match self.taken {
            Taken::None => {}
            Taken::All => {
                self.rows
                    .extend(rows.iter().map(|&row| filter[row as usize]));
                self.taken = Taken::Some;
            }
            Taken::Some => {
                for (taken, &row) in self.rows.iter_mut().zip(rows) {
                    *taken &= filter[row as usize];
                }
            }
        }
    }
}

impl Fixed {
    fn read(&mut self, column: &Column, rows: &[u32]) {
        self.values.clear();
        self.broken = false;
        for &row in rows {
            let row = row as usize;
            let fixed = if column.is_valid(row) {
                to_fixed(column.float(row)).unwrap_or(UNSUMMABLE)
            } else {
                0
            };
            self.broken |= fixed == UNSUMMABLE;
            self.values.push(fixed);
        }
    }
}

/// What accumulators change.
struct State<'s> {
    customers: &'s mut Customers,
    sides: &'s mut [Side],
    unsummable: &'s mut Option<(usize, f64)>,
}

/// The rows of a chunk that one accumulator may take; a place is a row's position in the chunk.
struct Chunk<'c> {
    slot: &'c Slot,
    batch: &'c Batch,
    rows: &'c [u32],
    numbers: &'c [u32],
    ages: &'c [i32],
    sums: &'c [Fixed],
    mask: &'c Mask,
}

impl Chunk<'_> {
    /// Calls `take(place, number)` for the rows of the selection.
    #[inline(always)]
    fn each(&self, mut take: impl FnMut(usize, u32)) {
        match self.mask.taken {
            Taken::None => {}
            Taken::All => {
                for (place, &number) in self.numbers.iter().enumerate() {
                    take(place, number);
                }
            }
            Taken::Some => {
                let taken = self.numbers.iter().zip(&self.mask.rows).enumerate();
                for (place, (&number, &taken)) in taken {
                    if taken {
                        take(place, number);
                    }
                }
            }
        }
    }

    /// Calls `take(row, number)` for the rows of the selection.
    #[inline(always)]
    fn each_row(&self, mut take: impl FnMut(usize, u32)) {
        self.each(|place, number| take(self.rows[place] as usize, number));
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

    /// Adds the values in fixed point; `words` finds the sum of a customer.
    #[inline(always)]
    fn each_fixed(
        &self,
        value: usize,
        state: &mut State<'_>,
        mut add_to: impl FnMut(&mut State<'_>, usize, u32, i128) -> bool,
    ) {
        let sums = &self.sums[value];
        let mut failed = None;
        self.each(|place, number| {
            let fixed = sums.values[place];
            if (sums.broken && fixed == UNSUMMABLE) || !add_to(state, place, number, fixed) {
                failed = Some(place);
            }
        });
        if let Some(place) = failed {
            let x = self.batch.values[value].float(self.rows[place] as usize);
            *state.unsummable = Some((value, x));
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
        Op::CountRows => chunk.each(|_, number| state.words(slot, number)[0] += 1),
        Op::CountValues(value) => {
            chunk.each_value(&chunk.batch.values[value], |_, number| {
                state.words(slot, number)[0] += 1
            });
        }
        Op::SumInt(value) => sum_int(chunk, value, state),
        Op::SumFixed(value) => {
            chunk.each_fixed(value, state, |state, _, number, fixed| {
                add(state.words(slot, number), fixed)
            });
        }
        Op::SumSquares(value) => sum_squares(chunk, value, state),
        Op::Min(value) => extreme(chunk, value, state, Ordering::Less),
        Op::Max(value) => extreme(chunk, value, state, Ordering::Greater),
        Op::FirstDay => chunk.each(|place, number| {
            let word = &mut state.words(slot, number)[0];
            *word = (*word as i64).max(i64::from(chunk.ages[place])) as u64;
        }),
        Op::LastDay => chunk.each(|place, number| {
            let word = &mut state.words(slot, number)[0];
            *word = (*word as i64).min(i64::from(chunk.ages[place])) as u64;
        }),
        Op::SumOnFirstDay(value) => sum_on_first_day(chunk, value, state),
        Op::First(value) => pick(chunk, value, state, |time, known| time < known),
        Op::Last(value) => pick(chunk, value, state, |time, known| time >= known),
        Op::Distinct(value) => {
            let column = &chunk.batch.values[value];
            let side = &mut state.sides[slot.side];
            let customers = &mut *state.customers;
            chunk.each_value(column, |row, number| {
                let words = &mut customers.state_mut(number as usize)[slot.at..];
                note(side, words, number, column.code(row));
            });
        }
        Op::DistinctDays => {
            let side = &mut state.sides[slot.side];
            let customers = &mut *state.customers;
            chunk.each(|place, number| {
                let words = &mut customers.state_mut(number as usize)[slot.at..];
                note(side, words, number, u64::from(chunk.ages[place] as u32));
            });
        }
        Op::Median(value) => {
            let column = &chunk.batch.values[value];
            let list = &mut state.sides[slot.side].list;
            chunk.each_value(column, |row, number| list.push((number, column.float(row))));
        }
    }
}

/// Adds to the 128-bit number in the first two words; false where the sum does not fit.
#[inline(always)]
fn add(words: &mut [u64], amount: i128) -> bool {
    let (sum, overflow) = get(words).overflowing_add(amount);
    set(words, sum);
    !overflow
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
    // A customer would need 2^63 rows for such a sum to overflow.
    chunk.each_value(column, |row, number| {
        add(
            state.words(chunk.slot, number),
            i128::from(values.value(row)),
        );
    });
}

fn sum_squares(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    chunk.each_value(column, |row, number| {
        let x = column.float(row);
        let summed =
            square_to_fixed(x).is_some_and(|square| add(state.words(chunk.slot, number), square));
        if !summed {
            *state.unsummable = Some((value, x));
        }
    });
}

fn sum_on_first_day(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    chunk.each_fixed(value, state, |state, place, number, fixed| {
        let words = state.words(chunk.slot, number);
        let age = i64::from(chunk.ages[place]);
        if age > words[0] as i64 {
            words[0] = age as u64;
            set(&mut words[1..], 0);
        }
        age != words[0] as i64 || add(&mut words[1..], fixed)
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
    let hint = &mut side.hints[((code ^ (code >> 6)) % 64) as usize];
    if side.common.get(usize::from(*hint)) == Some(&code) {
        words[0] |= 1 << *hint;
        return;
    }
    // Rows of one order or day tend to stand together: the last value spares the search.
    if words[1] != 0 && words[2] == code {
        return;
    }
    if let Some(bit) = side.common.iter().position(|&known| known == code) {
        *hint = bit as u8;
        words[0] |= 1 << bit;
    } else if side.common.len() < 64 {
        words[0] |= 1 << side.common.len();
        side.common.push(code);
    } else {
        words[1] += u64::from(side.others.insert((number, code)));
        words[2] = code;
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
