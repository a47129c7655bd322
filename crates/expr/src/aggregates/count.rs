//! Rows, or values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// Rows, or values.
pub static COUNT: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "count",
        summary: "Rows, or rows where `of` is not null. No rows: 0.",
        of_rows: true,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Any,
    gives: Gives::Count,
    zero_when_absent: true,
    made: |op| match op.of {
        Some(_) => Made::Values,
        None => Made::Rows,
    },
    docs: "Decides: the number of rows; with `of`, of the rows in which it is not null.\n\
           Missing values: 0 where there are no such rows.",
    example: Example::of_four_rows("3"),
};
