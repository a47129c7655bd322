//! The median of the values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, InOrder, Made, Takes, Value};
use crate::exact::{SumOf, Unit};
use crate::tree::Type;

/// The median of the values.
pub static MEDIAN: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "median",
        summary: "Median (mean of the middle two). None: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: false,
    made: |_| Made::InOrder(|ty, _| Box::new(Median::new(ty))),
    docs: "Decides: the value in the middle; of an even number of values the mean of the two in the middle.\n\
           Missing values: null values do not count; null where there is none.",
    example: Example::of_four_rows("10.0"),
};

/// Keeps the values in the middle while the values of a customer are gone through.
struct Median {
    unit: Unit,
    count: u64,
    /// Values before the next one.
    before: u64,
    low: Option<Value>,
    high: Option<Value>,
}

impl Median {
    fn new(ty: Type) -> Self {
        Self {
            unit: Unit::of(ty),
            count: 0,
            before: 0,
            low: None,
            high: None,
        }
    }
}

impl InOrder for Median {
    fn begin(&mut self, count: u64) {
        *self = Self {
            count,
            before: 0,
            low: None,
            high: None,
            ..*self
        };
    }

    fn take(&mut self, values: &[Value], _: &[Box<str>]) {
        self.low = self.low.or(at((self.count - 1) / 2, self.before, values));
        self.high = self.high.or(at(self.count / 2, self.before, values));
        self.before += values.len() as u64;
    }

    fn end(&mut self, _: &[Box<str>]) -> Option<Value> {
        middle(self.low?, self.high?, self.unit).map(Value::Float)
    }
}

/// The value of a rank, where it is among these, before which there are others.
fn at(rank: u64, before: u64, values: &[Value]) -> Option<Value> {
    let place = usize::try_from(rank.checked_sub(before)?).ok()?;
    values.get(place).copied()
}

/// The mean of the two values in the middle, which are the same for an odd number.
fn middle(low: Value, high: Value, unit: Unit) -> Option<f64> {
    match (low, high) {
        (Value::Float(low), Value::Float(high)) => Some(f64::midpoint(low, high)),
        (Value::Whole(low), Value::Whole(high)) => {
            // Decimals have 38 digits, so the sum of two fits.
            let fixed = low.checked_add(high)?;
            let sum = SumOf {
                fixed,
                beyond: None,
            };
            Some(sum.mean(2, unit))
        }
        _ => None,
    }
}
