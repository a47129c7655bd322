//! The table `memberships`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
    name: "memberships",
    doc: "Who is in which segment, why, and since when.",
    version: "1.3",
    row: "customer x scheme",
    sorted_by: &["<key>", "scheme"],
    unique: true,
    columns: &[
        AS_OF,
        must("<key>", Ty::Key, "The customer's key."),
        must("scheme", Ty::Text, "The scheme."),
        must(
            "segment_id",
            Ty::Int,
            "Permanent id of the segment, below 2^53.",
        ),
        must("segment", Ty::Text, "Name of the segment."),
        must("reason", Ty::Text, "Why the customer is in it."),
        must(
            "assigned_by",
            Ty::Text,
            "`rule`, `model`, `pin` by a person, or `held`: by a minimum stay, limits or an earlier definition.",
        ),
        may(
            "entered_on",
            Ty::Date,
            "First day of the unbroken stay in this segment, by the versions there are.",
        ),
        may(
            "previous_segment_id",
            Ty::Int,
            "The customer's segment in the previous version; null where that had no such customer, or no such scheme.",
        ),
        may("previous_segment", Ty::Text, "Its name then."),
        may(
            "cause",
            Ty::Text,
            "Why the customer moved since the previous version, as in `migrations`; null for who did not.",
        ),
        may(
            "leaves_on",
            Ty::Date,
            "The day on which the customer leaves the segment if no row comes until then; null where that is not within \
                 `leaves_within` of `[memberships]`, or not known.",
        ),
        may(
            "leaves_to",
            Ty::Text,
            "The segment that the customer then goes to; null for an account that is closed by then.",
        ),
        may(
            "nearest_change",
            Ty::Text,
            "The smallest change of one column, in its standard deviations, that leads to another segment: `recency_days at most 30 \
                 leads to active`; null where the scheme's kind cannot tell it, and for who is pinned or held.",
        ),
    ],
};
