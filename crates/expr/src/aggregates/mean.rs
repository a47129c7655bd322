//! The mean of the values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Found, Gives, Made, Part, Takes};
use crate::exact::Unit;

/// The mean of the values.
pub static MEAN: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "mean",
        summary: "Mean of non-null values. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: false,
    made: |_| Made::Computed(&[Part::Sum, Part::Values], mean),
    docs: "Decides: the exact sum divided by the number of values, rounded once.\n\
           Missing values: null values do not count; null where there is none.",
    example: Example::of_four_rows("16.666666666666668"),
};

fn mean(found: &[Found<'_>], unit: Unit) -> Option<f64> {
    match found {
        [Found::Sum(sum), Found::Count(count)] if *count > 0 => Some(sum.mean(*count, unit)),
        _ => None,
    }
}
