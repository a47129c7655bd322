//! What an aggregate states about the table of a feature. Parser, JSON Schema and documentation read this same description; the crate
//! that knows what aggregates mean has one for each.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::key::Key;

/// What may be written of a feature with `agg = "…"`.
#[derive(Debug, Clone, Copy)]
pub struct AggregateSyntax {
    /// `agg = "…"`.
    pub name: &'static str,
    /// What it gives, and what where there is nothing to aggregate.
    pub summary: &'static str,
    /// Whether `of` may be missing: then the rows are aggregated.
    pub of_rows: bool,
    /// Its further keys, which are numbers within limits; no two aggregates have the same key.
    pub keys: &'static [Key],
    /// Whether it needs the time of a row.
    pub needs_time: bool,
}

/// The values of `agg`.
pub(crate) fn names(aggregates: &[&AggregateSyntax]) -> Value {
    let choices = aggregates.iter().map(|aggregate| {
        json!({
            "description": aggregate.summary,
            "type": "string",
            "const": aggregate.name,
        })
    });
    json!({
        "description": "Aggregates over the rows of a customer.",
        "oneOf": choices.collect::<Vec<Value>>(),
    })
}

/// The further keys of aggregates, each of which belongs to its own.
pub(crate) struct FurtherKeys {
    properties: Map<String, Value>,
    rules: Vec<Value>,
}

impl FurtherKeys {
    pub(crate) fn of(aggregates: &[&AggregateSyntax], generator: &mut SchemaGenerator) -> Self {
        let (mut properties, mut rules) = (Map::new(), Vec::new());
        for aggregate in aggregates {
            for key in aggregate.keys {
                properties.insert(key.name.to_owned(), key.schema(generator));
                let there = json!({"required": [key.name]});
                let mut rule = json!({
                    "if": {"properties": {"agg": {"const": aggregate.name}}, "required": ["agg"]},
                    "else": {"not": there},
                });
                if key.required.is_some() {
                    rule["then"] = there;
                }
                rules.push(rule);
            }
        }
        Self { properties, rules }
    }

    /// Adds them to the shape of the table of an aggregate.
    pub(crate) fn add_to(self, table: &mut Value) {
        if let Some(known) = table["properties"].as_object_mut() {
            known.extend(self.properties);
        }
        if !self.rules.is_empty() {
            table["allOf"] = Value::Array(self.rules);
        }
    }
}
