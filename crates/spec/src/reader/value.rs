//! Single values: texts, numbers, values of enums.

use std::fmt::Display;

use chrono::NaiveDate;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::DeValue;

use super::Notes;
use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::At;

/// serde's error for a value that an enum does not have; it holds the values that the enum has.
#[derive(Debug)]
struct NotAWord(&'static [&'static str]);

impl Display for NotAWord {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "expected one of {}", self.0.join(", "))
    }
}

impl std::error::Error for NotAWord {}

impl serde::de::Error for NotAWord {
    fn custom<T: Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

/// The variant of an enum whose serde name is this text.
pub(crate) fn word_of<T: DeserializeOwned>(
    notes: &Notes,
    text: &At<String>,
    key: &str,
) -> Option<At<T>> {
    let words: StrDeserializer<'_, NotAWord> = text.value.as_str().into_deserializer();
    match T::deserialize(words) {
        Ok(value) => Some(At::new(value, text.span.clone())),
        Err(NotAWord(words)) => {
            unknown_word(notes, text, key, words);
            None
        }
    }
}

/// The entry of a list that has this name.
pub(crate) fn choice_of<T: Copy>(
    notes: &Notes,
    text: &At<String>,
    key: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let found = choices.iter().find(|(word, _)| *word == text.value);
    if found.is_none() {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        unknown_word(notes, text, key, &words);
    }
    found.map(|(_, value)| *value)
}

fn unknown_word(notes: &Notes, text: &At<String>, key: &str, words: &[&str]) {
    notes.add(unknown_name(
        "TS-P005",
        &format!("value of `{key}`"),
        &text.value,
        text.span.clone(),
        words,
    ));
}

/// A text, its variables resolved.
pub(crate) fn text_of(
    notes: &Notes,
    value: &Spanned<DeValue<'_>>,
    what: &str,
) -> Option<At<String>> {
    match value.get_ref() {
        DeValue::String(text) => Some(At::new(notes.resolve(text, &value.span()), value.span())),
        _ => {
            wrong_type(notes, value, what, "a string");
            None
        }
    }
}

/// A finite number.
pub(crate) fn number_of(
    notes: &Notes,
    value: &Spanned<DeValue<'_>>,
    what: &str,
) -> Option<At<f64>> {
    let number = match value.get_ref() {
        DeValue::Float(float) => {
            let parsed = float.as_str().replace('_', "").parse::<f64>();
            parsed.ok().filter(|number| number.is_finite())
        }
        other => integer_of(other).map(|integer| integer as f64),
    };
    if number.is_none() {
        wrong_type(notes, value, what, "a number");
    }
    number.map(|number| At::new(number, value.span()))
}

/// A date without a time.
pub(crate) fn date_of(
    notes: &Notes,
    value: &Spanned<DeValue<'_>>,
    what: &str,
) -> Option<NaiveDate> {
    let parsed = match value.get_ref() {
        DeValue::Datetime(time) if time.time.is_none() => time.date.and_then(|date| {
            let (month, day) = (u32::from(date.month), u32::from(date.day));
            NaiveDate::from_ymd_opt(i32::from(date.year), month, day)
        }),
        _ => None,
    };
    if parsed.is_none() {
        wrong_type(
            notes,
            value,
            what,
            "a date without quotes, such as 2026-12-31",
        );
    }
    parsed
}

/// A whole number that fits 64 bits.
pub(crate) fn integer_of(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

/// Notes that a value is of the wrong kind.
pub(crate) fn wrong_type(notes: &Notes, value: &Spanned<DeValue<'_>>, what: &str, wanted: &str) {
    let found = match value.get_ref() {
        DeValue::String(text) => format!("the string \"{}\"", shortened(text)),
        DeValue::Integer(number) => format!("the integer {}", shortened(number.as_str())),
        DeValue::Float(number) => format!("the float {}", shortened(number.as_str())),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(time) => format!("the date {time}"),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    notes.add(
        Diagnostic::error("TS-P002", format!("{what} must be {wanted}"), value.span())
            .with_label(format!("found {found}")),
    );
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
