//! `[features]`

use crate::aggregate_syntax::AggregateSyntax;
use crate::diagnostic::{Diagnostic, suggest, unknown_name};
use crate::duration;
use crate::pipeline::{
    Arguments, At, Base, Description, FeatureBody, FeatureDecl, Features, LifecycleLimits, Source,
    SourceKind,
};
use crate::reader::{Entry, Reader, choice_of};
use crate::written::word::LifecycleKind;

use super::description::description;
use super::name::{Names, check_name};
use super::source::check_source;

/// Keys of `[features]` that are not features.
const KEYS: [&str; 3] = ["use", "orders", "lifecycle"];

const NAMES: &str =
    "every key of [features] but `use`, `orders` and `lifecycle` is the name of a feature";

/// Keys that only an aggregate has.
const OF_AGGREGATES: [&str; 6] = ["from", "agg", "of", "window", "offset", "where"];

/// Catalogue groups and declared features, in file order.
pub(super) fn features(
    file: &Reader<'_>,
    sources: &[Source],
    aggregates: &[&AggregateSyntax],
) -> Features {
    let Some(table) = file.table("features") else {
        return Features::default();
    };
    let free = |key: &str| !is_feature_by_mistake(&table, key);
    let lifecycle = free("lifecycle")
        .then(|| table.table("lifecycle"))
        .flatten();
    let mut features = Features {
        catalogue: free("use")
            .then(|| table.texts("use"))
            .flatten()
            .unwrap_or_default(),
        orders: free("orders").then(|| orders(&table, sources)).flatten(),
        lifecycle: lifecycle
            .map_or_else(LifecycleLimits::default, |inner| lifecycle_limits(&inner)),
        declared: Vec::new(),
        described: Vec::new(),
    };
    for entry in table.entries() {
        if !KEYS.contains(&entry.key.value.as_str()) {
            match feature(&table, entry, sources, aggregates) {
                Some(Entered::Feature(feature)) => features.declared.push(feature),
                Some(Entered::Described(name, description)) => {
                    features.described.push((name, description));
                }
                None => {}
            }
        }
    }
    features
}

/// Whether a feature has the name of a setting, which is a mistake.
fn is_feature_by_mistake(table: &Reader<'_>, key: &str) -> bool {
    let written = table.get(key).and_then(|value| value.get_ref().as_table());
    let meant = written.is_some_and(|t| ["from", "agg", "expr"].iter().any(|k| t.contains_key(*k)));
    if meant {
        let message = format!("`{key}` cannot be the name of a feature");
        table.notes.add(
            Diagnostic::error("TS-P007", message, table.key_span(key))
                .with_label("a setting of the catalogue")
                .with_note(NAMES)
                .with_help(format!("choose another name, such as `all_{key}`")),
        );
    }
    meant
}

/// The events source that catalogue features read.
fn orders(table: &Reader<'_>, sources: &[Source]) -> Option<At<String>> {
    let name = table.text("orders")?;
    let events = sources.iter().filter(|s| s.kind == SourceKind::Events);
    let names: Vec<&str> = events.map(|s| s.name.value.as_str()).collect();
    if !names.contains(&name.value.as_str()) {
        let span = name.span.clone();
        let found = unknown_name("TS-P017", "events source", &name.value, span, &names);
        table.notes.add(found);
    }
    Some(name)
}

fn lifecycle_limits(table: &Reader<'_>) -> LifecycleLimits {
    let limits = match table.word("kind").map(|kind| kind.value) {
        Some(LifecycleKind::Cadence) => cadence(table),
        Some(LifecycleKind::Fixed) | None => fixed(table),
    };
    table.finish();
    limits
}

fn cadence(table: &Reader<'_>) -> LifecycleLimits {
    let gaps = table.number("prior_gaps");
    if let Some(gaps) = &gaps
        && gaps.value <= 0.0
    {
        let message = "`prior_gaps` must be above 0";
        table.notes.add(
            Diagnostic::error("TS-P024", message, gaps.span.clone())
                .with_label("weight of the mean gap of all customers, in gaps")
                .with_help(
                    "3 is the default: with three known gaps, a customer's own gaps have half of the weight",
                ),
        );
    }
    LifecycleLimits::Cadence {
        prior_gaps: gaps.map_or(3.0, |gaps| gaps.value),
    }
}

fn fixed(table: &Reader<'_>) -> LifecycleLimits {
    let days = |key: &str, default: u32| {
        let days = table.integer(key, 1..=36_525);
        days.and_then(|days| u32::try_from(days.value).ok())
            .unwrap_or(default)
    };
    let active_days = days("active_days", 30);
    let at_risk_days = days("at_risk_days", 90);
    let dormant_days = days("dormant_days", 365);
    if !(active_days < at_risk_days && at_risk_days < dormant_days) {
        let stated =
            format!("active {active_days}, at risk {at_risk_days}, dormant {dormant_days} days");
        table.notes.add(
            Diagnostic::error("TS-P024", "lifecycle limits must rise", table.span.clone())
                .with_label(stated)
                .with_help(
                    "set active_days < at_risk_days < dormant_days; the defaults are 30, 90, 365",
                ),
        );
    }
    LifecycleLimits::Fixed {
        active_days,
        at_risk_days,
        dormant_days,
    }
}

/// What an entry of `[features]` states.
enum Entered {
    /// A feature.
    Feature(FeatureDecl),
    /// Label and direction of a feature of the catalogue.
    Described(At<String>, Description),
}

/// Whether a table has only `label` and `direction`.
fn is_described(table: &Reader<'_>) -> bool {
    let states = |keys: &[&str]| keys.iter().any(|key| table.has(key));
    states(&["label", "direction"]) && !states(&["expr", "base", "unit"]) && !states(&OF_AGGREGATES)
}

fn feature(
    features: &Reader<'_>,
    entry: Entry<'_>,
    sources: &[Source],
    aggregates: &[&AggregateSyntax],
) -> Option<Entered> {
    let name = entry.key;
    if entry.value.get_ref().as_table().is_none() {
        not_a_table(features, &name);
        return None;
    }
    check_name(features.notes, Names::Column, "feature", &name);
    let named = format!("feature `{}`", name.value);
    let table = features.as_table(entry.value, &named, &named)?;
    if is_described(&table) {
        let description = description(&table);
        table.finish();
        return Some(Entered::Described(name, description));
    }
    let base = table
        .word("base")
        .map_or(Base::Behavioural, |base| base.value);
    let unit = table.word("unit").map(|unit| unit.value);
    let description = description(&table);
    let stray = OF_AGGREGATES.into_iter().find(|key| table.has(key));
    let body = match (table.has("expr"), stray) {
        (true, Some(key)) => {
            let message = format!("{named} has both `expr` and `{key}`");
            table
                .notes
                .add(both_or_neither(message, table.key_span(key)));
            return None;
        }
        (true, None) => table.expression("expr").map(FeatureBody::Expr),
        (false, Some(_)) => aggregate(&table, sources, aggregates),
        (false, None) => {
            let message = format!("{named} has neither `from` and `agg` nor `expr`");
            table.notes.add(both_or_neither(message, name.span.clone()));
            return None;
        }
    };
    table.finish();
    Some(Entered::Feature(FeatureDecl {
        name,
        base,
        unit,
        description,
        body: body?,
    }))
}

fn both_or_neither(message: String, span: std::ops::Range<usize>) -> Diagnostic {
    Diagnostic::error("TS-P025", message, span)
        .with_note("a feature is an aggregate over a source, or an expression over other features")
        .with_help("write { from = \"orders\", agg = \"sum\", of = \"amount\" } or { expr = \"spend_90d / 90\" }")
}

/// A value that is not a feature: perhaps one of the keys of the table was meant.
fn not_a_table(features: &Reader<'_>, name: &At<String>) {
    let message = format!("feature `{}` must be a table", name.value);
    let found = Diagnostic::error("TS-P002", message, name.span.clone()).with_note(NAMES);
    features.notes.add(match suggest(&name.value, &KEYS) {
        Some(near) => found.with_help(format!("did you mean `{near}`?")),
        None => found.with_help("write { from = \"orders\", agg = \"count\" } or { expr = \"…\" }"),
    });
}

fn aggregate(
    table: &Reader<'_>,
    sources: &[Source],
    aggregates: &[&AggregateSyntax],
) -> Option<FeatureBody> {
    let from = table.required_text("from", "add `from = \"…\"`, the source it is computed from");
    check_source(table, &from, sources);
    let chosen = chosen(table, aggregates);
    let kind = chosen.as_ref().map(|(_, kind)| *kind);
    let of = table.expression("of");
    if kind.is_some_and(|kind| !kind.of_rows) && !table.has("of") {
        table.missing(
            "of",
            "add `of = \"…\"`, an expression over the source's columns",
        );
    }
    let window_days = days(table, "window");
    let offset_days = days(table, "offset");
    let filter = table.expression("where");
    let arguments = arguments(table, kind, aggregates);
    let source = sources.iter().find(|s| s.name.value == from.value);
    let timeless = source.is_some_and(|s| s.time.is_none() && s.kind == SourceKind::Attributes);
    if timeless {
        let ordered = chosen.as_ref().filter(|(_, kind)| kind.needs_time);
        let ordered = ordered.map(|(agg, _)| agg.span.clone());
        check_timeless(table, &from.value, ordered, aggregates);
    }
    Some(FeatureBody::Aggregate {
        from,
        agg: chosen?.0,
        arguments: arguments?,
        of,
        window_days,
        offset_days: offset_days.map_or(0, |days| days.value),
        filter,
    })
}

/// The aggregate that `agg` names.
fn chosen<'k>(
    table: &Reader<'_>,
    aggregates: &[&'k AggregateSyntax],
) -> Option<(At<String>, &'k AggregateSyntax)> {
    let kinds = aggregates.iter().map(|kind| (kind.name, *kind));
    let choices: Vec<(&str, &AggregateSyntax)> = kinds.collect();
    if !table.has("agg") {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let help = match names.split_last() {
            Some((last, others)) => format!("add `agg = \"…\"`: {} or {last}", others.join(", ")),
            None => "add `agg = \"…\"`".to_owned(),
        };
        table.missing("agg", help);
    }
    let name = table.text("agg")?;
    let kind = choice_of(table.notes, &name, "agg", &choices)?;
    Some((name, kind))
}

/// The further keys of the chosen aggregate; none where one of them is missing or wrong, which is noted, as is one of another.
fn arguments(
    table: &Reader<'_>,
    chosen: Option<&AggregateSyntax>,
    aggregates: &[&AggregateSyntax],
) -> Option<Arguments> {
    let (mut found, mut sound) = (Arguments::default(), true);
    for kind in aggregates {
        for key in kind.keys {
            if chosen.is_some_and(|chosen| chosen.name == kind.name) {
                table.require(key);
                let number = table.within(key);
                sound &= number.is_some() || (key.required.is_none() && !table.has(key.name));
                if let Some(number) = number {
                    found.insert(key.name, number);
                }
                continue;
            }
            table.known(key.name);
            if let (true, Some(chosen)) = (table.has(key.name), chosen) {
                let message = format!("`{}` has no key `{}`", chosen.name, key.name);
                let place = table.key_span(key.name);
                let mine = format!("remove it, or write `agg = \"{}\"`", kind.name);
                table.notes.add(
                    Diagnostic::error("TS-P089", message, place)
                        .with_note(format!("it is a key of `{}`", kind.name))
                        .with_help(mine),
                );
                sound = false;
            }
        }
    }
    sound.then_some(found)
}

fn days(table: &Reader<'_>, key: &str) -> Option<At<u32>> {
    duration::days(table.notes, &table.text(key)?, key)
}

/// Settings that need the time of a row, in a source without `time`; `ordered` is the place of an aggregate that does.
fn check_timeless(
    table: &Reader<'_>,
    source: &str,
    ordered: Option<std::ops::Range<usize>>,
    aggregates: &[&AggregateSyntax],
) {
    let windows = ["window", "offset"]
        .into_iter()
        .filter(|key| table.has(key));
    let spans = windows.map(|key| table.value_span(key));
    let needs = aggregates.iter().filter(|kind| kind.needs_time);
    let mut impossible = vec!["windows".to_owned()];
    impossible.extend(needs.map(|kind| format!("`{}`", kind.name)));
    let impossible = match impossible.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => impossible.concat(),
    };
    for span in spans.chain(ordered) {
        let message = format!("source `{source}` has no `time`, so {impossible} are not possible");
        table.notes.add(
            Diagnostic::error("TS-P026", message, span)
                .with_help(format!("set `time` in [sources.{source}], or remove this")),
        );
    }
}
