//! The smallest, largest, first and last value of a customer.

use std::cmp::Ordering;

use super::super::batch::{Column, Values};
use super::super::layout::NULL;
use super::{Chunk, Side, State, get, set};

pub(super) fn extreme(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>, wanted: Ordering) {
    let column = &chunk.batch.values[value];
    chunk.each_value(column, |row, spot| {
        let words = state.words(chunk.slot, spot);
        let (candidate, order) = match &column.values {
            Values::Float(values) => {
                let x = values.value(row) + 0.0;
                (x.to_bits(), x.total_cmp(&f64::from_bits(words[0])))
            }
            Values::Int(values) => (
                values.value(row) as u64,
                values.value(row).cmp(&(words[0] as i64)),
            ),
            Values::Wide(_) | Values::Text(..) => return,
        };
        if words[1] == 0 || order == wanted {
            words[0] = candidate;
            words[1] = 1;
        }
    });
}

pub(super) fn extreme_wide(
    chunk: &Chunk<'_>,
    value: usize,
    state: &mut State<'_>,
    wanted: Ordering,
) {
    let column = &chunk.batch.values[value];
    let Values::Wide(values) = &column.values else {
        return;
    };
    chunk.each_value(column, |row, spot| {
        let words = state.words(chunk.slot, spot);
        let candidate = values.value(row);
        if words[2] == 0 || candidate.cmp(&get(words)) == wanted {
            set(words, candidate);
            words[2] = 1;
        }
    });
}

pub(super) fn pick_wide(
    chunk: &Chunk<'_>,
    value: usize,
    state: &mut State<'_>,
    better: impl Fn(i64, i64) -> bool,
) {
    let column = &chunk.batch.values[value];
    let Values::Wide(values) = &column.values else {
        return;
    };
    chunk.each_row(|row, spot| {
        let words = state.words(chunk.slot, spot);
        let time = chunk.batch.micros.get(row).copied().unwrap_or(0);
        if better(time, words[0] as i64) {
            words[0] = time as u64;
            let valid = column.is_valid(row);
            set(&mut words[1..], if valid { values.value(row) } else { 0 });
            words[3] = u64::from(valid);
        }
    });
}

pub(super) fn pick(
    chunk: &Chunk<'_>,
    value: usize,
    state: &mut State<'_>,
    better: impl Fn(i64, i64) -> bool,
) {
    let column = &chunk.batch.values[value];
    let side = &mut state.sides[chunk.slot.side];
    let records = &mut *state.records;
    chunk.each_row(|row, spot| {
        let words = &mut records.at(spot)[chunk.slot.at..];
        let time = chunk.batch.micros.get(row).copied().unwrap_or(0);
        if better(time, words[0] as i64) {
            words[0] = time as u64;
            words[1] = if column.is_valid(row) {
                payload(side, column, row)
            } else {
                NULL
            };
            if words[1] == NULL {
                if column.is_valid(row) {
                    side.largest.insert(spot.number);
                } else {
                    side.largest.remove(&spot.number);
                }
            }
        }
    });
}

/// The word that stands for a first or last value. Integers are rotated so that -1, the word of all ones, is not taken for
/// null; the one integer that then looks like it, `i64::MAX`, is noted by the caller.
fn payload(side: &mut Side, column: &Column, row: usize) -> u64 {
    match &column.values {
        Values::Int(values) => values.value(row) as u64 ^ (1 << 63),
        Values::Float(values) => values.value(row).to_bits(),
        // has accumulators of its own
        Values::Wide(_) => NULL,
        Values::Text(texts, _) => side.texts.code(column.code(row), || texts.value(row)),
    }
}
