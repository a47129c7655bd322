//! The table `drift`.

use super::{AS_OF, may, must};
use crate::tables::{Table, Ty};

pub(super) const TABLE: Table = Table {
        name: "drift",
        doc: "How the customers of this version are distributed beside those of the previous one: every column that segments are \
              profiled by, and the mix of segments of every scheme. Empty in a first version.",
        version: "1.0",
        row: "column of `customers`, or scheme",
        sorted_by: &["kind", "name"],
        unique: true,
        columns: &[
            AS_OF,
            must("previous_as_of", Ty::Date, "Day of the previous version."),
            must("kind", Ty::Text, "`feature`, `score`, `value` or `scheme`."),
            must("name", Ty::Text, "The column or the scheme."),
            must("customers_before", Ty::Int, "Customers of the previous version with a value.").counts("customers"),
            must("customers", Ty::Int, "Customers with a value now.").counts("customers"),
            may(
                "bins",
                Ty::Int,
                "Bins with customers: of a number the deciles of the previous version where they differ, of a label its 20 most \
                 frequent values and the rest, of a scheme its segments.",
            )
            .counts("bins"),
            may(
                "psi",
                Ty::Float,
                "Population stability index over the bins; null where either version has no value.",
            )
            .counts("nats"),
            may(
                "psi_critical",
                Ty::Float,
                "What the index of independent samples of these sizes from one distribution exceeds in 5% of cases; null with one \
                 bin.",
            )
            .counts("nats"),
            may("ks", Ty::Float, "Largest distance between the two distributions (Kolmogorov and Smirnov), of numbers and dates.")
                .counts("share"),
            may("ks_critical", Ty::Float, "What that distance exceeds in 5% of cases by chance.").counts("share"),
            may("chi_squared", Ty::Float, "Pearson's chi-squared of equal distribution, of labels and schemes.").counts("chi-squared"),
            may("chi_squared_critical", Ty::Float, "What it exceeds in 5% of cases by chance; null with one bin.").counts("chi-squared"),
            may("missing_share_before", Ty::Float, "Share of the previous version's customers without a value.").counts("share"),
            may("missing_share", Ty::Float, "Share of the customers without a value now.").counts("share"),
            may("missing_change", Ty::Float, "The one less the other.").counts("share"),
            must(
                "status",
                Ty::Text,
                "`stable`; `moderate` from an index, or a change of the missing share, of 0.1; `severe` above 0.25; `stable` too where \
                 the index is not above its critical value. `redefined` where the definition is another one, `not computed` where \
                 nothing can be compared.",
            ),
            may("reason", Ty::Text, "Why it is not `stable`."),
        ],
    };
