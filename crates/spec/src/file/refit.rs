//! `refit` of scores and schemes.

use crate::diagnostic::Diagnostic;
use crate::duration;
use crate::pipeline::Refit;
use crate::reader::Reader;

/// What `refit` states, `default` where it is absent.
pub(super) fn refit(table: &Reader<'_>, default: Refit) -> Refit {
    let stated = table
        .text("refit")
        .and_then(|text| duration::refit(table.notes, &text));
    stated.unwrap_or(default)
}

/// As [`refit`], of what learns nothing from the customers: the key has no effect there.
pub(super) fn none(table: &Reader<'_>, because: &str) -> Refit {
    // Read in any case: it is a known key.
    let _ = table.text("refit");
    if table.has("refit") {
        let message = format!("`refit` has no effect: {because}");
        let found = Diagnostic::error("TS-P049", message, table.key_span("refit"));
        table.notes.add(found.with_help("remove `refit`"));
    }
    Refit::Never
}
