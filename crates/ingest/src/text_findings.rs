//! Findings of `tessera check` about the values of text files.

use tessera_expr::Type;
use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::{Log, Source};
use tessera_spec::shown;

use crate::columns::epoch;
use crate::error::LIKE_THEM;
use crate::inventory::Inventory;
use crate::text::Tried;

/// Broken records and values that do not convert: how many, the first with its place, and the setting that would read them. Of
/// values [`shown::example`] is shown, or with `log.values` the value itself.
pub fn text_findings(source: &Source, inventory: &Inventory, log: Log) -> Vec<Diagnostic> {
    let Some(trial) = &inventory.trial else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if let Some(first) = &trial.record {
        let message = format!(
            "source `{}`: {} records are broken and would be quarantined; the first is {} line {}: {}",
            source.name.value,
            trial.rows_broken,
            inventory.relative(&first.file),
            first.line,
            first.text
        );
        let broken = Diagnostic::warning("TS-D020", message, source.path.span.clone());
        found.push(match first.text.contains("set the encoding") {
            true => broken.with_help(LIKE_THEM),
            false => broken,
        });
    }
    let broken = trial.columns.iter().filter(|column| column.broken > 0);
    found.extend(broken.filter_map(|column| of_column(source, inventory, column, log)));
    found
}

fn of_column(
    source: &Source,
    inventory: &Inventory,
    tried: &Tried,
    log: Log,
) -> Option<Diagnostic> {
    let example = tried.example.as_ref()?;
    let declared = source
        .contract
        .columns
        .iter()
        .find(|column| column.name.value == tried.name)?;
    let shown: String = example.text.chars().take(60).collect();
    let shown = if log.values {
        shown
    } else {
        shown::example(&shown)
    };
    let message = format!(
        "source `{}`: {} of {} values of `{}` are not {}; the first is `{shown}` ({} line {})",
        source.name.value,
        tried.broken,
        tried.values,
        tried.name,
        wanted(tried),
        inventory.relative(&example.file),
        example.line
    );
    let found = Diagnostic::warning("TS-D021", message, declared.ty.span.clone())
        .with_label("their rows would be quarantined");
    if let Some(is_float) = tried.are_days_of_sheets() {
        return Some(found.with_help(epoch::of_sheet(&tried.name, is_float)));
    }
    let Some(advice) = tried.advice() else {
        let (read, unread) = tried.forms();
        let (note, also) = if read.is_empty() {
            (format!("not read: {unread}"), "")
        } else {
            let also = " and, as the same values, those that are read now";
            (format!("read: {read}; not read: {unread}"), also)
        };
        let otherwise = match tried.ty {
            Type::Bool => format!(
                "declare the column as \"string\" and say which of its texts is true, as in `derive = {{ is_so = \"{} = '…'\" }}`, correct the values",
                tried.name
            ),
            _ => "correct them".to_owned(),
        };
        return Some(found.with_note(note).with_help(format!(
            "no usual setting reads these values{also}: {otherwise} where the files are made, or leave their rows to be quarantined"
        )));
    };
    Some(found.with_help(format!("for `{}`: {advice}", tried.name)))
}

fn wanted(tried: &Tried) -> String {
    let wanted = match tried.ty {
        Type::Bool => "true or false",
        Type::Int => match tried.bounds {
            Some((least, most)) => return format!("an integer from {least} to {most}"),
            None => "an integer",
        },
        Type::Float | Type::Decimal { .. } => "a number",
        Type::Date => "a date",
        Type::Timestamp => "a timestamp",
        Type::String | Type::Null => "a text",
    };
    wanted.to_owned()
}
