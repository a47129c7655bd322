//! The table `reject_rules`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "reject_rules",
    doc: "The rules that took rows of a source out, each with the number of its rows.",
    version: "1.0",
    row: "source x rule that took a row out",
    sorted_by: &["source", "rule"],
    unique: true,
    columns: &[
        AS_OF,
        must("source", Ty::Text, "The source."),
        must(
            "rule",
            Ty::Text,
            "What was found, such as `amount is not a number`; the name of a rule that the pipeline file states.",
        ),
        must(
            "outcome",
            Ty::Text,
            "`quarantined`, `dropped` or `filtered`.",
        ),
        must("rows", Ty::Int, "Rows that the rule took out.").counts("rows"),
        may("share", Ty::Float, "Their share of the visible rows.").counts("share"),
        may(
            "limit",
            Ty::Float,
            "Largest share that the contract allows the rule; null where it states none.",
        )
        .counts("share"),
        must("kept", Ty::Int, "Rows of the rule in `rejects`.").counts("rows"),
        may(
            "example",
            Ty::Text,
            "The value that the rule rejected in the first of its rows; never the customer's key.",
        ),
        may("file", Ty::Text, "File of that row, within the source."),
        may(
            "row_number",
            Ty::Int,
            "Position of that row in the file, from 1.",
        )
        .counts("rows"),
    ],
};
