//! The table `moves`.

use super::AS_OF;
use super::migrations::{CUSTOMERS, FROM, FROM_ID, PREVIOUS_AS_OF, SCHEME, TO, TO_ID, VALUE};
use crate::tables::Table;

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
        PREVIOUS_AS_OF,
        SCHEME,
        FROM_ID,
        FROM,
        TO_ID,
        TO,
        CUSTOMERS,
        VALUE,
    ],
};
