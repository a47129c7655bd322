//! What a kind of score states about its table of the pipeline file. Parser, JSON Schema and documentation read this same
//! description; the crate that computes scores has one for each kind.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::key::{Key, refit_schema};
use crate::pipeline::{Refit, ScoreKind, Source};
use crate::reader::Reader;

/// What may be written in the table of one kind of score.
#[derive(Debug, Clone, Copy)]
pub struct ScoreSyntax {
    /// `kind = "…"`.
    pub name: &'static str,
    /// One line: what it predicts.
    pub summary: &'static str,
    /// Its keys, beside `kind` and `refit`.
    pub keys: &'static [Key],
    /// How long what it learns is used where `refit` is not stated.
    pub refit: Refit,
    /// Reads the table beside the declared sources; nothing, and the mistakes are noted, where it cannot be used.
    pub read: fn(&Reader<'_>, &[Source]) -> Option<ScoreKind>,
}

impl ScoreSyntax {
    /// What each key means: its name, whether it must be there, its help.
    pub fn described(&self) -> Vec<(&'static str, bool, String)> {
        let own = self.keys.iter();
        let own = own.map(|key| (key.name, key.required.is_some(), key.help.to_owned()));
        let refit = refit_schema(self.refit);
        let help = refit["description"].as_str().unwrap_or_default();
        own.chain([("refit", false, help.to_owned())]).collect()
    }

    /// The shape of its table.
    fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let mut properties = Map::new();
        properties.insert(
            "kind".to_owned(),
            json!({"type": "string", "const": self.name}),
        );
        let mut required = vec!["kind"];
        for key in self.keys {
            properties.insert(key.name.to_owned(), key.schema(generator));
            required.extend(key.required.map(|_| key.name));
        }
        properties.insert("refit".to_owned(), refit_schema(self.refit));
        json!({
            "description": self.summary,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// The shape of `[scores.NAME]`, whatever its kind.
pub(crate) fn schema(kinds: &[&ScoreSyntax], generator: &mut SchemaGenerator) -> Value {
    let shapes = kinds.iter().map(|kind| kind.schema(generator));
    let shapes: Vec<Value> = shapes.collect();
    json!({
        "description": "A model's output per customer: columns of `customers` that schemes, rules and the KPI can name.",
        "oneOf": shapes,
    })
}
