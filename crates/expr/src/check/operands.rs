//! Types of operands: which types an operation takes, and the common type of operands of several types.

use std::ops::Range;

use super::Checker;
use crate::decimal;
use crate::error::{ErrorKind, ExprError};
use crate::temporal;
use crate::tree::{Expr, Literal, Node, Type};

/// What an operand must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// Boolean.
    Bool,
    /// Integer, decimal or float, as it is.
    Number,
    /// A number, cast to float.
    Float,
    /// Integer.
    Int,
    /// String.
    String,
    /// Date; a timestamp is cast to its day, text that is a date is one.
    Day,
    /// Date or timestamp, as it is; text that is a date is one.
    Temporal,
}

/// What operands of one type are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// They are equal or not, or one stands for another.
    Equality,
    /// One is less than another.
    Order,
}

impl Want {
    fn words(self) -> &'static str {
        match self {
            Want::Bool => "a boolean",
            Want::Number | Want::Float => "a number",
            Want::Int => "an integer",
            Want::String => "a string",
            Want::Day | Want::Temporal => "a date or timestamp",
        }
    }

    /// Type of a bare null in this place.
    fn of_null(self) -> Type {
        match self {
            Want::Bool => Type::Bool,
            Want::Number | Want::Int => Type::Int,
            Want::Float => Type::Float,
            Want::String => Type::String,
            Want::Day | Want::Temporal => Type::Date,
        }
    }
}

impl Checker<'_> {
    /// The operand as the operation takes it. `place` names it: "argument 1 of `lower`".
    pub(crate) fn expect(
        &mut self,
        expr: Expr,
        want: Want,
        place: impl Fn() -> String,
    ) -> Option<Expr> {
        let target = match (want, expr.ty) {
            (want, Type::Null) => Some(want.of_null()),
            (Want::Bool, Type::Bool)
            | (Want::Number, Type::Int | Type::Float | Type::Decimal { .. })
            | (Want::Int, Type::Int)
            | (Want::String, Type::String)
            | (Want::Temporal, Type::Date | Type::Timestamp) => Some(expr.ty),
            (Want::Float, Type::Int | Type::Float | Type::Decimal { .. }) => Some(Type::Float),
            (Want::Day, Type::Date | Type::Timestamp) => Some(Type::Date),
            (Want::Day | Want::Temporal, Type::String) => {
                if let Node::Literal(Literal::String(text)) = &expr.node {
                    return self.temporal_constant(&text.clone(), Type::Date, expr.span);
                }
                None
            }
            _ => None,
        };
        match target {
            Some(ty) => Some(expr.cast(ty)),
            None => {
                let help = wrong_type_help(want, expr.ty, self.source.slice(&expr.span));
                let kind = ErrorKind::WrongType {
                    place: place(),
                    expected: want.words(),
                    found: expr.ty,
                };
                let error = ExprError::new(kind, expr.span);
                self.refuse(match help {
                    Some(help) => error.help(help),
                    None => error,
                })
            }
        }
    }

    /// One type for operands that are compared or stand for each other; integers become decimals beside decimals, both become
    /// floats beside floats, dates become timestamps beside timestamps, text constants become dates or timestamps beside
    /// either. Constants beside decimals are the decimals that they are written as.
    pub(crate) fn unify(&mut self, place: &str, operands: Vec<Expr>) -> Option<(Vec<Expr>, Type)> {
        self.unify_for(Use::Equality, place, operands)
    }

    /// As [`Self::unify`]; the help of a mismatch depends on what the operands are used for.
    pub(crate) fn unify_for(
        &mut self,
        used: Use,
        place: &str,
        operands: Vec<Expr>,
    ) -> Option<(Vec<Expr>, Type)> {
        let operands = decimal_constants(self.date_constants(operands)?);
        let mut joint: Option<&Expr> = None;
        let mut ty = Type::Null;
        for operand in &operands {
            match join(ty, operand.ty) {
                Some(joined) => {
                    if joined != ty {
                        joint = Some(operand);
                    }
                    ty = joined;
                }
                None => {
                    let other = joint.unwrap_or(operand);
                    let numeric = self.numeric_help(used, other, operand);
                    let help = numeric.unwrap_or_else(|| {
                        mismatch_help(other, operand, self.source.slice(&operand.span))
                    });
                    let kind = ErrorKind::Mismatch {
                        place: place.to_owned(),
                        left: ty,
                        right: operand.ty,
                    };
                    let span = operand.span.clone();
                    return self.refuse(ExprError::new(kind, span).help(help));
                }
            }
        }
        Some((operands.into_iter().map(|o| o.cast(ty)).collect(), ty))
    }

    /// What to write where a text that is no constant is held against a number by order: texts are ordered byte by byte, so to write
    /// the number as a text would not compare numbers.
    fn numeric_help(&self, used: Use, left: &Expr, right: &Expr) -> Option<String> {
        let (text, number) = match (left.ty, right.ty) {
            (Type::String, ty) if ty.is_number() => (left, right),
            (ty, Type::String) if ty.is_number() => (right, left),
            _ => return None,
        };
        if used != Use::Order || matches!(text.node, Node::Literal(_)) {
            return None;
        }
        let ty = match number.ty {
            Type::Int => "bigint",
            _ => "double",
        };
        let source = self.source.slice(&text.span);
        let declare = match text.node {
            Node::Column(_) => ", or declare the column as a number in the contract of its source",
            _ => "",
        };
        Some(format!(
            "write `cast({source} as {ty})`{declare}: texts are ordered byte by byte, '30' before '9'"
        ))
    }

    /// Text constants beside dates and timestamps are dates and timestamps.
    fn date_constants(&mut self, operands: Vec<Expr>) -> Option<Vec<Expr>> {
        let with_time = operands.iter().any(|o| o.ty == Type::Timestamp);
        let temporal = with_time || operands.iter().any(|o| o.ty == Type::Date);
        if !temporal {
            return Some(operands);
        }
        let checked: Vec<Option<Expr>> = operands
            .into_iter()
            .map(|operand| match &operand.node {
                Node::Literal(Literal::String(text)) => {
                    let date = !with_time
                        && temporal::parse_timestamp(text).is_none_or(|_| text.len() == 10);
                    let ty = if date { Type::Date } else { Type::Timestamp };
                    self.temporal_constant(&text.clone(), ty, operand.span)
                }
                _ => Some(operand),
            })
            .collect();
        checked.into_iter().collect()
    }
}

impl Checker<'_> {
    /// Refuses booleans, which have no order.
    pub(crate) fn ordered(
        &mut self,
        ty: Type,
        place: impl Fn() -> String,
        span: Range<usize>,
    ) -> Option<()> {
        if ty != Type::Bool {
            return Some(());
        }
        let kind = ErrorKind::WrongType {
            place: place(),
            expected: "a number, string, date or timestamp",
            found: ty,
        };
        self.refuse(ExprError::new(kind, span))
    }
}

/// Constants with a point are decimals beside decimals, unless a float stands there as well.
pub(super) fn decimal_constants(operands: Vec<Expr>) -> Vec<Expr> {
    let constant = |e: &Expr| match e.node {
        Node::Literal(Literal::Float(value)) => decimal::of_constant(value),
        _ => None,
    };
    let decimals = operands
        .iter()
        .any(|o| matches!(o.ty, Type::Decimal { .. }));
    let floats = operands
        .iter()
        .any(|o| o.ty == Type::Float && constant(o).is_none());
    if !decimals || floats {
        return operands;
    }
    let exact = |operand: Expr| match constant(&operand) {
        Some((whole, scale)) => Expr {
            node: Node::Literal(Literal::Decimal(whole)),
            ty: Type::Decimal { scale },
            span: operand.span,
        },
        None => operand,
    };
    operands.into_iter().map(exact).collect()
}

/// The type that holds the values of both.
pub(super) fn join(a: Type, b: Type) -> Option<Type> {
    match (a, b) {
        (Type::Null, other) | (other, Type::Null) => Some(other),
        (Type::Int | Type::Decimal { .. }, Type::Float)
        | (Type::Float, Type::Int | Type::Decimal { .. }) => Some(Type::Float),
        (Type::Int, Type::Decimal { scale }) | (Type::Decimal { scale }, Type::Int) => {
            Some(Type::Decimal { scale })
        }
        (Type::Decimal { scale: a }, Type::Decimal { scale: b }) => {
            Some(Type::Decimal { scale: a.max(b) })
        }
        (Type::Date, Type::Timestamp) | (Type::Timestamp, Type::Date) => Some(Type::Timestamp),
        (a, b) if a == b => Some(a),
        _ => None,
    }
}

fn wrong_type_help(want: Want, found: Type, text: &str) -> Option<String> {
    match (want, found) {
        (Want::Bool, _) => Some(format!(
            "compare it with something: `{text} > 0`, `{text} is not null`"
        )),
        (Want::Number | Want::Float | Want::Int, Type::String) => {
            Some(format!("`cast({text} as double)` reads text as a number"))
        }
        (Want::Int, Type::Float | Type::Decimal { .. }) => {
            Some(format!("`cast({text} as bigint)` drops the decimals"))
        }
        (Want::Number | Want::Float, Type::Date | Type::Timestamp) => {
            Some("`date_diff('day', a, b)` makes a number of two dates".to_owned())
        }
        (Want::String, _) => Some(format!("write `cast({text} as string)`")),
        (Want::Day | Want::Temporal, Type::String) => Some(format!("write `cast({text} as date)`")),
        _ => None,
    }
}

fn mismatch_help(left: &Expr, right: &Expr, right_text: &str) -> String {
    let constant = |e: &Expr| match &e.node {
        Node::Literal(Literal::String(text)) if text.parse::<f64>().is_ok() => {
            Some(format!("write {text} without quotes"))
        }
        Node::Literal(Literal::Int(value)) => Some(format!("write '{value}' in quotes")),
        _ => None,
    };
    let number = Type::is_number;
    match (left.ty, right.ty) {
        (Type::String, ty) | (ty, Type::String) if number(ty) => constant(right)
            .or_else(|| constant(left))
            .unwrap_or_else(|| {
                "cast one of them: `cast(x as double)` or `cast(x as string)`".to_owned()
            }),
        (Type::Bool, _) | (_, Type::Bool) => {
            "a boolean stands for itself: write `x` or `not x`".to_owned()
        }
        (Type::Date | Type::Timestamp, Type::String) => {
            format!("write `cast({right_text} as date)`")
        }
        (Type::String, Type::Date | Type::Timestamp) => {
            "cast the string to a date: `cast(x as date)`".to_owned()
        }
        (Type::Date | Type::Timestamp, _) | (_, Type::Date | Type::Timestamp) => {
            "dates are written '2026-01-31'".to_owned()
        }
        _ => "cast one of them: `cast(x as type)`".to_owned(),
    }
}
