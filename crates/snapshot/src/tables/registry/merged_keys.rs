//! The table `merged_keys`.

use super::{AS_OF, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "merged_keys",
    doc: "The keys that belong to another customer now, by the map of `[customer.identity]`; absent without one.",
    version: "1.0",
    row: "key that is replaced",
    sorted_by: &["merged_key"],
    unique: true,
    columns: &[
        AS_OF,
        must(
            "merged_key",
            Ty::Key,
            "The key that rows of the lake carry.",
        ),
        must(
            "<key>",
            Ty::Key,
            "The customer that they belong to: the end where keys lead to keys.",
        ),
    ],
};
