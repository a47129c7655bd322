//! `[schemes.NAME]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::word::GridName;
use crate::pipeline::{Closed, Transform};

/// A scheme: how the customers are assigned to segments.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) enum SchemeTable {
    /// Scores for recency, frequency and monetary value, then a grid of named cells.
    RfmGrid {
        /// Feature of recency, small is good; `recency_days` by default.
        recency: Option<String>,
        /// Feature of frequency; `order_count` by default.
        frequency: Option<String>,
        /// Feature of monetary value; `spend_total` by default.
        monetary: Option<String>,
        /// How values become scores; `midrank` by default.
        score_method: Option<MethodValue>,
        /// Highest score; 5 by default, and what named grids need.
        #[schemars(range(min = 2, max = 9))]
        scores: Option<u8>,
        /// Cells and their names.
        grid: GridValue,
        /// Weights of recency, frequency and monetary value in the weighted score; [100, 10, 1] by default.
        #[schemars(length(min = 3, max = 3), inner(range(min = 0)))]
        weights: Option<Vec<f64>>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `always` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
        /// Segments that were renamed: the name, and the one before, whose id and history they keep.
        was: Option<BTreeMap<String, String>>,
    },
    /// Cumulative shares of the customers by a number, highest first.
    Quantile {
        /// The numeric feature to rank by.
        by: String,
        /// Names with cumulative shares of customers, rising, the last 1.0: { top = 0.05, high = 0.20, low = 1.0 }.
        #[schemars(extend("minProperties" = 1, "additionalProperties" = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}))]
        tiers: BTreeMap<String, f64>,
        /// Segment of customers without the number; `unknown` by default.
        missing: Option<String>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `always` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
        /// Segments that were renamed: the name, and the one before, whose id and history they keep.
        was: Option<BTreeMap<String, String>>,
    },
    /// The first rule that is true decides.
    Rules {
        /// Rules in order.
        rules: Vec<SegmentRuleTable>,
        /// Segment if no rule is true.
        otherwise: String,
        /// Segments that were renamed: the name, and the one before, whose id and history they keep.
        was: Option<BTreeMap<String, String>>,
    },
    /// The values of a label.
    Attribute {
        /// The label feature.
        by: String,
        /// Segment of customers without a value; `unknown` by default.
        missing: Option<String>,
        /// Values of a smaller share of customers are merged into `other`; 0 by default.
        #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 0.5))]
        min_share: Option<f64>,
        /// Name of the segment of rare values; `other` by default.
        other: Option<String>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `always` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
        /// Segments that were renamed: the name, and the one before, whose id and history they keep.
        was: Option<BTreeMap<String, String>>,
    },
    /// The lifecycle stages; limits are those of `lifecycle` in [features].
    Lifecycle {
        /// Segments that were renamed: the name, and the one before, whose id and history they keep.
        was: Option<BTreeMap<String, String>>,
    },
    /// Clusters of customers who are alike.
    Kmeans {
        /// Numeric features.
        #[schemars(length(min = 1), extend("uniqueItems" = true))]
        features: Vec<String>,
        /// Number of clusters; `auto` takes the best mean silhouette of 2 to 10.
        k: ClustersValue,
        /// What is done to each number before it is standardised; `auto` by default.
        transform: Option<Transform>,
        /// Share of values at each tail that are replaced by the quantile there: 0.01 is p1 and p99; none by default.
        #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 0.5))]
        winsorise: Option<f64>,
        /// Restarts of the fit; 10 by default.
        #[schemars(range(min = 1, max = 1_000))]
        restarts: Option<u32>,
        /// Most customers of the sample for the fit, before it is refined on all customers; 20000 by default.
        #[schemars(range(min = 1_000, max = 10_000_000))]
        sample: Option<u32>,
        /// Names of the clusters, ordered by the mean of the first feature, highest first; or by id, as in table `segments`:
        /// { 3 = "weekenders" }. What sets a cluster apart by default.
        names: Option<NamesValue>,
        /// A refit is not used where a larger share of the customers would be in clusters that continue none of the previous
        /// version; 0.3 by default.
        #[schemars(range(min = 0, max = 1))]
        max_unmatched: Option<f64>,
        /// How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; `1mo` by default.
        #[schemars(regex(pattern = r"^(always|never|[0-9]+(d|w|mo))$"))]
        refit: Option<String>,
    },
}

/// Names of clusters.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum NamesValue {
    List(#[schemars(extend("uniqueItems" = true))] Vec<String>),
    ById(BTreeMap<String, String>),
}

/// How values become scores.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum MethodValue {
    Word(PlainMethod),
    Table(MethodTable),
}

/// Score methods that need nothing more.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum PlainMethod {
    /// Mid-distribution rank: equal values get equal scores.
    Midrank,
    /// Type-7 quantile edges of this run.
    Quantile,
    /// Edges of the earliest version of the store that has them; the first run computes them.
    Frozen,
}

/// A score method with its settings.
#[derive(JsonSchema)]
#[schemars(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) enum MethodTable {
    /// Mid-distribution rank: equal values get equal scores.
    Midrank {},
    /// Type-7 quantile edges of this run.
    Quantile {
        /// Which side of an edge belongs to the bin; `right` by default.
        closed: Option<Closed>,
        /// Added to each quantile before it is an edge; 0 by default.
        edge_offset: Option<f64>,
    },
    /// Edges as given: one fewer than `scores`, increasing; a value on an edge gets the lower score.
    Threshold {
        /// Edges of recency.
        #[schemars(length(min = 1, max = 8))]
        recency: Vec<f64>,
        /// Edges of frequency.
        #[schemars(length(min = 1, max = 8))]
        frequency: Vec<f64>,
        /// Edges of monetary value.
        #[schemars(length(min = 1, max = 8))]
        monetary: Vec<f64>,
    },
    /// Edges of an earlier version of the store.
    Frozen {
        /// The version; the earliest that has edges by default.
        #[schemars(range(min = 1))]
        version: Option<u64>,
    },
}

/// Cells of the grid.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum GridValue {
    Named(GridName),
    Own(#[schemars(length(min = 1))] Vec<IntervalTable>),
}

/// One line of a grid: ranges of scores, both ends included; without a range all scores match. The first line that matches
/// decides.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct IntervalTable {
    /// Name of the segment.
    segment: String,
    /// Recency scores from, to.
    r: Option<[u8; 2]>,
    /// Frequency scores from, to.
    f: Option<[u8; 2]>,
    /// Monetary scores from, to.
    m: Option<[u8; 2]>,
}

/// One rule of a scheme.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct SegmentRuleTable {
    /// Segment of the customers for whom `when` is true.
    segment: String,
    /// SQL condition over features and schemes declared earlier.
    when: String,
}

/// Number of clusters.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum ClustersValue {
    Auto(AutoWord),
    Fixed(#[schemars(range(min = 1, max = 50))] u32),
    Range(ClusterRangeTable),
}

/// The best mean silhouette of 2 to 10.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum AutoWord {
    Auto,
}

/// The best mean silhouette of this range.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct ClusterRangeTable {
    /// Fewest clusters.
    #[schemars(range(min = 2, max = 50))]
    from: u32,
    /// Most clusters.
    #[schemars(range(min = 2, max = 50))]
    to: u32,
}
