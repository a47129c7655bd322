//! Names from the data, prepared to be shown. The template engine escapes HTML; this file handles the rest: control characters,
//! very long names, empty names.

use chrono::NaiveDate;
use serde::Serialize;

/// Longest name shown in full, in characters: names of segments are not longer.
const LONGEST_NAME: usize = 80;

/// Longest name of which no table cuts anything, in characters.
const NEVER_CUT: usize = 15;

/// Longest name given in a tooltip, in characters.
const LONGEST_TOOLTIP: usize = 400;

/// Words written in capitals.
const ACRONYMS: [&str; 12] = [
    "rfm", "kpi", "clv", "nps", "mrr", "arr", "csat", "csm", "crm", "id", "btyd", "ltv",
];

/// A name from the data.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Name {
    /// The name, shortened where it is very long.
    pub(crate) shown: String,
    /// The name at greater length, where `shown` is cut, or may be cut by a narrow table.
    pub(crate) full: Option<String>,
}

impl Name {
    pub(crate) fn new(name: &str) -> Self {
        let clean = printable(name);
        if clean.trim().is_empty() {
            return Self {
                shown: "(no name)".to_owned(),
                full: None,
            };
        }
        let shown = shortened(&clean, LONGEST_NAME);
        let may_be_cut = clean.chars().count() > NEVER_CUT;
        let full = may_be_cut.then(|| shortened(&clean, LONGEST_TOOLTIP));
        Self { shown, full }
    }
}

/// The text without characters that a browser or a terminal would interpret instead of showing: control characters and the
/// marks that switch the writing direction.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if is_acted_on(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Whether a browser or a terminal would interpret the character instead of showing it.
pub(crate) fn is_acted_on(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// The first `longest` characters, with an ellipsis where something was cut.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => {
            let mut short: String = text.chars().take(longest.saturating_sub(1)).collect();
            short.push('…');
            short
        }
    }
}

/// A column's name in words: `churn_probability` becomes "churn probability", `rfm` becomes "RFM".
pub(crate) fn words(column: &str) -> String {
    let clean = printable(column);
    let parts: Vec<String> = clean
        .split('_')
        .filter(|part| !part.is_empty())
        .map(|part| {
            if ACRONYMS.contains(&part) {
                part.to_uppercase()
            } else {
                part.to_owned()
            }
        })
        .collect();
    if parts.is_empty() {
        "(no name)".to_owned()
    } else {
        shortened(&parts.join(" "), LONGEST_NAME)
    }
}

/// `words` as the beginning of a heading or sentence.
pub(crate) fn title(column: &str) -> String {
    let words = words(column);
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// Letters and digits only, for an anchor.
pub(crate) fn slug(name: &str) -> String {
    let letters = name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let slug: String = letters.take(40).collect();
    slug.trim_matches('-').to_owned()
}

/// "22 November 2026".
pub(crate) fn date(date: NaiveDate) -> String {
    date.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_never_empty_endless_or_acted_on() {
        assert_eq!(Name::new("").shown, "(no name)");
        assert_eq!(
            Name::new("Champions"),
            Name {
                shown: "Champions".into(),
                full: None
            }
        );
        let long = "x".repeat(300);
        assert_eq!(Name::new(&long).shown.chars().count(), LONGEST_NAME);
        assert_eq!(Name::new(&long).full.as_deref(), Some(long.as_str()));
        assert_eq!(printable("a\u{1b}[31m\u{202e}b"), "a\u{fffd}[31m\u{fffd}b");
    }

    #[test]
    fn columns_read_as_words() {
        assert_eq!(title("churn_probability"), "Churn probability");
        assert_eq!(title("rfm"), "RFM");
        assert_eq!(words("__"), "(no name)");
        assert_eq!(slug("<script>"), "script");
    }
}
