//! Names: what they may be made of, and that no two columns of `customers` share one.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::pipeline::{At, Pipeline, SchemeKind};
use crate::reader::Notes;

/// What a name may be made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Letters, digits, `_`: what expressions can name without quotes.
    Column,
    /// The same, and `-`.
    Dashed,
}

/// Checks a name.
pub(super) fn check_name(notes: &Notes, names: Names, what: &str, name: &At<String>) {
    let dash = names == Names::Dashed;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (c == '-' && dash);
    let begins = name.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !name.value.chars().all(fits) {
        let letters = if dash {
            "letters, digits, `_` and `-`"
        } else {
            "letters, digits and `_`"
        };
        notes.add(
            Diagnostic::error(
                "TS-P008",
                format!("`{}` is not a name for a {what}", name.value),
                name.span.clone(),
            )
            .with_help(format!("use {letters}, beginning with a letter (a to z)")),
        );
    }
}

/// Checks the name of a segment: any text that a table, a file name or a rule can hold.
pub(super) fn check_segment(notes: &Notes, segment: &At<String>) {
    const LONGEST: usize = 80;
    let text = segment.value.as_str();
    let reason = if text.chars().count() > LONGEST {
        format!("longer than {LONGEST} characters")
    } else if text.chars().any(char::is_control) {
        "it holds a control character".to_owned()
    } else if text.trim() != text {
        "it begins or ends with a space".to_owned()
    } else {
        return;
    };
    notes.add(
        Diagnostic::error("TS-P008", "not a name for a segment", segment.span.clone())
            .with_label(reason)
            .with_help("use one line of at most 80 characters, such as \"at risk\""),
    );
}

/// Every attribute, feature and scheme is a column of `customers`; engines and BI tools do not tell `Country` from `country`.
pub(super) fn check_unique_columns(notes: &Notes, pipeline: &Pipeline) {
    let mut seen: BTreeMap<String, (String, &str)> = BTreeMap::new();
    let mut add =
        |name: &str, what: &'static str| seen.insert(name.to_lowercase(), (name.to_owned(), what));
    add("as_of", "the date of every table");
    add(&pipeline.customer.key, "the customer's key");
    let attributes = pipeline.sources.iter().flat_map(|s| &s.attributes);
    let attributes = attributes.map(|a| (&a.column, None, "an attribute"));
    let declared = pipeline.features.declared.iter();
    let declared = declared.map(|f| (&f.name, None, "a feature"));
    let schemes = pipeline.schemes.iter().map(|s| (&s.name, None, "a scheme"));
    let grids = pipeline.schemes.iter();
    let grids = grids.filter(|s| matches!(s.kind, SchemeKind::RfmGrid(_)));
    let scores = grids.map(|s| (&s.name, Some(format!("{}_score", s.name.value)), "a score"));
    for (at, column, what) in attributes.chain(declared).chain(schemes).chain(scores) {
        let name = column.as_deref().unwrap_or(&at.value);
        let Some((before, taken)) = add(name, what) else {
            continue;
        };
        let found = Diagnostic::error(
            "TS-P007",
            format!("`{before}` is {taken} already"),
            at.span.clone(),
        )
        .with_label(match column {
            Some(_) => format!("{what} column `{name}` of this scheme"),
            None => format!("{what} of the same name"),
        })
        .with_help("each is a column of the published table `customers`; rename one");
        notes.add(if before == name {
            found
        } else {
            found.with_note(
                "names that differ only in case are one name to most readers of the tables",
            )
        });
    }
}
