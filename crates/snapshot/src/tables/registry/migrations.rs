//! The table `migrations`.

use super::{AS_OF, may, must};
use crate::tables::{Column, Table, Ty};

pub(super) const PREVIOUS_AS_OF: Column =
    must("previous_as_of", Ty::Date, "Day of the previous version.");
pub(super) const SCHEME: Column = must("scheme", Ty::Text, "The scheme.");
pub(super) const FROM_ID: Column = may(
    "from_segment_id",
    Ty::Int,
    "Id of the segment before; null for customers who were not there.",
);
pub(super) const FROM: Column = may("from_segment", Ty::Text, "Its name, now where it still is.");
pub(super) const TO_ID: Column = may(
    "to_segment_id",
    Ty::Int,
    "Id of the segment after; null for customers who left the base.",
);
pub(super) const TO: Column = may("to_segment", Ty::Text, "Its name.");
pub(super) const CUSTOMERS: Column =
    must("customers", Ty::Int, "Customers who moved.").counts("customers");
pub(super) const VALUE: Column = must(
    "value",
    Ty::Money,
    "Their value in this version, of those who are gone in the previous one: what they will bring, else what they have brought.",
)
.counts("currency");

pub(super) const TABLE: Table = Table {
    name: "migrations",
    doc: "Why customers moved since the previous version: customers and their value, step by step, so that the rows of a \
              segment add up to the change of its customers; of its value they have what came and left, not what those who stayed \
              gained or lost. A customer who moves in several steps counts in each, also who is back in the end; \
              `moves` counts each once. Empty in a first version.",
    version: "1.0",
    row: "scheme x segment before x segment after x cause",
    sorted_by: &["scheme", "from_segment_id", "to_segment_id", "cause"],
    unique: true,
    columns: &[
        AS_OF,
        PREVIOUS_AS_OF,
        SCHEME,
        FROM_ID,
        FROM,
        TO_ID,
        TO,
        must(
            "cause",
            Ty::Text,
            "What changed in this step: `identity`, `late_data` (earlier rows that came late, were changed or were removed), \
                 `definition`, `model`, `attribute`, `ageing` or `activity`; \
                 several, joined by ` or `, where they could not be told apart.",
        ),
        CUSTOMERS,
        VALUE,
    ],
};
