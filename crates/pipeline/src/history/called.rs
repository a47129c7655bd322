//! The definitions of today and of an earlier version by the names that segments had then, or have now, where renames lie between.

use serde::Deserialize as _;
use serde_json::{Value, json};
use tessera_expr::{Expr, Literal, Node};
use tessera_segments::RulesScheme;
use tessera_snapshot::Version;
use tessera_spec::pipeline::{Naming, Scheme, SchemeKind};

use crate::held;
use crate::labels;
use crate::prepared::Prepared;

/// The renames of a scheme that a version did not state yet.
fn renamed_since(scheme: &Scheme, version: &Version) -> Naming {
    let stated = held::stated(version, &scheme.name.value);
    let stated = stated.filter_map(|then| Naming::deserialize(&then["naming"]).ok());
    let stated: Vec<(String, String)> = stated.flat_map(|naming| naming.was).collect();
    let was = scheme.naming.was.iter();
    Naming {
        was: was
            .filter(|renamed| !stated.contains(renamed))
            .cloned()
            .collect(),
        by_id: Vec::new(),
    }
}

/// Settings of a scheme by the names that segments had in a version: its own, and those that its rules compare with.
pub(super) fn kind_before(prepared: &Prepared, scheme: &Scheme, version: &Version) -> Value {
    let (name, now) = (scheme.name.value.as_str(), json!(scheme.kind));
    let then = held::stated(version, name).next();
    if then.is_some_and(|then| then["kind"] == now) {
        return now;
    }
    let before = |column: &str, segment: &str| {
        let other = prepared.pipeline.scheme_of_column(column)?;
        let was = renamed_since(other, version).was(segment)?.to_owned();
        Some(was)
    };
    let predicates = prepared.rules.get(name).into_iter();
    let ruled = predicates.filter_map(|predicates| with_names(scheme, predicates, &before));
    let kind = ruled.map(|kind| json!(kind)).next().unwrap_or(now);
    called_before(kind, &renamed_since(scheme, version))
}

/// The settings by which a version assigned the customers in a scheme, with the names that the segments of other schemes have now.
/// `predicates`: of its rules; none of other kinds.
pub(crate) fn kind_now(
    prepared: &Prepared,
    (scheme, predicates): (&Scheme, &[Expr]),
    version: &Version,
) -> Option<SchemeKind> {
    let now = |column: &str, segment: &str| {
        let other = prepared.pipeline.scheme_of_column(column)?;
        let renamed = renamed_since(other, version).was.into_iter();
        let mut renamed = renamed.filter(|(_, was)| was == segment);
        renamed.next().map(|(now, _)| now)
    };
    with_names(scheme, predicates, &now)
}

/// Rules that compare columns of schemes with other names of segments; none of other kinds.
fn with_names(
    scheme: &Scheme,
    predicates: &[Expr],
    called: &dyn Fn(&str, &str) -> Option<String>,
) -> Option<SchemeKind> {
    let stated: &RulesScheme = scheme.kind.of()?;
    let mut settings = stated.clone();
    for (rule, predicate) in settings.rules.iter_mut().zip(predicates) {
        let mut names = Vec::new();
        for (_, of, with) in labels::compared(predicate) {
            let (Node::Column(column), Node::Literal(Literal::String(segment))) =
                (&of.node, &with.node)
            else {
                continue;
            };
            names.extend(called(column, segment).map(|name| (with.span.clone(), name)));
        }
        names.sort_by_key(|(span, _)| span.start);
        for (span, name) in names.into_iter().rev() {
            let quoted = format!("'{}'", name.replace('\'', "''"));
            rule.when.value.replace_range(span, &quoted);
        }
    }
    Some(SchemeKind::new(scheme.kind.name(), settings))
}

/// Settings of a scheme with the names that its segments had before they were renamed.
pub(crate) fn called_before(stated: Value, renamed: &Naming) -> Value {
    let before = |name: String| renamed.was(&name).map_or(name.clone(), str::to_owned);
    match stated {
        Value::String(text) => before(text).into(),
        Value::Array(values) => {
            let values = values.into_iter();
            values.map(|value| called_before(value, renamed)).collect()
        }
        Value::Object(entries) => {
            let entries = entries.into_iter();
            entries
                .map(|(name, value)| (before(name), called_before(value, renamed)))
                .collect()
        }
        other => other,
    }
}

/// What is stated of a scheme, by the names that its segments had in a version.
pub(crate) fn stated_before(stated: Value, scheme: &Scheme, version: &Version) -> Value {
    called_before(stated, &renamed_since(scheme, version))
}
