//! The table `models`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "models",
    doc: "Everything that was fitted or derived from the data: edges, centroids, metrics, seeds.",
    version: "1.0",
    row: "score x model x name",
    sorted_by: &["score", "model", "name"],
    unique: true,
    columns: &[
        AS_OF,
        must("score", Ty::Text, "The scheme or score."),
        must("model", Ty::Text, "The model, such as `kmeans`."),
        must("name", Ty::Text, "The parameter."),
        may("value", Ty::Float, "Its value, if a number."),
        may("text", Ty::Text, "Its value, if a text."),
    ],
};
