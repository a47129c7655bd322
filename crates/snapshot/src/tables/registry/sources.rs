//! The table `sources`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "sources",
        doc: "The rows of each source by outcome: file_rows = future + unknown + pruned + rows, and rows = used + filtered + \
        quarantined + dropped.",
        version: "1.4",
        row: "source",
        sorted_by: &["source"],
        unique: true,
        columns: &[
            AS_OF,
            must("source", Ty::Text, "The source."),
            must("kind", Ty::Text, "`events`, `attributes` or `intervals`."),
            must("files", Ty::Int, "Its files.").counts("files"),
            must("bytes", Ty::Int, "Their size.").counts("bytes"),
            must(
                "rows",
                Ty::Int,
                "Rows visible at `as_of`: used + filtered + quarantined + dropped.",
            )
            .counts("rows"),
            must("used", Ty::Int, "Rows that were used.").counts("rows"),
            must(
                "filtered",
                Ty::Int,
                "Rows that do not concern the pipeline.",
            )
            .counts("rows"),
            must("quarantined", Ty::Int, "Rows kept out with a reason, see `reject_rules`.").counts("rows"),
            must("dropped", Ty::Int, "Rows left out as the contract says.").counts("rows"),
            must("duplicates", Ty::Int, "Of those above, repeated rows.").counts("rows"),
            may(
                "newest_event",
                Ty::Timestamp,
                "Local time of the newest used row, for every kind of source with a `time`.",
            ),
            may(
                "age_hours",
                Ty::Float,
                "Hours from then to the close of `as_of`.",
            )
            .counts("hours"),
            must(
                "status",
                Ty::Text,
                "`ok`, `stale` or, without a used row, `empty`; `unjudged` where no `freshness` is stated.",
            ),
            may(
                "files_passed_over",
                Ty::Int,
                "Files at its path that were not read, and may be data; see `notes`.",
            )
            .counts("files"),
            may(
                "columns_absent",
                Ty::Int,
                "Columns that the pipeline names and that some of its files lack, where they are null; see `notes`.",
            )
            .counts("columns"),
            may(
                "file_rows",
                Ty::Int,
                "Rows of its files: future + unknown + pruned + rows.",
            )
            .counts("rows"),
            may("future", Ty::Int, "Rows whose time is after `as_of`.").counts("rows"),
            may("unknown", Ty::Int, "Rows that were not known at `as_of`.").counts("rows"),
            may("pruned", Ty::Int, "Rows so old that nothing uses them.").counts("rows"),
            may(
                "nulled",
                Ty::Int,
                "Values that became null although what they are made from is not, over all columns.",
            )
            .counts("values"),
            may(
                "rejected_share",
                Ty::Float,
                "Share of the visible rows that a rule rejected; exact repetitions that are dropped do not count.",
            )
            .counts("share"),
            may(
                "negative_share",
                Ty::Float,
                "Share of the used rows with a negative amount; null where no amount is read.",
            )
            .counts("share"),
            may(
                "negative_value_share",
                Ty::Float,
                "Sum of the negative amounts over the sum of the positive ones.",
            )
            .counts("share"),
            may(
                "keys_without_customer",
                Ty::Int,
                "Keys with a used row that are not in the base; null for sources that make up the base.",
            )
            .counts("keys"),
            may("rows_without_customer", Ty::Int, "Used rows of these keys.").counts("rows"),
            may(
                "customers_with_several",
                Ty::Int,
                "Customers with several valid rows of which one counts; null where that cannot be.",
            )
            .counts("customers"),
            may(
                "notes",
                Ty::Text,
                "Notes on the source, one sentence per line.",
            ),
            may(
                "unmatched",
                Ty::Int,
                "Used rows for which a join found no row of its lookup, summed over the joins; null without a join.",
            )
            .counts("rows"),
            may(
                "warnings",
                Ty::Text,
                "The notes that are warnings, the worst first, one per line; null where there is none.",
            ),
            may(
                "worst_warning",
                Ty::Text,
                "What the first of them says of the rows: `missing`, `left out`, values `changed`, or of another `meaning`.",
            ),
            may(
                "gap_days",
                Ty::Int,
                "Days without a used row where the source usually has some, see `warnings`; null where no used row has a time, and \
                of sources that are not events.",
            )
            .counts("days"),
        ],
    };
