//! The table `backtest`.

use super::{AS_OF, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "backtest",
    doc: "What each model of a churn score predicted of single customers at its test date, and whether they churned: \
              the rows behind the figures of `models` and `calibration`; absent where no such score was fitted in the run: versions \
              that apply an earlier fit have its figures alone.",
    version: "1.0",
    row: "tested customer x score x model",
    sorted_by: &["<key>", "score", "model"],
    unique: true,
    columns: &[
        AS_OF,
        must("<key>", Ty::Key, "The customer's key."),
        must("score", Ty::Text, "The score."),
        must("model", Ty::Text, "The model, such as `logistic`."),
        must("observed_on", Ty::Date, "The date of the prediction."),
        must(
            "predicted",
            Ty::Float,
            "Probability of churn within the horizon.",
        )
        .counts("probability"),
        must(
            "churned",
            Ty::Int,
            "1 where the customer churned within the horizon, else 0.",
        )
        .counts("0 or 1"),
    ],
};
