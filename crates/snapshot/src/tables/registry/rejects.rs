//! The table `rejects`.

use super::{AS_OF, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "rejects",
    doc: "Rows that broke a source's contract, so that its owner can correct them: of each rule the first, as many as \
              the contract keeps; `reject_rules` counts all.",
    version: "1.0",
    row: "quarantined row",
    sorted_by: &["source", "file", "row_number"],
    unique: false,
    columns: &[
        AS_OF,
        must("source", Ty::Text, "The source."),
        must("file", Ty::Text, "Path within the source."),
        must("row_number", Ty::Int, "Position in the file, from 1.").counts("rows"),
        must("rule", Ty::Text, "The rule that the row broke."),
        must("row", Ty::Text, "The row as JSON."),
    ],
};
