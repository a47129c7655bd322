//! The largest value.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The largest value.
pub static MAX: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "max",
        summary: "Largest non-null value. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Ordered,
    gives: Gives::Value,
    zero_when_absent: false,
    made: |_| Made::Greatest,
    docs: "Decides: the largest value.\n\
           Missing values: null values do not count; null where there is none.",
    example: Example::of_four_rows("30.0"),
};
