//! The table `migrations`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "migrations",
        doc: "Why customers moved since the previous version: customers and their value, step by step, so that the rows of a \
              segment add up to its change. A customer who moves in several steps counts in each, also who is back in the end; \
              `moves` counts each once. Empty in a first version.",
        version: "1.0",
        row: "scheme x segment before x segment after x cause",
        sorted_by: &["scheme", "from_segment_id", "to_segment_id", "cause"],
        unique: true,
        columns: &[
            AS_OF,
            must("previous_as_of", Ty::Date, "Day of the previous version."),
            must("scheme", Ty::Text, "The scheme."),
            may("from_segment_id", Ty::Int, "Id of the segment before; null for customers who were not there."),
            may("from_segment", Ty::Text, "Its name, now where it still is."),
            may("to_segment_id", Ty::Int, "Id of the segment after; null for customers who left the base."),
            may("to_segment", Ty::Text, "Its name."),
            must(
                "cause",
                Ty::Text,
                "What changed in this step: `identity`, `late_data` (earlier rows that came late, were changed or were removed), \
                 `definition`, `model`, `attribute`, `ageing` or `activity`; \
                 several, joined by ` or `, where they could not be told apart.",
            ),
            must("customers", Ty::Int, "Customers who moved.").counts("customers"),
            must(
                "value",
                Ty::Money,
                "Their value in this version, of those who are gone in the previous one: what they will bring, else what they \
                 have brought.",
            )
            .counts("currency"),
        ],
    };
