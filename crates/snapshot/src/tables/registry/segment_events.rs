//! The table `segment_events`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "segment_events",
        doc: "What happened to the segments since the previous version, with the overlap of their customers. Empty in a first \
              version.",
        version: "1.0",
        row: "scheme x segment x event",
        sorted_by: &["scheme", "segment_id", "event"],
        unique: true,
        columns: &[
            AS_OF,
            must("previous_as_of", Ty::Date, "Day of the previous version."),
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment, the last one where it is gone."),
            must(
                "event",
                Ty::Text,
                "`continued`, `renamed`, `born` or `dissolved`; of clusters also `split` and `merged`.",
            ),
            may("name_before", Ty::Text, "Its name in the previous version, where that was another."),
            may(
                "jaccard",
                Ty::Float,
                "Customers in it then and now over customers in it then or now, of those in both versions.",
            )
            .counts("share"),
            may("kept_share", Ty::Float, "Share of its earlier customers that are in it still, of those in both versions.")
                .counts("share"),
            may(
                "evidence",
                Ty::Text,
                "The segments of a split with their share of the earlier one, or of a merge with their share of this one.",
            ),
        ],
    };
