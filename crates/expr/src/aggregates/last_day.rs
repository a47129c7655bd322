//! The last local day.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The last local day.
pub static LAST_DAY: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "last_day",
        summary: "Last local day with a row. No rows: null.",
        of_rows: true,
        keys: &[],
        needs_time: true,
    },
    written: false,
    takes: Takes::Rows,
    gives: Gives::Day,
    zero_when_absent: false,
    made: |_| Made::LastDay,
    docs: "Decides: the last local day with a row.\n\
           Missing values: null where there is no row.",
    example: Example::of_four_rows("2026-01-09"),
};
