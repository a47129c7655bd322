//! `[customer.identity]`: keys that belong to another customer now.

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{At, Identity, Source, SourceKind};
use crate::reader::{Notes, Reader};

/// The table within `[customer]`, and what it names.
pub(super) fn identity(customer: &Reader<'_>, sources: &[Source]) -> Option<Identity> {
    let table = customer.table("identity")?;
    let from = table.required_text(
        "from",
        "add `from = \"…\"`, the source of kind \"lookup\" whose rows say which key belongs to which customer",
    );
    let to = table.required_text(
        "to",
        "add `to = \"…\"`, the column of the lookup with the customer that a key belongs to",
    );
    table.finish();
    if !from.value.is_empty() && !to.value.is_empty() {
        check(table.notes, sources, (&from, &to));
    }
    Some(Identity { from, to })
}

/// The lookup has one key column, and another one with the customer.
fn check(notes: &Notes, sources: &[Source], (from, to): (&At<String>, &At<String>)) {
    let found = sources.iter().find(|s| s.name.value == from.value);
    let Some(lookup) = found.filter(|source| source.kind == SourceKind::Lookup) else {
        let lookups = sources.iter().filter(|s| s.kind == SourceKind::Lookup);
        let names: Vec<&str> = lookups.map(|s| s.name.value.as_str()).collect();
        let unknown = unknown_name("TS-P017", "lookup", &from.value, from.span.clone(), &names);
        notes.add(match found {
            Some(_) => unknown.with_label("the map of keys is a source of kind \"lookup\""),
            None => unknown,
        });
        return;
    };
    if !lookup.more_keys.is_empty() {
        let message = format!(
            "the lookup `{}` has several key columns, but a map of customers' keys has one",
            from.value
        );
        notes.add(
            Diagnostic::error("TS-P090", message, from.span.clone()).with_help(format!(
                "name the column with the key that is replaced: `key = \"…\"` in [sources.{}]",
                from.value
            )),
        );
    } else if lookup.key.value == to.value {
        let message = format!(
            "`to` is the key of the lookup `{}`, so every key would stay",
            from.value
        );
        notes.add(
            Diagnostic::error("TS-P091", message, to.span.clone())
                .with_help("name the column with the customer that a key belongs to"),
        );
    }
}
