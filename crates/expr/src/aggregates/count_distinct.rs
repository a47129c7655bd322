//! Distinct values.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// Distinct values.
pub static COUNT_DISTINCT: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "count_distinct",
        summary: "Distinct non-null values. No rows: 0.",
        of_rows: false,
        keys: &[],
        needs_time: false,
    },
    written: true,
    takes: Takes::Any,
    gives: Gives::Count,
    zero_when_absent: true,
    made: |_| Made::Distinct,
    docs: "Decides: the number of different values; texts are compared byte by byte.\n\
           Missing values: null values do not count; 0 where there is none.",
    example: Example::of_four_rows("2"),
};
