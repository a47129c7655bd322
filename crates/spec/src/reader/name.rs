//! Names: which characters they may have.

use super::{Notes, Reader};
use crate::diagnostic::Diagnostic;
use crate::pipeline::At;

/// The characters of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// Letters, digits, `_`: what expressions can name without quotes.
    Column,
    /// The same: of the key in the published tables, which a source may have under another name.
    Key,
    /// The same, and `-`.
    Dashed,
}

/// Checks a name.
pub(crate) fn check_name(notes: &Notes, names: Names, what: &str, name: &At<String>) {
    let dash = names == Names::Dashed;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '-' && dash);
    let begins = name.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !name.value.chars().all(fits) {
        let letters = if dash {
            "letters, digits, `_` and `-`"
        } else {
            "letters, digits and `_`"
        };
        let a = match what.starts_with(['a', 'e', 'i', 'o', 'u']) {
            true => "an",
            false => "a",
        };
        let elsewhere = match names {
            Names::Key => format!(
                ": tables have it under this name, and a source may have another, as `key = \"{}\"` in [sources.NAME]",
                name.value
            ),
            Names::Column | Names::Dashed => String::new(),
        };
        notes.add(
            Diagnostic::error(
                "TS-P008",
                format!("`{}` cannot be the name of {a} {what}", name.value),
                name.span.clone(),
            )
            .with_help(format!(
                "use {letters}, beginning with a letter (a to z){elsewhere}"
            )),
        );
    }
}

impl Reader<'_> {
    /// Checks a name of columns, which expressions can write without quotes; `what` it is of.
    pub fn check_column_name(&self, what: &str, name: &At<String>) {
        check_name(self.notes, Names::Column, what, name);
    }
}
