//! Text files without a header among files that have one: their first row would be read as names, and their rows as nulls.

use tessera_spec::diagnostic::Diagnostic;
use tessera_spec::pipeline::Source;
use tessera_spec::shown::masked;

use crate::found::Names;
use crate::inventory::Inventory;
use crate::mentioned::Mentioned;
use crate::text;

/// Files without a column that the pipeline names, while others of the source have some.
pub(super) fn missing(
    source: &Source,
    inventory: &Inventory,
    mentioned: &Mentioned,
) -> Option<Diagnostic> {
    if !inventory.format.has_header() {
        return None;
    }
    let (mut without, mut others, mut first) = (Names::default(), false, Vec::new());
    for file in &inventory.files {
        let names = inventory.layouts.names(file.layout);
        if names.iter().any(|name| mentioned.by_name(name)) {
            others = true;
        } else if !names.is_empty() {
            without.add(&file.relative);
            first = if first.is_empty() { names } else { first };
        }
    }
    if without.count == 0 || !others {
        return None;
    }
    let are_values = text::are_values(&first);
    let shown = first.iter().map(|name| match are_values {
        true => masked(name),
        false => (*name).to_owned(),
    });
    let (name, span) = (&source.name.value, source.path.span.clone());
    let message = format!(
        "source `{name}`: {} {} none of the columns that the pipeline names and other files have: their first row, `{}`, is read as names of columns, and their other rows would be null",
        without.text(),
        if without.count == 1 { "has" } else { "have" },
        shown.collect::<Vec<_>>().join("`, `")
    );
    let what = match are_values {
        true => "these are values, so the header is missing",
        false => "if these are values, the header is missing",
    };
    Some(Diagnostic::error("TS-D012", message, span).with_help(format!(
        "{what}: write these files again with the header of the others, or move them out of the lake; where no file has one, set `header = false` in [sources.{name}.text]"
    )))
}
