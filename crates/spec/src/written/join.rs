//! `[sources.NAME.join.JOIN]`: what may be written.

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// A column, or for a lookup several.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
pub(super) enum KeyValue {
    One(String),
    Several(#[schemars(length(min = 1))] Vec<String>),
}

/// At most one row of a lookup beside each row of the source; without such a row its columns are null, which is counted.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct JoinTable {
    /// The source of kind `lookup` that is searched; the one with the join's own name by default.
    from: Option<String>,
    /// Every key column of the lookup: `{ order_currency = "currency" }` sets a column of this source equal to one of the
    /// lookup; `["currency", "day"]` where both have the same name. Null equals nothing.
    on: ColumnsValue,
    /// Column, given or derived, with the time of the search: of the lookup's rows with that key the newest at or before
    /// this time counts. Without it, the newest up to the date of the run.
    as_of: Option<String>,
    /// Columns to add to this source: `["rate"]`, or `{ usd_rate = "rate" }` under another name.
    columns: ColumnsValue,
}

/// Columns of the same name on both sides, or pairs.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum ColumnsValue {
    Same(#[schemars(length(min = 1))] Vec<String>),
    Pairs(#[schemars(length(min = 1))] BTreeMap<String, String>),
}
