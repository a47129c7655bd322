//! Sums of numbers and of their squares, exact: in 128 bits, and beyond these in a wide number beside them.

use tessera_expr::exact::{add_square, add_whole_square, add_wide_square};

use super::{Chunk, State};
use crate::aggregate::batch::Values;

/// Adds to the 128-bit number in the first two words; false, and nothing is added, where the sum does not fit.
#[inline(always)]
pub(super) fn add(words: &mut [u64], amount: i128) -> bool {
    let sum = get(words).checked_add(amount);
    if let Some(sum) = sum {
        set(words, sum);
    }
    sum.is_some()
}

/// The 128-bit number in the first two words.
#[inline(always)]
pub(crate) fn get(words: &[u64]) -> i128 {
    ((u128::from(words[1]) << 64) | u128::from(words[0])) as i128
}

#[inline(always)]
pub(super) fn set(words: &mut [u64], number: i128) {
    words[0] = number as u64;
    words[1] = (number >> 64) as u64;
}

pub(super) fn sum(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    match &column.values {
        // A customer would need 2^63 rows for such a sum to overflow.
        Values::Int(values) => chunk.each_value(column, |row, spot| {
            add(state.words(chunk.slot, spot), i128::from(values.value(row)));
        }),
        Values::Wide(values) => chunk.each_value(column, |row, spot| {
            let whole = values.value(row);
            if !add(state.words(chunk.slot, spot), whole) {
                state.beyond(chunk.slot, spot.number).add_whole(whole, 0);
            }
        }),
        Values::Float(_) => chunk.each_fixed(value, 0, state, |_, _, _| true),
        Values::Text(..) => {}
    }
}

pub(super) fn sum_squares(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    let slot = chunk.slot;
    match &column.values {
        Values::Int(_) | Values::Wide(_) => chunk.each_value(column, |row, spot| {
            let whole = column.whole(row).unwrap_or(0);
            let sum = state.words(slot, spot).first_chunk_mut();
            if !sum.is_some_and(|sum| add_whole_square(sum, whole)) {
                add_wide_square(state.beyond(slot, spot.number), whole);
            }
        }),
        Values::Float(values) => chunk.each_value(column, |row, spot| {
            let x = values.value(row);
            let sum = state.words(slot, spot).first_chunk_mut();
            if !sum.is_some_and(|sum| add_square(sum, x)) {
                if x.is_finite() {
                    state.beyond(slot, spot.number).add_square(x);
                } else {
                    *state.unsummable = Some((value, x));
                }
            }
        }),
        Values::Text(..) => {}
    }
}

pub(super) fn sum_on_first_day(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    chunk.each_fixed(value, 1, state, |state, place, spot| {
        let words = state.words(chunk.slot, spot);
        let age = i64::from(chunk.ages[place]);
        let (earlier, same) = (age > words[0] as i64, age == words[0] as i64);
        if earlier {
            words[0] = age as u64;
            set(&mut words[1..], 0);
            let beyond = &mut state.sides[chunk.slot.side].beyond;
            if !beyond.is_empty() {
                beyond.remove(&spot.number);
            }
        }
        earlier || same
    });
}
