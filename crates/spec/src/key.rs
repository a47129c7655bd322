//! A key of a table as parser, JSON Schema and documentation know it.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use crate::pipeline::Refit;

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it means, and what it is by default: for editors and the documentation.
    pub help: &'static str,
    /// What to write where it is missing; none of a key that may be.
    pub required: Option<&'static str>,
    /// What its value is.
    pub value: KeyValue,
}

/// What the value of a key is.
#[derive(Debug, Clone, Copy)]
pub enum KeyValue {
    /// A text.
    Text,
    /// Several names, at least one and none twice.
    Names,
    /// A share of customers from 0 to below one half.
    SmallShare,
    /// A number within these limits, both included; the upper one may be infinite.
    Number(f64, f64),
    /// A whole number within these limits, both included.
    Whole(u32, u32),
    /// A number of customers.
    Count,
    /// Whole days or weeks, such as `90d`.
    Days,
    /// Days, weeks, calendar months or years, such as `1mo`.
    Period,
    /// `true` or `false`.
    Flag,
    /// A condition over features.
    Condition,
    /// As this describes it.
    Of(fn(&mut SchemaGenerator) -> Schema),
}

/// The type whose shape a value has.
pub fn shape_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// The shape of the key `refit` of what learns from the customers, with its help.
pub(crate) fn refit_schema(default: Refit) -> Value {
    let help = format!(
        "How long what was learned is used before it is learned again: `always`, `never`, or a time such as `30d`, `4w`, `1mo`; \
         `{default}` by default."
    );
    json!({"description": help, "type": "string", "pattern": r"^(always|never|[0-9]+(d|w|mo))$"})
}

impl Key {
    /// A key that may be missing.
    pub const fn optional(name: &'static str, value: KeyValue, help: &'static str) -> Self {
        Self {
            name,
            help,
            required: None,
            value,
        }
    }

    /// A key that must be there; `missing` says what to write where it is not.
    pub const fn required(
        name: &'static str,
        value: KeyValue,
        help: &'static str,
        missing: &'static str,
    ) -> Self {
        Self {
            name,
            help,
            required: Some(missing),
            value,
        }
    }

    /// Its shape with its help.
    pub(crate) fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let mut schema = match self.value {
            KeyValue::Text => json!({"type": "string"}),
            KeyValue::Names => json!({
                "type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true,
            }),
            KeyValue::SmallShare => {
                json!({"type": "number", "minimum": 0, "exclusiveMaximum": 0.5})
            }
            KeyValue::Number(from, to) if to.is_finite() => {
                json!({"type": "number", "minimum": from, "maximum": to})
            }
            KeyValue::Number(from, _) => json!({"type": "number", "minimum": from}),
            KeyValue::Whole(from, to) => json!({"type": "integer", "minimum": from, "maximum": to}),
            KeyValue::Count => json!({"type": "integer", "minimum": 0}),
            KeyValue::Days => json!({"type": "string", "pattern": r"^[0-9]+[dw]$"}),
            KeyValue::Period => json!({"type": "string", "pattern": r"^[0-9]+(d|w|mo|y)$"}),
            KeyValue::Flag => json!({"type": "boolean"}),
            KeyValue::Condition => json!({"type": "string"}),
            KeyValue::Of(shape) => shape(generator).to_value(),
        };
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".to_owned(), json!(self.help));
        }
        schema
    }
}
