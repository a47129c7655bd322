//! The text of an expression with its tokens: places as byte ranges.

use std::ops::Range;

use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use crate::error::{ErrorKind, ExprError};

/// Lexical rules: names of letters, digits and `_`; double quotes around any other name; text in single quotes, `''` for
/// a quote and no other escape.
#[derive(Debug)]
pub(crate) struct ExpressionDialect;

impl Dialect for ExpressionDialect {
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_'
    }
}

/// What the search for the extent of an expression needs to know of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Close,
    Other,
}

/// Text and tokens.
pub(crate) struct Source<'a> {
    text: &'a str,
    /// Byte offset of every character, and of the end.
    chars: Vec<usize>,
    /// Index into `chars` of the start of every line.
    lines: Vec<usize>,
    /// Byte range and kind of every token that is not blank, in order.
    marks: Vec<(Range<usize>, Mark)>,
    /// Tokens for the parser.
    pub(crate) tokens: Vec<TokenWithSpan>,
}

impl<'a> Source<'a> {
    /// Splits the text.
    pub(crate) fn new(text: &'a str) -> Result<Self, Box<ExprError>> {
        let chars: Vec<usize> = text
            .char_indices()
            .map(|(at, _)| at)
            .chain([text.len()])
            .collect();
        let breaks = text
            .chars()
            .enumerate()
            .filter(|(_, c)| *c == '\n')
            .map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        let mut source = Self {
            text,
            chars,
            lines,
            marks: Vec::new(),
            tokens: Vec::new(),
        };
        let tokens = Tokenizer::new(&ExpressionDialect, text)
            .tokenize_with_location()
            .map_err(|e| {
                let at = source.offset(e.location).min(text.len());
                Box::new(ExprError::new(
                    ErrorKind::Syntax {
                        reason: lower_first(&e.message),
                    },
                    at..text.len(),
                ))
            })?;
        source.marks = tokens
            .iter()
            .filter(|t| !matches!(t.token, Token::Whitespace(_) | Token::EOF))
            .map(|t| (source.range(t.span), mark(&t.token)))
            .collect();
        source.tokens = tokens;
        Ok(source)
    }

    /// Tokens that can make the syntax tree higher: all but constants, names and commas.
    pub(crate) fn steps(&self) -> usize {
        let flat = |token: &Token| match token {
            Token::Whitespace(_) | Token::EOF | Token::Comma | Token::Number(..) => true,
            Token::SingleQuotedString(_) => true,
            Token::Word(word) => word.keyword == Keyword::NoKeyword,
            _ => false,
        };
        self.tokens.iter().filter(|t| !flat(&t.token)).count()
    }

    /// Byte offset of a place; the end of the text for places past it.
    fn offset(&self, place: Location) -> usize {
        let line = usize::try_from(place.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(place.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let start = self.lines.get(line).copied().unwrap_or(usize::MAX);
        let at = self.chars.get(start.saturating_add(column));
        at.copied().unwrap_or(self.text.len())
    }

    /// Byte range of a span of the parser; the whole text for an empty one.
    pub(crate) fn range(&self, span: Span) -> Range<usize> {
        if span.start.line == 0 {
            return 0..self.text.len();
        }
        let start = self.offset(span.start);
        start..self.offset(span.end).max(start)
    }

    /// Byte range of the token that the parser complains of at a place: to its end, or the text's last byte.
    pub(crate) fn token_at(&self, place: Location) -> Range<usize> {
        let at = self.offset(place);
        self.marks
            .iter()
            .map(|(range, _)| range)
            .find(|range| range.contains(&at))
            .cloned()
            .unwrap_or_else(|| self.end())
    }

    /// Place after the last token.
    pub(crate) fn end(&self) -> Range<usize> {
        let end = self.marks.last().map_or(0, |(range, _)| range.end);
        end..end
    }

    /// The text of a range.
    pub(crate) fn slice(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The range with the bracket that opens directly before it, and the one that closes it.
    pub(crate) fn bracketed(&self, range: Range<usize>) -> Range<usize> {
        let at = self.marks.partition_point(|(r, _)| r.start < range.start);
        match at.checked_sub(1).map(|before| &self.marks[before]) {
            Some((open, Mark::Open)) => self.closed(open.start..range.end),
            _ => range,
        }
    }

    /// The range grown to the left over opening brackets to the word or sign before it, then closed: from the operand of
    /// `not x` or `cast(x as date)` to the whole.
    pub(crate) fn with_prefix(&self, range: Range<usize>) -> Range<usize> {
        let mut at = self.marks.partition_point(|(r, _)| r.start < range.start);
        while at > 0 && self.marks[at - 1].1 == Mark::Open {
            at -= 1;
        }
        let start = match at.checked_sub(1) {
            Some(before) => self.marks[before].0.start,
            None => range.start,
        };
        self.closed(start..range.end)
    }

    /// The range grown to the right past everything that stands inside its open brackets.
    pub(crate) fn closed(&self, range: Range<usize>) -> Range<usize> {
        let first = self.marks.partition_point(|(r, _)| r.start < range.start);
        let mut open = 0_usize;
        let mut end = range.end;
        for (token, mark) in &self.marks[first..] {
            if token.start >= range.end && open == 0 {
                break;
            }
            match mark {
                Mark::Open => open += 1,
                Mark::Close => open = open.saturating_sub(1),
                Mark::Other => {}
            }
            end = end.max(token.end);
        }
        range.start..end
    }

    /// The range with so many tokens behind it: from the operand of `x is null` to the whole.
    pub(crate) fn with_suffix(&self, range: Range<usize>, tokens: usize) -> Range<usize> {
        let behind = self.marks.partition_point(|(r, _)| r.start < range.end);
        let last = self.marks[behind..].iter().take(tokens).next_back();
        range.start..last.map_or(range.end, |(token, _)| token.end)
    }

    /// From the start of a name to the bracket that closes its arguments.
    pub(crate) fn call(&self, name: Range<usize>) -> Range<usize> {
        let next = self.marks.partition_point(|(r, _)| r.start < name.end);
        match self.marks.get(next) {
            Some((open, Mark::Open)) => self.closed(name.start..open.end),
            _ => name,
        }
    }
}

fn mark(token: &Token) -> Mark {
    match token {
        Token::LParen => Mark::Open,
        Token::RParen => Mark::Close,
        _ => Mark::Other,
    }
}

/// The smallest range that holds both.
pub(crate) fn union(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

/// A message of the parser with its first letter in lower case, as in other messages.
pub(crate) fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
