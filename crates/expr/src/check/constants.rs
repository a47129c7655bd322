//! Constants: numbers, text, dates.

use std::ops::Range;

use sqlparser::ast;

use super::Checker;
use crate::error::{ErrorKind, ExprError};
use crate::temporal;
use crate::tree::{Expr, Literal, Node, Type};

impl Checker<'_> {
    pub(super) fn constant(&mut self, value: &ast::ValueWithSpan) -> Option<Expr> {
        let span = self.source.range(value.span);
        match &value.value {
            ast::Value::Number(digits, false) => self.number(digits, span),
            ast::Value::SingleQuotedString(text) => {
                Some(literal(Literal::String(text.clone()), Type::String, span))
            }
            ast::Value::Boolean(value) => Some(literal(Literal::Bool(*value), Type::Bool, span)),
            ast::Value::Null => Some(literal(Literal::Null, Type::Null, span)),
            ast::Value::Placeholder(_) => self.unsupported(
                "placeholders are",
                span,
                Some("variables of the pipeline are written `${name}`"),
            ),
            _ => {
                let text = self.source.slice(&span);
                self.unsupported(&format!("constants such as `{text}` are"), span, None)
            }
        }
    }

    /// `5` is an integer; `5.0` and `5e0` are floats.
    pub(super) fn number(&mut self, digits: &str, span: Range<usize>) -> Option<Expr> {
        if digits.contains(['.', 'e', 'E']) {
            return match digits.parse::<f64>() {
                Ok(value) if value.is_finite() => {
                    Some(literal(Literal::Float(value), Type::Float, span))
                }
                _ => self.bad_literal(digits, Type::Float, span, "a float is at most 1.8e308"),
            };
        }
        match digits.parse::<i64>() {
            Ok(value) => Some(literal(Literal::Int(value), Type::Int, span)),
            Err(_) => self.bad_literal(
                digits,
                Type::Int,
                span,
                "integers have 64 bits; write a float with a decimal point",
            ),
        }
    }

    /// `date '…'` and `timestamp '…'`.
    pub(super) fn typed_constant(&mut self, typed: &ast::TypedString) -> Option<Expr> {
        let span = self.source.with_prefix(self.source.range(typed.value.span));
        let ast::Value::SingleQuotedString(text) = &typed.value.value else {
            return self.unsupported("constants with a type name before them are", span, None);
        };
        match typed.data_type.to_string().to_ascii_lowercase().as_str() {
            "date" => self.temporal_constant(text, Type::Date, span),
            "timestamp" => self.temporal_constant(text, Type::Timestamp, span),
            other => self.unsupported(
                &format!("constants of type {other} are"),
                span,
                Some("only `date '…'` and `timestamp '…'` are written with their type"),
            ),
        }
    }

    /// Text as a date or timestamp.
    pub(super) fn temporal_constant(
        &mut self,
        text: &str,
        ty: Type,
        span: Range<usize>,
    ) -> Option<Expr> {
        let value = if ty == Type::Date {
            temporal::parse_date(text).map(Literal::Date)
        } else {
            temporal::parse_timestamp(text).map(Literal::Timestamp)
        };
        match value {
            Some(value) => Some(literal(value, ty, span)),
            None => self.bad_literal(text, ty, span, temporal_help(ty)),
        }
    }

    fn bad_literal<T>(
        &mut self,
        text: &str,
        ty: Type,
        span: Range<usize>,
        help: &str,
    ) -> Option<T> {
        let kind = ErrorKind::BadLiteral {
            text: text.to_owned(),
            ty,
        };
        self.refuse(ExprError::new(kind, span).help(help))
    }
}

fn temporal_help(ty: Type) -> &'static str {
    if ty == Type::Date {
        "dates are written '2026-01-31', from year 0001 to 9999"
    } else {
        "timestamps are written '2026-01-31 23:59:00', with seconds and up to six decimals optional"
    }
}

fn literal(value: Literal, ty: Type, span: Range<usize>) -> Expr {
    Expr {
        node: Node::Literal(value),
        ty,
        span,
    }
}
