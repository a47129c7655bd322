//! The sum of the values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The sum of the values.
pub static SUM: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "sum",
        summary: "Sum of non-null values. No rows: 0.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Numbers,
    gives: Gives::Sum,
    zero_when_absent: true,
    made: |_| Made::Sum,
    docs: "Decides: the exact sum, rounded once: an integer of integers, otherwise a float. A sum that its type cannot hold is an error.\n\
           Missing values: null values do not count; 0 where there is none.",
    example: Example::of_four_rows("50.0"),
};
