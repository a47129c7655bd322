//! Durations: `90d`, `12w`, `36h`.

use std::ops::Range;

use crate::diagnostic::Diagnostic;
use crate::pipeline::At;
use crate::reader::Notes;

/// Days of a window.
pub(crate) fn days(notes: &Notes, text: &At<String>, key: &str) -> Option<At<u32>> {
    match parse(&text.value) {
        Some((number, 'd')) if number >= 1 => Some(number),
        Some((number, 'w')) if number >= 1 => number.checked_mul(7),
        _ => None,
    }
    .filter(|days| *days <= 36_525)
    .map(|days| At::new(days, text.span.clone()))
    .or_else(|| {
        notes.add(bad(text, key, text.span.clone(), "whole days or weeks from 1d to 36525d, such as \"90d\" or \"12w\""));
        None
    })
}

/// Hours of an age.
pub(crate) fn hours(notes: &Notes, text: &At<String>, key: &str) -> Option<f64> {
    match parse(&text.value) {
        Some((number, 'h')) => Some(f64::from(number)),
        Some((number, 'd')) => Some(f64::from(number) * 24.0),
        Some((number, 'w')) => Some(f64::from(number) * 168.0),
        _ => {
            notes.add(bad(text, key, text.span.clone(), "hours, days or weeks, such as \"36h\", \"7d\" or \"2w\""));
            None
        }
    }
}

fn parse(text: &str) -> Option<(u32, char)> {
    let unit = text.chars().last()?;
    let number = text[..text.len() - unit.len_utf8()].parse().ok()?;
    Some((number, unit))
}

fn bad(text: &At<String>, key: &str, span: Range<usize>, wanted: &str) -> Diagnostic {
    let found = Diagnostic::error("TS-P020", format!("`{}` is not a duration for `{key}`", text.value), span)
        .with_label(format!("expected {wanted}"));
    if text.value.ends_with(['m', 'y']) {
        found.with_help("months and years differ in length; say it in days")
    } else {
        found
    }
}
