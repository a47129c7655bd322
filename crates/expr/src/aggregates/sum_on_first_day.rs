//! The sum of the values of the first day.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The sum of the values of the first day.
pub static SUM_ON_FIRST_DAY: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "sum_on_first_day",
        summary: "Sum of non-null values over the first local day with a row. No rows: 0.",
        of_rows: false,
        keys: &[],
        needs_time: true,
    },
    written: false,
    takes: Takes::Numbers,
    gives: Gives::Float,
    zero_when_absent: true,
    made: |_| Made::SumOnFirstDay,
    docs: "Decides: the exact sum over the rows of the first local day with a row, rounded once to a float.\n\
           Missing values: null values do not count; 0 where there is none.",
    example: Example::of_four_rows("10.0"),
};
