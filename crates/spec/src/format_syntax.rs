//! What a file format of sources states about the pipeline file. Parser, JSON Schema and documentation read this same description; the
//! crate that reads the files has one for each format.

use serde_json::{Value, json};

use crate::key::Key;

/// What may be written of a source of one format.
#[derive(Debug, Clone, Copy)]
pub struct FormatSyntax {
    /// `format = "…"`.
    pub name: &'static str,
    /// One line: what its files hold.
    pub summary: &'static str,
    /// The keys of `[sources.NAME.text]` that have an effect.
    pub text: &'static [&'static Key],
}

impl FormatSyntax {
    /// Whether a key of `[sources.NAME.text]` has an effect.
    pub fn takes(&self, key: &str) -> bool {
        self.text.iter().any(|known| known.name == key)
    }
}

/// The values of `format`.
pub(crate) fn names(formats: &[&FormatSyntax]) -> Value {
    let choices = formats.iter().map(|format| {
        json!({
            "description": format.summary,
            "type": "string",
            "const": format.name,
        })
    });
    json!({
        "description": "File formats of sources.",
        "oneOf": choices.collect::<Vec<Value>>(),
    })
}
