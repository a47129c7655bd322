//! The standard deviation of the values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Found, Gives, Made, Part, Takes};
use crate::exact::{Unit, standard_deviation};

/// The standard deviation of the values.
pub static STD: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "std",
        summary: "Sample standard deviation (n - 1). Fewer than two values: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: false,
    made: |_| Made::Computed(&[Part::Sum, Part::Squares, Part::Values], deviation),
    docs: "Decides: the square root of the sum of squared deviations from the mean, divided by n - 1; sums are exact.\n\
           Missing values: null values do not count; null where there are fewer than two.",
    example: Example::of_four_rows("11.547005383792516"),
};

fn deviation(found: &[Found<'_>], unit: Unit) -> Option<f64> {
    match found {
        [
            Found::Sum(sum),
            Found::Squares(squares),
            Found::Count(count),
        ] if *count > 1 => Some(standard_deviation(*count, *sum, *squares, unit)),
        _ => None,
    }
}
