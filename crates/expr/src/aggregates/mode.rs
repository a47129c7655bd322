//! The most frequent value.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, InOrder, Made, Takes, Value};

/// The most frequent value.
pub static MODE: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "mode",
        summary: "Most frequent non-null value; of equally frequent ones the smallest. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Any,
    gives: Gives::Value,
    zero_when_absent: false,
    made: |_| Made::InOrder(|_, _| Box::new(Mode::default())),
    docs: "Decides: the value that most rows have. Of values that equally many rows have it is the smallest: the smallest number, the \
           earliest date or time, `false` before `true`, of texts the first one byte by byte. Where no value is repeated, that is the \
           smallest value. -0 and 0 are one value.\n\
           Missing values: null values do not count, however many there are; null where there is no other.",
    example: Example {
        rows: "2026-01-02 30; 2026-01-03 10; 2026-01-04 -; 2026-01-05 -; 2026-01-05 -; 2026-01-07 20; 2026-01-08 30; 2026-01-09 20",
        keys: "",
        expect: "20.0",
    },
};

/// Counts equal values, which stand together.
#[derive(Default)]
struct Mode {
    /// The value that is counted, and how often it was taken.
    current: Option<(Value, u64)>,
    /// The most frequent one of those before it.
    best: Option<(Value, u64)>,
}

impl Mode {
    /// Compares the value that was counted with the best one.
    fn close(&mut self, texts: &[Box<str>]) {
        let Some((value, count)) = self.current.take() else {
            return;
        };
        let is_better = self.best.is_none_or(|(best, most)| {
            // Other values ascend, so that the one before is the smaller one.
            count > most || count == most && comes_before(value, best, texts)
        });
        if is_better {
            self.best = Some((value, count));
        }
    }
}

impl InOrder for Mode {
    fn begin(&mut self, _: u64) {
        *self = Self::default();
    }

    fn take(&mut self, values: &[Value], texts: &[Box<str>]) {
        for &value in values {
            match &mut self.current {
                Some((current, count)) if current.is(value) => *count += 1,
                _ => {
                    self.close(texts);
                    self.current = Some((value, 1));
                }
            }
        }
    }

    fn end(&mut self, texts: &[Box<str>]) -> Option<Value> {
        self.close(texts);
        self.best.map(|(value, _)| value)
    }
}

/// Whether a text stands before another one byte by byte; not for other values.
fn comes_before(value: Value, other: Value, texts: &[Box<str>]) -> bool {
    let (Value::Text(code), Value::Text(other)) = (value, other) else {
        return false;
    };
    let text = |code: u64| {
        usize::try_from(code)
            .ok()
            .and_then(|place| texts.get(place))
    };
    text(code) < text(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(values: &[Value], at_once: usize, texts: &[&str]) -> Option<Value> {
        let texts: Vec<Box<str>> = texts.iter().map(|text| (*text).into()).collect();
        let mut mode = Mode::default();
        mode.begin(values.len() as u64);
        for some in values.chunks(at_once) {
            mode.take(some, &texts);
        }
        mode.end(&texts)
    }

    #[test]
    fn values_of_several_batches_are_counted_together() {
        let values: Vec<Value> = [-3, -3, 1, 1, 1, 2, 2].map(Value::Whole).to_vec();
        for at_once in 1..8 {
            let found = mode(&values, at_once, &[]);
            assert!(
                found.is_some_and(|found| found.is(Value::Whole(1))),
                "{at_once}"
            );
        }
    }

    #[test]
    fn of_equally_frequent_values_the_smallest_is_taken() {
        let found = mode(&[-2.5, -2.5, 0.0, 7.0, 7.0].map(Value::Float), 2, &[]);
        assert!(found.is_some_and(|found| found.is(Value::Float(-2.5))));
        // Codes of texts say nothing about their order.
        let texts = ["zebra", "ant", "Bee", "ant hill"];
        let found = mode(&[0, 0, 1, 1, 2, 3, 3].map(Value::Text), 3, &texts);
        assert!(found.is_some_and(|found| found.is(Value::Text(1))));
        let found = mode(&[0, 1, 2, 3].map(Value::Text), 3, &texts);
        assert!(found.is_some_and(|found| found.is(Value::Text(2))));
    }
}
