//! `[gates]`: which gates there are, and their keys, is stated by their [`GateSyntax`].

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::gate_syntax::{AnyLimit, GateSyntax, ON_FAIL};
use crate::key::KeyValue;
use crate::pipeline::{At, Criteria, Gates, Scheme, StatedLimit};
use crate::reader::Reader;

/// The criteria, with their defaults where the file does not state them.
pub(super) fn gates(file: &Reader<'_>, schemes: &[Scheme], kinds: &[&'static GateSyntax]) -> Gates {
    let Some(table) = file.table("gates") else {
        return Gates::default();
    };
    let mut gates = Gates {
        all: criteria(&table, &Criteria::default(), kinds),
        ..Gates::default()
    };
    if let Some(own) = table.table("schemes") {
        for entry in own.entries() {
            let name = format!("[gates.schemes.{}]", entry.key.value);
            let Some(table) = own.as_table(entry.value, &name, &name) else {
                continue;
            };
            let names: Vec<&str> = schemes.iter().map(|s| s.name.value.as_str()).collect();
            if !names.contains(&entry.key.value.as_str()) {
                let span = entry.key.span.clone();
                let found = unknown_name("TS-P018", "scheme", &entry.key.value, span, &names);
                table.notes.add(found);
            }
            let own = criteria(&table, &gates.all, kinds);
            table.finish();
            gates.schemes.insert(entry.key.value, own);
        }
    }
    table.finish();
    gates
}

/// The criteria of a table; what it does not state is as in `base`.
fn criteria(table: &Reader<'_>, base: &Criteria, kinds: &[&'static GateSyntax]) -> Criteria {
    let mut criteria = base.clone();
    for gate in kinds {
        let Some(table) = table.table(gate.name) else {
            continue;
        };
        for limit in gate.limits {
            if let Some(value) = stated(&table, *limit) {
                let value = (!limit.is_default(&value)).then_some(value);
                criteria.state(gate.name, limit.key().name, value);
            }
        }
        if let Some(on_fail) = table.word(ON_FAIL.name) {
            criteria.set_on_fail(gate.name, on_fail.value);
        }
        for limit in gate.limits {
            without_effect(&table, *limit, &criteria);
        }
        table.finish();
    }
    criteria
}

/// Notes a limit without the key that makes it one.
fn without_effect(table: &Reader<'_>, limit: &dyn AnyLimit, criteria: &Criteria) {
    let name = limit.key().name;
    let Some((needed, add)) = limit.with() else {
        return;
    };
    if table.has(name) && criteria.stated(limit.gate(), needed).is_none() {
        let message = format!("`{name}` has no effect without `{needed}`");
        let found = Diagnostic::error("TS-P043", message, table.key_span(name));
        table.notes.add(found.with_help(add));
    }
}

/// What the table states of a limit.
fn stated(table: &Reader<'_>, limit: &dyn AnyLimit) -> Option<StatedLimit> {
    let key = limit.key();
    let name = key.name;
    match key.value {
        KeyValue::Count => {
            let count = table.integer(name, 0..=i64::MAX)?;
            Some(StatedLimit::Count(count.value.unsigned_abs()))
        }
        KeyValue::Flag => table.flag(name).map(StatedLimit::Flag),
        KeyValue::Names => {
            let columns = table.texts(name)?;
            if columns.is_empty() {
                let message = format!("`{name}` in {} names no column", table.name);
                let found = Diagnostic::error("TS-P009", message, table.value_span(name));
                table
                    .notes
                    .add(found.with_help("name columns of table `customers`, or remove the key"));
            }
            Some(StatedLimit::Columns(columns))
        }
        KeyValue::Condition => table.expression(name).map(StatedLimit::Condition),
        KeyValue::Number(from, to) => number(table, name, (from, to)).map(StatedLimit::Number),
        KeyValue::Text
        | KeyValue::SmallShare
        | KeyValue::Whole(..)
        | KeyValue::Days
        | KeyValue::Period
        | KeyValue::Of(_) => {
            table.known(name);
            None
        }
    }
}

/// A number within limits.
fn number(table: &Reader<'_>, key: &str, (from, to): (f64, f64)) -> Option<f64> {
    let At { value, span } = table.number(key)?;
    if (from..=to).contains(&value) {
        return Some(value);
    }
    let wanted = match to.is_finite() {
        true => format!("a share from {from} to {to}"),
        false => format!("a number from {from}"),
    };
    let message = format!("`{key}` in {} must be {wanted}, and is {value}", table.name);
    table.notes.add(Diagnostic::error("TS-P080", message, span));
    None
}
