//! Expressions with one way of spacing, so that blanks and line breaks between their words make no other pipeline.

use std::ops::Range;

/// Words after which a sign belongs to the number behind it, and a bracket stands apart.
const KEYWORDS: [&str; 16] = [
    "and", "as", "between", "by", "case", "distinct", "else", "from", "ilike", "in", "is", "like",
    "not", "or", "then", "when",
];

/// Operators of two signs.
const PAIRS: [&str; 7] = ["<=", ">=", "<>", "!=", "||", "::", "=="];

/// A word, a text in quotes, or a sign of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    place: Range<usize>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Keyword,
    Quoted,
    /// A sign before its operand.
    Sign,
    /// Between two operands.
    Operator,
    Open,
    Close,
    Comma,
    /// What stands between two names, or a name and its type.
    Joint,
}

/// An expression with one way of spacing, and for each of its bytes where that stands in the text.
pub(crate) struct Spaced {
    pub(crate) text: String,
    places: Vec<usize>,
}

impl Spaced {
    /// A text in which something is not known, as a comment, stays as it is.
    pub(crate) fn new(text: &str) -> Self {
        let Some(tokens) = tokens(text) else {
            return Self {
                text: text.to_owned(),
                places: (0..text.len()).collect(),
            };
        };
        let mut spaced = Self {
            text: String::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        let mut before: Option<&Token> = None;
        for token in &tokens {
            if before.is_some_and(|before| are_apart(text, before, token)) {
                spaced.text.push(' ');
                spaced.places.push(token.place.start);
            }
            spaced.text.push_str(&text[token.place.clone()]);
            spaced.places.extend(token.place.clone());
            before = Some(token);
        }
        spaced
    }

    /// Where a part of it stands in the text.
    pub(crate) fn place(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let behind = self.places.last().map_or(0, |last| last + 1);
        let start = self.places.get(part.start).copied().unwrap_or(behind);
        match part.end.checked_sub(1).filter(|last| *last >= part.start) {
            Some(last) => Some(start..*self.places.get(last)? + 1),
            None => (part.start <= self.places.len()).then_some(start..start),
        }
    }
}

/// Whether a blank stands between two tokens.
fn are_apart(text: &str, a: &Token, b: &Token) -> bool {
    let is_minus = |token: &Token| &text[token.place.clone()] == "-";
    match (a.kind, b.kind) {
        (Kind::Open | Kind::Joint, _) | (_, Kind::Close | Kind::Comma | Kind::Joint) => false,
        // Two minus signs begin a comment.
        (Kind::Sign, _) => is_minus(a) && is_minus(b),
        (Kind::Word | Kind::Quoted, Kind::Open) => false,
        // A prefix of a text belongs to it.
        (Kind::Word, Kind::Quoted) => a.place.end != b.place.start,
        _ => true,
    }
}

/// The tokens of a text; `None` where it has something else.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let start = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return Some(tokens);
        };
        let (len, kind) = match first {
            '\'' | '"' => (quoted(rest, first)?, Kind::Quoted),
            '(' | '[' => (1, Kind::Open),
            ')' | ']' => (1, Kind::Close),
            ',' => (1, Kind::Comma),
            '.' if !rest[1..].starts_with(|c: char| c.is_ascii_digit()) => (1, Kind::Joint),
            _ if first.is_alphanumeric() || first == '_' || first == '.' => {
                let len = word(rest);
                let lower = rest[..len].to_lowercase();
                let is_key = KEYWORDS.contains(&lower.as_str());
                (len, if is_key { Kind::Keyword } else { Kind::Word })
            }
            _ => {
                let len = operator(rest)?;
                let is_sign = matches!(first, '-' | '+')
                    && tokens.last().is_none_or(|before| {
                        matches!(
                            before.kind,
                            Kind::Keyword | Kind::Sign | Kind::Operator | Kind::Open | Kind::Comma
                        )
                    });
                let kind = match &rest[..len] {
                    "::" => Kind::Joint,
                    _ if is_sign => Kind::Sign,
                    _ => Kind::Operator,
                };
                (len, kind)
            }
        };
        tokens.push(Token {
            place: start..start + len,
            kind,
        });
        rest = &rest[len..];
    }
}

/// The length of a text in quotes, in which two of them are one.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut from = 1;
    loop {
        let end = from + text[from..].find(quote)? + 1;
        if !text[end..].starts_with(quote) {
            return Some(end);
        }
        from = end + 1;
    }
}

/// The length of a name or a number, with the sign of its exponent.
fn word(text: &str) -> usize {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let exponent = is_number && matches!(c, '+' | '-') && matches!(before, 'e' | 'E');
        if !(c.is_alphanumeric() || matches!(c, '_' | '$') || (c == '.' && is_number) || exponent) {
            return at;
        }
        before = c;
    }
    text.len()
}

/// The length of an operator that is known.
fn operator(text: &str) -> Option<usize> {
    let is_sign = |c: char| "<>=!|+-*/%&^~@#?:;".contains(c);
    if PAIRS.iter().any(|pair| text.starts_with(pair)) {
        return Some(2)
            .filter(|len| !text[*len..].starts_with(|c: char| is_sign(c) && c != '-' && c != '+'));
    }
    let mut signs = text.chars();
    let first = signs.next().filter(|c| "<>=+-*/%".contains(*c))?;
    let next = signs.next().filter(|c| is_sign(*c));
    let is_alone = next.is_none_or(|next| matches!(next, '-' | '+') && (first, next) != ('-', '-'));
    is_alone.then_some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spaced(text: &str) -> String {
        Spaced::new(text).text
    }

    #[test]
    fn blanks_between_words_make_no_difference() {
        for (text, wanted) in [
            (
                "a>0 and\n  b in('x y' ,\t'z')",
                "a > 0 and b in ('x y', 'z')",
            ),
            ("  nullif( a,0 ) ", "nullif(a, 0)"),
            ("-a* -1 - -b", "-a * -1 - -b"),
            ("a-1e-5", "a - 1e-5"),
            (
                "case when x<=.5 then-1 else+2 end -1",
                "case when x <= .5 then -1 else +2 end - 1",
            ),
            ("cast(x as date)::string", "cast(x as date)::string"),
            ("count( * )", "count(*)"),
            ("\"a  b\" = 'it''s  so'", "\"a  b\" = 'it''s  so'"),
            ("date '2026-01-01'", "date '2026-01-01'"),
            ("not(a)or b", "not (a) or b"),
            ("x . y", "x.y"),
        ] {
            assert_eq!(spaced(text), wanted);
            assert_eq!(spaced(wanted), wanted);
        }
        for unknown in ["a -- b", "a /* b */", "'open", "a -> b", "a;b"] {
            assert_eq!(spaced(unknown), unknown);
        }
    }

    #[test]
    fn a_part_is_found_in_the_text() {
        let text = "  a >\n   bcd";
        let spaced = Spaced::new(text);
        assert_eq!(spaced.text, "a > bcd");
        assert_eq!(spaced.place(&(4..7)), Some(9..12));
        assert_eq!(spaced.place(&(0..7)), Some(2..12));
        assert_eq!(spaced.place(&(7..7)), Some(12..12));
        assert_eq!(spaced.place(&(4..9)), None);
    }
}
