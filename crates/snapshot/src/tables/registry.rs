//! The declarations of all published tables. A new table or column is a row here.

use super::{Column, Table, Ty};

const fn must(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column {
        name,
        ty,
        nullable: false,
        unit: "",
        doc,
    }
}

const fn may(name: &'static str, ty: Ty, doc: &'static str) -> Column {
    Column {
        name,
        ty,
        nullable: true,
        unit: "",
        doc,
    }
}

impl Column {
    const fn counts(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }
}

const AS_OF: Column = must(
    "as_of",
    Ty::Date,
    "State of the customer base at the close of this day.",
);

/// Every published table, sorted by name.
pub static TABLES: &[Table] = &[
    Table {
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
    },
    Table {
        name: "backtest",
        doc: "What each model of a churn score predicted of single customers at its test date, and whether they churned: \
              the rows behind the figures of `models` and `calibration`; absent without such a score.",
        version: "1.0",
        row: "tested customer x score x model",
        sorted_by: &["<key>", "score", "model"],
        unique: true,
        columns: &[
            AS_OF,
            must("<key>", Ty::Key, "The customer's key."),
            must("score", Ty::Text, "The score."),
            must("model", Ty::Text, "The model, such as `logistic`."),
            must("observed_on", Ty::Date, "The date of the prediction."),
            must("predicted", Ty::Float, "Probability of churn within the horizon.").counts("probability"),
            must("churned", Ty::Int, "1 where the customer churned within the horizon, else 0.").counts("0 or 1"),
        ],
    },
    Table {
        name: "calibration",
        doc: "What the models of a score predicted and what then happened, by bins of the prediction; absent \
              without scores that have a backtest.",
        version: "1.0",
        row: "score x model x bin",
        sorted_by: &["score", "model", "bin"],
        unique: true,
        columns: &[
            AS_OF,
            must("score", Ty::Text, "The score."),
            must("model", Ty::Text, "The model, such as `logistic`."),
            must(
                "bin",
                Ty::Int,
                "The bin, from 1, in the order of the model's own backtest; bands for a health score.",
            ),
            must(
                "predicted",
                Ty::Float,
                "Mean prediction in the bin; the number of the band for a health score.",
            )
            .counts("as the score"),
            must(
                "observed",
                Ty::Float,
                "Mean of what happened to the bin's customers.",
            )
            .counts("as the score"),
            must("customers", Ty::Int, "Customers in the bin.").counts("customers"),
            may(
                "lift",
                Ty::Float,
                "Observed over the mean observed of all bins; null where that mean is 0.",
            )
            .counts("1 = all customers"),
        ],
    },
    Table {
        name: "cohorts",
        doc: "The customers by the month of their first order, and what every month since saw of them; absent without features of \
              orders.",
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
    },
    Table {
        name: "customers",
        doc: "The wide table that dashboards start from: features, scores and segments side by side.",
        version: "3.0",
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
                "active",
                Ty::Any,
                "Whether the account is in the base: scores, segments and KPIs are of active customers; only where the pipeline \
                 states `active` in [customer].",
            ),
        ],
    },
    Table {
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
    },
    Table {
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
            must("unit", Ty::Text, "days, count, currency, ratio, score, date, label or number."),
            must("base", Ty::Text, "Its base: behavioural, value, lifecycle and others."),
            must("direction", Ty::Text, "Which values are good: `high is good`, `low is good` or `none`."),
            must("definition", Ty::Text, "How it is made."),
            may("source", Ty::Text, "The source whose rows it is made of; null for what is made of other columns."),
            may(
                "status",
                Ty::Text,
                "How far the column can be relied on: `ok`, `not validated`, `flagged`, `base rate`, `not computed`.",
            ),
            may("status_reason", Ty::Text, "What is known against it: of which score, and why."),
        ],
    },
    Table {
        name: "memberships",
        doc: "Who is in which segment, why, and since when.",
        version: "1.2",
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
            must("assigned_by", Ty::Text, "`rule`, `model`, `pin` by a person, or `held`: by a minimum stay, limits or an earlier definition."),
            may("entered_on", Ty::Date, "First day of the unbroken stay in this segment, by the versions there are."),
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
            may("leaves_to", Ty::Text, "The segment that the customer then goes to; null for an account that is closed by then."),
        ],
    },
    Table {
        name: "migrations",
        doc: "Who moved since the previous version, and why: customers and their value, step by step, so that the rows of a \
              segment add up to its change. A customer who moves in several steps counts in each. Empty in a first version.",
        version: "1.0",
        row: "scheme x segment before x segment after x cause",
        sorted_by: &["scheme", "from_segment_id", "to_segment_id", "cause"],
        unique: true,
        columns: &[
            AS_OF,
            must("previous_as_of", Ty::Date, "Day of the previous version."),
            must("scheme", Ty::Text, "The scheme."),
            may("from_segment_id", Ty::Int, "Id of the segment before; null for customers who were not there."),
            may("from_segment", Ty::Text, "Its name, now where it still is."),
            may("to_segment_id", Ty::Int, "Id of the segment after; null for customers who left the base."),
            may("to_segment", Ty::Text, "Its name."),
            must(
                "cause",
                Ty::Text,
                "What changed in this step: `identity`, `late_data`, `definition`, `model`, `attribute`, `ageing` or `activity`; \
                 several, joined by ` or `, where they could not be told apart.",
            ),
            must("customers", Ty::Int, "Customers who moved.").counts("customers"),
            must(
                "value",
                Ty::Money,
                "Their value in this version, of those who are gone in the previous one: what they will bring, else what they \
                 have brought.",
            )
            .counts("currency"),
        ],
    },
    Table {
        name: "models",
        doc: "Everything that was fitted or derived from the data: edges, centroids, metrics, seeds.",
        version: "1.0",
        row: "score x model x name",
        sorted_by: &["score", "model", "name"],
        unique: true,
        columns: &[
            AS_OF,
            must("score", Ty::Text, "The scheme or score."),
            must("model", Ty::Text, "The model, such as `kmeans`."),
            must("name", Ty::Text, "The parameter."),
            may("value", Ty::Float, "Its value, if a number."),
            may("text", Ty::Text, "Its value, if a text."),
        ],
    },
    Table {
        name: "profiles",
        doc: "How the features of each segment compare with the whole base.",
        version: "1.0",
        row: "scheme x segment x feature (x label)",
        sorted_by: &["scheme", "segment_id", "feature", "label"],
        unique: true,
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment."),
            must("feature", Ty::Text, "The feature."),
            may(
                "label",
                Ty::Text,
                "The value, for features that are labels.",
            ),
            must(
                "customers",
                Ty::Int,
                "Customers of the segment with a value.",
            )
            .counts("customers"),
            may("mean", Ty::Float, "Mean.").counts("as the feature"),
            may("median", Ty::Float, "Median.").counts("as the feature"),
            may("p10", Ty::Float, "10th percentile (type 7).").counts("as the feature"),
            may("p90", Ty::Float, "90th percentile (type 7).").counts("as the feature"),
            may("population_mean", Ty::Float, "Mean over all customers.").counts("as the feature"),
            may(
                "index",
                Ty::Float,
                "100 x mean / population mean; for labels 100 x share / population share.",
            )
            .counts("100 = population"),
            may(
                "effect_size",
                Ty::Float,
                "Cohen's d of the segment against the rest.",
            )
            .counts("standard deviations"),
            may(
                "share",
                Ty::Float,
                "Share of the segment's customers with this label.",
            )
            .counts("share"),
            may(
                "population_share",
                Ty::Float,
                "Share of all customers with this label.",
            )
            .counts("share"),
        ],
    },
    Table {
        name: "quality",
        doc: "How far schemes and scores can be trusted, and what was not computed and why; absent where nothing was judged.",
        version: "1.0",
        row: "scheme x segment x criterion (x metric)",
        sorted_by: &["scheme", "segment", "criterion", "metric"],
        unique: true,
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme, or the score."),
            must(
                "segment",
                Ty::Text,
                "Name of the segment; empty for the scheme as a whole and for scores.",
            ),
            must("criterion", Ty::Text, "The criterion, such as `stable`."),
            must(
                "metric",
                Ty::Text,
                "What was measured, such as `mean_jaccard`.",
            ),
            may("value", Ty::Float, "The metric.").counts("as the metric"),
            may(
                "threshold",
                Ty::Float,
                "The limit it is compared with, if there is one.",
            )
            .counts("as the metric"),
            must("status", Ty::Text, "`ok`, `flagged` or `not computed`."),
            may(
                "reason",
                Ty::Text,
                "What would make it pass, or why it was not computed.",
            ),
        ],
    },
    Table {
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
            must("outcome", Ty::Text, "`quarantined`, `dropped` or `filtered`."),
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
            may("row_number", Ty::Int, "Position of that row in the file, from 1.").counts("rows"),
        ],
    },
    Table {
        name: "rejects",
        doc: "Rows that broke a source's contract, so that its owner can correct them: of each rule the first, as many as \
              the contract keeps; `reject_rules` counts all.",
        version: "1.0",
        row: "quarantined row",
        sorted_by: &["source", "file", "row_number"],
        unique: false,
        columns: &[
            AS_OF,
            must("source", Ty::Text, "The source."),
            must("file", Ty::Text, "Path within the source."),
            must("row_number", Ty::Int, "Position in the file, from 1.").counts("rows"),
            must("rule", Ty::Text, "The rule that the row broke."),
            must("row", Ty::Text, "The row as JSON."),
        ],
    },
    Table {
        name: "score_intervals",
        doc: "How far off the estimates of scores may be; absent where no score has intervals. A customer without an estimate has \
              no row.",
        version: "1.0",
        row: "customer x score x column",
        sorted_by: &["<key>", "score", "column_name"],
        unique: true,
        columns: &[
            AS_OF,
            must("<key>", Ty::Key, "The customer's key."),
            must("score", Ty::Text, "The score."),
            must("column_name", Ty::Text, "The column of `customers` with the estimate."),
            must("estimate", Ty::Float, "The estimate, as in `customers`.").counts("as the score"),
            may("low_95", Ty::Float, "Lower end of the 95% interval.").counts("as the score"),
            may("low_80", Ty::Float, "Lower end of the 80% interval.").counts("as the score"),
            may("high_80", Ty::Float, "Upper end of the 80% interval.").counts("as the score"),
            may("high_95", Ty::Float, "Upper end of the 95% interval.").counts("as the score"),
        ],
    },
    Table {
        name: "segment_events",
        doc: "What happened to the segments since the previous version, with the overlap of their customers. Empty in a first \
              version.",
        version: "1.0",
        row: "scheme x segment x event",
        sorted_by: &["scheme", "segment_id", "event"],
        unique: true,
        columns: &[
            AS_OF,
            must("previous_as_of", Ty::Date, "Day of the previous version."),
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment."),
            must("segment", Ty::Text, "Name of the segment, the last one where it is gone."),
            must(
                "event",
                Ty::Text,
                "`continued`, `renamed`, `born` or `dissolved`; of clusters also `split` and `merged`.",
            ),
            may("name_before", Ty::Text, "Its name in the previous version, where that was another."),
            may(
                "jaccard",
                Ty::Float,
                "Customers in it then and now over customers in it then or now, of those in both versions.",
            )
            .counts("share"),
            may("kept_share", Ty::Float, "Share of its earlier customers that are in it still, of those in both versions.")
                .counts("share"),
            may(
                "evidence",
                Ty::Text,
                "The segments of a split with their share of the earlier one, or of a merge with their share of this one.",
            ),
        ],
    },
    Table {
        name: "segment_ledger",
        doc: "Every segment id ever given, with its names. Ids are never used again.",
        version: "1.0",
        row: "scheme x segment",
        sorted_by: &["scheme", "segment_id"],
        unique: true,
        columns: &[
            AS_OF,
            must("scheme", Ty::Text, "The scheme."),
            must("segment_id", Ty::Int, "Permanent id of the segment: of clusters a number from 1, else one that follows from its first name."),
            must("segment", Ty::Text, "Its name, the last one where it has ended."),
            may("declared_as", Ty::Text, "The name by which the pipeline declares it; null for clusters."),
            may("names_before", Ty::Text, "Names that it had before, oldest first, as a JSON list."),
            must("first_day", Ty::Date, "First day with the segment."),
            must("last_day", Ty::Date, "Last day with it."),
            must("status", Ty::Text, "`active`, or `ended` where this version does not have it."),
        ],
    },
    Table {
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
            may("left_customers", Ty::Int, "Members who churned before by the first supervised score, and have no value at risk.").counts("customers"),
            may(
                "win_back_value",
                Ty::Float,
                "What winning one of them back would be worth: mean of what they brought per period of `[value]` from the first \
                 order to the last.",
            )
            .counts("currency"),
        ],
    },
    Table {
        name: "sources",
        doc: "The rows of each source by outcome: file_rows = future + unknown + pruned + rows, and rows = used + filtered + \
        quarantined + dropped.",
        version: "1.3",
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
        ],
    },
];
