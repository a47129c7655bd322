//! `[sources.NAME.join.JOIN]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{At, Identity, Join, Source, SourceKind};
use crate::reader::{Notes, Reader, text_of, wrong_type};

use super::name::{Names, check_name};

/// The joins of a source, in file order.
pub(super) fn joins(table: &Reader<'_>, kind: Option<SourceKind>) -> Vec<Join> {
    let Some(tables) = table.table("join") else {
        return Vec::new();
    };
    if kind == Some(SourceKind::Lookup) {
        let message = "a lookup cannot have a `join`: it is joined to other sources";
        table.notes.add(
            Diagnostic::error("TS-P071", message, table.key_span("join"))
                .with_help("join both lookups to the source that needs them: a later join may use the columns of an earlier one"),
        );
    }
    let mut joins = Vec::new();
    for entry in tables.entries() {
        let name = format!("{}.{}]", tables.name.trim_end_matches(']'), entry.key.value);
        let Some(inner) = tables.as_table(entry.value, &name, &name) else {
            continue;
        };
        check_name(table.notes, Names::Column, "join", &entry.key);
        joins.push(join(&inner, entry.key));
    }
    joins
}

fn join(table: &Reader<'_>, name: At<String>) -> Join {
    let from = table.text("from").unwrap_or_else(|| name.clone());
    let on = pairs(
        table,
        "on",
        "add `on = [\"…\"]`, the key columns of the lookup, or `on = { column = \"key column\" }`",
    );
    let columns = pairs(
        table,
        "columns",
        "add `columns = [\"…\"]`, the columns of the lookup to add to this source",
    );
    for (column, _) in &columns {
        check_name(table.notes, Names::Column, "column", column);
    }
    let join = Join {
        from,
        on,
        as_of: table.text("as_of"),
        columns,
        name,
    };
    table.finish();
    join
}

/// `["a", "b"]` or `{ a = "x", b = "y" }`, with at least one entry.
fn pairs(table: &Reader<'_>, key: &str, help: &str) -> Vec<(At<String>, At<String>)> {
    let Some(value) = table.get(key) else {
        table.missing(key, help);
        return Vec::new();
    };
    let pairs: Vec<_> = if value.get_ref().is_array() {
        let names = table.texts(key).unwrap_or_default().into_iter();
        names.map(|name| (name.clone(), name)).collect()
    } else if let Some(inner) = value.get_ref().as_table() {
        let inner = Reader::new(inner, value.span(), format!("`{key}`"), table.notes);
        let text = |value| text_of(table.notes, value, &format!("a value of `{key}`"));
        let entries = inner.entries().into_iter();
        entries
            .filter_map(|entry| Some((entry.key, text(entry.value)?)))
            .collect()
    } else {
        let wanted = "an array of columns or a table of pairs of columns";
        wrong_type(table.notes, value, &format!("`{key}`"), wanted);
        return Vec::new();
    };
    if pairs.is_empty() {
        let message = format!("`{key}` in {} names no column", table.name);
        table
            .notes
            .add(Diagnostic::error("TS-P009", message, value.span()).with_help(help));
    }
    pairs
}

/// Compares the joins of all sources with the lookups that they name.
pub(super) fn check(notes: &Notes, sources: &[Source]) {
    let lookups = || sources.iter().filter(|s| s.kind == SourceKind::Lookup);
    for source in sources {
        let mut taken: Vec<&At<String>> = source.derive.iter().map(|(name, _)| name).collect();
        for join in &source.joins {
            for (column, _) in &join.columns {
                if taken.iter().any(|name| name.value == column.value) {
                    let message = format!("there is already a column `{}`", column.value);
                    notes.add(
                        Diagnostic::error("TS-P007", message, column.span.clone()).with_help(
                            "derived and joined columns need names of their own: `columns = { other_name = \"…\" }`",
                        ),
                    );
                }
                taken.push(column);
            }
            match lookups().find(|lookup| lookup.name.value == join.from.value) {
                Some(lookup) => check_keys(notes, join, lookup),
                None => unknown_lookup(notes, join, sources),
            }
        }
    }
}

/// Warns of lookups that nothing reads; not where `identity` names none, since it may mean any of them.
pub(super) fn check_used(notes: &Notes, sources: &[Source], identity: Option<&Identity>) {
    let lookups = || sources.iter().filter(|s| s.kind == SourceKind::Lookup);
    if let Some(identity) = identity
        && !lookups().any(|lookup| lookup.name.value == identity.from.value)
    {
        return;
    }
    for lookup in lookups() {
        let joins = sources.iter().flat_map(|source| &source.joins);
        let mut named = joins
            .map(|join| &join.from)
            .chain(identity.map(|identity| &identity.from));
        if named.all(|from| from.value != lookup.name.value) {
            let name = &lookup.name;
            let message = format!("no source joins the lookup `{}`", name.value);
            notes.add(
                Diagnostic::warning("TS-P072", message, name.span.clone()).with_help(format!(
                    "add `[sources.NAME.join.{}]` to the source that needs it, or remove the lookup",
                    name.value
                )),
            );
        }
    }
}

fn unknown_lookup(notes: &Notes, join: &Join, sources: &[Source]) {
    let lookups = sources.iter().filter(|s| s.kind == SourceKind::Lookup);
    let names: Vec<&str> = lookups.map(|s| s.name.value.as_str()).collect();
    let (from, span) = (&join.from.value, join.from.span.clone());
    let found = unknown_name("TS-P017", "lookup", from, span, &names);
    let declared = sources.iter().any(|source| source.name.value == *from);
    notes.add(if declared {
        found.with_label(format!(
            "[sources.{from}] is not of kind \"lookup\", so its only key is the customer's"
        ))
    } else {
        found
    });
}

/// The columns of `on` are the key columns of the lookup, each once, so that at most one row is found.
fn check_keys(notes: &Notes, join: &Join, lookup: &Source) {
    let keys: Vec<&str> = lookup.keys().map(|key| key.value.as_str()).collect();
    let named: Vec<&str> = join.on.iter().map(|(_, key)| key.value.as_str()).collect();
    for (place, (_, key)) in join.on.iter().enumerate() {
        if !keys.contains(&key.value.as_str()) {
            let what = format!("key column of lookup `{}`", lookup.name.value);
            let span = key.span.clone();
            notes.add(unknown_name("TS-P073", &what, &key.value, span, &keys));
        } else if named[..place].contains(&key.value.as_str()) {
            let message = format!("the key column `{}` is listed twice in `on`", key.value);
            notes.add(
                Diagnostic::error("TS-P007", message, key.span.clone())
                    .with_help("remove one of them"),
            );
        }
    }
    let missing: Vec<String> = keys
        .iter()
        .filter(|key| !named.contains(key))
        .map(|key| format!("`{key}`"))
        .collect();
    if !missing.is_empty() && !join.on.is_empty() {
        let message = format!(
            "`on` of the join `{}` lacks {} of lookup `{}`, so several rows may match",
            join.name.value,
            missing.join(", "),
            lookup.name.value
        );
        notes.add(
            Diagnostic::error("TS-P074", message, join.name.span.clone())
                .with_help("list every key column of the lookup in `on`"),
        );
    }
    if let Some(as_of) = &join.as_of
        && lookup.time.is_none()
    {
        let message = format!(
            "the lookup `{}` has no `time`, so it has no newest row at `as_of`",
            lookup.name.value
        );
        notes.add(
            Diagnostic::error("TS-P075", message, as_of.span.clone()).with_help(format!(
                "set `time`, the column that says since when a row is valid, in [sources.{}], or remove `as_of`",
                lookup.name.value
            )),
        );
    }
}

/// Checks the sources that `only_keys_of` names: each must be another source, have customers' keys, and have no `only_keys_of`.
pub(super) fn check_keys_of(notes: &Notes, sources: &[Source]) {
    for source in sources {
        let Some(of) = &source.only_keys_of else {
            continue;
        };
        if source.kind == SourceKind::Lookup {
            let message = "a lookup has no customer keys, so `only_keys_of` cannot select its rows";
            notes.add(
                Diagnostic::error("TS-P077", message, of.span.clone())
                    .with_help("remove it; use `filter` to exclude rows of a lookup"),
            );
            continue;
        }
        let fits = |other: &&Source| {
            other.kind != SourceKind::Lookup
                && other.only_keys_of.is_none()
                && other.name.value != source.name.value
        };
        let names: Vec<&str> = sources
            .iter()
            .filter(fits)
            .map(|other| other.name.value.as_str())
            .collect();
        if !names.contains(&of.value.as_str()) {
            let found = unknown_name("TS-P017", "source", &of.value, of.span.clone(), &names);
            let exists = sources.iter().any(|other| other.name.value == of.value);
            notes.add(if exists {
                found.with_label("name another source that has customer keys and no `only_keys_of`")
            } else {
                found
            });
        }
    }
}
