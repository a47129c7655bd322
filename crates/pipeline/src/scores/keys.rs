//! Keys that several kinds of scores have, and how they are read.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tessera_spec::diagnostic::{Diagnostic, unknown_name};
use tessera_spec::pipeline::{At, Source, SourceKind};
use tessera_spec::reader::Reader;
use tessera_spec::{Key, KeyValue};

/// Discount per year of pipelines that state none.
const DEFAULT_DISCOUNT: f64 = 0.1;

/// Days that are predicted.
pub(super) const HORIZON: Key = Key::required(
    "horizon",
    KeyValue::Days,
    "How far ahead it looks: whole days or weeks, such as `365d`, `52w`.",
    "add `horizon = \"90d\"`: how far ahead it looks, in whole days or weeks",
);

/// The shape of several values of an enum: at least one, none twice.
pub(super) fn several<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let items = generator.subschema_for::<T>();
    json_schema!({"type": "array", "items": items, "minItems": 1, "uniqueItems": true})
}

/// The declared source that `from` names, of one of these kinds.
pub(super) fn source_of(
    table: &Reader<'_>,
    sources: &[Source],
    kinds: &[SourceKind],
    key: &Key,
) -> At<String> {
    let name = table.stated(key);
    let fitting = sources.iter().filter(|source| kinds.contains(&source.kind));
    let names: Vec<&str> = fitting.map(|source| source.name.value.as_str()).collect();
    if name.value.is_empty() || names.contains(&name.value.as_str()) {
        return name;
    }
    let words: Vec<&str> = kinds.iter().map(|kind| word(*kind)).collect();
    let what = format!("{} source", words.join(" or "));
    let found = unknown_name("TS-P017", &what, &name.value, name.span.clone(), &names);
    let declared = sources.iter().find(|s| s.name.value == name.value);
    table.note(match declared {
        Some(source) => found.with_label(format!(
            "[sources.{}] is of kind \"{}\"",
            name.value,
            word(source.kind)
        )),
        None => found,
    });
    name
}

fn word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Events => "events",
        SourceKind::Attributes => "attributes",
        SourceKind::Intervals => "intervals",
        SourceKind::Lookup => "lookup",
    }
}

/// Days that are predicted.
pub(super) fn horizon(table: &Reader<'_>) -> Option<u32> {
    table.require(&HORIZON);
    table.days(HORIZON.name).map(|days| days.value)
}

/// A number that must satisfy a condition; `wanted` describes it for the message.
pub(super) fn number_that(
    table: &Reader<'_>,
    key: &str,
    fits: impl Fn(f64) -> bool,
    wanted: &str,
    help: &str,
) -> Option<f64> {
    let number = table.number(key)?;
    if fits(number.value) {
        return Some(number.value);
    }
    let message = format!("`{key}` must be {wanted}");
    table.note(Diagnostic::error("TS-P042", message, number.span).with_help(help));
    None
}

/// Discount of money a year ahead.
pub(super) fn discount_per_year(table: &Reader<'_>, key: &Key) -> f64 {
    let stated = number_that(
        table,
        key.name,
        |rate| (0.0..=1.0).contains(&rate),
        "a rate from 0 to 1",
        "0.10 is 10% a year: money of next year is worth 1 / 1.1 of money of today; 0 means no discount",
    );
    stated.unwrap_or(DEFAULT_DISCOUNT)
}

/// Notes settings of money that have no effect, since no money is modelled.
pub(super) fn refuse_money(table: &Reader<'_>, keys: &[&Key], help: &str) {
    for key in keys.iter().filter(|key| table.has(key.name)) {
        let message = format!(
            "`{}` has no effect: {} does not model money",
            key.name, table.name
        );
        let span = table.key_span(key.name);
        table.note(Diagnostic::error("TS-P043", message, span).with_help(help.to_owned()));
    }
}
