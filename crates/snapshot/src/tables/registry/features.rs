//! The table `features`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "features",
    doc: "The dictionary of `customers`: every feature, column of a score and value that it has.",
    version: "1.1",
    row: "column of `customers`",
    sorted_by: &["name"],
    unique: true,
    columns: &[
        AS_OF,
        must("name", Ty::Text, "Name of the column."),
        must("label", Ty::Text, "Its name in the report."),
        must(
            "unit",
            Ty::Text,
            "days, count, currency, ratio, score, date, label or number.",
        ),
        must(
            "base",
            Ty::Text,
            "Its base: behavioural, value, lifecycle and others.",
        ),
        must(
            "direction",
            Ty::Text,
            "Which values are good: `high is good`, `low is good` or `none`.",
        ),
        must("definition", Ty::Text, "How it is made."),
        may(
            "source",
            Ty::Text,
            "The source whose rows it is made of; null for what is made of other columns.",
        ),
        may(
            "status",
            Ty::Text,
            "How far the column can be relied on: `ok`, `not validated`, `flagged`, `base rate`, `not computed`.",
        ),
        may(
            "status_reason",
            Ty::Text,
            "What is known against it: of which score, and why.",
        ),
    ],
};
