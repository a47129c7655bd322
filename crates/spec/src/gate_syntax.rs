//! What a gate states about its table in `[gates]`. Parser, JSON Schema and documentation read this same description; the crate that
//! judges segments has one for each gate.

use std::fmt::Debug;

use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::key::{Key, KeyValue, shape_of};
use crate::pipeline::{Criteria, ExprText, LimitValue, OnFail, StatedLimit};

/// What may be written in the table of one gate.
#[derive(Debug, Clone, Copy)]
pub struct GateSyntax {
    /// Its name in `[gates]`.
    pub name: &'static str,
    /// One line: what is so where it is met.
    pub summary: &'static str,
    /// Its keys, beside `on_fail`.
    pub limits: &'static [&'static dyn AnyLimit],
}

/// The key of every gate.
pub(crate) const ON_FAIL: Key = Key::optional(
    "on_fail",
    KeyValue::Of(shape_of::<OnFail>),
    "What happens where a measure falls short; `flag` by default.",
);

/// A key of a gate: what a measure is held against, and what holds where the file does not state it.
#[derive(Debug, Clone, Copy)]
pub struct Limit<T> {
    gate: &'static str,
    key: Key,
    default: T,
    with: Option<(&'static str, &'static str)>,
}

/// A limit whatever the type of its value.
pub trait AnyLimit: Debug + Sync {
    /// The gate to which it belongs.
    fn gate(&self) -> &'static str;

    /// Its key. The help does not state the default.
    fn key(&self) -> &Key;

    /// The key without which it has no effect, and what to do where that is missing.
    fn with(&self) -> Option<(&'static str, &'static str)>;

    /// Whether this is what holds without the key.
    fn is_default(&self, value: &StatedLimit) -> bool;

    /// The default as the file would state it; none where there is none.
    fn default(&self) -> Option<String>;
}

impl<T: LimitValue + Serialize + Debug + Sync> AnyLimit for Limit<T> {
    fn gate(&self) -> &'static str {
        self.gate
    }

    fn key(&self) -> &Key {
        &self.key
    }

    fn with(&self) -> Option<(&'static str, &'static str)> {
        self.with
    }

    fn is_default(&self, value: &StatedLimit) -> bool {
        json!(value) == json!(self.default)
    }

    fn default(&self) -> Option<String> {
        let default = json!(self.default);
        (!default.is_null()).then(|| default.to_string())
    }
}

impl<T> Limit<T> {
    const fn new(
        gate: &'static str,
        (name, value): (&'static str, KeyValue),
        default: T,
        help: &'static str,
    ) -> Self {
        Self {
            gate,
            key: Key::optional(name, value, help),
            default,
            with: None,
        }
    }

    /// The same, with no effect without another key; `add` says what to do where that is missing.
    #[must_use]
    pub const fn only_with(mut self, key: &'static str, add: &'static str) -> Self {
        self.with = Some((key, add));
        self
    }

    /// Its name in the table of the gate.
    pub const fn name(&self) -> &'static str {
        self.key.name
    }
}

impl<T: LimitValue + Clone> Limit<T> {
    /// What a scheme is held against.
    pub fn of(&self, criteria: &Criteria) -> T {
        let stated = criteria.stated(self.gate, self.key.name);
        stated
            .and_then(T::of)
            .unwrap_or_else(|| self.default.clone())
    }
}

/// A share from 0 to 1.
const SHARE: KeyValue = KeyValue::Number(0.0, 1.0);

/// A number from 0.
const SIZE: KeyValue = KeyValue::Number(0.0, f64::INFINITY);

impl Limit<f64> {
    /// A share from 0 to 1.
    pub const fn share(
        gate: &'static str,
        name: &'static str,
        default: f64,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, SHARE), default, help)
    }

    /// A number from 0.
    pub const fn size(
        gate: &'static str,
        name: &'static str,
        default: f64,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, SIZE), default, help)
    }
}

impl Limit<Option<f64>> {
    /// A share from 0 to 1, which is not judged where the file does not state it.
    pub const fn share_if_stated(
        gate: &'static str,
        name: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, SHARE), None, help)
    }

    /// A number from 0, which is not judged where the file does not state it.
    pub const fn size_if_stated(
        gate: &'static str,
        name: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, SIZE), None, help)
    }
}

impl Limit<u64> {
    /// A number of customers.
    pub const fn count(
        gate: &'static str,
        name: &'static str,
        default: u64,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, KeyValue::Count), default, help)
    }
}

impl Limit<Option<u64>> {
    /// A number of customers, which is not judged where the file does not state it.
    pub const fn count_if_stated(
        gate: &'static str,
        name: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, KeyValue::Count), None, help)
    }
}

impl Limit<bool> {
    /// Whether something is asked.
    pub const fn flag(
        gate: &'static str,
        name: &'static str,
        default: bool,
        help: &'static str,
    ) -> Self {
        Self::new(gate, (name, KeyValue::Flag), default, help)
    }
}

impl Limit<Option<Vec<String>>> {
    /// Columns of `customers`; the help states what holds without them.
    pub const fn columns(gate: &'static str, name: &'static str, help: &'static str) -> Self {
        Self::new(gate, (name, KeyValue::Names), None, help)
    }
}

impl Limit<Option<ExprText>> {
    /// A condition over features, which is evaluated for every customer; not judged where the file does not state it.
    pub const fn condition(gate: &'static str, name: &'static str, help: &'static str) -> Self {
        Self::new(gate, (name, KeyValue::Condition), None, help)
    }
}

/// What a key of a gate means, and what holds without it.
pub fn described(limit: &dyn AnyLimit) -> String {
    let key = limit.key();
    let help = key.help.trim_end_matches('.');
    match (limit.default(), key.value) {
        (Some(default), _) => format!("{help}; {default} by default."),
        (None, KeyValue::Number(..) | KeyValue::Count) => format!("{help}; not judged by default."),
        (None, _) => key.help.to_owned(),
    }
}

impl GateSyntax {
    /// The name of its table in the JSON Schema.
    fn definition(&self) -> String {
        let words = self.name.split('_').map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        });
        format!("{}Table", words.collect::<String>())
    }

    /// The shape of its table.
    fn schema(&self, generator: &mut SchemaGenerator) -> Value {
        let mut properties = Map::new();
        for limit in self.limits {
            let mut schema = limit.key().schema(generator);
            schema["description"] = json!(described(*limit));
            properties.insert(limit.key().name.to_owned(), schema);
        }
        properties.insert(ON_FAIL.name.to_owned(), ON_FAIL.schema(generator));
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "description": self.summary,
        })
    }
}

/// The shapes of `[gates]`, of `[gates.schemes.NAME]` and of the table of each gate, by the names of their definitions.
pub(crate) fn schemas(
    gates: &[&GateSyntax],
    generator: &mut SchemaGenerator,
) -> Vec<(String, Value)> {
    let mut tables = Map::new();
    for gate in gates {
        let place = format!("#/$defs/{}", gate.definition());
        tables.insert(
            gate.name.to_owned(),
            json!({"description": gate.summary, "$ref": place}),
        );
    }
    let table = |properties: &Map<String, Value>, description: &str| {
        json!({
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
            "description": description,
        })
    };
    let of_scheme = table(&tables, "The criteria of one scheme.");
    tables.insert(
        "schemes".to_owned(),
        json!({
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/CriteriaTable"},
            "description": "Criteria of single schemes; what is not stated is as above.",
        }),
    );
    let all = table(
        &tables,
        "What schemes and segments must be like; each gate has its defaults where it is not stated.",
    );
    let mut schemas = vec![
        ("GatesTable".to_owned(), all),
        ("CriteriaTable".to_owned(), of_scheme),
    ];
    let own = gates.iter();
    schemas.extend(own.map(|gate| (gate.definition(), gate.schema(generator))));
    schemas
}
