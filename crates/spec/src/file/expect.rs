//! `[[expect]]`

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::DeValue;

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{At, Bounds, Condition, Expect, Scalar, Scheme, Subject};
use crate::reader::{Reader, date_of, integer_of, number_of, wrong_type};

/// Keys that are no columns.
const OWN_KEYS: [&str; 5] = ["customer", "scheme", "segment", "table", "as_of"];

/// All expectations, in file order.
pub(super) fn expectations(file: &Reader<'_>, schemes: &[Scheme]) -> Vec<Expect> {
    let Some(items) = file.array("expect") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        let Some(table) = file.as_table(item, "an item of `expect`", "[[expect]]") else {
            continue;
        };
        found.extend(expectation(&table, schemes));
    }
    found
}

fn expectation(table: &Reader<'_>, schemes: &[Scheme]) -> Option<Expect> {
    let as_of = table
        .get("as_of")
        .and_then(|value| date_of(table.notes, value, "`as_of`"));
    let subject = subject(table, schemes);
    let mut checks = Vec::new();
    for entry in table.entries() {
        if OWN_KEYS.contains(&entry.key.value.as_str()) {
            continue;
        }
        // Asked for, so that it is known.
        table.get(&entry.key.value);
        let condition = condition(table, &entry.key, entry.value);
        checks.extend(condition.map(|condition| (entry.key, condition)));
    }
    table.finish();
    let subject = subject?;
    if table
        .entries()
        .iter()
        .all(|entry| OWN_KEYS.contains(&entry.key.value.as_str()))
    {
        table.notes.add(
            Diagnostic::error(
                "TS-P081",
                format!("[[expect]] states nothing that is expected of {subject}"),
                table.span.clone(),
            )
            .with_help("add a column and what is expected of it, such as `rfm = \"Champions\"` or `orders_90d = { at_least = 3 }`"),
        );
    }
    Some(Expect {
        subject,
        as_of,
        checks,
        line: table.notes.line(table.span.start),
        span: table.span.clone(),
    })
}

/// Of what an expectation is: exactly one of a customer, a segment and a table.
fn subject(table: &Reader<'_>, schemes: &[Scheme]) -> Option<Subject> {
    let customer = table.get("customer").and_then(|value| key_of(table, value));
    let (scheme, segment) = (table.text("scheme"), table.text("segment"));
    let published = table.text("table");
    let stated = [
        table.has("customer"),
        table.has("scheme") || table.has("segment"),
        table.has("table"),
    ];
    if stated.iter().filter(|stated| **stated).count() != 1 {
        table.notes.add(
            Diagnostic::error(
                "TS-P082",
                "[[expect]] must state one of `customer`, `scheme` with `segment`, and `table`",
                table.span.clone(),
            )
            .with_help("write one [[expect]] for each customer, segment or table"),
        );
        return None;
    }
    if let Some(scheme) = &scheme {
        let names: Vec<&str> = schemes.iter().map(|s| s.name.value.as_str()).collect();
        if !names.contains(&scheme.value.as_str()) {
            let span = scheme.span.clone();
            let found = unknown_name("TS-P018", "scheme", &scheme.value, span, &names);
            table.notes.add(found);
            return None;
        }
    }
    match (customer, scheme, segment, published) {
        (Some(key), ..) => Some(Subject::Customer(key)),
        (_, Some(scheme), Some(segment), _) => Some(Subject::Segment { scheme, segment }),
        (_, Some(_), None, _) if !table.has("segment") => {
            table.missing("segment", "name a segment of the scheme");
            None
        }
        (_, None, Some(_), _) if !table.has("scheme") => {
            table.missing("scheme", "name the scheme of the segment");
            None
        }
        (.., Some(name)) => Some(Subject::Table(name)),
        _ => None,
    }
}

/// A key: text, or an integer by its digits.
fn key_of(table: &Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<At<String>> {
    let text = match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        other => integer_of(other).map(|number| number.to_string()),
    };
    if text.is_none() {
        wrong_type(table.notes, value, "`customer`", "a text or a whole number");
    }
    text.map(|text| At::new(text, value.span()))
}

fn condition(
    table: &Reader<'_>,
    column: &At<String>,
    value: &Spanned<DeValue<'_>>,
) -> Option<Condition> {
    let what = format!("`{}`", column.value);
    if !matches!(value.get_ref(), DeValue::Table(_)) {
        return scalar(table, value, &what).map(Condition::Is);
    }
    let limits = table.as_table(value, &what, format!("{what} of [[expect]]"))?;
    let number = |key: &str| limits.number(key).map(|number| number.value);
    let bounds = Bounds {
        at_least: number("at_least"),
        at_most: number("at_most"),
        above: number("above"),
        below: number("below"),
    };
    let not = limits
        .get("not")
        .and_then(|value| scalar(table, value, "`not`"));
    let missing = limits.flag("missing");
    limits.finish();
    let has_bounds = bounds != Bounds::default();
    match (has_bounds, not, missing) {
        (true, None, None) => Some(Condition::Within(bounds)),
        (false, Some(value), None) => Some(Condition::Not(value)),
        (false, None, Some(missing)) => Some(Condition::Missing(missing)),
        (false, None, None) if !limits.entries().is_empty() => None,
        _ => {
            let message = format!("what is expected of {what} is not clear");
            table.notes.add(
                Diagnostic::error("TS-P083", message, value.span()).with_help(
                    "write a value, or one of { at_least = 3, at_most = 9 }, { above = 3 }, { below = 9 }, { not = \"x\" }, { missing = true }",
                ),
            );
            None
        }
    }
}

fn scalar(table: &Reader<'_>, value: &Spanned<DeValue<'_>>, what: &str) -> Option<Scalar> {
    match value.get_ref() {
        DeValue::String(text) => Some(Scalar::Text(text.to_string())),
        DeValue::Boolean(flag) => Some(Scalar::Flag(*flag)),
        DeValue::Datetime(_) => {
            let date: Option<NaiveDate> = date_of(table.notes, value, what);
            date.map(Scalar::Date)
        }
        DeValue::Integer(_) | DeValue::Float(_) => {
            number_of(table.notes, value, what).map(|number| Scalar::Number(number.value))
        }
        DeValue::Array(_) | DeValue::Table(_) => {
            wrong_type(
                table.notes,
                value,
                what,
                "a value, or a table such as { at_least = 3 }",
            );
            None
        }
    }
}
