//! `[features]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::duration;
use crate::pipeline::{AggFunc, At, Base, FeatureBody, FeatureDecl, Features, LifecycleLimits, Source};
use crate::reader::{Entry, Reader};

use super::check_name;
use super::source::{BASES, UNITS};

const AGGREGATES: &[(&str, AggFunc)] = &[
    ("count", AggFunc::Count),
    ("count_distinct", AggFunc::CountDistinct),
    ("sum", AggFunc::Sum),
    ("mean", AggFunc::Mean),
    ("min", AggFunc::Min),
    ("max", AggFunc::Max),
    ("std", AggFunc::Std),
    ("median", AggFunc::Median),
    ("first", AggFunc::First),
    ("last", AggFunc::Last),
];

/// Catalogue groups and declared features, in file order.
pub(super) fn features(reader: &Reader<'_>, sources: &[Source]) -> Features {
    let Some(table) = reader.table("features") else { return Features::default() };
    let catalogue = table.texts("use").unwrap_or_default();
    let orders = table.text("orders");
    let lifecycle = table.table("lifecycle").map_or_else(LifecycleLimits::default, |limits| lifecycle_limits(&limits));
    let mut declared = Vec::new();
    for entry in table.entries() {
        if !["use", "orders", "lifecycle"].contains(&entry.key.value.as_str()) {
            let _ = table.get(&entry.key.value);
            declared.extend(feature(&table, entry, sources));
        }
    }
    Features { catalogue, orders, lifecycle, declared }
}

fn lifecycle_limits(table: &Reader<'_>) -> LifecycleLimits {
    let kind = table.choice("kind", &[("fixed", false), ("cadence", true)]).is_some_and(|kind| kind.value);
    let limits = if kind {
        let prior_gaps = table.number("prior_gaps").map_or(3.0, |gaps| gaps.value);
        if prior_gaps <= 0.0 {
            table.error("TS-P024", "`prior_gaps` must be above 0", table.span.clone());
        }
        LifecycleLimits::Cadence { prior_gaps }
    } else {
        let days = |key: &str, default: u32| table.integer(key, 1..=36_525).map_or(default, |days| days.value as u32);
        let (active_days, at_risk_days, dormant_days) = (days("active_days", 30), days("at_risk_days", 90), days("dormant_days", 365));
        if !(active_days < at_risk_days && at_risk_days < dormant_days) {
            table.notes.add(
                Diagnostic::error("TS-P024", "lifecycle limits must rise", table.span.clone())
                    .with_label(format!("active {active_days}, at risk {at_risk_days}, dormant {dormant_days} days"))
                    .with_help("set active_days < at_risk_days < dormant_days; the defaults are 30, 90, 365"),
            );
        }
        LifecycleLimits::Fixed { active_days, at_risk_days, dormant_days }
    };
    table.finish();
    limits
}

fn feature(features: &Reader<'_>, entry: Entry<'_>, sources: &[Source]) -> Option<FeatureDecl> {
    let name = entry.key;
    check_name(features, "feature", &name);
    let table = features.as_table(entry.value, &name.value, format!("feature `{}`", name.value))?;
    let base = table.choice("base", BASES).map_or(Base::Behavioural, |base| base.value);
    let unit = table.choice("unit", UNITS).map(|unit| unit.value);
    let body = if table.has("expr") { table.expression("expr").map(FeatureBody::Expr) } else { aggregate(&table, &name, sources) };
    if table.has("expr") && (table.has("from") || table.has("agg")) {
        table.notes.add(
            Diagnostic::error("TS-P025", format!("feature `{}` has both `expr` and `from` or `agg`", name.value), name.span.clone())
                .with_help("a feature is an aggregate over a source (`from`, `agg`) or an expression over features (`expr`)"),
        );
        return None;
    }
    table.finish();
    Some(FeatureDecl { name, base, unit, body: body? })
}

fn aggregate(table: &Reader<'_>, name: &At<String>, sources: &[Source]) -> Option<FeatureBody> {
    if !table.has("from") && !table.has("agg") {
        for key in ["of", "window", "offset", "where", "expr"] {
            let _ = table.get(key);
        }
        table.notes.add(
            Diagnostic::error("TS-P025", format!("feature `{}` says neither `from` and `agg` nor `expr`", name.value), name.span.clone())
                .with_help("write { from = \"orders\", agg = \"sum\", of = \"amount\" } or { expr = \"spend_90d / 90\" }"),
        );
        return None;
    }
    let from = table.required_text("from", "add `from = \"…\"`, the source it is computed from");
    let names: Vec<&str> = sources.iter().map(|source| source.name.value.as_str()).collect();
    if !from.value.is_empty() && !names.contains(&from.value.as_str()) {
        table.notes.add(unknown_name("TS-P017", "source", &from.value, from.span.clone(), &names));
    }
    let agg = table.required_choice("agg", AGGREGATES, "add `agg = \"…\"`: count, count_distinct, sum, mean, min, max, std, median, first, last");
    let of = table.expression("of");
    if let (Some(agg), None) = (&agg, &of)
        && agg.value != AggFunc::Count
    {
        table.missing("of", "add `of = \"…\"`, an expression over the source's columns");
    }
    let window_days = table.text("window").and_then(|text| duration::days(table.notes, &text, "window"));
    let offset = table.text("offset").and_then(|text| duration::days(table.notes, &text, "offset"));
    let offset_days = offset.map_or(0, |days| days.value);
    let timeless = sources.iter().any(|source| source.name.value == from.value && source.time.is_none());
    if let (true, Some(window)) = (timeless, &window_days) {
        table.error("TS-P026", format!("source `{}` has no `time`, so it has no windows", from.value), window.span.clone());
    }
    Some(FeatureBody::Aggregate { from, agg: agg?, of, window_days, offset_days, filter: table.expression("where") })
}
