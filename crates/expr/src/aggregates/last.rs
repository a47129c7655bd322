//! The latest value.

use tessera_spec::AggregateSyntax;

use crate::aggregate::{Aggregation, Example, Gives, Made, Takes};

/// The latest value.
pub static LAST: Aggregation = Aggregation {
    syntax: AggregateSyntax {
        name: "last",
        summary: "Value of the latest row by time, then by position. None: null.",
        of_rows: false,
        keys: &[],
        needs_time: true,
    },
    written: true,
    takes: Takes::Any,
    gives: Gives::Value,
    zero_when_absent: false,
    made: |_| Made::Latest,
    docs: "Decides: the value of the latest row; of rows of one time the one that stands last in the files.\n\
           Missing values: null where that row has null, and where there is no row.",
    example: Example::of_four_rows("10.0"),
};
