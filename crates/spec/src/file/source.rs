//! `[sources.NAME]`

use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::pipeline::{
    At, Attribute, Base, ColumnType, Contract, Duplicates, Format, Freshness, OnBadRow, Rule, Source, SourceKind, Unit,
};
use crate::reader::{Reader, choice_of, inside_quotes, text_of, wrong_type};

use super::{check_name, zone};

const KINDS: &[(&str, SourceKind)] =
    &[("events", SourceKind::Events), ("attributes", SourceKind::Attributes), ("intervals", SourceKind::Intervals)];

const ON_BAD_ROW: &[(&str, OnBadRow)] =
    &[("quarantine", OnBadRow::Quarantine), ("drop", OnBadRow::Drop), ("fail", OnBadRow::Fail)];

/// Kinds of knowledge.
pub(super) const BASES: &[(&str, Base)] = &[
    ("behavioural", Base::Behavioural),
    ("value", Base::Value),
    ("lifecycle", Base::Lifecycle),
    ("engagement", Base::Engagement),
    ("demographic", Base::Demographic),
    ("firmographic", Base::Firmographic),
    ("geographic", Base::Geographic),
    ("psychographic", Base::Psychographic),
    ("needs", Base::Needs),
];

/// Units of numbers.
pub(super) const UNITS: &[(&str, Unit)] = &[
    ("days", Unit::Days),
    ("count", Unit::Count),
    ("currency", Unit::Currency),
    ("ratio", Unit::Ratio),
    ("score", Unit::Score),
    ("date", Unit::Date),
    ("label", Unit::Label),
    ("number", Unit::Number),
];

const COLUMN_TYPES: &[(&str, ColumnType)] = &[
    ("bool", ColumnType::Bool),
    ("i8", ColumnType::I8),
    ("i16", ColumnType::I16),
    ("i32", ColumnType::I32),
    ("i64", ColumnType::I64),
    ("u8", ColumnType::U8),
    ("u16", ColumnType::U16),
    ("u32", ColumnType::U32),
    ("f32", ColumnType::F32),
    ("f64", ColumnType::F64),
    ("decimal", ColumnType::Decimal),
    ("string", ColumnType::String),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
];

/// All sources, in file order.
pub(super) fn sources(reader: &Reader<'_>) -> Vec<Source> {
    let Some(tables) = reader.table("sources") else {
        reader.missing("sources", "add a table [sources.orders] with `kind`, `path`, `key` and a [sources.orders.contract]");
        return Vec::new();
    };
    let mut sources = Vec::new();
    for entry in tables.entries() {
        let name = entry.key;
        if let Some(table) = tables.as_table(entry.value, &name.value, format!("[sources.{}]", name.value)) {
            check_name(reader, "source", &name);
            sources.push(source(&table, name));
        }
    }
    if sources.is_empty() {
        reader.notes.add(Diagnostic::error("TS-P021", "a pipeline needs at least one source", tables.span.clone()));
    }
    sources
}

fn source(table: &Reader<'_>, name: At<String>) -> Source {
    let kind = table
        .required_choice("kind", KINDS, "add `kind = \"events\"`, or attributes, intervals")
        .map_or(SourceKind::Events, |kind| kind.value);
    if kind != SourceKind::Attributes && !table.has("time") {
        table.missing("time", "add `time = \"…\"`, the column that says when a row happened or began");
    }
    if kind == SourceKind::Intervals && !table.has("until") {
        table.missing("until", "add `until = \"…\"`, the column that says when a row ended");
    }
    let source = Source {
        kind,
        path: table.required_text("path", "add `path = \"…\"`: a file, a folder or a glob"),
        format: table
            .choice("format", &[("parquet", Format::Parquet), ("csv", Format::Csv), ("ndjson", Format::Ndjson)])
            .map(|format| format.value),
        key: table.required_text("key", "add `key = \"…\"`, the column with the customer's key"),
        time: table.text("time"),
        until: table.text("until"),
        known_at: table.text("known_at"),
        time_zone: zone(table, "time_zone"),
        order_id: table.text("order_id"),
        amount: table.text("amount"),
        derive: derived(table),
        filter: table.expression("filter"),
        freshness: table.table("freshness").map(|freshness| freshness_of(&freshness)),
        contract: contract(table),
        attributes: attributes(table, kind),
        name,
    };
    table.finish();
    source
}

fn derived(table: &Reader<'_>) -> Vec<(At<String>, At<String>)> {
    let Some(derive) = table.table("derive") else { return Vec::new() };
    derive
        .entries()
        .into_iter()
        .filter_map(|entry| {
            check_name(table, "feature", &entry.key);
            let text = text_of(table.notes, entry.value, &format!("`derive.{}`", entry.key.value))?;
            Some((entry.key, inside_quotes(text)))
        })
        .collect()
}

fn freshness_of(table: &Reader<'_>) -> Freshness {
    let age = |key: &str| table.text(key).and_then(|text| duration::hours(table.notes, &text, key));
    let freshness = Freshness { warn_hours: age("warn"), fail_hours: age("fail") };
    table.finish();
    freshness
}

fn contract(source: &Reader<'_>) -> Contract {
    let empty = Contract { columns: Vec::new(), missing_key: OnBadRow::Quarantine, duplicates: Duplicates::Keep, rules: Vec::new() };
    let Some(table) = source.table("contract") else {
        source.missing("contract", "add a table `contract` with at least `missing_key = \"quarantine\"`, or drop, fail");
        return empty;
    };
    let contract = Contract {
        columns: columns(&table),
        missing_key: table
            .required_choice("missing_key", ON_BAD_ROW, "say what happens to rows without a key: `missing_key = \"quarantine\"`, or drop, fail")
            .map_or(OnBadRow::Quarantine, |fate| fate.value),
        duplicates: duplicates(&table),
        rules: rules(&table),
    };
    table.finish();
    contract
}

fn columns(table: &Reader<'_>) -> Vec<(At<String>, At<ColumnType>)> {
    let Some(columns) = table.table("columns") else { return Vec::new() };
    columns
        .entries()
        .into_iter()
        .filter_map(|entry| {
            let text = text_of(table.notes, entry.value, &format!("the type of `{}`", entry.key.value))?;
            let plain = if text.value.starts_with("decimal(") { At::new("decimal".to_owned(), text.span) } else { text };
            let ty = choice_of(table.notes, &plain, &format!("columns.{}", entry.key.value), COLUMN_TYPES)?;
            Some((entry.key, ty))
        })
        .collect()
}

fn duplicates(table: &Reader<'_>) -> Duplicates {
    let Some(value) = table.get("duplicates") else { return Duplicates::Keep };
    if let Some(inner) = value.get_ref().as_table() {
        let inner = Reader::new(inner, value.span(), "duplicates", table.notes);
        if !inner.has("unique") {
            inner.missing("unique", "name the columns that identify a row: `unique = [\"line_id\"]`");
        }
        let columns = inner.texts("unique").unwrap_or_default();
        let on_fail = inner.choice("on_fail", ON_BAD_ROW).map_or(OnBadRow::Quarantine, |fate| fate.value);
        inner.finish();
        return Duplicates::Unique { columns, on_fail };
    }
    let Some(text) = table.text("duplicates") else { return Duplicates::Keep };
    let choices = &[("keep", 0), ("drop_exact", 1), ("fail", 2)];
    match choice_of(table.notes, &text, "duplicates", choices).map(|choice| choice.value) {
        Some(1) => Duplicates::DropExact,
        Some(2) => Duplicates::Fail,
        _ => Duplicates::Keep,
    }
}

fn rules(table: &Reader<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for item in table.array("rules").unwrap_or_default() {
        let Some(inner) = item.get_ref().as_table() else {
            wrong_type(table.notes, item, "a rule", "a table { name, check, on_fail }");
            continue;
        };
        let inner = Reader::new(inner, item.span(), "a rule", table.notes);
        let name = inner.required_text("name", "add `name = \"…\"`, shown in `rejects`");
        if rules.iter().any(|rule| rule.name.value == name.value) {
            inner.error("TS-P022", format!("there is already a rule \"{}\"", name.value), name.span.clone());
        }
        if !inner.has("check") {
            inner.missing("check", "add `check = \"…\"`, an expression that is true for good rows");
        }
        if let Some(check) = inner.expression("check") {
            let on_fail = inner.choice("on_fail", ON_BAD_ROW).map_or(OnBadRow::Quarantine, |fate| fate.value);
            rules.push(Rule { name, check, on_fail });
        }
        inner.finish();
    }
    rules
}

fn attributes(table: &Reader<'_>, kind: SourceKind) -> Vec<Attribute> {
    let Some(attributes) = table.table("attributes") else { return Vec::new() };
    if kind != SourceKind::Attributes {
        table.notes.add(
            Diagnostic::error("TS-P023", "only a source of kind \"attributes\" has attributes", attributes.span.clone())
                .with_help("features of events and intervals are declared in [features] with `from` and `agg`"),
        );
    }
    let mut list = Vec::new();
    for entry in attributes.entries() {
        let Some(inner) = attributes.as_table(entry.value, &entry.key.value, format!("attribute `{}`", entry.key.value)) else { continue };
        check_name(table, "feature", &entry.key);
        let base = inner.required_choice("base", BASES, "say what kind of knowledge it is: `base = \"firmographic\"`, for instance");
        let unit = inner.choice("unit", UNITS).map(|unit| unit.value);
        for key in ["max_age_days", "consent_scope", "sensitive"] {
            inner.not_built(key, &format!("`{key}` of attributes is"));
        }
        inner.finish();
        list.push(Attribute { column: entry.key, base: base.map_or(Base::Firmographic, |base| base.value), unit });
    }
    list
}
