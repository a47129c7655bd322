//! Where rows come from and what they must satisfy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{At, Base, Column, Description, ExprText, Join, TextSettings, Through, Unit};

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
    /// Column that holds the customer's key; of a lookup the first of its key columns.
    pub key: At<String>,
    /// The other key columns of a lookup.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub more_keys: Vec<At<String>>,
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
    /// Events: rows for which this is true are purchases; every row is one when absent.
    pub purchase: Option<ExprText>,
    /// How text files are written; as their format says when not stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSettings>,
    /// Derived columns in file order: name and expression over the source's columns.
    pub derive: Vec<(At<String>, ExprText)>,
    /// What is joined to each row, in file order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<Join>,
    /// Another source: only rows of customers who have used rows in it are used; other rows are counted as filtered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_keys_of: Option<At<String>>,
    /// Filter: rows for which this is not true are not used and are counted as filtered.
    pub filter: Option<ExprText>,
    /// How old the newest event may be at `as_of`.
    pub freshness: Option<Freshness>,
    /// The day through which the source must be complete, instead of that of `[run]`; like that, not part of the canonical form.
    #[serde(skip)]
    pub data_through: Option<Through>,
    /// What rows must satisfy.
    pub contract: Contract,
    /// `attributes` sources: the columns taken as features.
    pub attributes: Vec<Attribute>,
    /// Its features, of a lookup its columns, whose values never change, so that today's are valid for earlier dates, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchanging: Vec<At<String>>,
}

impl Source {
    /// The columns that hold its key: the customer's, or the several ones of a lookup.
    pub fn keys(&self) -> impl Iterator<Item = &At<String>> {
        std::iter::once(&self.key).chain(&self.more_keys)
    }
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
    /// Rows that others are joined with: rates, links between ids, properties of products.
    Lookup,
}

/// The name of a file format. What formats there are is not known here: each is a file of the crate that reads them, which gives
/// the parser its [`crate::FormatSyntax`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Format(pub &'static str);

/// `freshness = { warn, fail }`, in hours from the newest used row to the end of `as_of`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Freshness {
    /// An older source gives a warning and the status `stale`.
    pub warn_hours: Option<f64>,
    /// An older source fails the run with exit code 3.
    pub fail_hours: Option<f64>,
}

/// `[sources.NAME.contract]`.
#[derive(Debug, Clone, Serialize)]
pub struct Contract {
    /// Declared columns and types; a file may hold more columns, and narrower types that widen without loss.
    pub columns: Vec<Column>,
    /// What happens to rows without a key.
    pub missing_key: OnBadRow,
    /// What happens to rows with a value that does not convert to its column's type.
    pub conversions: OnBadValue,
    /// `attributes` and `lookup` sources: which of several valid rows of a key counts; by default the newest where there is a `time`,
    /// otherwise rows that differ fail the run.
    pub several: Option<At<Several>>,
    /// How many rows may be rejected.
    pub limits: Limits,
    /// Rejected rows that `rejects` keeps of each rule.
    pub keep_rejects: u32,
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
    Money,
    String,
    Date,
    Timestamp,
}

/// What happens to a row that breaks the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// Quarantined in `rejects`, with the reason.
    Quarantine,
    /// Left out and counted.
    Drop,
    /// The run fails with exit code 3.
    Fail,
}

/// What happens to a row with a value that does not convert to its column's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadValue {
    /// Quarantined in `rejects`, with the reason.
    Quarantine,
    /// Left out and counted.
    Drop,
    /// The run fails with exit code 3.
    Fail,
    /// The value becomes null and is counted; the row is used.
    Null,
}

/// Which of several valid rows of a key counts in an `attributes` or `lookup` source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Several {
    /// The newest by `time`; equally new rows that differ fail the run.
    Newest,
    /// The first in the order of files and rows, in a source without `time`.
    First,
    /// Rows that differ fail the run with exit code 3.
    Fail,
}

/// Most rows that may be rejected: a share of the visible rows, such as `"1%"`, or a number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// In [0, 1].
    Share(f64),
    /// Rows.
    Rows(u64),
}

/// Limits of rejected rows; above one the run fails with exit code 3.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limits {
    /// Of all rules of the source together; [`DEFAULT_MAX_REJECTED`] where nothing is stated.
    pub source: Option<Limit>,
    /// Of rows without a key.
    pub missing_key: Option<Limit>,
    /// Of rows with a value that does not convert.
    pub conversions: Option<Limit>,
    /// Of repeated rows.
    pub duplicates: Option<Limit>,
}

/// Share of a source's visible rows that may be rejected where nothing is stated, in sources of at least
/// [`DEFAULT_LIMIT_FROM_ROWS`] rows: above it, the export has changed rather than a few of its rows.
pub const DEFAULT_MAX_REJECTED: f64 = 0.4;

/// Visible rows from which [`DEFAULT_MAX_REJECTED`] applies.
pub const DEFAULT_LIMIT_FROM_ROWS: u64 = 100;

/// Rejected rows that are kept of each rule where nothing is stated.
pub const DEFAULT_KEEP_REJECTS: u32 = 1_000;

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
    /// How many rows may break it.
    pub max_rejected: Option<Limit>,
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
    /// How people read it.
    #[serde(flatten)]
    pub description: Description,
}

fn zone_name<S: Serializer>(value: &Option<At<chrono_tz::Tz>>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(zone) => to.collect_str(&zone.value),
        None => to.serialize_none(),
    }
}
