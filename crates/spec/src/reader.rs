//! Reads the tables of a TOML file: every key is asked for once, everything odd is noted, nothing stops at the first mistake.

mod days;
mod name;
mod segment;
mod value;
mod variable;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, suggest, unknown_name};
use crate::key::{Key, KeyValue};
use crate::pipeline::{At, ExprText};
use crate::spaced::Spaced;
pub(crate) use name::{Names, check_name};
pub(crate) use segment::check_segment;
pub(crate) use value::{choice_of, date_of, integer_of, number_of, text_of, word_of, wrong_type};
pub(crate) use variable::variables;

/// Name of the table that is the whole file.
pub(crate) const ROOT: &str = "the file";

/// Code of a key that must be there and is not.
const MISSING: &str = "TS-P003";

/// What all readers of a file share.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The whole file.
    text: String,
    found: RefCell<Vec<Diagnostic>>,
    /// Variables declared so far, with their values.
    vars: RefCell<BTreeMap<String, String>>,
}

impl Notes {
    /// Nothing found yet in this text.
    pub(crate) fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// The line of a place, from 1.
    pub(crate) fn line(&self, place: usize) -> usize {
        let before = self.text.get(..place).unwrap_or_default();
        before.matches('\n').count() + 1
    }

    /// Notes a mistake.
    pub(crate) fn add(&self, diagnostic: Diagnostic) {
        self.found.borrow_mut().push(diagnostic);
    }

    /// Removes mistakes that have another cause, by their messages.
    fn withdraw(&self, code: &str, messages: &BTreeSet<String>) {
        if !messages.is_empty() {
            let mut found = self.found.borrow_mut();
            found.retain(|found| found.code != code || !messages.contains(&found.message));
        }
    }

    /// All that was noted.
    pub(crate) fn into_found(self) -> Vec<Diagnostic> {
        self.found.into_inner()
    }

    /// The same text with the span of what stands between its quotes.
    pub(crate) fn inside_quotes(&self, text: At<String>) -> At<String> {
        let raw = self.text.get(text.span.clone()).unwrap_or_default();
        let quoted = |quotes: &&str| {
            raw.len() >= 2 * quotes.len() && raw.starts_with(*quotes) && raw.ends_with(*quotes)
        };
        let quotes = ["\"\"\"", "'''", "\"", "'"]
            .into_iter()
            .find(quoted)
            .map_or(0, str::len);
        // A newline right after three quotes is no part of the text.
        let skipped = match &raw[quotes..] {
            rest if quotes == 3 && rest.starts_with("\r\n") => 2,
            rest if quotes == 3 && rest.starts_with('\n') => 1,
            _ => 0,
        };
        let start = text.span.start + quotes + skipped;
        At::new(text.value, start..(text.span.end - quotes).max(start))
    }
}

/// One table of the file.
pub struct Reader<'a> {
    table: &'a DeTable<'a>,
    /// Its header, for keys that are missing.
    pub span: Range<usize>,
    /// Its name, as users write it.
    pub name: String,
    pub(crate) notes: &'a Notes,
    asked: RefCell<Vec<String>>,
}

/// A key with its place, and the value.
pub struct Entry<'a> {
    /// The key.
    pub key: At<String>,
    pub(crate) value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(
        table: &'a DeTable<'a>,
        span: Range<usize>,
        name: impl Into<String>,
        notes: &'a Notes,
    ) -> Self {
        Self {
            table,
            span,
            name: name.into(),
            notes,
            asked: RefCell::default(),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    /// Whether a key is there, without asking for it.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Place of a key, or of the table where it is not there.
    pub fn key_span(&self, key: &str) -> Range<usize> {
        self.table
            .get_key_value(key)
            .map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }

    /// Place of a value, or of the table where it is not there.
    pub fn value_span(&self, key: &str) -> Range<usize> {
        self.table
            .get(key)
            .map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// Entries in file order.
    pub fn entries(&self) -> Vec<Entry<'a>> {
        let mut entries: Vec<Entry<'a>> = self
            .table
            .iter()
            .map(|(key, value)| Entry {
                key: At::new(key.get_ref().to_string(), key.span()),
                value,
            })
            .collect();
        entries.sort_by_key(|entry| entry.key.span.start);
        entries
    }

    /// Notes that a key is missing.
    pub fn missing(&self, key: &str, help: impl Into<String>) {
        self.notes.add(self.that_is_missing(key, help));
    }

    /// That a key is missing.
    pub fn that_is_missing(&self, key: &str, help: impl Into<String>) -> Diagnostic {
        self.asked.borrow_mut().push(key.to_owned());
        let message = self.missing_message(key);
        let found = Diagnostic::error(MISSING, message, self.span.clone()).with_help(help);
        match self.strayed(key) {
            Some(table) => found.with_note(format!(
                "there is a `{key}` in [{table}]: keys of the whole file must be above the first [table]"
            )),
            None => found,
        }
    }

    fn missing_message(&self, key: &str) -> String {
        format!("missing key `{key}` in {}", self.name)
    }

    /// The table that holds a key of the file by mistake, because the key is below that table's header.
    fn strayed(&self, key: &str) -> Option<String> {
        let holds = |entry: &Entry<'_>| {
            let table = entry.value.get_ref().as_table();
            table.is_some_and(|table| table.get(key).is_some_and(|v| v.get_ref().is_str()))
        };
        let found = self.entries().into_iter().find(holds);
        found
            .filter(|_| self.name == ROOT)
            .map(|entry| entry.key.value)
    }

    /// Notes keys that are unknown. One that is probably a missing key, misspelled, is one mistake: the missing key is not noted too.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        let mut known: Vec<&str> = asked.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let mut meant = BTreeSet::new();
        for entry in self.entries() {
            if !known.contains(&entry.key.value.as_str()) {
                let what = format!("key in {}", self.name);
                let span = entry.key.span;
                meant.extend(suggest(&entry.key.value, &known));
                self.notes.add(unknown_name(
                    "TS-P001",
                    &what,
                    &entry.key.value,
                    span,
                    &known,
                ));
            }
        }
        let messages = meant.into_iter().map(|key| self.missing_message(key));
        self.notes.withdraw(MISSING, &messages.collect());
    }

    /// Notes a key of a later version, if it is there; it is not among the keys that are offered.
    pub(crate) fn not_built(&self, key: &str, what: &str) {
        if self.get(key).is_some() {
            self.notes.add(
                Diagnostic::error(
                    "TS-P004",
                    format!("{what} not supported by this version of tessera"),
                    self.key_span(key),
                )
                .with_help(
                    "remove it: tessera does not run a pipeline file of which it ignores a part",
                ),
            );
        } else {
            self.asked.borrow_mut().retain(|asked| asked != key);
        }
    }

    /// A text, its variables resolved; an empty one is a mistake.
    pub fn text(&self, key: &str) -> Option<At<String>> {
        let noted = self.notes.found.borrow().len();
        let text = text_of(self.notes, self.get(key)?, &format!("`{key}`"))?;
        if text.value.trim().is_empty() {
            // A variable without a value is a mistake that was noted.
            if self.notes.found.borrow().len() > noted {
                return None;
            }
            let message = format!("`{key}` in {} is empty", self.name);
            self.notes.add(
                Diagnostic::error("TS-P009", message, text.span)
                    .with_help(format!("give `{key}` a value, or remove the key")),
            );
            return None;
        }
        Some(text)
    }

    /// A required text; empty, and noted, if it is missing.
    pub fn required_text(&self, key: &str, help: &str) -> At<String> {
        if !self.has(key) {
            self.missing(key, help);
        }
        self.text(key)
            .unwrap_or_else(|| At::new(String::new(), self.span.clone()))
    }

    /// A path of the file system; an address of an object store is rejected.
    pub(crate) fn required_path(&self, key: &str, help: &str) -> At<String> {
        let path = self.required_text(key, help);
        if path.value.contains("://") {
            self.notes.add(
                Diagnostic::error(
                    "TS-P004",
                    "object stores are not supported by this version of tessera",
                    path.span.clone(),
                )
                .with_label(format!("this is the address {}", path.value))
                .with_help("copy the files to a disk, or mount the store, and give the path"),
            );
        }
        path
    }

    /// An expression with one way of spacing: its span is that of the text inside the quotes, as it stands there.
    pub fn expression(&self, key: &str) -> Option<ExprText> {
        let text = self.notes.inside_quotes(self.text(key)?);
        Some(At::new(Spaced::new(&text.value).text, text.span))
    }

    /// A finite number.
    pub fn number(&self, key: &str) -> Option<At<f64>> {
        number_of(self.notes, self.get(key)?, &format!("`{key}`"))
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            wrong_type(self.notes, value, &format!("`{key}`"), "true or false");
        }
        flag
    }

    /// A whole number in a range.
    pub fn integer(&self, key: &str, range: RangeInclusive<i64>) -> Option<At<i64>> {
        let value = self.get(key)?;
        match integer_of(value.get_ref()) {
            Some(number) if range.contains(&number) => Some(At::new(number, value.span())),
            _ => {
                let (from, to) = (range.start(), range.end());
                let wanted = match *to {
                    i64::MAX => format!("a whole number from {from}"),
                    _ => format!("a whole number from {from} to {to}"),
                };
                wrong_type(self.notes, value, &format!("`{key}`"), &wanted);
                None
            }
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, key: &str) -> Option<At<bool>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(At::new(*truth, value.span())),
            _ => {
                wrong_type(self.notes, value, &format!("`{key}`"), "true or false");
                None
            }
        }
    }

    /// A table inside this one.
    pub fn table(&self, key: &str) -> Option<Reader<'a>> {
        let value = self.get(key)?;
        let name = match self.name.strip_suffix(']') {
            _ if self.name == ROOT => format!("[{key}]"),
            Some(outer) => format!("{outer}.{key}]"),
            None => format!("`{key}` of {}", self.name),
        };
        self.as_table(value, &format!("`{key}`"), name)
    }

    /// A value of this table that must be a table of that name.
    pub(crate) fn as_table(
        &self,
        value: &'a Spanned<DeValue<'a>>,
        what: &str,
        name: impl Into<String>,
    ) -> Option<Reader<'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Reader::new(table, value.span(), name, self.notes)),
            _ => {
                wrong_type(self.notes, value, what, "a table");
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

    /// Several texts, none twice.
    pub fn texts(&self, key: &str) -> Option<Vec<At<String>>> {
        let mut texts: Vec<At<String>> = Vec::new();
        let mut before = BTreeSet::new();
        for item in self.array(key)? {
            let Some(text) = text_of(self.notes, item, &format!("an item of `{key}`")) else {
                continue;
            };
            if !before.insert(text.value.clone()) {
                let message = format!("`{}` is listed twice in `{key}`", text.value);
                self.notes.add(
                    Diagnostic::error("TS-P007", message, text.span)
                        .with_help("remove one of them"),
                );
            } else {
                texts.push(text);
            }
        }
        Some(texts)
    }

    /// Several values of an enum, none twice, at least one; nothing where one is unknown, so that no later check judges a part.
    pub fn words<T: DeserializeOwned>(&self, key: &str) -> Option<Vec<At<T>>> {
        let (texts, items) = (self.texts(key)?, self.array(key)?);
        if items.is_empty() {
            let message = format!("`{key}` of {} is empty", self.name);
            self.notes.add(
                Diagnostic::error("TS-P009", message, self.value_span(key))
                    .with_help("name at least one"),
            );
        }
        if items.is_empty() || texts.len() < items.len() {
            return None;
        }
        let words = texts.iter().map(|text| word_of(self.notes, text, key));
        // All are read before the list is rejected, so that all mistakes are noted.
        let words: Vec<Option<At<T>>> = words.collect();
        words.into_iter().collect()
    }

    /// Several finite numbers.
    pub fn numbers(&self, key: &str) -> Option<Vec<At<f64>>> {
        let items = self.array(key)?;
        let what = format!("an item of `{key}`");
        let numbers = items
            .into_iter()
            .map(|item| number_of(self.notes, item, &what));
        // All are read before the list is rejected, so that all mistakes are noted.
        let numbers: Vec<Option<At<f64>>> = numbers.collect();
        numbers.into_iter().collect()
    }

    /// A value of an enum.
    pub fn word<T: DeserializeOwned>(&self, key: &str) -> Option<At<T>> {
        word_of(self.notes, &self.text(key)?, key)
    }

    /// A value of an enum, which must be there.
    pub fn required_word<T: DeserializeOwned>(&self, key: &str, help: &str) -> Option<At<T>> {
        if !self.has(key) {
            self.missing(key, help);
        }
        self.word(key)
    }

    /// Notes a mistake.
    pub fn note(&self, found: Diagnostic) {
        self.notes.add(found);
    }

    /// Whether a key is there, without asking for it, and its value is a table.
    pub fn is_table(&self, key: &str) -> bool {
        self.is(key, |value| matches!(value, DeValue::Table(_)))
    }

    /// Whether a key is there, without asking for it, and its value is an array.
    pub fn is_array(&self, key: &str) -> bool {
        self.is(key, |value| matches!(value, DeValue::Array(_)))
    }

    /// Whether a key is there, without asking for it, and its value is an array without items.
    pub fn is_empty(&self, key: &str) -> bool {
        self.is(
            key,
            |value| matches!(value, DeValue::Array(items) if items.is_empty()),
        )
    }

    /// Whether a key is there, without asking for it, and its value is a text.
    pub fn is_text(&self, key: &str) -> bool {
        self.is(key, |value| matches!(value, DeValue::String(_)))
    }

    /// Whether a key is there, without asking for it, and its value is a whole number.
    pub fn is_whole(&self, key: &str) -> bool {
        self.is(key, |value| matches!(value, DeValue::Integer(_)))
    }

    fn is(&self, key: &str, is: impl Fn(&DeValue<'_>) -> bool) -> bool {
        self.table.get(key).is_some_and(|value| is(value.get_ref()))
    }

    /// Notes that the value of a key is of the wrong type, unless the key is not there.
    pub fn wrong_type(&self, key: &str, wanted: &str) {
        if let Some(value) = self.get(key) {
            wrong_type(self.notes, value, &format!("`{key}`"), wanted);
        }
    }

    /// A table inside this one, with the name that messages call it by.
    pub fn table_called(&self, key: &str, name: &str) -> Option<Reader<'a>> {
        self.as_table(self.get(key)?, name, name)
    }

    /// Asks for a key that this table may have without an effect on what is read.
    pub fn known(&self, key: &str) {
        let _ = self.get(key);
    }

    /// The tables of an array, each called `what` in messages; none in the place of what is no table.
    pub fn tables(&self, key: &str, what: &str, wanted: &str) -> Option<Vec<Option<Reader<'a>>>> {
        let items = self.array(key)?.into_iter();
        let tables = items.map(|item| match item.get_ref() {
            DeValue::Table(inner) => Some(Reader::new(inner, item.span(), what, self.notes)),
            _ => {
                wrong_type(self.notes, item, what, wanted);
                None
            }
        });
        Some(tables.collect())
    }

    /// The items of an array as whole numbers; none in the place of what is no whole number, no item where there is no array.
    pub fn whole_numbers(&self, key: &str) -> Vec<Option<i64>> {
        let value = self.get(key).and_then(|value| value.get_ref().as_array());
        let items = value.into_iter().flatten();
        items.map(|item| integer_of(item.get_ref())).collect()
    }

    /// A word of an enum that the table has as a text, and its name as it is written.
    pub fn word_of<T: DeserializeOwned>(&self, text: &At<String>, key: &str) -> Option<At<T>> {
        word_of(self.notes, text, key)
    }

    /// Checks the name of a segment.
    pub fn check_segment(&self, segment: &At<String>) {
        check_segment(self.notes, segment);
    }

    /// The name of the segment for customers who would otherwise have none.
    pub fn segment_or(&self, key: &Key, default: &str) -> String {
        let Some(text) = self.text(key.name) else {
            return default.to_owned();
        };
        self.check_segment(&text);
        text.value
    }

    /// The text of a key that must be there; empty, and noted, if it is missing.
    pub fn stated(&self, key: &Key) -> At<String> {
        self.required_text(key.name, key.required.unwrap_or_default())
    }

    /// Notes where a key that must be there is not.
    pub fn require(&self, key: &Key) {
        if let (false, Some(help)) = (self.has(key.name), key.required) {
            self.missing(key.name, help);
        }
    }

    /// The whole number of a key, within its limits.
    pub fn whole(&self, key: &Key) -> Option<u32> {
        let limits = match key.value {
            KeyValue::Whole(from, to) => i64::from(from)..=i64::from(to),
            _ => 0..=i64::from(u32::MAX),
        };
        let number = self.integer(key.name, limits)?;
        u32::try_from(number.value).ok()
    }

    /// The number of a key, within its limits.
    pub fn within(&self, key: &Key) -> Option<f64> {
        let (from, to) = match key.value {
            KeyValue::Number(from, to) => (from, to),
            _ => return self.whole(key).map(f64::from),
        };
        let number = self.number(key.name)?;
        if !(from..=to).contains(&number.value) {
            let message = format!("`{}` must be a number from {from} to {to}", key.name);
            self.note(Diagnostic::error("TS-P088", message, number.span).with_help(key.help));
            return None;
        }
        Some(number.value)
    }

    /// The share of customers of a key.
    pub fn small_share(&self, key: &Key) -> Option<f64> {
        let number = self.number(key.name)?;
        if !(0.0..0.5).contains(&number.value) {
            let message = format!("`{}` must be a share from 0 to below 0.5", key.name);
            self.note(
                Diagnostic::error("TS-P036", message, number.span)
                    .with_help("0.01 is one customer in a hundred"),
            );
            return None;
        }
        Some(number.value)
    }
}
