//! Text that is not TOML: a single message, at the cause.
//!
//! After a bracket or quote that is not closed, a parser that continues reports an error for every following line. So only the
//! first error is reported, and if it is caused by an unclosed bracket or quote before it, at the place of that.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// The one message for a text that is not TOML.
pub(super) fn syntax_error(text: &str, errors: &[toml::de::Error]) -> Option<Diagnostic> {
    let place = |error: &&toml::de::Error| error.span().map_or(0, |span| span.start);
    let first = errors.iter().min_by_key(place)?;
    let span = first.span().unwrap_or(0..0);
    if let Some(open) = open_before(text, span.start) {
        return Some(not_closed(text, &open, &span));
    }
    let found = Diagnostic::error("TS-P006", format!("not TOML: {}", first.message()), span);
    Some(if first.message() == "duplicate key" {
        found.with_help("each key and each table may occur once; rename or remove one")
    } else if errors.len() > 1 {
        found.with_note("the rest of the file is checked when this is corrected")
    } else {
        found
    })
}

fn not_closed(text: &str, open: &Open, noticed: &Range<usize>) -> Diagnostic {
    let line = text[..noticed.start.min(text.len())].matches('\n').count() + 1;
    let (what, closing) = match open.kind {
        Kind::Array => ("this array is not closed", "]"),
        Kind::Table => ("this table is not closed", "}"),
        Kind::Text(quotes) => ("this text is not closed", quotes),
    };
    let start = open.at;
    let end = start + open.kind.opening().len();
    let found = Diagnostic::error("TS-P006", format!("not TOML: {what}"), start..end);
    let found = match open.kind {
        Kind::Text(_) => found,
        _ => found.with_label(format!(
            "still open at line {line}, which cannot be part of it"
        )),
    };
    found.with_help(format!(
        "close it with `{closing}`; then the rest of the file is checked"
    ))
}

/// Something that begins and must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    kind: Kind,
    at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Array,
    Table,
    /// A text of several lines, with its quotes.
    Text(&'static str),
}

impl Kind {
    fn opening(self) -> &'static str {
        match self {
            Self::Array => "[",
            Self::Table => "{",
            Self::Text(quotes) => quotes,
        }
    }
}

/// The innermost array, table or text of several lines that begins before `end`, on an earlier line, and is open there; only
/// where what follows at `end` cannot be its content: a table header, a key of the file, or the end of the text.
fn open_before(text: &str, end: usize) -> Option<Open> {
    let end = end.min(text.len());
    let line_start = text[..end].rfind('\n').map_or(0, |at| at + 1);
    let mut open = opened(&text[..end]);
    // The complaint may come at a bracket or key of the line, or after it.
    let line = text[line_start..].lines().next().unwrap_or_default();
    open.retain(|open| open.at < line_start);
    let last = *open.last()?;
    let begins_anew = line.trim_start().starts_with('[') || is_entry(line);
    let is_text = matches!(last.kind, Kind::Text(_));
    (is_text || begins_anew || text[end..].trim().is_empty()).then_some(last)
}

/// Whether a line reads `key = …` from its first character.
fn is_entry(line: &str) -> bool {
    let key = line.split('=').next().unwrap_or_default().trim_end();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
    line.contains('=') && !key.is_empty() && key.chars().all(plain)
}

/// Everything open at the end of a text, outermost first.
fn opened(text: &str) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    // Whether the line so far holds nothing, so that a bracket begins a header.
    let mut fresh = true;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let header = fresh && open.is_empty() && c == '[';
        fresh = c == '\n' || (fresh && c.is_whitespace());
        at += match c {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => match text_length(rest) {
                Ok(length) => length,
                Err(Some(quotes)) => {
                    open.push(Open {
                        kind: Kind::Text(quotes),
                        at,
                    });
                    return open;
                }
                // A string of one line ends with its line, even without its closing quote.
                Err(None) => rest.find('\n').unwrap_or(rest.len()),
            },
            '[' if header => rest.find('\n').unwrap_or(rest.len()),
            '[' | '{' => {
                let kind = if c == '[' { Kind::Array } else { Kind::Table };
                open.push(Open { kind, at });
                1
            }
            ']' | '}' => {
                open.pop();
                1
            }
            other => other.len_utf8(),
        };
    }
    open
}

/// Length of the quoted text at the beginning; the quotes of a text of several lines without end, nothing for one of one line.
fn text_length(rest: &str) -> Result<usize, Option<&'static str>> {
    let quotes = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quotes| rest.starts_with(*quotes))
        .unwrap_or("\"");
    let long = quotes.len() == 3;
    let escapes = quotes.starts_with('"');
    let mut at = quotes.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(quotes) {
            return Ok(at + quotes.len());
        }
        if c == '\n' && !long {
            return Err(None);
        }
        at += c.len_utf8();
        if c == '\\' && escapes {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Err(long.then_some(quotes))
}
