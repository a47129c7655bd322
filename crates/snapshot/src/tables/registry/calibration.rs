//! The table `calibration`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "calibration",
    doc: "What the models of a score predicted and what then happened, by bins of the prediction; absent \
              without scores that have a backtest.",
    version: "1.0",
    row: "score x model x bin",
    sorted_by: &["score", "model", "bin"],
    unique: true,
    columns: &[
        AS_OF,
        must("score", Ty::Text, "The score."),
        must("model", Ty::Text, "The model, such as `logistic`."),
        must(
            "bin",
            Ty::Int,
            "The bin, from 1, in the order of the model's own backtest; bands for a health score.",
        ),
        must(
            "predicted",
            Ty::Float,
            "Mean prediction in the bin; the number of the band for a health score.",
        )
        .counts("as the score"),
        must(
            "observed",
            Ty::Float,
            "Mean of what happened to the bin's customers.",
        )
        .counts("as the score"),
        must("customers", Ty::Int, "Customers in the bin.").counts("customers"),
        may(
            "lift",
            Ty::Float,
            "Observed over the mean observed of all bins; null where that mean is 0.",
        )
        .counts("1 = all customers"),
    ],
};
