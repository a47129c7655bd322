//! What can go wrong when customers are assigned.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use tessera_model::cluster::ClusterError;

/// Why customers could not be assigned or tables not be built.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// Anything that happened inside one scheme.
    #[error("[schemes.{scheme}]: {source}")]
    InScheme {
        /// The scheme's name.
        scheme: String,
        /// What happened.
        source: Box<SegmentError>,
    },
    /// The customer table has no column at all.
    #[error("the customer table has no columns; its first column must be the customer's key")]
    NoKey,
    /// The key has a type that is not supported.
    #[error("the key column `{column}` is {found}; a key is Utf8 or Int64")]
    KeyType {
        /// The key column.
        column: String,
        /// Its type.
        found: DataType,
    },
    /// A customer without a key.
    #[error(
        "the key column `{column}` is null in {nulls} rows; rows without a key belong in `rejects`"
    )]
    KeyNull {
        /// The key column.
        column: String,
        /// Rows without a key.
        nulls: usize,
    },
    /// Two rows for one customer.
    #[error(
        "customer `{key}` has more than one row; the customer table holds one row per `{column}`"
    )]
    KeyRepeated {
        /// The key column.
        column: String,
        /// The repeated key.
        key: String,
    },
    /// More rows than row numbers.
    #[error("{rows} customers in one table; at most {limit} can be assigned at once")]
    TooManyCustomers {
        /// Rows of the table.
        rows: usize,
        /// The largest number.
        limit: usize,
    },
    /// A feature column has a type that is not supported.
    #[error(
        "feature `{feature}` is {found}; features are integers, floats, dates, timestamps in microseconds, booleans or texts"
    )]
    ColumnType {
        /// The feature.
        feature: String,
        /// Its type.
        found: DataType,
    },
    /// The scheme needs a feature that the table does not have.
    #[error("there is no feature `{feature}`; there are: {}", .available.join(", "))]
    UnknownFeature {
        /// The feature asked for.
        feature: String,
        /// The features of the table.
        available: Vec<String>,
    },
    /// A number was needed and the feature is something else.
    #[error(
        "feature `{feature}` is {found}, and a number is needed here; choose a numeric feature, or derive one"
    )]
    NotNumeric {
        /// The feature.
        feature: String,
        /// Its type.
        found: DataType,
    },
    /// A label was needed and the feature is something else.
    #[error(
        "feature `{feature}` is {found}, and a label is needed here; for a number use a `quantile` or `rules` scheme"
    )]
    NotLabel {
        /// The feature.
        feature: String,
        /// Its type.
        found: DataType,
    },
    /// No entry of the registry takes this kind of scheme.
    #[error("no registered kind takes this scheme; add it to KINDS")]
    NoKind,
    /// A kind was given another kind's settings.
    #[error("the `{kind}` kind was given another kind's settings")]
    WrongKind {
        /// The kind that was called.
        kind: &'static str,
    },
    /// A `rules` scheme without the outcome of its predicates.
    #[error(
        "the rules were not evaluated: hand over `Extra::rule_matches`, or `Extra::rule_hits` with one entry per customer"
    )]
    RuleHitsMissing,
    /// The outcome of the predicates is for another table.
    #[error("the rules were evaluated for {found} customers, and there are {expected}")]
    RuleHitsLength {
        /// Outcomes handed over.
        found: usize,
        /// Customers.
        expected: usize,
    },
    /// The outcomes of the predicates are those of another scheme.
    #[error("{found} rules were evaluated, and the scheme has {expected}")]
    RuleMatchesCount {
        /// Rules handed over.
        found: usize,
        /// Rules of the scheme.
        expected: usize,
    },
    /// An outcome names a rule that does not exist.
    #[error("customer row {row} is said to match rule {}, and the scheme has {rules} rules", .index + 1)]
    RuleIndex {
        /// Row of the customer table, from 0.
        row: usize,
        /// The rule, from 0.
        index: u32,
        /// Rules of the scheme.
        rules: usize,
    },
    /// A named grid was asked for with another number of scores than it is defined for.
    #[error(
        "grid `{grid}` is defined for scores 1 to {needed}, and the scheme has 1 to {found}; remove `scores` or list the lines of your own grid"
    )]
    GridScores {
        /// The grid.
        grid: &'static str,
        /// Its highest score.
        needed: u8,
        /// The scheme's highest score.
        found: u8,
    },
    /// The highest score is out of range.
    #[error("the highest score is {found}; it must lie from {low} to {high}")]
    ScoreRange {
        /// The highest score asked for.
        found: u8,
        /// Least.
        low: u8,
        /// Most.
        high: u8,
    },
    /// A grid of the pipeline's own with a line whose range is empty or out of range.
    #[error("line {} of the grid has a range that is empty or outside 1 to {scores}: a range is [from, to] with 1 <= from <= to <= {scores}", .line + 1)]
    GridLine {
        /// The line, from 0.
        line: usize,
        /// The highest score.
        scores: u8,
    },
    /// A grid of the pipeline's own without any line.
    #[error("the grid has no lines; give at least one {{ segment, r, f, m }}")]
    GridEmpty,
    /// A grid of the pipeline's own with more lines than segments can be numbered.
    #[error("the grid has {lines} lines; at most {most} are possible")]
    GridLines {
        /// Lines that it has.
        lines: usize,
        /// Lines that it may have.
        most: usize,
    },
    /// Edges that do not fit the number of scores or do not rise.
    #[error("{dimension} has {found} edges; {expected} finite edges that never fall are needed to make {} scores", .expected + 1)]
    Edges {
        /// recency, frequency or monetary.
        dimension: &'static str,
        /// Edges given.
        found: usize,
        /// Edges needed.
        expected: usize,
    },
    /// Frozen edges belong to other features than the scheme now uses.
    #[error(
        "the frozen edges of {dimension} are those of `{frozen}`, and the scheme now scores `{now}`; give the scheme a new name, or freeze again from a version that scored `{now}`"
    )]
    FrozenFeature {
        /// recency, frequency or monetary.
        dimension: &'static str,
        /// Feature the edges were taken from.
        frozen: String,
        /// Feature of the scheme.
        now: String,
    },
    /// Tiers that are not rising cumulative shares ending at 1.
    #[error(
        "tier `{tier}` has the cumulative share {share}; shares must rise, lie in (0, 1], and the last must be 1.0"
    )]
    Tiers {
        /// The tier.
        tier: String,
        /// Its share.
        share: f64,
    },
    /// A quantile scheme without tiers.
    #[error("there are no tiers; give at least one, the last with the share 1.0")]
    NoTiers,
    /// A label with more values than there may be segments.
    #[error(
        "`{feature}` has {values} values that would each be a segment; at most {limit} are made: raise `min_share`"
    )]
    TooManySegments {
        /// The label feature.
        feature: String,
        /// Its values.
        values: usize,
        /// The limit.
        limit: usize,
    },
    /// Two names of one scheme hash to the same permanent id.
    #[error("segments `{first}` and `{second}` have the same id; rename one of them")]
    IdCollision {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// The customers could not be clustered.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// An assignment belongs to another table of customers.
    #[error("scheme `{scheme}` assigns {found} customers, and the table has {expected}")]
    Mismatch {
        /// The scheme.
        scheme: String,
        /// Customers it assigns.
        found: usize,
        /// Customers of the table.
        expected: usize,
    },
    /// Arrow could not build a table.
    #[error("the table `{table}` could not be built: {source}")]
    Table {
        /// The published table.
        table: &'static str,
        /// Arrow's message.
        source: ArrowError,
    },
}

impl SegmentError {
    /// The same error with the name of the scheme.
    pub(crate) fn in_scheme(self, scheme: &str) -> Self {
        Self::InScheme {
            scheme: scheme.to_owned(),
            source: Box::new(self),
        }
    }
}
