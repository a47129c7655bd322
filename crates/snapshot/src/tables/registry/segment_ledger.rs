//! The table `segment_ledger`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "segment_ledger",
    doc: "Every segment id ever given, with its names. Ids are never used again.",
    version: "1.0",
    row: "scheme x segment",
    sorted_by: &["scheme", "segment_id"],
    unique: true,
    columns: &[
        AS_OF,
        must("scheme", Ty::Text, "The scheme."),
        must(
            "segment_id",
            Ty::Int,
            "Permanent id of the segment: of clusters a number from 1, else one that follows from its first name.",
        ),
        must(
            "segment",
            Ty::Text,
            "Its name, the last one where it has ended.",
        ),
        may(
            "declared_as",
            Ty::Text,
            "The name by which the pipeline declares it, or declared it last; null for clusters.",
        ),
        may(
            "names_before",
            Ty::Text,
            "Names that it had before, oldest first, as a JSON list.",
        ),
        must(
            "first_day",
            Ty::Date,
            "First day with the segment; of one that customers only passed through, the day of the version that says so.",
        ),
        must("last_day", Ty::Date, "Last day with it."),
        must(
            "status",
            Ty::Text,
            "`active`, or `ended` where this version does not have it.",
        ),
    ],
};
