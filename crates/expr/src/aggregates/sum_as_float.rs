//! The sum of the values as a float.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The sum of the values as a float.
pub static SUM_AS_FLOAT: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "sum_as_float",
        summary: "Sum of non-null values as the nearest float. No rows: 0.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: false,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: true,
    made: |_| Made::Sum,
    docs: "Decides: the exact sum, rounded once to a float.\n\
           Missing values: null values do not count; 0 where there is none.",
    example: Example::of_four_rows("50.0"),
};
