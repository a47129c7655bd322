//! The value below which a share of the values lies.

use tessera_spec::pipeline::Arguments;
use tessera_spec::{AggregateSyntax, Key, KeyValue};

use crate::aggregate::{Aggregation, Example, Gives, InOrder, Made, Takes, Value};
use crate::exact::{SumOf, Unit};
use crate::tree::Type;

/// The share of the values.
const Q: Key = Key::required(
    "q",
    KeyValue::Number(0.0, 1.0),
    "Of `quantile`: the share of the values below it, from 0 (the smallest value) to 1 (the largest); 0.5 is the median.",
    "add `q = 0.9`, the share of the values below it",
);

/// The value below which a share of the values lies.
pub static QUANTILE: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "quantile",
        summary: "Value below which the share `q` of the non-null values lies, interpolated. None: null.",
        of_rows: false,
        keys: &[Q],
        needs_time: false,
    },
    written: true,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: false,
    made: |_| Made::InOrder(|ty, arguments| Box::new(Quantile::new(ty, arguments))),
    docs: "Decides: definition 7 of Hyndman and Fan (1996, Sample Quantiles in Statistical Packages), which numpy, R and DuckDB's \
           `quantile_cont` use. Of n values in ascending order, the first having rank 0, it is the one of rank (n - 1) q; between two \
           ranks it is interpolated linearly. `q = 0.5` gives the same as `median`.\n\
           Missing values: null values do not count; null where there is none.",
    example: Example {
        rows: "2026-01-02 10; 2026-01-03 20; 2026-01-04 -; 2026-01-05 40; 2026-01-09 30; 2026-01-10 50",
        keys: "q = 0.9",
        expect: "46.0",
    },
};

/// Keeps the values of the two ranks around the quantile while the values of a customer are gone through.
struct Quantile {
    unit: Unit,
    share: f64,
    /// The rank below the quantile, and how far the quantile lies from it towards the next, from 0 to below 1.
    rank: u64,
    fraction: f64,
    /// Values before the next one.
    before: u64,
    low: Option<Value>,
    high: Option<Value>,
}

impl Quantile {
    fn new(ty: Type, arguments: &Arguments) -> Self {
        Self {
            unit: Unit::of(ty),
            share: arguments.get(Q.name).unwrap_or(0.5),
            rank: 0,
            fraction: 0.0,
            before: 0,
            low: None,
            high: None,
        }
    }
}

impl InOrder for Quantile {
    fn begin(&mut self, count: u64) {
        let last = count - 1;
        let rank = last as f64 * self.share;
        let below = rank.floor();
        self.fraction = rank - below;
        self.rank = (below as u64).min(last);
        (self.before, self.low, self.high) = (0, None, None);
    }

    fn take(&mut self, values: &[Value], _: &[Box<str>]) {
        let at = |rank: u64| {
            let place = usize::try_from(rank.checked_sub(self.before)?).ok()?;
            values.get(place).copied()
        };
        let (low, high) = (at(self.rank), at(self.rank + 1));
        self.low = self.low.or(low);
        self.high = self.high.or(high);
        self.before += values.len() as u64;
    }

    fn end(&mut self, _: &[Box<str>]) -> Option<Value> {
        let low = self.low?;
        let high = self.high.unwrap_or(low);
        between(low, high, self.fraction, self.unit).map(Value::Float)
    }
}

/// What lies between two values, this far from the first.
fn between(low: Value, high: Value, fraction: f64, unit: Unit) -> Option<f64> {
    match (low, high) {
        (Value::Float(low), Value::Float(high)) if fraction == 0.5 => {
            Some(f64::midpoint(low, high))
        }
        (Value::Float(low), Value::Float(high)) => {
            Some(interpolated(low, high, high - low, fraction))
        }
        (Value::Whole(low), Value::Whole(high)) => {
            let float = |whole: i128, count: u64| {
                let sum = SumOf {
                    fixed: whole,
                    beyond: None,
                };
                sum.mean(count, unit)
            };
            if fraction == 0.5 {
                // Decimals have 38 digits, so sum and difference of two fit.
                return Some(float(low.checked_add(high)?, 2));
            }
            let apart = float(high.checked_sub(low)?, 1);
            Some(interpolated(float(low, 1), float(high, 1), apart, fraction))
        }
        _ => None,
    }
}

/// Between two numbers that lie so far apart; never beyond one of them, as rounding could have it.
fn interpolated(low: f64, high: f64, apart: f64, fraction: f64) -> f64 {
    if fraction == 0.0 || low == high {
        return low;
    }
    let value = if apart.is_finite() {
        low + apart * fraction
    } else {
        low * (1.0 - fraction) + high * fraction
    };
    value.max(low).min(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantile(share: f64, values: &[f64], at_once: usize) -> f64 {
        let mut arguments = Arguments::default();
        arguments.insert("q", share);
        let mut quantile = Quantile::new(Type::Float, &arguments);
        quantile.begin(values.len() as u64);
        let values: Vec<Value> = values.iter().copied().map(Value::Float).collect();
        for some in values.chunks(at_once) {
            quantile.take(some, &[]);
        }
        match quantile.end(&[]) {
            Some(Value::Float(found)) => found,
            other => panic!("{other:?}"),
        }
    }

    /// `numpy.quantile([-4, 0.5, 1, 7, 9.5, 20], q)`, numpy 2.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let values = [-4.0, 0.5, 1.0, 7.0, 9.5, 20.0];
        let expected = [
            (0.0, -4.0),
            (0.1, -1.75),
            (0.25, 0.625),
            (0.5, 4.0),
            (0.75, 8.875),
            (0.9, 14.75),
            (1.0, 20.0),
        ];
        for at_once in 1..7 {
            for (share, expected) in expected {
                assert_eq!(quantile(share, &values, at_once), expected, "{share}");
            }
        }
    }

    #[test]
    fn values_far_apart_and_single_values() {
        assert_eq!(quantile(0.3, &[8.0], 1), 8.0);
        let far = quantile(0.25, &[f64::MIN, f64::MAX], 1);
        assert!((far / f64::MIN - 0.5).abs() < 1e-15, "{far}");
        for share in [0.0, 0.2, 0.9, 1.0] {
            assert_eq!(quantile(share, &[0.1; 10], 3), 0.1);
        }
    }

    #[test]
    fn decimals_are_exact_until_the_last_step() {
        let whole = |low, high, fraction| {
            between(
                Value::Whole(low),
                Value::Whole(high),
                fraction,
                Unit::Decimal { scale: 2 },
            )
        };
        assert_eq!(whole(1010, 1030, 0.5), Some(10.2));
        assert_eq!(
            whole(i128::from(i64::MAX), i128::from(i64::MAX), 0.3),
            Some(92_233_720_368_547_758.07)
        );
        assert_eq!(whole(-100, 100, 0.25), Some(-0.5));
    }
}
