//! The keys of `[sources.NAME.text]`: how the texts of a source are written. Parser, JSON Schema and documentation read this same
//! description; each format states which of them have an effect on it ([`crate::FormatSyntax`]).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::key::{Key, KeyValue, shape_of};
use crate::pipeline::{DecimalSign, ThousandsSign};

/// The character between fields.
pub static DELIMITER: Key = Key::optional(
    "delimiter",
    KeyValue::Of(|_| json_schema!({"type": "string", "minLength": 1, "maxLength": 1})),
    "One ASCII character between the fields of a CSV record; a comma by default, in files named `.tsv` a tab.",
);

/// The character around fields.
pub static QUOTE: Key = Key::optional(
    "quote",
    KeyValue::Of(|_| json_schema!({"type": "string", "maxLength": 1})),
    "One ASCII character around fields that hold a delimiter or a line end, `\"\"` for none; a quotation mark by default.",
);

/// The encoding.
pub static ENCODING: Key = Key::optional(
    "encoding",
    KeyValue::Text,
    "Name of the encoding, such as `latin1`; UTF-8, or what a byte order mark states, by default.",
);

/// Where the names of columns come from.
pub static HEADER: Key = Key::optional(
    "header",
    KeyValue::Of(shape_of::<HeaderValue>),
    "Whether the first CSV record names the columns; `true` by default. Without a header the fields are the contract's columns in \
     its order, or those of a list of names.",
);

/// Lines before the header.
pub static SKIP_LINES: Key = Key::optional(
    "skip_lines",
    KeyValue::Whole(0, 1_000_000),
    "Lines of a CSV file before the header that are skipped.",
);

/// The sign before decimals.
pub static DECIMAL: Key = Key::optional(
    "decimal",
    KeyValue::Of(shape_of::<DecimalSign>),
    "Sign before the decimals of numbers; a point by default.",
);

/// The sign between groups of digits.
pub static THOUSANDS: Key = Key::optional(
    "thousands",
    KeyValue::Of(shape_of::<ThousandsSign>),
    "Sign between groups of three digits; none by default.",
);

/// Texts that are no values.
pub static NULLS: Key = Key::optional(
    "nulls",
    KeyValue::Of(nulls_shape),
    "Texts that stand for a missing value, such as `NA`; an empty field of CSV always does, and an empty text in a column that is no text.",
);

/// All of them, as the documentation shows them.
const KEYS: [&Key; 8] = [
    &DELIMITER,
    &QUOTE,
    &ENCODING,
    &HEADER,
    &SKIP_LINES,
    &DECIMAL,
    &THOUSANDS,
    &NULLS,
];

fn nulls_shape(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": {"type": "string"}, "uniqueItems": true})
}

/// Where the names of CSV columns come from.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "the shape of a value; never filled")]
enum HeaderValue {
    FirstRecord(bool),
    Names(#[schemars(length(min = 1), extend("uniqueItems" = true))] Vec<String>),
}

/// The shape of `[sources.NAME.text]`.
pub(crate) fn schema(generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    for key in KEYS {
        properties.insert(key.name.to_owned(), key.schema(generator));
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "description": "How texts are written.",
    })
}
