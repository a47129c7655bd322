//! Text to a checked expression.

use std::ops::Range;

use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token};

use crate::check::Checker;
use crate::error::{ErrorKind, ExprError};
use crate::source::{ExpressionDialect, Source, lower_first};
use crate::tree::{Expr, Schema};

/// Longest text in bytes.
const MAX_BYTES: usize = 65_536;
/// Most operators, keywords and brackets. Bounds the height of the parser's own tree, whose destructor recurses.
const MAX_STEPS: usize = 1_000;
/// Nested calls that the parser enters; a pair of brackets behind an operator counts twice.
const MAX_NESTING: usize = 60;

/// Checks an expression against the names it may use.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text: one syntax error, or all type errors and unknown names.
pub fn parse(text: &str, schema: &Schema) -> Result<Expr, Vec<ExprError>> {
    if text.len() > MAX_BYTES {
        let kind = ErrorKind::TooLarge {
            found: text.len(),
            limit: MAX_BYTES,
            unit: "bytes",
        };
        return Err(vec![ExprError::new(kind, 0..text.len())]);
    }
    let source = Source::new(text).map_err(|e| vec![*e])?;
    let syntax = syntax(&source).map_err(|e| vec![*e])?;
    let mut checker = Checker::new(&source, schema);
    let checked = checker.expr(&syntax, 1);
    let mut errors = checker.into_errors();
    errors.sort_by_key(|e| (e.span.start, e.span.end));
    match checked {
        Some(expr) if errors.is_empty() => Ok(expr),
        _ => Err(errors),
    }
}

/// The parser's tree of the whole text.
fn syntax(source: &Source<'_>) -> Result<sqlparser::ast::Expr, Box<ExprError>> {
    let steps = source.steps();
    if steps > MAX_STEPS {
        let kind = ErrorKind::TooLarge {
            found: steps,
            limit: MAX_STEPS,
            unit: "operators, keywords and brackets",
        };
        let error = ExprError::new(kind, 0..source.end().end);
        return Err(Box::new(error.help(
            "give parts of it names of their own, or use `in (…)` for many `or`s",
        )));
    }
    if source.end().end == 0 {
        let kind = ErrorKind::Syntax {
            reason: "the expression is empty".to_owned(),
        };
        return Err(Box::new(ExprError::new(kind, 0..0)));
    }
    let dialect = ExpressionDialect;
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(MAX_NESTING)
        .with_tokens_with_locations(source.tokens.clone());
    let expr = parser
        .parse_expr()
        .map_err(|e| Box::new(syntax_error(source, &e)))?;
    let rest = parser.peek_token_ref();
    if rest.token != Token::EOF {
        let kind = ErrorKind::Syntax {
            reason: format!("expected an operator or the end, found `{}`", rest.token),
        };
        return Err(Box::new(ExprError::new(
            kind,
            source.token_at(rest.span.start),
        )));
    }
    Ok(expr)
}

fn syntax_error(source: &Source<'_>, error: &ParserError) -> ExprError {
    match error {
        ParserError::RecursionLimitExceeded => {
            let kind = ErrorKind::TooDeep { limit: MAX_NESTING };
            ExprError::new(kind, 0..source.end().end)
                .help("give the inner parts names of their own")
        }
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => {
            let (reason, span) = placed(source, text);
            ExprError::new(ErrorKind::Syntax { reason }, span)
        }
    }
}

/// Splits ` at Line: 1, Column: 5` off a message of the parser.
fn placed(source: &Source<'_>, text: &str) -> (String, Range<usize>) {
    let worded = |reason: &str| {
        if reason.contains("NORMALIZED FROM after IS") {
            return "expected `null`, `not null` or `[not] distinct from` after `is`".to_owned();
        }
        lower_first(reason)
            .replace("expected:", "expected")
            .replace("expected ),", "expected `)`,")
            .replace("found: EOF", "found the end")
            .replace("found:", "found")
    };
    let parsed = text.rsplit_once(" at Line: ").and_then(|(reason, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        let place = Location {
            line: line.parse().ok()?,
            column: column.parse().ok()?,
        };
        let span = source.token_at(place);
        let reason = match reason.starts_with("No infix parser") {
            true => format!(
                "`{}` is not an operator of expressions",
                source.slice(&span)
            ),
            false => worded(reason),
        };
        Some((reason, span))
    });
    parsed.unwrap_or_else(|| (worded(text), source.end()))
}
