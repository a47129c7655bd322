//! The table `customers`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "customers",
        doc: "The wide table that dashboards start from: features, scores and segments side by side.",
        version: "3.1",
        row: "customer",
        sorted_by: &["<key>"],
        unique: true,
        columns: &[
            AS_OF,
            must(
                "<key>",
                Ty::Key,
                "The customer's key, under the name that the pipeline gives it.",
            ),
            may(
                "<feature>",
                Ty::Any,
                "Every published feature, in the order of the pipeline.",
            )
            .counts("as the feature"),
            may(
                "<score>",
                Ty::Any,
                "Every score's columns, in the order of the pipeline; the ends of their intervals are in `score_intervals`.",
            )
            .counts("as the score"),
            may(
                "<scheme>",
                Ty::Any,
                "Of every scheme the customer's segment, and its permanent id as `<scheme>_segment_id`; of an RFM grid also \
                 `<scheme>_score` and each score alone: `<scheme>_r`, `<scheme>_f`, `<scheme>_m`. Null for closed accounts.",
            ),
            may(
                "<experiment>",
                Ty::Any,
                "Of every experiment the customer's variant, as `<experiment>_enrolled_on` the day on which the customer was drawn, and as \
                 `<experiment>_before` the metric on that day. Null for those who take no part.",
            ),
            may(
                "active",
                Ty::Any,
                "Whether the account is in the base: scores, segments and KPIs are of active customers; only where the pipeline \
                 states `active` in [customer].",
            ),
        ],
    };
