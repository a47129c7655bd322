//! `[sources.NAME]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::word::RepeatedRows;
use crate::pipeline::{Base, ColumnType, Format, OnBadRow, SourceKind, Unit};

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
    /// A file, a folder (Hive partitions understood) or a glob, relative to the current directory.
    path: String,
    /// How the files are encoded; from their extension by default. CSV: UTF-8, a header, commas, in every record a field for
    /// each column. NDJSON: an object a line, whose keys are columns. Either is read whole by `tessera check`, too.
    format: Option<Format>,
    /// Column with the customer's key.
    key: String,
    /// Events: when it happened. Attributes: since when the row holds. Intervals: when it began.
    time: Option<String>,
    /// Attributes: until when the row holds. Intervals: when it ended. Exclusive; null while it lasts.
    until: Option<String>,
    /// Column that says when the row became known: later rows are invisible to earlier runs.
    known_at: Option<String>,
    /// What naive timestamps mean, such as `Europe/London`; without it they are refused.
    time_zone: Option<String>,
    /// Column that identifies the order a row belongs to; every row is an order without it.
    order_id: Option<String>,
    /// Column, given or derived, with the money of a row; `amount` by default.
    amount: Option<String>,
    /// Derived columns: name and SQL expression over the source's columns.
    derive: Option<BTreeMap<String, String>>,
    /// Rows for which this SQL condition is not true do not concern the pipeline; they are counted.
    filter: Option<String>,
    /// How old the newest event may be at the close of `as_of`.
    freshness: Option<FreshnessTable>,
    /// What rows must satisfy.
    contract: ContractTable,
    /// Columns of an `attributes` source that are taken as features.
    attributes: Option<BTreeMap<String, AttributeTable>>,
}

/// How old the newest event may be: hours, days or weeks, such as `36h`, `7d`, `2w`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct FreshnessTable {
    /// Older than this is flagged.
    #[schemars(regex(pattern = r"^[0-9]+[hdw]$"))]
    warn: Option<String>,
    /// Older than this fails the run with exit code 3.
    #[schemars(regex(pattern = r"^[0-9]+[hdw]$"))]
    fail: Option<String>,
}

/// What rows must satisfy; those that do not are quarantined with the reason.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ContractTable {
    /// Columns and their types. Files may hold more columns, and narrower types that widen without loss.
    columns: Option<BTreeMap<String, ColumnTypeText>>,
    /// What happens to rows without a key.
    missing_key: OnBadRow,
    /// What happens to repeated rows; `keep` by default.
    duplicates: Option<DuplicatesValue>,
    /// Row checks in order; the first that fails is the reason.
    rules: Option<Vec<RuleTable>>,
}

/// Type of a column.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum ColumnTypeText {
    Plain(ColumnType),
    Decimal(#[schemars(regex(pattern = r"^decimal\([0-9]+(, ?[0-9]+)?\)$"))] String),
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
    /// The columns; of rows that agree in all of them the first is kept.
    #[schemars(length(min = 1))]
    unique: Vec<String>,
    /// What happens to the later ones; `quarantine` by default.
    on_fail: Option<OnBadRow>,
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
}
