//! The table `segments`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "segments",
        doc: "The segments of every scheme with their size, value and playbook.",
        version: "1.2",
        row: "scheme x segment",
        sorted_by: &["scheme", "segment_id"],
        unique: true,
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment."),
            must("customers", Ty::Int, "Its customers.").counts("customers"),
            must("share", Ty::Float, "Their share of all customers.").counts("share"),
            may(
                "value",
                Ty::Float,
                "Sum of the first value that `[value]` states; without it of the pipeline's money feature.",
            )
            .counts("currency"),
            may("value_share", Ty::Float, "Its share of the whole base's.").counts("share"),
            may("kpi", Ty::Float, "Mean of the goal's KPI.").counts("as the KPI"),
            may("playbook", Ty::Text, "What is done with the segment."),
            may("touch", Ty::Text, "`high`, `low` or `tech`."),
            may("channel", Ty::Text, "Through what channel."),
            may("owner", Ty::Text, "Who acts."),
            may("rule", Ty::Text, "The rule as text."),
            may("goal", Ty::Text, "What the playbook is to achieve."),
            may("kpi_customers", Ty::Int, "Customers with a KPI, over whom `kpi` is the mean.").counts("customers"),
            may("value_now", Ty::Float, "Sum of what they pay or spend per period now.").counts("currency"),
            may("value_future", Ty::Float, "Sum of what they will bring.").counts("currency"),
            may("value_past", Ty::Float, "Sum of what they have brought.").counts("currency"),
            may(
                "value_at_risk",
                Ty::Float,
                "Sum of probability of churn x future value, over the customers with both.",
            )
            .counts("currency"),
            may("segment_key", Ty::Text, "Scheme and segment in one column, `scheme/segment`: what tools join and filter by."),
            may("position", Ty::Int, "Number among the segments of the scheme, from 1, as the pipeline orders them.")
                .counts("rank"),
            may(
                "kpi_status",
                Ty::Text,
                "How far `kpi` can be relied on: `ok`, `not validated`, `flagged`, `base rate`, `not computed`.",
            ),
            may("kpi_reason", Ty::Text, "Why it cannot be relied on; null where it can."),
            may("scheme_status", Ty::Text, "The same for the columns that the scheme assigns by."),
            may("scheme_reason", Ty::Text, "Why they cannot be relied on; null where they can."),
            may(
                "standing",
                Ty::Text,
                "`lost` where more members have left than can still be lost, else `living`.",
            ),
            may("left_customers", Ty::Int, "Members who churned before by the supervised score that says who has left, and have no value at risk.").counts("customers"),
            may(
                "win_back_value",
                Ty::Float,
                "What one of them would bring per period of `[value]` who came back and bought as before: mean of what they brought \
                 from the first order until they counted as lost, a horizon of the score after the last one; of who stayed for less than a period, what they brought. How many would come \
                 back is not known, so it is no value of winning them back.",
            )
            .counts("currency"),
        ],
    };
