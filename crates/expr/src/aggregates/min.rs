//! The smallest value.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The smallest value.
pub static MIN: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "min",
        summary: "Smallest non-null value. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Ordered,
    gives: Gives::Value,
    zero_when_absent: false,
    made: |_| Made::Least,
    docs: "Decides: the smallest value.\n\
           Missing values: null values do not count; null where there is none.",
    example: Example::of_four_rows("10.0"),
};
