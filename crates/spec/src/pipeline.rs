//! What a pipeline file means once it has been checked.
//!
//! [`Pipeline`] holds no TOML and touches no data. Everything that a later check may complain about (a column that the lake
//! lacks, an expression that does not parse) carries its [`Span`], so that the complaint can point at the file again.
//! Comments and spans are no part of what serialises; [`crate::canonical`] also takes out the order of tables.
//! The words of its plain enums are those of the file: parser, JSON Schema and canonical form read them from here.

mod score;

use std::ops::Range;

use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

pub use score::{
    CLV_ESTIMATES, Calibration, ClvScore, ContractualScore, HealthComponent, HealthScale,
    HealthScore, INTERVAL_ENDS, PurchaseModel, PurchaseTimeUnit, RenewalKind, Score, ScoreColumn,
    ScoreKind, SupervisedModel, SupervisedScore,
};

/// Byte range in the text of the pipeline file.
pub type Span = Range<usize>;

/// A value together with the place it was written at. Serialises as the value alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands in the file.
    #[serde(skip)]
    pub span: Span,
}

impl<T> At<T> {
    /// A value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// An SQL expression as written: unparsed, since the grammar belongs to the `expr` crate. The span is that of the text
/// inside its quotes, so that a place in the expression is a place in the file (exact for plain one-line strings).
pub type ExprText = At<String>;

/// One checked pipeline file.
#[derive(Debug, Clone, Serialize)]
pub struct Pipeline {
    /// Name of the pipeline: letters, digits, `_`, `-`.
    pub name: String,
    /// Time zone whose calendar days the pipeline counts in.
    #[serde(serialize_with = "as_text")]
    pub timezone: chrono_tz::Tz,
    /// ISO 4217 code shown with money.
    pub currency: String,
    /// Folder of the snapshot store, variables resolved.
    #[serde(skip)]
    pub store: String,
    /// Seed of every random step.
    pub seed: u64,
    /// Why the pipeline exists.
    pub goal: Option<Goal>,
    /// The entity.
    pub customer: Customer,
    /// Sources in file order.
    pub sources: Vec<Source>,
    /// Catalogue groups and declared features.
    pub features: Features,
    /// Scores in file order.
    pub scores: Vec<Score>,
    /// Schemes in file order.
    pub schemes: Vec<Scheme>,
    /// Playbooks in file order.
    pub playbooks: Vec<Playbook>,
}

impl Pipeline {
    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.name.value == name)
    }

    /// The scheme of that name.
    pub fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes.iter().find(|s| s.name.value == name)
    }
}

/// `[goal]`: why the customers are divided.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What is to be achieved.
    pub objective: Objective,
    /// A feature or score, shown per segment.
    pub kpi: At<String>,
    /// Where the KPI should be.
    pub target: Option<Target>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When the segmentation is due for review.
    #[serde(serialize_with = "as_optional_text")]
    pub review_by: Option<NaiveDate>,
}

/// Objectives of a segmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Objective {
    Retention,
    Upsell,
    Adoption,
    Acquisition,
}

/// A target for the KPI's mean over all customers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The mean should lie below this.
    Below(f64),
    /// The mean should lie above this.
    Above(f64),
}

/// `[customer]`: the entity whose segments are published.
#[derive(Debug, Clone, Serialize)]
pub struct Customer {
    /// Name of the key column in the published tables.
    pub key: String,
    /// Sources whose keys make up the base, in file order; all sources by default.
    pub from: Vec<At<String>>,
}

/// `[sources.NAME]`.
#[derive(Debug, Clone, Serialize)]
pub struct Source {
    /// The name in the pipeline file.
    pub name: At<String>,
    /// What its rows are.
    pub kind: SourceKind,
    /// File, folder or glob; variables resolved. Not part of the canonical form: a moved lake is the same lake.
    #[serde(skip)]
    pub path: At<String>,
    /// How the files are encoded; from the extension when not stated.
    pub format: Option<Format>,
    /// Column that holds the customer's key.
    pub key: At<String>,
    /// Events: when it happened. Attributes: since when the row holds (`valid_from`). Intervals: when it began.
    pub time: Option<At<String>>,
    /// Attributes: until when the row holds (`valid_to`, exclusive). Intervals: when it ended (exclusive).
    pub until: Option<At<String>>,
    /// When the row became known.
    pub known_at: Option<At<String>>,
    /// What naive timestamps mean.
    #[serde(serialize_with = "zone_name")]
    pub time_zone: Option<At<chrono_tz::Tz>>,
    /// Column that identifies the order a row belongs to; the row itself when absent.
    pub order_id: Option<At<String>>,
    /// Column or derived column with the money of a row; `amount` where such a column exists and nothing is stated.
    pub amount: Option<At<String>>,
    /// Derived columns in file order: name and expression over the source's columns.
    pub derive: Vec<(At<String>, ExprText)>,
    /// Rows for which this is not true do not concern the pipeline; they are counted.
    pub filter: Option<ExprText>,
    /// How old the newest event may be at `as_of`.
    pub freshness: Option<Freshness>,
    /// What rows must satisfy.
    pub contract: Contract,
    /// `attributes` sources: the columns taken as features.
    pub attributes: Vec<Attribute>,
}

/// What the rows of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Rows in time.
    Events,
    /// What is known of a customer.
    Attributes,
    /// Rows with a beginning and an end.
    Intervals,
}

/// File formats of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Format {
    Parquet,
    Csv,
    Ndjson,
}

/// `freshness = { warn, fail }`, in hours from the newest event to the end of `as_of`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Freshness {
    /// Older than this is flagged.
    pub warn_hours: Option<f64>,
    /// Older than this fails the run with exit code 3.
    pub fail_hours: Option<f64>,
}

/// `[sources.NAME.contract]`.
#[derive(Debug, Clone, Serialize)]
pub struct Contract {
    /// Declared columns and types; a file may hold more columns, and narrower types that widen without loss.
    pub columns: Vec<(At<String>, At<ColumnType>)>,
    /// What happens to rows without a key.
    pub missing_key: OnBadRow,
    /// What happens to repeated rows.
    pub duplicates: Duplicates,
    /// Row checks in file order.
    pub rules: Vec<Rule>,
}

/// Column types a contract can declare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ColumnType {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    F32,
    F64,
    Decimal,
    String,
    Date,
    Timestamp,
}

/// What happens to a row that breaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// Set aside in `rejects`, with the reason.
    Quarantine,
    /// Left out and counted.
    Drop,
    /// The run fails with exit code 3.
    Fail,
}

/// What happens to repeated rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Duplicates {
    /// All are kept.
    Keep,
    /// The first of rows equal in every column is kept.
    DropExact,
    /// Rows equal in every column fail the run.
    Fail,
    /// These columns identify a row; the first is kept, later ones meet `on_fail`.
    Unique {
        /// The identifying columns.
        columns: Vec<At<String>>,
        /// What happens to the later ones.
        on_fail: OnBadRow,
    },
}

/// A row check of a contract.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// Name shown in `rejects`.
    pub name: At<String>,
    /// A row passes where this is not false (null passes, as in an SQL CHECK).
    pub check: ExprText,
    /// What happens to rows that do not pass.
    pub on_fail: OnBadRow,
}

/// A column of an `attributes` source taken as a feature.
#[derive(Debug, Clone, Serialize)]
pub struct Attribute {
    /// Column, and name of the feature.
    pub column: At<String>,
    /// What kind of knowledge it is.
    pub base: Base,
    /// Unit of a number.
    pub unit: Option<Unit>,
}

/// What kind of knowledge a feature is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Base {
    Behavioural,
    Value,
    Lifecycle,
    Engagement,
    Demographic,
    Firmographic,
    Geographic,
    Psychographic,
    Needs,
}

/// What a feature's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Whole calendar days.
    Days,
    /// A number of things.
    Count,
    /// Money in the pipeline's currency.
    Currency,
    /// A quotient or rate.
    Ratio,
    /// A position on a scale, such as a survey answer.
    Score,
    /// A calendar date.
    Date,
    /// A name.
    Label,
    /// A number without a declared unit.
    Number,
}

/// `[features]`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Features {
    /// Catalogue groups and single catalogue features to compute: `rfm`, `lifecycle`, `recency_days`.
    pub catalogue: Vec<At<String>>,
    /// The events source that catalogue features read; the only `events` source when not stated.
    pub orders: Option<At<String>>,
    /// Limits of the lifecycle stages.
    pub lifecycle: LifecycleLimits,
    /// Declared features in file order.
    pub declared: Vec<FeatureDecl>,
}

/// How lifecycle stages are told apart (DEFINITIONS §3).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LifecycleLimits {
    /// Days since the last activity: `active_days` < `at_risk_days` < `dormant_days`.
    Fixed {
        /// Active up to here; 30 by default.
        active_days: u32,
        /// At risk up to here; 90 by default.
        at_risk_days: u32,
        /// Dormant up to here, then churned; 365 by default.
        dormant_days: u32,
    },
    /// Overdue = recency / expected inter-purchase time, shrunk towards the base's by `prior_gaps` gaps:
    /// active ≤ 1 < slipping ≤ 2 < at risk ≤ 3 < lapsed.
    Cadence {
        /// Weight κ of the base's mean gap, in gaps; 3 by default.
        prior_gaps: f64,
    },
}

impl Default for LifecycleLimits {
    fn default() -> Self {
        Self::Fixed {
            active_days: 30,
            at_risk_days: 90,
            dormant_days: 365,
        }
    }
}

/// `[features] NAME = { … }`.
#[derive(Debug, Clone, Serialize)]
pub struct FeatureDecl {
    /// Name of the feature.
    pub name: At<String>,
    /// What kind of knowledge it is.
    pub base: Base,
    /// Unit of the number, if stated.
    pub unit: Option<Unit>,
    /// How it is computed.
    pub body: FeatureBody,
}

/// How a declared feature is computed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureBody {
    /// One aggregate over a source.
    Aggregate {
        /// The source.
        from: At<String>,
        /// The function.
        agg: At<AggFunc>,
        /// Expression over the source's columns; not for `count`.
        of: Option<ExprText>,
        /// Days of the window ending at `as_of`; all of history when absent.
        window_days: Option<At<u32>>,
        /// Days by which the window's end lies before `as_of`.
        offset_days: u32,
        /// Rows that count.
        filter: Option<ExprText>,
    },
    /// An expression over other features.
    Expr(ExprText),
}

/// Aggregates over the rows of a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AggFunc {
    /// Rows, or rows where `of` is not null. No rows: 0.
    Count,
    /// Distinct non-null values. No rows: 0.
    CountDistinct,
    /// Sum of non-null values. No rows: 0.
    Sum,
    /// Mean of non-null values. None: null.
    Mean,
    /// Smallest non-null value. None: null.
    Min,
    /// Largest non-null value. None: null.
    Max,
    /// Sample standard deviation (n - 1). Fewer than two values: null.
    Std,
    /// Median (mean of the middle two). None: null.
    Median,
    /// Value of the earliest row by time, then by position. None: null.
    First,
    /// Value of the latest row by time, then by position. None: null.
    Last,
}

/// `[schemes.NAME]`.
#[derive(Debug, Clone, Serialize)]
pub struct Scheme {
    /// Name of the scheme, and of its column in `customers`.
    pub name: At<String>,
    /// How customers are divided.
    pub kind: SchemeKind,
}

/// Ways of dividing the customers.
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

/// How values become scores 1..=k (DEFINITIONS §2).
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
    /// Segment where no rule holds.
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
    /// Largest number of customers the fit sees before it is refined on all; 20,000 by default.
    pub sample: u32,
    /// Names of the clusters, by falling size of the first feature's mean; `cluster 1` … by default.
    pub names: Vec<String>,
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

/// `[playbooks.NAME]`: what to do with a segment.
#[derive(Debug, Clone, Serialize)]
pub struct Playbook {
    /// Name of the playbook.
    pub name: At<String>,
    /// The scheme its segment belongs to.
    pub scheme: At<String>,
    /// The segment; the playbook's own name by default.
    pub segment: At<String>,
    /// What is to be achieved.
    pub goal: Option<String>,
    /// high, low or tech touch.
    pub touch: Option<String>,
    /// Through what channel.
    pub channel: Option<String>,
    /// Who acts.
    pub owner: Option<String>,
}

/// Serialises what prints as its canonical text, such as a time zone.
fn as_text<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn as_optional_text<T: std::fmt::Display, S: Serializer>(
    value: &Option<T>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => to.collect_str(value),
        None => to.serialize_none(),
    }
}

fn zone_name<S: Serializer>(value: &Option<At<chrono_tz::Tz>>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(zone) => to.collect_str(&zone.value),
        None => to.serialize_none(),
    }
}
