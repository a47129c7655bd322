//! Distinct local days.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// Distinct local days.
pub static COUNT_DAYS: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "count_days",
        summary: "Distinct local days with a row. No rows: 0.",
        of_rows: true,
        keys: &[],
        needs_time: true,
    },
    written: false,
    takes: Takes::Rows,
    gives: Gives::Count,
    zero_when_absent: true,
    made: |_| Made::DistinctDays,
    docs: "Decides: the number of local days with a row.\n\
           Missing values: 0 where there is no row.",
    example: Example::of_four_rows("3"),
};
