//! The columns of a contract: what may be written.

use schemars::JsonSchema;

use crate::pipeline::{ColumnType, DecimalSign, EpochUnit, ThousandsSign};

/// Type of a column, or a table with it and the form of its values.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum ColumnValue {
    Type(ColumnTypeText),
    Table(ColumnTable),
}

/// Type of a column.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum ColumnTypeText {
    Plain(ColumnType),
    Decimal(#[schemars(regex(pattern = r"^decimal\([0-9]+(, ?[0-9]+)?\)$"))] String),
}

/// Type of a column and the form of its values.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct ColumnTable {
    /// Type of the column.
    r#type: ColumnTypeText,
    /// Form of its dates or times, such as `%d.%m.%Y`, or several; ISO 8601 by default.
    format: Option<FormatValue>,
    /// Numbers are times since 1970-01-01T00:00:00Z in this unit.
    epoch: Option<EpochUnit>,
    /// Sign before the decimals; that of the source by default.
    decimal: Option<DecimalSign>,
    /// Sign between groups of three digits; that of the source by default.
    thousands: Option<ThousandsSign>,
    /// Texts that stand for a missing value in this column; those of the source by default.
    #[schemars(extend("uniqueItems" = true))]
    nulls: Option<Vec<String>>,
    /// Every file must have the column; otherwise it is null where a file lacks it.
    required: Option<bool>,
}

/// One form, or several of which a text must have one.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum FormatValue {
    One(String),
    Several(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<String>),
}
