//! The table `quality`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "quality",
    doc: "How far schemes and scores can be trusted, and what was not computed and why; absent where nothing was judged.",
    version: "1.1",
    row: "scheme x segment x criterion (x metric)",
    sorted_by: &["scheme", "segment", "criterion", "metric"],
    unique: true,
    columns: &[
        AS_OF,
        must("scheme", Ty::Text, "The scheme, or the score."),
        must(
            "segment",
            Ty::Text,
            "Name of the segment; empty for the scheme as a whole and for scores.",
        ),
        must("criterion", Ty::Text, "The criterion, such as `stable`."),
        must(
            "metric",
            Ty::Text,
            "What was measured, such as `mean_jaccard`.",
        ),
        may("value", Ty::Float, "The metric.").counts("as the metric"),
        may(
            "threshold",
            Ty::Float,
            "The limit it is compared with, if there is one.",
        )
        .counts("as the metric"),
        may(
            "side",
            Ty::Text,
            "What passes: `at least` the limit, `at most` the limit, or `about` as much.",
        ),
        must("status", Ty::Text, "`ok`, `flagged` or `not computed`."),
        may(
            "reason",
            Ty::Text,
            "What would make it pass, or why it was not computed.",
        ),
    ],
};
