//! `[sources.NAME]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::duration;
use crate::format_syntax::FormatSyntax;
use serde::de::DeserializeOwned;

use crate::pipeline::{
    At, Attribute, Base, Contract, DEFAULT_KEEP_REJECTS, Duplicates, ExprText, Format, Freshness,
    Limit, Limits, OnBadRow, OnBadValue, Rule, Several, Source, SourceKind,
};
use crate::reader::{Reader, choice_of, integer_of, wrong_type};
use crate::written::word::RepeatedRows;

use super::form::{columns, text_settings};
use super::join::{self, joins};
use super::locale::zone;
use super::name::{Names, check_name};

/// All sources, in file order.
pub(super) fn sources(file: &Reader<'_>, formats: &[&'static FormatSyntax]) -> Vec<Source> {
    let Some(tables) = file.table("sources") else {
        if !file.has("sources") {
            file.missing(
                "sources",
                "add a table [sources.orders] with `kind`, `path`, `key` and [sources.orders.contract]",
            );
        }
        return Vec::new();
    };
    let mut sources = Vec::new();
    for entry in tables.entries() {
        let name = format!("[sources.{}]", entry.key.value);
        if let Some(table) = tables.as_table(entry.value, &name, &name) {
            check_name(file.notes, Names::Column, "source", &entry.key);
            sources.push(source(&table, entry.key, formats));
        }
    }
    join::check(file.notes, &sources);
    join::check_keys_of(file.notes, &sources);
    let lookups_only = sources.iter().all(|s| s.kind == SourceKind::Lookup);
    if lookups_only {
        let message = "a pipeline needs at least one source with the customer's key";
        file.notes.add(
            Diagnostic::error("TS-P021", message, tables.span)
                .with_help("add a table [sources.orders]"),
        );
    }
    sources
}

/// The format that a source states.
fn format(table: &Reader<'_>, formats: &[&'static FormatSyntax]) -> Option<Format> {
    let names = formats
        .iter()
        .map(|format| (format.name, Format(format.name)));
    let choices: Vec<(&str, Format)> = names.collect();
    choice_of(table.notes, &table.text("format")?, "format", &choices)
}

fn source(table: &Reader<'_>, name: At<String>, formats: &[&'static FormatSyntax]) -> Source {
    let kind = table.required_word(
        "kind",
        "add `kind = \"events\"`, or attributes, intervals, lookup: what its rows are",
    );
    let kind: Option<SourceKind> = kind.map(|kind| kind.value);
    check_times(table, kind);
    check_purchases(table, kind);
    let (key, more_keys) = keys(table, kind);
    let source = Source {
        kind: kind.unwrap_or(SourceKind::Events),
        path: table.required_path("path", "add `path = \"…\"`: a file, a folder or a glob"),
        format: format(table, formats),
        key,
        more_keys,
        time: table.text("time"),
        until: table.text("until"),
        known_at: table.text("known_at"),
        time_zone: zone(table, "time_zone"),
        order_id: table.text("order_id"),
        amount: table.text("amount"),
        purchase: table.expression("purchase"),
        text: text_settings(table),
        derive: derived(table),
        joins: joins(table, kind),
        only_keys_of: table.text("only_keys_of"),
        filter: table.expression("filter"),
        freshness: table.table("freshness").map(|inner| freshness(&inner)),
        data_through: super::through(table),
        contract: contract(table, kind),
        attributes: attributes(table, kind),
        unchanging: table.texts("unchanging").unwrap_or_default(),
        name,
    };
    table.finish();
    source
}

/// The column with the customer's key, or the several key columns of a lookup.
fn keys(table: &Reader<'_>, kind: Option<SourceKind>) -> (At<String>, Vec<At<String>>) {
    let is_array = table.has("key") && table.get("key").is_some_and(|key| key.get_ref().is_array());
    if kind == Some(SourceKind::Lookup) && is_array {
        let mut keys = table.texts("key").unwrap_or_default().into_iter();
        if let Some(first) = keys.next() {
            return (first, keys.collect());
        }
        let message = "`key` names no column";
        table.notes.add(
            Diagnostic::error("TS-P009", message, table.value_span("key"))
                .with_help("name the columns that identify a row of the lookup"),
        );
        return (At::new(String::new(), table.value_span("key")), Vec::new());
    }
    let help = match kind {
        Some(SourceKind::Lookup) => {
            "add `key = [\"…\"]`, the columns that identify a row of the lookup"
        }
        _ => "add `key = \"…\"`, the column with the customer's key",
    };
    (table.required_text("key", help), Vec::new())
}

/// The columns of time that a kind of source needs.
fn check_times(table: &Reader<'_>, kind: Option<SourceKind>) {
    if matches!(kind, Some(SourceKind::Events | SourceKind::Intervals)) && !table.has("time") {
        table.missing(
            "time",
            "add `time = \"…\"`, the column that says when a row happened or began",
        );
    }
    if kind == Some(SourceKind::Intervals) && !table.has("until") {
        table.missing(
            "until",
            "add `until = \"…\"`, the column that says when a row ended",
        );
    }
    let no_end = match kind {
        Some(SourceKind::Lookup) => Some((
            "a lookup has no `until`: a row is valid until the next row of its key",
            "remove `until`; if nothing is valid after a row, the lake needs a row that says so",
        )),
        Some(SourceKind::Events) => Some((
            "a source of kind \"events\" has no `until`: each row happened at one time",
            "write `kind = \"intervals\"` if rows last, such as contracts; otherwise remove `until`",
        )),
        _ => None,
    };
    if let Some((message, help)) = no_end.filter(|_| table.has("until")) {
        let found = Diagnostic::error("TS-P076", message, table.key_span("until"));
        table.notes.add(found.with_help(help));
    }
    let since = matches!(kind, Some(SourceKind::Attributes | SourceKind::Lookup));
    for key in ["freshness", "data_through"] {
        if !since || !table.has(key) || table.has("time") {
            continue;
        }
        let message = format!("{} has no `time`, so its age is not known", table.name);
        let help = format!(
            "set `time`, the column that says since when a row is valid, or remove `{key}`"
        );
        let found = Diagnostic::error("TS-P026", message, table.key_span(key));
        table.notes.add(found.with_help(help));
    }
}

fn derived(table: &Reader<'_>) -> Vec<(At<String>, ExprText)> {
    let Some(derive) = table.table("derive") else {
        return Vec::new();
    };
    let mut columns = Vec::new();
    for entry in derive.entries() {
        check_name(table.notes, Names::Column, "derived column", &entry.key);
        if let Some(expr) = derive.expression(&entry.key.value) {
            columns.push((entry.key, expr));
        }
    }
    columns
}

fn freshness(table: &Reader<'_>) -> Freshness {
    let age = |key: &str| {
        let text = table.text(key)?;
        duration::hours(table.notes, &text, key)
    };
    let (warn, fail) = (age("warn"), age("fail"));
    if let (Some(warn), Some(fail)) = (&warn, &fail)
        && warn.value >= fail.value
    {
        let message = "`warn` must be a shorter age than `fail`";
        table.notes.add(
            Diagnostic::error("TS-P024", message, fail.span.clone()).with_label(
                "a source that is too old for `fail` would fail without an earlier warning",
            ),
        );
    }
    table.finish();
    Freshness {
        warn_hours: warn.map(|age| age.value),
        fail_hours: fail.map(|age| age.value),
    }
}

/// Refuses the keys of purchases where rows are none.
fn check_purchases(table: &Reader<'_>, kind: Option<SourceKind>) {
    if kind.is_none_or(|kind| kind == SourceKind::Events) {
        return;
    }
    for (key, what, help) in [
        (
            "purchase",
            "purchases",
            "remove `purchase`; use `filter` to exclude rows",
        ),
        (
            "order_id",
            "orders",
            "remove `order_id`, which has no effect here",
        ),
        (
            "amount",
            "an amount",
            "remove `amount`; features name the column of their money with `of`",
        ),
    ] {
        if table.has(key) {
            let message = format!("only a source of kind \"events\" has {what}");
            let found = Diagnostic::error("TS-P060", message, table.key_span(key));
            table.notes.add(found.with_help(help));
        }
    }
}

fn contract(source: &Reader<'_>, kind: Option<SourceKind>) -> Contract {
    let Some(table) = source.table("contract") else {
        if !source.has("contract") {
            let name = source.name.trim_matches(['[', ']']);
            let missing = source.that_is_missing(
                "contract",
                format!("add a table [{name}.contract] with at least `missing_key = \"quarantine\"`, or drop, fail"),
            );
            source.notes.add(missing.assumed());
        }
        return Contract {
            columns: Vec::new(),
            missing_key: OnBadRow::Quarantine,
            conversions: OnBadValue::Quarantine,
            several: None,
            limits: Limits::default(),
            keep_rejects: DEFAULT_KEEP_REJECTS,
            duplicates: Duplicates::Keep,
            rules: Vec::new(),
        };
    };
    if !table.has("missing_key") {
        let missing = table.that_is_missing(
            "missing_key",
            "add `missing_key = \"quarantine\"`, or drop, fail: what happens to rows without a key",
        );
        table.notes.add(missing.assumed());
    }
    let (missing_key, missing_key_limit) = outcome_and_limit(&table, "missing_key");
    let (conversions, conversions_limit) = outcome_and_limit(&table, "conversions");
    let (duplicates, duplicates_limit) = duplicates(&table);
    let keep = table.integer("keep_rejects", 0..=1_000_000);
    let contract = Contract {
        columns: columns(&table),
        missing_key: missing_key.unwrap_or(OnBadRow::Quarantine),
        conversions: conversions.unwrap_or(OnBadValue::Quarantine),
        several: several(&table, source, kind),
        limits: Limits {
            source: limit(&table),
            missing_key: missing_key_limit,
            conversions: conversions_limit,
            duplicates: duplicates_limit,
        },
        keep_rejects: keep.map_or(DEFAULT_KEEP_REJECTS, |keep| keep.value as u32),
        duplicates,
        rules: rules(&table),
    };
    table.finish();
    contract
}

/// `key = "quarantine"` or `key = { on_fail = "quarantine", max_rejected = "1%" }`.
fn outcome_and_limit<T: DeserializeOwned>(
    table: &Reader<'_>,
    key: &str,
) -> (Option<T>, Option<Limit>) {
    let Some(value) = table.get(key) else {
        return (None, None);
    };
    let Some(inner) = value.get_ref().as_table() else {
        return (table.word(key).map(|word| word.value), None);
    };
    let inner = Reader::new(inner, value.span(), format!("`{key}`"), table.notes);
    let help = "add `on_fail = \"…\"`: what happens to such rows";
    let outcome = inner.required_word("on_fail", help);
    let limit = limit(&inner);
    inner.finish();
    (outcome.map(|outcome| outcome.value), limit)
}

/// `max_rejected = "1%"` or a number of rows.
fn limit(table: &Reader<'_>) -> Option<Limit> {
    let value = table.get("max_rejected")?;
    let wanted = "a share such as \"1%\", or a number of rows";
    if let Some(rows) = integer_of(value.get_ref()) {
        if let Ok(rows) = u64::try_from(rows) {
            return Some(Limit::Rows(rows));
        }
    } else if let Some(text) = value.get_ref().as_str() {
        let percent = text.trim().strip_suffix('%').map(str::trim);
        let percent = percent.and_then(|percent| percent.parse::<f64>().ok());
        if let Some(percent) = percent.filter(|percent| (0.0..=100.0).contains(percent)) {
            return Some(Limit::Share(percent / 100.0));
        }
        let message = format!("bad limit \"{text}\" for `max_rejected`");
        table.notes.add(
            Diagnostic::error("TS-P061", message, value.span())
                .with_label(format!("expected {wanted}")),
        );
        return None;
    }
    wrong_type(table.notes, value, "`max_rejected`", wanted);
    None
}

/// Which of several valid rows of a customer counts.
fn several(
    table: &Reader<'_>,
    source: &Reader<'_>,
    kind: Option<SourceKind>,
) -> Option<At<Several>> {
    let several = table.word::<Several>("several")?;
    if matches!(kind, Some(SourceKind::Events | SourceKind::Intervals)) {
        let message = "`several` is only for sources of kind \"attributes\" or \"lookup\", in which one row per key counts";
        table.notes.add(
            Diagnostic::error("TS-P062", message, table.key_span("several"))
                .with_help("remove `several`; features combine many rows with `agg`"),
        );
    } else if several.value == Several::First && source.has("time") {
        let message =
            "\"first\" is for sources without `time`: with a `time` the newest row counts";
        table.notes.add(
            Diagnostic::error("TS-P064", message, several.span.clone()).with_help(
                "write \"newest\"; to keep the first of equally new rows, set `duplicates = { unique = [key, time], on_fail = \"drop\" }`",
            ),
        );
    } else if several.value == Several::Newest && !source.has("time") {
        let message = format!("{} has no `time`, so it has no newest row", source.name);
        table.notes.add(
            Diagnostic::error("TS-P063", message, several.span.clone()).with_help(
                "set `time`, the column that says since when a row is valid, or write \"first\" or \"fail\"",
            ),
        );
    }
    Some(several)
}

fn duplicates(table: &Reader<'_>) -> (Duplicates, Option<Limit>) {
    let Some(value) = table.get("duplicates") else {
        return (Duplicates::Keep, None);
    };
    if let Some(inner) = value.get_ref().as_table() {
        let inner = Reader::new(inner, value.span(), "`duplicates`", table.notes);
        return unique(&inner);
    }
    if !value.get_ref().is_str() {
        let wanted = "\"keep\", \"drop_exact\", \"fail\" or { unique = [\"line_id\"] }";
        wrong_type(table.notes, value, "`duplicates`", wanted);
    } else if let Some(word) = table.word::<RepeatedRows>("duplicates") {
        let duplicates = match word.value {
            RepeatedRows::Keep => Duplicates::Keep,
            RepeatedRows::DropExact => Duplicates::DropExact,
            RepeatedRows::Fail => Duplicates::Fail,
        };
        return (duplicates, None);
    }
    (Duplicates::Keep, None)
}

fn unique(table: &Reader<'_>) -> (Duplicates, Option<Limit>) {
    if !table.has("unique") {
        table.missing(
            "unique",
            "name the columns that identify a row: `unique = [\"line_id\"]`",
        );
    }
    let columns = table.texts("unique");
    if columns.as_ref().is_some_and(Vec::is_empty) {
        let message = "`unique` names no column";
        table.notes.add(
            Diagnostic::error("TS-P009", message, table.value_span("unique"))
                .with_help("name the columns that identify a row: `unique = [\"line_id\"]`"),
        );
    }
    let on_fail = on_fail(table);
    let limit = limit(table);
    table.finish();
    let duplicates = Duplicates::Unique {
        columns: columns.unwrap_or_default(),
        on_fail,
    };
    (duplicates, limit)
}

fn on_fail(table: &Reader<'_>) -> OnBadRow {
    let outcome = table.word("on_fail");
    outcome.map_or(OnBadRow::Quarantine, |outcome| outcome.value)
}

fn rules(table: &Reader<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for item in table.array("rules").unwrap_or_default() {
        let Some(inner) = item.get_ref().as_table() else {
            wrong_type(
                table.notes,
                item,
                "a rule",
                "a table { name, check, on_fail }",
            );
            continue;
        };
        let inner = Reader::new(inner, item.span(), "a rule", table.notes);
        let name = inner.required_text("name", "add `name = \"…\"`, shown in `rejects`");
        let twice = rules.iter().any(|rule| rule.name.value == name.value);
        if twice && !name.value.is_empty() {
            let message = format!("there is already a rule \"{}\"", name.value);
            table.notes.add(
                Diagnostic::error("TS-P022", message, name.span.clone()).with_help(
                    "rejected rows show the name of their rule; give each rule its own name",
                ),
            );
        }
        if !inner.has("check") {
            inner.missing(
                "check",
                "add `check = \"…\"`, a condition that is true for good rows",
            );
        }
        let check = inner.expression("check");
        let on_fail = on_fail(&inner);
        let max_rejected = limit(&inner);
        inner.finish();
        rules.extend(check.map(|check| Rule {
            name,
            check,
            on_fail,
            max_rejected,
        }));
    }
    rules
}

fn attributes(table: &Reader<'_>, kind: Option<SourceKind>) -> Vec<Attribute> {
    let Some(attributes) = table.table("attributes") else {
        return Vec::new();
    };
    if kind.is_some_and(|kind| kind != SourceKind::Attributes) {
        let message = "only a source of kind \"attributes\" has attributes";
        table.notes.add(
            Diagnostic::error("TS-P023", message, table.key_span("attributes")).with_help(
                "features of events and intervals are declared in [features] with `from` and `agg`",
            ),
        );
    }
    let mut list = Vec::new();
    for entry in attributes.entries() {
        let name = format!("attribute `{}`", entry.key.value);
        let Some(inner) = attributes.as_table(entry.value, &name, &name) else {
            continue;
        };
        check_name(table.notes, Names::Column, "attribute", &entry.key);
        let base = inner.required_word(
            "base",
            "add `base = \"…\"`, the kind of knowledge, for example `base = \"firmographic\"`",
        );
        let unit = inner.word("unit").map(|unit| unit.value);
        let description = super::description::description(&inner);
        for key in ["max_age_days", "consent_scope", "sensitive"] {
            inner.not_built(key, &format!("`{key}` of attributes is"));
        }
        inner.finish();
        list.push(Attribute {
            column: entry.key,
            base: base.map_or(Base::Firmographic, |base| base.value),
            unit,
            description,
        });
    }
    list
}

/// Notes a name that is not a source with customer rows.
pub(super) fn check_source(table: &Reader<'_>, name: &At<String>, sources: &[Source]) {
    let (lookups, others): (Vec<&Source>, Vec<&Source>) =
        sources.iter().partition(|s| s.kind == SourceKind::Lookup);
    let names: Vec<&str> = others.iter().map(|s| s.name.value.as_str()).collect();
    if !name.value.is_empty() && !names.contains(&name.value.as_str()) {
        let span = name.span.clone();
        let found = unknown_name("TS-P017", "source", &name.value, span, &names);
        let is_lookup = lookups.iter().any(|s| s.name.value == name.value);
        table.notes.add(if is_lookup {
            found.with_label("a lookup has no customer rows: join it to a source that has")
        } else {
            found
        });
    }
}
