//! Medians of the values of each customer.

use tessera_expr::Type;
use tessera_expr::exact::{SumOf, Unit};

use super::super::batch::{Column, Values};
use super::super::layout::unit;
use super::entries::{Entries, Value};
use crate::budget::Budget;
use crate::error::EngineError;
use crate::sorter::Equal;

/// The values of a median.
pub(super) struct Median {
    values: Entries,
}

/// Where one customer's values stand while they are gone through in order.
#[derive(Default)]
struct Place {
    number: u32,
    /// Values before the next one.
    before: u64,
    /// The one below the middle.
    low: Option<Value>,
}

impl Median {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            values: Entries::new(Equal::Kept, budget),
        }
    }

    /// Keeps the value of a row.
    #[inline]
    pub(super) fn push(&mut self, number: u32, column: &Column, row: usize) {
        match &column.values {
            Values::Int(values) => self.values.push(number, in_order(values.value(row))),
            Values::Float(values) => {
                let bits = float_in_order(values.value(row) + 0.0);
                self.values.push(number, bits);
            }
            Values::Wide(values) => {
                let whole = values.value(row) as u128 ^ (1 << 127);
                self.values.push_long(number, whole);
            }
            Values::Text(..) => {}
        }
    }

    /// Writes entries to files if the memory is used up.
    pub(super) fn relieve(&mut self) -> Result<(), EngineError> {
        self.values.relieve()
    }

    /// Finds the median of each customer, of whom `count` says how many values there are, and hands it to `set`.
    pub(super) fn find<S>(
        self,
        ty: Type,
        state: &mut S,
        count: impl Fn(&S, u32) -> u64,
        set: impl Fn(&mut S, u32, f64),
    ) -> Result<(), EngineError> {
        let mut place = Place::default();
        self.values.each(|number, value| {
            if number != place.number {
                place = Place {
                    number,
                    ..Place::default()
                };
            }
            let values = count(state, number);
            if place.before == values.saturating_sub(1) / 2 {
                place.low = Some(value);
            }
            if place.before == values / 2 {
                let low = place.low.unwrap_or(value);
                set(state, number, middle(low, value, ty));
            }
            place.before += 1;
        })
    }
}

/// The mean of the two values in the middle, which are the same for an odd number.
fn middle(low: Value, high: Value, ty: Type) -> f64 {
    match (low, high) {
        (Value::Short(low), Value::Short(high)) if is_float(ty) => {
            f64::midpoint(from_order(low), from_order(high))
        }
        (Value::Short(low), Value::Short(high)) => {
            let whole = |bits: u64| i128::from((bits ^ (1 << 63)) as i64);
            mean(whole(low), whole(high), unit(ty))
        }
        (Value::Long(low), Value::Long(high)) => {
            let whole = |bits: u128| (bits ^ (1 << 127)) as i128;
            mean(whole(low), whole(high), unit(ty))
        }
        // A column has values of one kind.
        _ => f64::NAN,
    }
}

/// Whether a column of this type holds floats.
fn is_float(ty: Type) -> bool {
    matches!(ty, Type::Float | Type::Null)
}

fn mean(low: i128, high: i128, unit: Unit) -> f64 {
    let sum = low.checked_add(high).map(|fixed| SumOf {
        fixed,
        beyond: None,
    });
    // Decimals have 38 digits, so the sum of two fits.
    sum.map_or(f64::NAN, |sum| sum.mean(2, unit))
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
