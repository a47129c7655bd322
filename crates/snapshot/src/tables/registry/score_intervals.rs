//! The table `score_intervals`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "score_intervals",
    doc: "How exactly the expected values of scores are known: intervals of the expectation, of all customers with the same \
          history, by the uncertainty of the model's parameters. They are no prediction intervals: what a single customer does \
          differs from the expectation by far more. Absent where no score has intervals. A customer without an estimate has no row.",
    version: "1.0",
    row: "customer x score x column",
    sorted_by: &["<key>", "score", "column_name"],
    unique: true,
    columns: &[
        AS_OF,
        must("<key>", Ty::Key, "The customer's key."),
        must("score", Ty::Text, "The score."),
        must(
            "column_name",
            Ty::Text,
            "The column of `customers` with the estimate.",
        ),
        must("estimate", Ty::Float, "The estimate, as in `customers`.").counts("as the score"),
        may(
            "low_95",
            Ty::Float,
            "Lower end of the 95% interval of the expectation.",
        )
        .counts("as the score"),
        may(
            "low_80",
            Ty::Float,
            "Lower end of the 80% interval of the expectation.",
        )
        .counts("as the score"),
        may(
            "high_80",
            Ty::Float,
            "Upper end of the 80% interval of the expectation.",
        )
        .counts("as the score"),
        may(
            "high_95",
            Ty::Float,
            "Upper end of the 95% interval of the expectation.",
        )
        .counts("as the score"),
    ],
};
