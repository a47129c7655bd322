//! The table `profiles`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "profiles",
    doc: "How the features of each segment compare with the whole base.",
    version: "1.0",
    row: "scheme x segment x feature (x label)",
    sorted_by: &["scheme", "segment_id", "feature", "label"],
    unique: true,
    columns: &[
        AS_OF,
        must("scheme", Ty::Text, "The scheme."),
        must("segment_id", Ty::Int, "Permanent id of the segment."),
        must("segment", Ty::Text, "Name of the segment."),
        must("feature", Ty::Text, "The feature."),
        may(
            "label",
            Ty::Text,
            "The value, for features that are labels.",
        ),
        must(
            "customers",
            Ty::Int,
            "Customers of the segment with a value.",
        )
        .counts("customers"),
        may("mean", Ty::Float, "Mean.").counts("as the feature"),
        may("median", Ty::Float, "Median.").counts("as the feature"),
        may("p10", Ty::Float, "10th percentile (type 7).").counts("as the feature"),
        may("p90", Ty::Float, "90th percentile (type 7).").counts("as the feature"),
        may("population_mean", Ty::Float, "Mean over all customers.").counts("as the feature"),
        may(
            "index",
            Ty::Float,
            "100 x mean / population mean; for labels 100 x share / population share.",
        )
        .counts("100 = population"),
        may(
            "effect_size",
            Ty::Float,
            "Cohen's d of the segment against the rest.",
        )
        .counts("standard deviations"),
        may(
            "share",
            Ty::Float,
            "Share with this label of the segment's customers who have a value.",
        )
        .counts("share"),
        may(
            "population_share",
            Ty::Float,
            "Share with this label of all customers who have a value.",
        )
        .counts("share"),
    ],
};
