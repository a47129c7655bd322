//! The table `actions`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "actions",
        doc: "The customers to act on: the members of every segment with a playbook, those with most value at risk first; absent \
        without playbooks. Customers whose segment has none are counted in `models`.",
        version: "1.0",
        row: "customer x playbook",
        sorted_by: &["playbook", "priority"],
        unique: true,
        columns: &[
            AS_OF,
            must("<key>", Ty::Key, "The customer's key."),
            must("scheme", Ty::Text, "The scheme of the playbook."),
            must("segment", Ty::Text, "The customer's segment."),
            must("playbook", Ty::Text, "The playbook."),
            may("goal", Ty::Text, "What it is to achieve."),
            may("touch", Ty::Text, "`high`, `low` or `tech`."),
            may("channel", Ty::Text, "Through what channel."),
            may("owner", Ty::Text, "Who acts."),
            must("reason", Ty::Text, "Why the customer is in the segment, as in `memberships`."),
            may("value_now", Ty::Float, "What the customer pays or spends per period now.").counts("currency"),
            may("value_at_risk", Ty::Float, "Probability of churn x future value.").counts("currency"),
            must(
                "priority",
                Ty::Int,
                "Rank within the playbook, from 1: most value at risk first, then most value now, then by key.",
            )
            .counts("rank"),
            may(
                "<column>",
                Ty::Any,
                "Every column of `customers` that `[actions]` asks for.",
            ),
        ],
    };
