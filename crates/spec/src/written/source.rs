//! `[sources.NAME]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::form::ColumnValue;
use super::join::{JoinTable, KeyValue};
use super::word::RepeatedRows;
use crate::pipeline::{Base, Direction, OnBadRow, OnBadValue, Several, SourceKind, Unit};

/// A file format: each describes itself, see [`crate::FormatSyntax`].
#[derive(JsonSchema)]
struct Format {}

/// How texts are written: see [`crate::text_keys`].
#[derive(JsonSchema)]
struct TextTable {}

/// A table of the lake.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("allOf" = [
    {"if": {"properties": {"kind": {"enum": ["events", "intervals"]}}}, "then": {"required": ["time"]}},
    {"if": {"properties": {"kind": {"const": "intervals"}}}, "then": {"required": ["until"]}},
]))]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct SourceTable {
    /// What its rows are.
    kind: SourceKind,
    /// A file, a folder (Hive partitions are supported) or a glob, relative to the current directory.
    path: String,
    /// How the files are encoded; from their extension by default.
    format: Option<Format>,
    /// Column with the customer's key, given, derived or joined. Lookup: the column or columns that identify its rows.
    key: KeyValue,
    /// Events: when it happened. Attributes, lookup: since when the row holds. Intervals: when it began.
    time: Option<String>,
    /// Attributes: until when the row holds. Intervals: when it ended. Exclusive; null while it lasts.
    until: Option<String>,
    /// Column that says when the row became known: later rows are invisible to earlier runs.
    known_at: Option<String>,
    /// What naive timestamps mean, such as `Europe/London`; without it they are refused.
    time_zone: Option<String>,
    /// Events: column that identifies the order a row belongs to; every row is an order without it.
    order_id: Option<String>,
    /// Events: column, given or derived, with the money of a row; `amount` by default.
    amount: Option<String>,
    /// Events: an SQL condition over the source's columns, true for rows that are purchases, such as `amount > 0`. Orders,
    /// days and recency of the catalogue and of scores count purchases only; sums of money take every row, so that refunds
    /// are netted. Every row is a purchase without it.
    purchase: Option<String>,
    /// How texts are written.
    text: Option<TextTable>,
    /// Derived columns: name and SQL expression over the source's columns.
    derive: Option<BTreeMap<String, String>>,
    /// Joins: to each row at most one row of a source of kind `lookup`. Joined columns may be used like columns of the files,
    /// also in `derive` and in later joins.
    join: Option<BTreeMap<String, JoinTable>>,
    /// Semi-join: only rows whose key is the key of a used row of this source are used; the others do not concern the pipeline
    /// and are counted as filtered.
    only_keys_of: Option<String>,
    /// Rows for which this SQL condition is not true do not concern the pipeline; they are counted.
    filter: Option<String>,
    /// How old the newest used row may be at the close of `as_of`, by `time`. Without it the age is shown and not judged.
    freshness: Option<FreshnessTable>,
    /// The day through which the source must be complete, in place of that of `[run]`: `as_of`, a number of days before it such
    /// as `as_of - 7d`, or `any` for a source that is not waited for. A source is complete where its newest used row is of that
    /// day or later.
    #[schemars(regex(pattern = r"^(any|as_of( *- *[0-9]+ *d)?)$"))]
    data_through: Option<String>,
    /// What rows must satisfy.
    contract: ContractTable,
    /// Columns of an `attributes` source that are taken as features.
    attributes: Option<BTreeMap<String, AttributeTable>>,
    /// Features of the source whose values never change, where only today's are known: attributes without `time`, and what is
    /// joined from a lookup without. Of a lookup: its columns that never change. All others of these take no part in supervised
    /// scores.
    #[schemars(extend("uniqueItems" = true))]
    unchanging: Option<Vec<String>>,
}

/// How old the newest used row may be: hours, days or weeks, such as `36h`, `7d`, `2w`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct FreshnessTable {
    /// An older source gives a warning and the status `stale`.
    #[schemars(regex(pattern = r"^[0-9]+[hdw]$"))]
    warn: Option<String>,
    /// An older source fails the run with exit code 3, and so does a source without a used row.
    #[schemars(regex(pattern = r"^[0-9]+[hdw]$"))]
    fail: Option<String>,
}

/// What rows must satisfy; those that do not are quarantined with the reason.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ContractTable {
    /// Columns and their types. Files may hold more columns, and narrower types that widen without loss.
    columns: Option<BTreeMap<String, ColumnValue>>,
    /// What happens to rows without a key.
    missing_key: OnBadRowValue,
    /// What happens to rows with a value that does not convert to the type of its column; `quarantine` by default.
    conversions: Option<OnBadValueValue>,
    /// Most rows that may be rejected (quarantined or dropped by a rule; dropped exact repetitions aside): above it the run
    /// fails with exit code 3 and publishes nothing. By default 40% of a source of 100 visible rows or more, of quarantined rows alone.
    max_rejected: Option<LimitValue>,
    /// Rejected rows that the table `rejects` keeps of each rule: the first in the order of files and rows. All are counted.
    /// 1000 by default.
    #[schemars(range(min = 0, max = 1_000_000))]
    keep_rejects: Option<u32>,
    /// Attributes, lookup: which of several rows of a customer or key that hold at the same time counts; `newest` by default where the source has
    /// a `time`, else `fail`.
    several: Option<Several>,
    /// What happens to repeated rows; `keep` by default.
    duplicates: Option<DuplicatesValue>,
    /// Row checks in order; the first that fails is the reason.
    rules: Option<Vec<RuleTable>>,
}

/// Most rows that may be rejected: a share of the visible rows, such as `"1%"`, or a number.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum LimitValue {
    Share(#[schemars(regex(pattern = r"^ *[0-9]+(\.[0-9]+)? *% *$"))] String),
    Rows(u64),
}

/// What happens to rows, and how many may be.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum OnBadRowValue {
    Word(OnBadRow),
    Limited(OnBadRowTable),
}

/// What happens to rows, and how many may be.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct OnBadRowTable {
    /// What happens to them.
    on_fail: OnBadRow,
    /// Most rows: above it the run fails.
    max_rejected: Option<LimitValue>,
}

/// What happens to rows with a value that does not convert, and how many may be.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum OnBadValueValue {
    Word(OnBadValue),
    Limited(OnBadValueTable),
}

/// What happens to rows with a value that does not convert, and how many may be.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct OnBadValueTable {
    /// What happens to them.
    on_fail: OnBadValue,
    /// Most rows: above it the run fails.
    max_rejected: Option<LimitValue>,
}

/// What happens to repeated rows.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum DuplicatesValue {
    Word(RepeatedRows),
    Unique(UniqueTable),
}

/// Columns that identify a row.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct UniqueTable {
    /// The columns; of rows with equal values in all of them the first is kept.
    #[schemars(length(min = 1))]
    unique: Vec<String>,
    /// What happens to the later ones; `quarantine` by default.
    on_fail: Option<OnBadRow>,
    /// Most rows that may be repeated: above it the run fails.
    max_rejected: Option<LimitValue>,
}

/// A check of every row.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct RuleTable {
    /// Name, shown in `rejects`.
    name: String,
    /// SQL condition over the source's columns; a row passes unless it is false.
    check: String,
    /// What happens to rows that do not pass; `quarantine` by default.
    on_fail: Option<OnBadRow>,
    /// Most rows that may break the rule: above it the run fails.
    max_rejected: Option<LimitValue>,
}

/// A column taken as a feature.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct AttributeTable {
    /// What kind of knowledge it is.
    base: Base,
    /// Unit of a number.
    unit: Option<Unit>,
    /// What people call it, such as `days since the last order`: reasons and the report use it; the name, its underscores as
    /// spaces, by default.
    label: Option<String>,
    /// Which values are good: colours of the report and the reading of changes follow it; `none` by default.
    direction: Option<Direction>,
}
