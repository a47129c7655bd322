//! The settings of an `rfm_grid` scheme.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::At;

/// What the name of a grid's columns of single scores ends with: recency, frequency, monetary value.
pub const RFM_ENDINGS: [&str; 3] = ["_r", "_f", "_m"];

/// Weights of R, F, M that give the score code read as a number; a weighted score adds nothing to it.
pub const CODE_WEIGHTS: [f64; 3] = [100.0, 10.0, 1.0];

/// Segment of customers whose recency, frequency or monetary value is missing.
pub const NOT_SCORED: &str = "Not Scored";

/// `kind = "rfm_grid"`.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
