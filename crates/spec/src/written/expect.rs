//! `[[expect]]`

use std::collections::BTreeMap;

use schemars::JsonSchema;

/// What is known of a customer, a segment or a table, and must hold before a version is published. States one of `customer`, `scheme`
/// with `segment`, and `table`; every other key is a column and what is expected of it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape of a table; never filled")]
pub(super) struct ExpectTable {
    /// Key of a customer: the other keys are columns of `customers`.
    customer: Option<KeyOfCustomer>,
    /// A scheme: with `segment`, the other keys are columns of `segments`.
    scheme: Option<String>,
    /// A segment of the scheme.
    segment: Option<String>,
    /// A published table: `rows` is the number of its rows.
    table: Option<String>,
    /// The only day on which the expectation is checked: a date without quotes, such as 2026-12-31; every day by default.
    #[schemars(extend("format" = "date"))]
    as_of: Option<String>,
    /// A column, and what is expected of it: a value, or limits.
    #[schemars(flatten)]
    columns: BTreeMap<String, Expected>,
}

/// Key of a customer.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum KeyOfCustomer {
    Text(String),
    Number(i64),
}

/// What is expected of a column.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum Expected {
    Text(String),
    Number(f64),
    Flag(bool),
    Limits(ExpectedTable),
}

/// Limits of a column's value, or another statement on it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("minProperties" = 1))]
#[expect(dead_code, reason = "the shape of a table; never filled")]
struct ExpectedTable {
    /// Not below this.
    at_least: Option<f64>,
    /// Not above this.
    at_most: Option<f64>,
    /// Greater than this.
    above: Option<f64>,
    /// Less than this.
    below: Option<f64>,
    /// There, and not this.
    not: Option<Other>,
    /// Whether there is no value.
    missing: Option<bool>,
}

/// A value that is not expected.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum Other {
    Text(String),
    Number(f64),
    Flag(bool),
}
