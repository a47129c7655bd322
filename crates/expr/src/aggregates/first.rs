//! The earliest value.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The earliest value.
pub static FIRST: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "first",
        summary: "Value of the earliest row by time, then by position. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: true,
    },
    written: true,
    takes: Takes::Any,
    gives: Gives::Value,
    zero_when_absent: false,
    made: |_| Made::Earliest,
    docs: "Decides: the value of the earliest row; of rows of one time the one that stands first in the files.\n\
           Missing values: null where that row has null, and where there is no row.",
    example: Example::of_four_rows("10.0"),
};
