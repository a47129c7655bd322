//! How names and values that come from files are shown to a person: without what a terminal would act on, and of customers'
//! values no more than their form.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line: whatever a terminal or a log would act on instead of showing stands as an escape, such as `\n` or
/// `\u{1b}`. That is control characters, line and paragraph separators, and the marks that switch the writing direction.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// As [`one_line`], but the text keeps its lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

/// JSON text with the same characters as escapes of JSON. Outside of its strings such characters are line breaks only, which
/// are kept.
pub fn json(text: &str) -> Cow<'_, str> {
    replaced(text, true, |c, shown| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            // Writing to a text cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, keep_lines: bool) -> Cow<'_, str> {
    replaced(text, keep_lines, |c, shown| {
        shown.extend(c.escape_default());
    })
}

/// The text with `escape` in the place of what a terminal acts on.
fn replaced(text: &str, keep_lines: bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let kept = |c: char| !is_acted_on(c) || (keep_lines && c == '\n');
    if text.chars().all(kept) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if kept(c) {
            shown.push(c);
        } else {
            escape(c, &mut shown);
        }
    }
    Cow::Owned(shown)
}

/// Whether a terminal acts on the character instead of showing it.
fn is_acted_on(c: char) -> bool {
    let separates_or_turns = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    c.is_control() || separates_or_turns
}

/// The form of a value without the value: every digit as `9`, every letter as `x` or `X`, everything else as it is, so that
/// `31.10.2026` is shown as `99.99.9999`.
pub fn masked(value: &str) -> String {
    let mask = |c: char| match c {
        _ if c.is_uppercase() => 'X',
        _ if c.is_alphabetic() => 'x',
        _ if c.is_numeric() => '9',
        _ => c,
    };
    value.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        assert_eq!(one_line("größe, 東京 'x'"), "größe, 東京 'x'");
        assert_eq!(
            one_line("a\nb\x1b[2J\u{9b}\u{202e}\u{2028}"),
            "a\\nb\\u{1b}[2J\\u{9b}\\u{202e}\\u{2028}"
        );
        assert_eq!(lines("a\nb\r"), "a\nb\\r");
        let text = serde_json::json!({"name\u{9b}": "a\nb\u{7f}\u{202e}"}).to_string();
        let shown = json(&text);
        assert!(!shown.chars().any(is_acted_on), "{shown}");
        let read: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!(read["name\u{9b}"], "a\nb\u{7f}\u{202e}");
    }

    #[test]
    fn a_masked_value_shows_its_form_only() {
        assert_eq!(masked("31.10.2026"), "99.99.9999");
        assert_eq!(masked("Anna.Ü@shop.de"), "Xxxx.X@xxxx.xx");
        assert_eq!(masked("-1,50 €"), "-9,99 €");
        assert_eq!(masked("東京"), "xx");
        assert_eq!(masked(""), "");
    }
}
