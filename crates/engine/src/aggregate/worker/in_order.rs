//! Aggregates that are found among the values of a customer in their order: the values are kept beside the states.

use tessera_expr::Type;
use tessera_expr::aggregate::{InOrder, Value};

use super::super::batch::Values;
use super::super::layout::{NULL, Op};
use super::super::records::Spot;
use super::entries::{self, Entries};
use super::sums::set as set_wide;
use super::texts::Texts;
use super::{Chunk, Side, State};
use crate::budget::Budget;
use crate::error::EngineError;
use crate::sorter::Equal;

/// Values that are handed over together.
const AT_ONCE: usize = 256;

/// The values of one such aggregate.
pub(super) struct Collected {
    values: Entries,
}

/// Keeps the values of the rows, and counts them in the first word of the customer's state.
pub(super) fn collect(chunk: &Chunk<'_>, value: usize, state: &mut State<'_>) {
    let column = &chunk.batch.values[value];
    let at = chunk.slot.at;
    let Side {
        in_order: Some(Collected { values: kept }),
        texts: known,
        ..
    } = &mut state.sides[chunk.slot.side]
    else {
        return;
    };
    let records = &mut *state.records;
    let mut count = |spot: Spot| records.at(spot)[at] += 1;
    match &column.values {
        Values::Int(values) => chunk.each_value(column, |row, spot| {
            count(spot);
            kept.push(spot.number, in_order(values.value(row)));
        }),
        Values::Float(values) => chunk.each_value(column, |row, spot| {
            count(spot);
            kept.push(spot.number, float_in_order(values.value(row) + 0.0));
        }),
        Values::Wide(values) => chunk.each_value(column, |row, spot| {
            count(spot);
            kept.push_long(spot.number, values.value(row) as u128 ^ (1 << 127));
        }),
        Values::Text(texts, _) => chunk.each_value(column, |row, spot| {
            count(spot);
            let code = known.code(column.code(row), || texts.value(row));
            kept.push(spot.number, code);
        }),
    }
}

/// Writes what was found into the words of a customer, the first of which then says whether there is anything.
pub(super) fn set(words: &mut [u64], op: Op, found: Option<Value>) {
    words[0] = u64::from(found.is_some());
    match found {
        None => words[1] = NULL,
        Some(Value::Float(number)) => words[1] = number.to_bits(),
        Some(Value::Text(code)) => words[1] = code,
        Some(Value::Whole(whole)) => match op {
            Op::InOrderWide(..) => set_wide(&mut words[1..], whole),
            _ => words[1] = whole as u64,
        },
    }
}

impl Collected {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            values: Entries::new(Equal::Kept, budget),
        }
    }

    /// Writes entries to files if the memory is used up.
    pub(super) fn relieve(&mut self) -> Result<(), EngineError> {
        self.values.relieve()
    }

    /// Finds the aggregate of each customer, of whom `count` says how many values there are, and hands it to `set`.
    pub(super) fn find<S>(
        self,
        (kind, texts): (Kind, &Texts),
        finder: &mut dyn InOrder,
        state: &mut S,
        count: impl Fn(&S, u32) -> u64,
        set: impl Fn(&mut S, u32, Option<Value>),
    ) -> Result<(), EngineError> {
        let mut of: Option<u32> = None;
        let mut next: Vec<Value> = Vec::with_capacity(AT_ONCE);
        self.values.each(|number, value| {
            if of != Some(number) {
                if let Some(done) = of {
                    finder.take(&next, texts.all());
                    next.clear();
                    set(state, done, finder.end(texts.all()));
                }
                of = Some(number);
                finder.begin(count(state, number));
            } else if next.len() == AT_ONCE {
                finder.take(&next, texts.all());
                next.clear();
            }
            next.push(kind.value(value));
        })?;
        if let Some(done) = of {
            finder.take(&next, texts.all());
            set(state, done, finder.end(texts.all()));
        }
        Ok(())
    }
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Float,
    Whole,
    Text,
}

impl Kind {
    /// What a column of this type holds.
    pub(super) fn of(ty: Type) -> Self {
        match ty {
            Type::Float | Type::Null => Self::Float,
            Type::String => Self::Text,
            Type::Bool | Type::Int | Type::Decimal { .. } | Type::Date | Type::Timestamp => {
                Self::Whole
            }
        }
    }

    fn value(self, value: entries::Value) -> Value {
        match (value, self) {
            (entries::Value::Short(bits), Self::Float) => Value::Float(from_order(bits)),
            (entries::Value::Short(bits), Self::Whole) => {
                Value::Whole(i128::from((bits ^ (1 << 63)) as i64))
            }
            (entries::Value::Short(code), Self::Text) => Value::Text(code),
            (entries::Value::Long(bits), _) => Value::Whole((bits ^ (1 << 127)) as i128),
        }
    }
}

/// Bits whose order is that of the numbers.
#[inline]
fn in_order(whole: i64) -> u64 {
    whole as u64 ^ (1 << 63)
}

/// Bits whose order is the total order of floats.
#[inline]
fn float_in_order(number: f64) -> u64 {
    let bits = number.to_bits();
    bits ^ (((bits as i64 >> 63) as u64) | 1 << 63)
}

fn from_order(bits: u64) -> f64 {
    let mask = if bits >> 63 == 1 { 1 << 63 } else { u64::MAX };
    f64::from_bits(bits ^ mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_floats_are_in_their_total_order() {
        let numbers = [
            f64::NEG_INFINITY,
            -1e300,
            -1.5,
            -1e-300,
            -0.0,
            0.0,
            1e-300,
            1.5,
            1e300,
            f64::INFINITY,
            f64::NAN,
        ];
        for pair in numbers.windows(2) {
            assert!(
                float_in_order(pair[0]) < float_in_order(pair[1]),
                "{pair:?}"
            );
        }
        for number in numbers {
            assert_eq!(
                from_order(float_in_order(number)).to_bits(),
                number.to_bits()
            );
        }
    }
}
