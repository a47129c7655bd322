//! The first local day.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The first local day.
pub static FIRST_DAY: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "first_day",
        summary: "First local day with a row. No rows: null.",
        of_rows: true,
        keys: &[],
        needs_time: true,
    },
    written: false,
    takes: Takes::Rows,
    gives: Gives::Day,
    zero_when_absent: false,
    made: |_| Made::FirstDay,
    docs: "Decides: the first local day with a row.\n\
           Missing values: null where there is no row.",
    example: Example::of_four_rows("2026-01-02"),
};
