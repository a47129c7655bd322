//! `in`, `between`, `like`, `case` and `cast`.

use std::ops::Range;

use sqlparser::ast;

use super::Checker;
use super::operands::Want;
use crate::decimal::MAX_DIGITS;
use crate::error::{ErrorKind, ExprError};
use crate::source::union;
use crate::tree::{BinaryOp, Expr, Literal, Node, Type};

impl Checker<'_> {
    pub(super) fn in_list(
        &mut self,
        of: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        depth: usize,
    ) -> Option<Expr> {
        let of = self.expr(of, depth);
        let checked: Vec<Option<Expr>> = list.iter().map(|item| self.expr(item, depth)).collect();
        let mut operands = vec![of?];
        for item in checked {
            operands.push(item?);
        }
        let span = operands
            .iter()
            .fold(operands[0].span.clone(), |span, o| union(&span, &o.span));
        let span = self.source.closed(span);
        let (mut operands, _) = self.unify("an `in` list", operands)?;
        let list = operands.split_off(1);
        let of = Box::new(operands.pop()?);
        Some(Expr {
            node: Node::In { of, list, negated },
            ty: Type::Bool,
            span,
        })
    }

    /// `x between a and b` is `x >= a and x <= b`.
    pub(super) fn between(
        &mut self,
        of: &ast::Expr,
        low: &ast::Expr,
        high: &ast::Expr,
        negated: bool,
        depth: usize,
    ) -> Option<Expr> {
        let of = self.expr(of, depth + 1 + usize::from(negated));
        let low = self.expr(low, depth + 1 + usize::from(negated));
        let high = self.expr(high, depth + 1 + usize::from(negated));
        let (of, low, high) = (of?, low?, high?);
        self.repeat(&of)?;
        let span = union(&of.span, &high.span);
        let from = self.comparison(BinaryOp::GreaterOrEqual, of.clone(), low, span.clone());
        let to = self.comparison(BinaryOp::LessOrEqual, of, high, span.clone());
        let node = Node::Binary(BinaryOp::And, Box::new(from?), Box::new(to?));
        let within = Expr {
            node,
            ty: Type::Bool,
            span: span.clone(),
        };
        if !negated {
            return Some(within);
        }
        Some(Expr {
            node: Node::Not(Box::new(within)),
            ty: Type::Bool,
            span,
        })
    }

    pub(super) fn like(
        &mut self,
        of: &ast::Expr,
        pattern: &ast::Expr,
        negated: bool,
        depth: usize,
    ) -> Option<Expr> {
        let of = self.expr(of, depth);
        let pattern = self.expr(pattern, depth)?;
        let of = self.expect(of?, Want::String, || "the left side of `like`".to_owned())?;
        let Node::Literal(Literal::String(text)) = pattern.node else {
            let kind = ErrorKind::Arguments {
                function: "like",
                expected: "a string constant as its pattern".to_owned(),
            };
            return self.refuse(ExprError::new(kind, pattern.span));
        };
        if text.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1 {
            let reason = "the pattern ends within an escape".to_owned();
            let error = ExprError::new(ErrorKind::Syntax { reason }, pattern.span);
            return self
                .refuse(error.help(
                    "`\\` takes the next character as it is; write `\\\\` for one backslash",
                ));
        }
        let span = union(&of.span, &pattern.span);
        let node = Node::Like {
            of: Box::new(of),
            pattern: text,
            negated,
        };
        Some(Expr {
            node,
            ty: Type::Bool,
            span,
        })
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        span: Range<usize>,
        depth: usize,
    ) -> Option<Expr> {
        let conditions_of: Vec<Option<Expr>> = match operand {
            Some(operand) => self.simple_conditions(operand, conditions, depth),
            None => conditions
                .iter()
                .map(|c| self.condition(&c.condition, depth))
                .collect(),
        };
        let mut values: Vec<Option<Expr>> = conditions
            .iter()
            .map(|c| self.expr(&c.result, depth))
            .collect();
        if let Some(otherwise) = otherwise {
            values.push(self.expr(otherwise, depth));
        }
        let values: Option<Vec<Expr>> = values.into_iter().collect();
        let conditions_of: Option<Vec<Expr>> = conditions_of.into_iter().collect();
        let (mut values, ty) = self.unify("a `case` with values", values?)?;
        let otherwise = match otherwise {
            Some(_) => Some(Box::new(values.pop()?)),
            None => None,
        };
        let branches = conditions_of?.into_iter().zip(values).collect();
        Some(Expr {
            node: Node::Case {
                branches,
                otherwise,
            },
            ty,
            span,
        })
    }

    fn condition(&mut self, condition: &ast::Expr, depth: usize) -> Option<Expr> {
        let condition = self.expr(condition, depth)?;
        self.expect(condition, Want::Bool, || {
            "the condition of `when`".to_owned()
        })
    }

    /// `case x when a then …` is `case when x = a then …`.
    fn simple_conditions(
        &mut self,
        operand: &ast::Expr,
        conditions: &[ast::CaseWhen],
        depth: usize,
    ) -> Vec<Option<Expr>> {
        let operand = self.expr(operand, depth + 1);
        let mut checked = Vec::with_capacity(conditions.len());
        for condition in conditions {
            let value = self.expr(&condition.condition, depth + 1);
            checked.push(match (&operand, value) {
                (Some(operand), Some(value)) => {
                    let span = value.span.clone();
                    self.repeat(operand).and_then(|()| {
                        self.comparison(BinaryOp::Equal, operand.clone(), value, span)
                    })
                }
                _ => None,
            });
        }
        checked
    }

    pub(super) fn cast(
        &mut self,
        of: &ast::Expr,
        to: &ast::DataType,
        or_null: bool,
        depth: usize,
    ) -> Option<Expr> {
        let of = self.expr(of, depth);
        let name = to.to_string().to_ascii_lowercase();
        let ty = match name.as_str() {
            "int" | "integer" | "bigint" => Type::Int,
            "double" | "double precision" | "float" => Type::Float,
            "string" | "varchar" | "text" => Type::String,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "boolean" | "bool" => Type::Bool,
            decimal if decimal_scale(decimal).is_some() => Type::Decimal {
                scale: decimal_scale(decimal).unwrap_or_default(),
            },
            _ => {
                let span = of.map_or_else(
                    || 0..self.source.end().end,
                    |of| self.source.with_prefix(of.span),
                );
                return self.unsupported(
                    &format!("casts to {name} are"),
                    span,
                    Some("types: bigint, double, decimal(38, 2), string, date, timestamp, boolean"),
                );
            }
        };
        let of = of?;
        let span = self.source.with_prefix(of.span.clone());
        if of.ty == ty {
            return Some(Expr { span, ..of });
        }
        if !castable(of.ty, ty) {
            let help = no_cast_help(of.ty, ty);
            let error = ExprError::new(
                ErrorKind::NoCast {
                    from: of.ty,
                    to: ty,
                },
                span,
            );
            return self.refuse(match help {
                Some(help) => error.help(help),
                None => error,
            });
        }
        let node = match or_null {
            true => Node::TryCast(Box::new(of)),
            false => Node::Cast(Box::new(of)),
        };
        Some(Expr { node, ty, span })
    }
}

/// Decimals behind the point of `decimal(precision, scale)` or `numeric(precision, scale)`; a precision alone has none.
fn decimal_scale(name: &str) -> Option<u8> {
    let sizes = name
        .strip_prefix("decimal")
        .or_else(|| name.strip_prefix("numeric"))?
        .strip_prefix('(')?
        .strip_suffix(')')?;
    let (precision, scale) = sizes.split_once(',').unwrap_or((sizes, "0"));
    let precision: u8 = precision.trim().parse().ok()?;
    let scale: u8 = scale.trim().parse().ok()?;
    (precision <= MAX_DIGITS && scale <= precision).then_some(scale)
}

/// Casts that mean something, between different types.
fn castable(from: Type, to: Type) -> bool {
    match from {
        Type::Null | Type::String => true,
        Type::Bool => matches!(to, Type::Int | Type::Float | Type::String),
        Type::Int => matches!(
            to,
            Type::Bool | Type::Float | Type::String | Type::Decimal { .. }
        ),
        Type::Float => matches!(
            to,
            Type::Bool | Type::Int | Type::String | Type::Decimal { .. }
        ),
        Type::Decimal { .. } => matches!(
            to,
            Type::Bool | Type::Int | Type::Float | Type::String | Type::Decimal { .. }
        ),
        Type::Date => matches!(to, Type::Timestamp | Type::String),
        Type::Timestamp => matches!(to, Type::Date | Type::String),
    }
}

fn no_cast_help(from: Type, to: Type) -> Option<&'static str> {
    match (from, to) {
        (Type::Date | Type::Timestamp, Type::Int | Type::Float | Type::Decimal { .. }) => {
            Some("`date_diff('day', date '1970-01-01', x)` counts days")
        }
        (Type::Int | Type::Float | Type::Decimal { .. }, Type::Timestamp) => {
            Some("`to_timestamp(x, 's')` reads seconds since 1970; there are also 'ms', 'us', 'ns'")
        }
        (Type::Int | Type::Float, Type::Date) => Some(
            "`date '1970-01-01' + x` makes a date of a number of days, `to_timestamp(x, 's')` a timestamp of seconds",
        ),
        _ => None,
    }
}
