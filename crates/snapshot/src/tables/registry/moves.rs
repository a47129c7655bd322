//! The table `moves`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "moves",
    doc: "Who is in another segment than in the previous version, each customer once; `migrations` has the steps with their \
          causes. Empty in a first version.",
    version: "1.0",
    row: "scheme x segment before x segment after",
    sorted_by: &["scheme", "from_segment_id", "to_segment_id"],
    unique: true,
    columns: &[
        AS_OF,
        must("previous_as_of", Ty::Date, "Day of the previous version."),
        must("scheme", Ty::Text, "The scheme."),
        may("from_segment_id", Ty::Int, "Id of the segment before; null for customers who were not there."),
        may("from_segment", Ty::Text, "Its name, now where it still is."),
        may("to_segment_id", Ty::Int, "Id of the segment after; null for customers who left the base."),
        may("to_segment", Ty::Text, "Its name."),
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
