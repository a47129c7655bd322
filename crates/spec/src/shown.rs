//! How names and values from files are shown in messages: without characters that control a terminal, and customers' values only
//! by their form.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line, with escapes such as `\n` or `\u{1b}` for characters that control a terminal or a log: control
/// characters, line and paragraph separators, and marks that switch the writing direction.
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
            // Writing to a `String` cannot fail.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    })
}

fn escaped(text: &str, keep_lines: bool) -> Cow<'_, str> {
    replaced(text, keep_lines, |c, shown| {
        shown.extend(c.escape_default());
    })
}

/// The text with `escape` in place of the characters that control a terminal.
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

/// Whether the character controls a terminal instead of being shown.
fn is_acted_on(c: char) -> bool {
    let separates_or_turns = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}');
    c.is_control() || separates_or_turns
}

/// A whole number with a comma every three digits: `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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

/// A value that did not convert, as a message may show it. A date, a time, a number of up to 8 digits, or a word for a missing
/// value is shown as it is: it does not identify a person, and the reader needs it to find the right setting. Of any other value
/// the form is shown.
pub fn example(value: &str) -> String {
    if is_missing_word(value) || is_number(value) || is_date(value) {
        value.to_owned()
    } else {
        masked(value)
    }
}

/// More digits may be the number of a card, a telephone or an account.
const MOST_DIGITS: usize = 8;

/// Whether a value is a word or sign that stands for a missing one.
pub fn is_missing_word(value: &str) -> bool {
    const WORDS: [&str; 17] = [
        "na",
        "n/a",
        "#n/a",
        "n.a.",
        "nan",
        "nil",
        "none",
        "null",
        "(null)",
        "\\n",
        "missing",
        "unknown",
        "undefined",
        "inf",
        "-inf",
        "true",
        "false",
    ];
    let value = value.trim().to_lowercase();
    value.chars().all(|c| "-?.*#".contains(c)) || WORDS.contains(&value.as_str())
}

/// Digits with signs of thousands and decimals, and what may stand around an amount of money.
fn is_number(value: &str) -> bool {
    let around = |c: char| c.is_whitespace() || "+-()$€£¥₹%".contains(c);
    let inner = value.trim_matches(around);
    let digits = inner.chars().filter(char::is_ascii_digit).count();
    let within = |c: char| c.is_ascii_digit() || ".,' \u{a0}\u{202f}".contains(c);
    (1..=MOST_DIGITS).contains(&digits) && inner.chars().all(within)
}

/// Three groups of digits with one separator, and perhaps a time behind them.
fn is_date(value: &str) -> bool {
    let (date, time) = match value.trim().split_once([' ', 'T']) {
        Some((date, time)) => (date, time),
        None => (value.trim(), ""),
    };
    let groups = |separator: char| {
        let groups: Vec<&str> = date.split(separator).collect();
        let fits = |group: &&str| {
            (1..=4).contains(&group.len()) && group.bytes().all(|b| b.is_ascii_digit())
        };
        groups.len() == 3 && groups.iter().all(fits)
    };
    let is_time = time
        .chars()
        .all(|c| c.is_ascii_digit() || ":.,+-Z ".contains(c));
    is_time
        && (time.is_empty() || time.contains(':'))
        && time.len() <= "00:00:00.000000000 +00:00".len()
        && ['.', '/', '-'].into_iter().any(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }

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
    fn dates_numbers_and_words_for_nothing_are_shown_and_of_other_values_the_form() {
        let plain = [
            "31.10.2026",
            "1/10/26",
            "2026-10-31T25:00:00Z",
            "2026-13-01",
            "1,234.50",
            "(20.00)",
            "-1.299,99 €",
            "NA",
            " n/a ",
            "null",
            "-",
            "",
            "20261031",
        ];
        for value in plain {
            assert_eq!(example(value), value);
        }
        let hidden = [
            "Anna",
            "anna@shop.de",
            "4711-0815",
            "0171 2345678",
            "4111-1111-1111-1111",
            "4111 1111 1111 1111",
            "DE89 3704",
            "31. Dezember 1987",
            "12-34-56-78",
            "1.2.3 Anna",
            "$1,234,567.89",
        ];
        for value in hidden {
            assert_ne!(example(value), value);
            assert_eq!(example(value), masked(value));
        }
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
