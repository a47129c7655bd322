//! What a kind of scheme states about its table of the pipeline file. Parser, JSON Schema and documentation read this same
//! description; the crate that assigns customers has one for each kind.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::key::{Key, refit_schema};
use crate::pipeline::{Refit, SchemeKind};
use crate::reader::Reader;

/// What may be written in the table of one kind of scheme.
#[derive(Debug, Clone, Copy)]
pub struct SchemeSyntax {
    /// `kind = "…"`.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// Its keys, beside `kind`, `refit` and `was`.
    pub keys: &'static [Key],
    /// How long what it learns is used where `refit` is not stated; none where the kind never learns from customers, and has no
    /// such key.
    pub refit: Option<Refit>,
    /// Whether its segments are found in the data: then they keep their ids by their customers, and a table `names` names them by
    /// id. Other segments keep their ids by their names, and `was` renames them.
    pub clusters: bool,
    /// Reads the table; nothing, and the mistakes are noted, where it cannot be used.
    pub read: fn(&Reader<'_>) -> Option<SchemeKind>,
}

/// The key of kinds whose segments are known by their names.
const WAS: &str =
    "Segments that were renamed: the name, and the one before, whose id and history they keep.";

impl SchemeSyntax {
    /// The keys of every kind of this sort, with their meaning and the shape of their values.
    fn common(&self) -> Vec<(&'static str, Value)> {
        let mut common = Vec::new();
        if let Some(refit) = self.refit {
            common.push(("refit", refit_schema(refit)));
        }
        if !self.clusters {
            common.push((
                "was",
                json!({
                    "description": WAS, "type": "object", "additionalProperties": {"type": "string"},
                }),
            ));
        }
        common
    }

    /// What each key means: its name, whether it must be there, its help.
    pub fn described(&self) -> Vec<(&'static str, bool, String)> {
        let own = self.keys.iter();
        let own = own.map(|key| (key.name, key.required.is_some(), key.help.to_owned()));
        let common = self.common().into_iter().map(|(name, schema)| {
            let help = schema["description"].as_str().unwrap_or_default();
            (name, false, help.to_owned())
        });
        own.chain(common).collect()
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
        for (name, schema) in self.common() {
            properties.insert(name.to_owned(), schema);
        }
        json!({
            "description": self.summary,
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// The shape of `[schemes.NAME]`, whatever its kind.
pub(crate) fn schema(kinds: &[&SchemeSyntax], generator: &mut SchemaGenerator) -> Value {
    let shapes = kinds.iter().map(|kind| kind.schema(generator));
    let shapes: Vec<Value> = shapes.collect();
    json!({
        "description": "A scheme: how the customers are assigned to segments.",
        "oneOf": shapes,
    })
}
