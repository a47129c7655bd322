//! The table `experiments`.

use super::{AS_OF, Column, may, must};
use crate::tables::{Table, Ty};

/// A column of customers of the variant.
const fn customers(name: &'static str, doc: &'static str) -> Column {
    must(name, Ty::Int, doc).counts("customers")
}

/// A column in the unit of the metric.
const fn of_metric(name: &'static str, doc: &'static str) -> Column {
    may(name, Ty::Float, doc).counts("as the metric")
}

pub(super) const TABLE: Table = Table {
    name: "experiments",
    doc: "What each variant of an experiment brought, compared with its control; absent without `[experiments]`.",
    version: "1.0",
    row: "experiment x variant",
    sorted_by: &["experiment", "variant"],
    unique: true,
    columns: &[
        AS_OF,
        must("experiment", Ty::Text, "The experiment."),
        may(
            "scheme",
            Ty::Text,
            "The scheme whose customers it draws; null where it draws of all.",
        ),
        may("segment", Ty::Text, "Their segment."),
        must("variant", Ty::Text, "The variant."),
        must(
            "control",
            Ty::Bool,
            "Whether this is the control: its customers are in no playbook of the segment.",
        ),
        must(
            "share",
            Ty::Float,
            "The share of customers that the pipeline gives the variant.",
        )
        .counts("ratio"),
        may(
            "starts",
            Ty::Date,
            "First day whose customers are drawn; null where every version draws.",
        ),
        may(
            "ends",
            Ty::Date,
            "Last day whose customers are drawn; null where there is none.",
        ),
        must(
            "ended",
            Ty::Bool,
            "Whether nobody is drawn any more, and those drawn last have been measured for long enough.",
        ),
        customers("enrolled", "Customers drawn into the variant so far."),
        customers(
            "lost",
            "Customers that the previous version had in the variant and who are no customers any more; they are in no other figure.",
        ),
        must("metric", Ty::Text, "The column of `customers` that is compared."),
        must(
            "measured_days",
            Ty::Int,
            "Days after which a customer is compared: with a window no longer than that, the metric counts nothing before the customer was drawn.",
        )
        .counts("days"),
        customers(
            "too_recent",
            "Customers drawn fewer than `measured_days` before: not compared yet.",
        ),
        customers("missing", "Customers drawn long enough ago whose metric is not known."),
        customers("customers", "Customers compared."),
        of_metric("mean", "Mean of the metric."),
        of_metric("std", "Standard deviation of the metric."),
        must(
            "adjusted",
            Ty::Bool,
            "Whether the comparison takes account of what the metric was when customers were drawn (CUPED).",
        ),
        of_metric("adjusted_mean", "Mean of the metric, adjusted by it."),
        of_metric("difference", "Mean less that of the control."),
        of_metric("difference_low", "Low end of its 95% interval, if looked at once."),
        of_metric("difference_high", "High end of its 95% interval, if looked at once."),
        may("uplift", Ty::Float, "Difference as a share of the mean of the control.").counts("ratio"),
        may("uplift_low", Ty::Float, "Low end of its 95% interval, if looked at once.").counts("ratio"),
        may("uplift_high", Ty::Float, "High end of its 95% interval, if looked at once.").counts("ratio"),
        of_metric(
            "anytime_low",
            "Low end of the interval of the difference that holds however often it is looked at.",
        ),
        of_metric(
            "anytime_high",
            "High end of the interval of the difference that holds however often it is looked at.",
        ),
        may(
            "p",
            Ty::Float,
            "Probability of a difference at least as large by chance, if looked at once.",
        )
        .counts("probability"),
        of_metric(
            "smallest_effect",
            "Smallest difference that so many customers would show four times of five.",
        ),
        may(
            "srm_p",
            Ty::Float,
            "Probability of groups at least as uneven by chance; below 0.001 nothing may be concluded.",
        )
        .counts("probability"),
        must(
            "verdict",
            Ty::Text,
            "`control`, `better`, `worse`, `higher`, `lower`, `no difference shown`, `uneven groups`, `too early` or `not computed`.",
        ),
        must("reason", Ty::Text, "Why, in one sentence."),
    ],
};
