//! The table `models`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "models",
    doc: "Everything that was fitted or derived from the data: edges, centroids, metrics, seeds.",
    version: "1.1",
    row: "score x model x name",
    sorted_by: &["score", "model", "name"],
    unique: true,
    columns: &[
        AS_OF,
        must("score", Ty::Text, "The scheme or score."),
        must("model", Ty::Text, "The model, such as `kmeans`."),
        must("name", Ty::Text, "Its name, for people."),
        may("value", Ty::Float, "Its value, if a number."),
        may("text", Ty::Text, "Its value, if a text."),
        may(
            "figure",
            Ty::Text,
            "What the row states: `estimate` and `standard_error` (of the parameter `figure_of`), `served` and `reason` (the model \
             that is used, and why), `test`, `test_low_95` and `test_high_95` (a result on data that the model was not trained on, \
             with its interval; `figure_of` is the metric), `test_of_some` (the same of some of the customers), `tracking_actual` and \
             `tracking_predicted` (sums since the beginning of the holdout), else `parameter`; null where an artifact of an earlier \
             program is applied, which did not say so.",
        ),
        may(
            "figure_of",
            Ty::Text,
            "The parameter or the metric that the figure is of, such as `alpha` or `auc`.",
        ),
        may(
            "figure_days",
            Ty::Int,
            "The horizon of a test, where there are several; the days since the beginning of the holdout, of a sum.",
        )
        .counts("days"),
    ],
};
