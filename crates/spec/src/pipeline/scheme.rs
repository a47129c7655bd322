//! Schemes: how customers are assigned to segments.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{At, ExprText, Refit};

/// `[schemes.NAME]`.
#[derive(Debug, Clone, Serialize)]
pub struct Scheme {
    /// Name of the scheme, and of its column in `customers`.
    pub name: At<String>,
    /// How customers are assigned.
    pub kind: SchemeKind,
    /// How long what it learned from the customers is used before it is learned again.
    pub refit: Refit,
    /// Names that people gave.
    #[serde(skip_serializing_if = "Naming::is_empty")]
    pub naming: Naming,
}

/// Names that people gave to the segments of a scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Naming {
    /// Renamed segments: the name, and the one before, whose id they keep.
    pub was: Vec<(String, String)>,
    /// Names of clusters, by id.
    pub by_id: Vec<(i64, String)>,
}

impl Naming {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.was.is_empty() && self.by_id.is_empty()
    }

    /// Clusters with the names that people gave to their ids; another cluster that would be called the same has its id behind it.
    pub fn named(&self, ids: &[i64], names: Vec<String>) -> Vec<String> {
        let given = |id: i64| self.by_id.iter().find(|(known, _)| *known == id);
        let is_taken = |name: &String| {
            let mut taken = self.by_id.iter();
            taken.any(|(id, known)| known == name && ids.contains(id))
        };
        let named = ids.iter().zip(names).map(|(&id, name)| match given(id) {
            Some((_, given)) => given.clone(),
            None if is_taken(&name) => format!("{name} {id}"),
            None => name,
        });
        named.collect()
    }

    /// The earlier name of a segment.
    pub fn was(&self, segment: &str) -> Option<&str> {
        let mut renamed = self.was.iter();
        let found = renamed.find(|(name, _)| name == segment);
        found.map(|(_, was)| was.as_str())
    }
}

/// A column that a scheme adds to `customers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemeColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub holds: SchemeColumnKind,
}

/// What a column of a scheme holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemeColumnKind {
    /// The name of the segment: text.
    Segment,
    /// The permanent id of the segment: an integer.
    SegmentId,
    /// The scores of recency, frequency and monetary value as one text, such as `545`.
    Scores,
    /// One of the three scores: an integer.
    Score,
    /// The weighted sum of the scores: a number.
    Weighted,
}

impl Scheme {
    /// The columns that the scheme adds to `customers`, its own first.
    pub fn columns(&self) -> Vec<SchemeColumn> {
        let column = |ending: &str, holds| SchemeColumn {
            name: format!("{}{ending}", self.name.value),
            holds,
        };
        let mut columns = vec![
            column("", SchemeColumnKind::Segment),
            column("_segment_id", SchemeColumnKind::SegmentId),
        ];
        if let SchemeKind::RfmGrid(grid) = &self.kind {
            columns.push(column("_score", SchemeColumnKind::Scores));
            for ending in RFM_ENDINGS {
                columns.push(column(ending, SchemeColumnKind::Score));
            }
            if grid.weights != CODE_WEIGHTS {
                columns.push(column("_weighted", SchemeColumnKind::Weighted));
            }
        }
        columns
    }
}

/// What the name of a grid's columns of single scores ends with: recency, frequency, monetary value.
pub const RFM_ENDINGS: [&str; 3] = ["_r", "_f", "_m"];

/// Weights of R, F, M that give the score code read as a number; a weighted score adds nothing to it.
pub const CODE_WEIGHTS: [f64; 3] = [100.0, 10.0, 1.0];

/// How a scheme assigns the customers.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum SchemeKind {
    /// Scores for recency, frequency and monetary value, then a grid of named cells.
    RfmGrid(RfmGrid),
    /// Cumulative shares of customers by a number.
    Quantile(QuantileScheme),
    /// First matching predicate.
    Rules(RulesScheme),
    /// The values of a label.
    Attribute(AttributeScheme),
    /// The lifecycle stages.
    Lifecycle,
    /// k-means clusters.
    Kmeans(KmeansScheme),
}

/// `kind = "rfm_grid"`.
#[derive(Debug, Clone, Serialize)]
pub struct RfmGrid {
    /// Feature of recency (small is good); `recency_days` by default.
    pub recency: At<String>,
    /// Feature of frequency; `order_count` by default.
    pub frequency: At<String>,
    /// Feature of monetary value; `spend_total` by default.
    pub monetary: At<String>,
    /// How values become scores.
    pub score_method: ScoreMethod,
    /// Highest score; 5 by default, and what the named grids need.
    pub scores: u8,
    /// Cells and their names.
    pub grid: At<Grid>,
    /// Weights of R, F, M in the weighted score; 100, 10, 1 by default (R package `rfm`).
    pub weights: [f64; 3],
}

/// How values become scores 1..=k.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMethod {
    /// Mid-distribution rank.
    Midrank,
    /// Type-7 quantile edges of this run, reported in `models`.
    Quantile {
        /// Which side of an edge belongs to the bin.
        closed: Closed,
        /// Added to each type-7 quantile before it is used as an edge (the R package `rfm` adds 1); 0 by default.
        edge_offset: f64,
    },
    /// Edges as given, right-closed.
    Threshold {
        /// k - 1 rising edges of recency.
        recency: Vec<f64>,
        /// k - 1 rising edges of frequency.
        frequency: Vec<f64>,
        /// k - 1 rising edges of monetary value.
        monetary: Vec<f64>,
    },
    /// Edges of an earlier version of this store; the first run computes type-7 quantiles and later runs reuse them.
    Frozen {
        /// Version whose edges are used; the earliest version that has them when absent.
        version: Option<u64>,
    },
}

/// Which side of an edge belongs to the bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// `lower < v <= upper` (pandas and R `cut`).
    Right,
    /// `lower <= v < upper` (R package `rfm`).
    Left,
}

/// Cells of an RFM grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// The 11-segment map over all 125 cells.
    Eleven,
    /// The 10-segment R x F grid.
    Ten,
    /// First matching intervals, from the R package's documentation.
    IntervalDocs,
    /// First matching intervals, from the R package's README.
    IntervalReadme,
    /// Own intervals, first match wins.
    Own(Vec<GridInterval>),
}

/// One line of an interval grid: inclusive score ranges.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridInterval {
    /// Name of the segment.
    pub segment: String,
    /// Recency scores from, to.
    pub r: [u8; 2],
    /// Frequency scores from, to.
    pub f: [u8; 2],
    /// Monetary scores from, to.
    pub m: [u8; 2],
}

/// `kind = "quantile"`.
#[derive(Debug, Clone, Serialize)]
pub struct QuantileScheme {
    /// The number to rank by, highest first.
    pub by: At<String>,
    /// Tier names with the cumulative share of customers, rising, the last 1.0.
    pub tiers: Vec<(String, f64)>,
    /// Segment of customers whose number is null.
    pub missing: String,
}

/// `kind = "rules"`.
#[derive(Debug, Clone, Serialize)]
pub struct RulesScheme {
    /// Rules in order.
    pub rules: Vec<SegmentRule>,
    /// Segment if no rule is true.
    pub otherwise: String,
}

/// One rule of a `rules` scheme.
#[derive(Debug, Clone, Serialize)]
pub struct SegmentRule {
    /// Segment of the customers for whom `when` is true.
    pub segment: At<String>,
    /// Predicate over features, and over schemes declared earlier.
    pub when: ExprText,
}

/// `kind = "attribute"`.
#[derive(Debug, Clone, Serialize)]
pub struct AttributeScheme {
    /// The label feature.
    pub by: At<String>,
    /// Segment of customers without a value.
    pub missing: String,
    /// Values rarer than this share of customers fall into `other`; 0 by default.
    pub min_share: f64,
    /// Name of the segment of rare values.
    pub other: String,
}

/// `kind = "kmeans"`.
#[derive(Debug, Clone, Serialize)]
pub struct KmeansScheme {
    /// Numeric features.
    pub features: Vec<At<String>>,
    /// Number of clusters.
    pub k: KChoice,
    /// What is done to each number before it is standardised.
    pub transform: Transform,
    /// Share cut at each tail after the transform, 0.01 = p1 and p99; none by default.
    pub winsorise: Option<f64>,
    /// Restarts of the fit; 10 by default.
    pub restarts: u32,
    /// Most customers of the sample for the fit, before it is refined on all customers; 20,000 by default.
    pub sample: u32,
    /// Names of the clusters, ordered by the mean of the first feature, highest first; `cluster 1` … by default.
    pub names: Vec<String>,
    /// Largest share of customers in clusters that continue none of the previous version, up to which a refit is used.
    pub max_unmatched: f64,
}

/// How many clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KChoice {
    /// That many.
    Fixed(u32),
    /// The best mean silhouette from, to (inclusive); `"auto"` is 2 to 10.
    Range(u32, u32),
}

/// Transform of a number before it is standardised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// `log1p` where skewness is above 4 and nothing is negative, `asinh` where skewed with negatives, else none.
    Auto,
    /// Values as they are.
    None,
    /// ln(1 + x); refused where x < 0.
    Log1p,
    /// asinh(x).
    Asinh,
}
