//! `${name}` in the texts of the file.

use std::ops::Range;

use super::{Notes, Reader, text_of};
use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::At;

/// Longest text after its variables are resolved, in bytes: variables that contain variables can grow exponentially.
const LONGEST: usize = 65_536;

impl Notes {
    /// The text with `${name}` replaced.
    pub(super) fn resolve(&self, text: &str, span: &Range<usize>) -> String {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            resolved.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                self.add(
                    Diagnostic::error("TS-P010", "`${` without `}`", span.clone())
                        .with_help("write `${name}`"),
                );
                resolved.push_str(&rest[start..]);
                return resolved;
            };
            let name = &rest[start + 2..start + length];
            match self.vars.borrow().get(name) {
                Some(value) => resolved.push_str(value),
                None => self.add(self.unknown_variable(name, span)),
            }
            rest = &rest[start + length + 1..];
            if resolved.len() > LONGEST {
                let message =
                    format!("longer than {LONGEST} bytes after its variables are replaced");
                self.add(Diagnostic::error("TS-P010", message, span.clone()));
                return String::new();
            }
        }
        resolved.push_str(rest);
        resolved
    }

    fn unknown_variable(&self, name: &str, span: &Range<usize>) -> Diagnostic {
        if let Some(secret) = name.strip_prefix("env:") {
            let message = format!("`${{env:{secret}}}` is not allowed here");
            return Diagnostic::error("TS-P011", message, span.clone())
                .with_note("environment variables are only for secrets, and no key of this version takes a secret")
                .with_help(format!(
                    "use a variable of [vars] and pass it: `--var name=\"${secret}\"`"
                ));
        }
        let vars = self.vars.borrow();
        let names: Vec<&str> = vars.keys().map(String::as_str).collect();
        let found = unknown_name("TS-P012", "variable", name, span.clone(), &names);
        if found.help.is_some() {
            found
        } else {
            found.with_help(format!(
                "declare it in [vars], above where another variable uses it: `{name} = \"…\"`"
            ))
        }
    }
}

/// Reads `[vars]`, overridden by the command line; a variable may use those above it.
pub(crate) fn variables(file: &Reader<'_>, overrides: &[(String, String)]) {
    let notes = file.notes;
    let mut declared = Vec::new();
    let mut place = file.span.clone();
    if let Some(table) = file.table("vars") {
        place = table.span.clone();
        for entry in table.entries() {
            let name = entry.key.value.clone();
            check_variable(notes, &entry.key);
            let given = overrides.iter().rev().find(|(given, _)| *given == name);
            let value = match given {
                Some((_, value)) => Some(value.clone()),
                None => text_of(notes, entry.value, &format!("variable `{name}`"))
                    .map(|text| text.value),
            };
            let value = value.unwrap_or_default();
            notes.vars.borrow_mut().insert(name.clone(), value);
            declared.push(name);
        }
    }
    let names: Vec<&str> = declared.iter().map(String::as_str).collect();
    for (name, _) in overrides {
        if !declared.contains(name) {
            let found = unknown_name("TS-P013", "`--var` variable", name, place.clone(), &names);
            notes.add(if found.help.is_some() {
                found
            } else {
                found.with_help(format!(
                    "`--var` overrides variables of the file: declare `{name} = \"…\"` in [vars]"
                ))
            });
        }
    }
}

fn check_variable(notes: &Notes, name: &At<String>) {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.value.is_empty() || !name.value.chars().all(fits) {
        notes.add(
            Diagnostic::error(
                "TS-P008",
                format!("`{}` cannot be the name of a variable", name.value),
                name.span.clone(),
            )
            .with_help("use letters, digits, `_` and `-`"),
        );
    }
}
