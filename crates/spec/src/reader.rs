//! Reads the tables of a TOML file: every key is asked for once, everything odd is noted, nothing stops at the first mistake.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::At;

/// What all readers of a file share.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) found: RefCell<Vec<Diagnostic>>,
    pub(crate) vars: RefCell<BTreeMap<String, String>>,
}

impl Notes {
    /// Notes a mistake.
    pub(crate) fn add(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// The text with `${name}` replaced.
    pub(crate) fn resolve(&self, text: &str, span: &Range<usize>) -> String {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            resolved.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                self.add(Diagnostic::error("TS-P010", "`${` without `}`", span.clone()).with_help("write `${name}`"));
                resolved.push_str(&rest[start..]);
                return resolved;
            };
            let name = &rest[start + 2..start + length];
            match self.vars.borrow().get(name) {
                Some(value) => resolved.push_str(value),
                None => self.add(self.unknown_variable(name, span)),
            }
            rest = &rest[start + length + 1..];
        }
        resolved.push_str(rest);
        resolved
    }

    fn unknown_variable(&self, name: &str, span: &Range<usize>) -> Diagnostic {
        if let Some(secret) = name.strip_prefix("env:") {
            return Diagnostic::error("TS-P011", format!("`${{env:{secret}}}` stands where no secret belongs"), span.clone())
                .with_help(format!("environment variables are for secrets only; use a variable and `--var name=\"${secret}\"`"));
        }
        let vars = self.vars.borrow();
        let names: Vec<&str> = vars.keys().map(String::as_str).collect();
        let found = unknown_name("TS-P012", "variable", name, span.clone(), &names);
        if found.help.is_some() { found } else { found.with_help(format!("define it in [vars], or pass `--var {name}=…`")) }
    }
}

/// One table of the file.
pub(crate) struct Reader<'a> {
    table: &'a DeTable<'a>,
    /// Its header, for keys that are missing.
    pub(crate) span: Range<usize>,
    /// Its name, as users write it.
    pub(crate) name: String,
    pub(crate) notes: &'a Notes,
    asked: RefCell<Vec<String>>,
}

/// A key with its place, and the value.
pub(crate) struct Entry<'a> {
    pub(crate) key: At<String>,
    pub(crate) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(table: &'a DeTable<'a>, span: Range<usize>, name: impl Into<String>, notes: &'a Notes) -> Self {
        Self { table, span, name: name.into(), notes, asked: RefCell::default() }
    }

    /// Notes a mistake.
    pub(crate) fn error(&self, code: &'static str, message: impl Into<String>, span: Range<usize>) {
        self.notes.add(Diagnostic::error(code, message, span));
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    /// Whether a key is there, without asking for it.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Entries in file order.
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry<'a>> = self
            .table
            .iter()
            .map(|(key, value)| Entry { key: At::new(key.get_ref().to_string(), key.span()), value })
            .collect();
        entries.sort_by_key(|entry| entry.key.span.start);
        entries
    }

    /// Notes that a key is missing.
    pub(crate) fn missing(&self, key: &str, help: impl Into<String>) {
        self.asked.borrow_mut().push(key.to_owned());
        let message = format!("missing key `{key}` in {}", self.name);
        self.notes.add(Diagnostic::error("TS-P003", message, self.span.clone()).with_help(help));
    }

    /// Notes keys that nobody asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        let mut known: Vec<&str> = asked.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        for entry in self.entries() {
            if !known.contains(&entry.key.value.as_str()) {
                let what = format!("key of {}", self.name);
                self.notes.add(unknown_name("TS-P001", &what, &entry.key.value, entry.key.span, &known));
            }
        }
    }

    /// Notes tables and keys of a later version.
    pub(crate) fn not_built(&self, key: &str, what: &str) {
        if let Some(value) = self.get(key) {
            let span = self.entries().into_iter().find(|e| e.key.value == key).map_or(value.span(), |e| e.key.span);
            self.notes.add(
                Diagnostic::error("TS-P004", format!("{what} not supported by this version of tessera"), span)
                    .with_help("take it out; nothing in a pipeline file is ever silently ignored"),
            );
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<At<String>> {
        let value = self.get(key)?;
        text_of(self.notes, value, &format!("`{key}`"))
    }

    pub(crate) fn required_text(&self, key: &str, help: &str) -> At<String> {
        if !self.has(key) {
            self.missing(key, help);
        }
        self.text(key).unwrap_or_else(|| At::new(String::new(), self.span.clone()))
    }

    /// An expression: its span is that of the text inside the quotes.
    pub(crate) fn expression(&self, key: &str) -> Option<At<String>> {
        self.text(key).map(inside_quotes)
    }

    pub(crate) fn number(&self, key: &str) -> Option<At<f64>> {
        let value = self.get(key)?;
        number_of(self.notes, value, &format!("`{key}`"))
    }

    /// A whole number in a range.
    pub(crate) fn integer(&self, key: &str, range: std::ops::RangeInclusive<i64>) -> Option<At<i64>> {
        let value = self.get(key)?;
        let found = integer_of(value.get_ref());
        match found {
            Some(number) if range.contains(&number) => Some(At::new(number, value.span())),
            _ => {
                let wanted = format!("a whole number from {} to {}", range.start(), range.end());
                wrong_type(self.notes, value, &format!("`{key}`"), &wanted);
                None
            }
        }
    }

    pub(crate) fn table(&self, key: &str) -> Option<Reader<'a>> {
        let value = self.get(key)?;
        let name = if self.name == "the file" { format!("[{key}]") } else { format!("[{}.{key}]", self.name.trim_matches(['[', ']'])) };
        self.as_table(value, key, name)
    }

    pub(crate) fn as_table(&self, value: &'a Spanned<DeValue<'a>>, key: &str, name: String) -> Option<Reader<'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Reader::new(table, value.span(), name, self.notes)),
            _ => {
                wrong_type(self.notes, value, &format!("`{key}`"), "a table");
                None
            }
        }
    }

    pub(crate) fn array(&self, key: &str) -> Option<Vec<&'a Spanned<DeValue<'a>>>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Array(items) => Some(items.iter().collect()),
            _ => {
                wrong_type(self.notes, value, &format!("`{key}`"), "an array");
                None
            }
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Option<Vec<At<String>>> {
        let items = self.array(key)?;
        Some(items.into_iter().filter_map(|item| text_of(self.notes, item, &format!("an item of `{key}`"))).collect())
    }

    pub(crate) fn numbers(&self, key: &str) -> Option<Vec<At<f64>>> {
        let items = self.array(key)?;
        Some(items.into_iter().filter_map(|item| number_of(self.notes, item, &format!("an item of `{key}`"))).collect())
    }

    /// One of several words.
    pub(crate) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        choice_of(self.notes, &text, key, choices)
    }

    pub(crate) fn required_choice<T: Copy>(&self, key: &str, choices: &[(&str, T)], help: &str) -> Option<At<T>> {
        if !self.has(key) {
            self.missing(key, help);
            return None;
        }
        self.choice(key, choices)
    }
}

pub(crate) fn choice_of<T: Copy>(notes: &Notes, text: &At<String>, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
    match choices.iter().find(|(word, _)| *word == text.value) {
        Some((_, value)) => Some(At::new(*value, text.span.clone())),
        None => {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            notes.add(unknown_name("TS-P005", &format!("value of `{key}`"), &text.value, text.span.clone(), &words));
            None
        }
    }
}

pub(crate) fn text_of(notes: &Notes, value: &Spanned<DeValue<'_>>, what: &str) -> Option<At<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(At::new(notes.resolve(text, &value.span()), value.span())),
        _ => {
            wrong_type(notes, value, what, "a string");
            None
        }
    }
}

fn number_of(notes: &Notes, value: &Spanned<DeValue<'_>>, what: &str) -> Option<At<f64>> {
    let number = match value.get_ref() {
        DeValue::Float(float) => float.as_str().replace('_', "").parse::<f64>().ok().filter(|x| x.is_finite()),
        other => integer_of(other).map(|integer| integer as f64),
    };
    if number.is_none() {
        wrong_type(notes, value, what, "a number");
    }
    number.map(|number| At::new(number, value.span()))
}

fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

pub(crate) fn wrong_type(notes: &Notes, value: &Spanned<DeValue<'_>>, what: &str, wanted: &str) {
    let found = match value.get_ref() {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => format!("the integer {}", number.as_str()),
        DeValue::Float(number) => format!("the float {}", number.as_str()),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => format!("the date {time}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    notes.add(Diagnostic::error("TS-P002", format!("{what} must be {wanted}"), value.span()).with_label(format!("found {found}")));
}

/// The same text with the span of what stands between the quotes.
pub(crate) fn inside_quotes(text: At<String>) -> At<String> {
    let quotes = text.span.len().saturating_sub(text.value.len()) / 2;
    let span = text.span.start + quotes..text.span.end.saturating_sub(quotes).max(text.span.start + quotes);
    At::new(text.value, span)
}
