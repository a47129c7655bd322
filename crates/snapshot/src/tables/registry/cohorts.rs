//! The table `cohorts`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "cohorts",
        doc: "The customers by the month of their first order, and what every month since saw of them; absent without \
              `cohorts = true` in `[customer]`, and without features of orders.",
        version: "1.0",
        row: "cohort x age in months, up to that of the oldest cohort",
        sorted_by: &["cohort", "age"],
        unique: true,
        columns: &[
            AS_OF,
            must("cohort", Ty::Date, "First day of the month of the first order."),
            must("age", Ty::Int, "Months since that month; 0 is the month itself.").counts("months"),
            must("month", Ty::Date, "First day of the month of that age."),
            must("customers", Ty::Int, "Customers of the cohort, also those whose account is closed.").counts("customers"),
            may("active", Ty::Int, "Those with an order in the month; null where it has not begun.").counts("customers"),
            may("retention", Ty::Float, "Their share of the cohort.").counts("share"),
            may(
                "revenue",
                Ty::Money,
                "Money of the cohort's rows in the month, refunds netted; null where it has not begun, rows have no amount, or it has more than 18 digits.",
            )
            .counts("currency"),
            must("status", Ty::Text, "`observed`, `partial` for a month that is not over, `unobserved` where it has not begun."),
        ],
    };
