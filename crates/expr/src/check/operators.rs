//! Operators with two operands.

use std::ops::Range;

use sqlparser::ast::{self, BinaryOperator};

use super::Checker;
use super::operands::{Use, Want, decimal_constants, join};
use crate::decimal::MAX_DIGITS;
use crate::error::{ErrorKind, ExprError};
use crate::source::union;
use crate::tree::{BinaryOp, Expr, Literal, Node, Type};

impl Checker<'_> {
    pub(super) fn binary(
        &mut self,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
        depth: usize,
    ) -> Option<Expr> {
        let (left_syntax, right_syntax) = (left, right);
        let left = self.expr(left, depth);
        let right = self.expr(right, depth);
        if matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
            self.text_in_quotes(left.as_ref(), right_syntax);
            self.text_in_quotes(right.as_ref(), left_syntax);
        }
        let (left, right) = (left?, right?);
        let span = union(&left.span, &right.span);
        match op {
            BinaryOperator::And => self.logic(BinaryOp::And, left, right, span),
            BinaryOperator::Or => self.logic(BinaryOp::Or, left, right, span),
            BinaryOperator::Plus => self.arithmetic(BinaryOp::Add, left, right, span),
            BinaryOperator::Minus => self.arithmetic(BinaryOp::Subtract, left, right, span),
            BinaryOperator::Multiply => self.arithmetic(BinaryOp::Multiply, left, right, span),
            BinaryOperator::Divide => self.arithmetic(BinaryOp::Divide, left, right, span),
            BinaryOperator::Modulo => self.arithmetic(BinaryOp::Modulo, left, right, span),
            BinaryOperator::StringConcat => self.both(
                BinaryOp::Concat,
                Want::String,
                Type::String,
                left,
                right,
                span,
            ),
            BinaryOperator::Eq => self.comparison(BinaryOp::Equal, left, right, span),
            BinaryOperator::NotEq => self.comparison(BinaryOp::NotEqual, left, right, span),
            BinaryOperator::Lt => self.comparison(BinaryOp::Less, left, right, span),
            BinaryOperator::LtEq => self.comparison(BinaryOp::LessOrEqual, left, right, span),
            BinaryOperator::Gt => self.comparison(BinaryOp::Greater, left, right, span),
            BinaryOperator::GtEq => self.comparison(BinaryOp::GreaterOrEqual, left, right, span),
            BinaryOperator::MyIntegerDivide | BinaryOperator::DuckIntegerDivide => {
                self.unsupported("integer division is", span, Some("write `floor(a / b)`"))
            }
            other => {
                let help = matches!(other, BinaryOperator::BitwiseXor)
                    .then_some("write `power(x, y)` for a power");
                self.unsupported(&format!("the operator `{other}` is"), span, help)
            }
        }
    }

    /// Where a text is compared with a word that is no column, the word was probably meant as a text.
    fn text_in_quotes(&mut self, beside: Option<&Expr>, word: &ast::Expr) {
        let ast::Expr::Identifier(word) = word else {
            return;
        };
        let is_text = beside.is_some_and(|beside| beside.ty == Type::String);
        if !is_text || word.quote_style.is_some() {
            return;
        }
        let unknown = self.errors.last_mut().filter(|error| {
            matches!(&error.kind, ErrorKind::UnknownColumn { name, suggestion: None, .. } if *name == word.value)
        });
        if let Some(help) = unknown.and_then(|error| error.help.as_mut()) {
            help.insert_str(
                0,
                &format!("text stands in single quotes: '{}'. ", word.value),
            );
        }
    }

    fn logic(&mut self, op: BinaryOp, left: Expr, right: Expr, span: Range<usize>) -> Option<Expr> {
        self.both(op, Want::Bool, Type::Bool, left, right, span)
    }

    /// Two operands of one kind.
    fn both(
        &mut self,
        op: BinaryOp,
        want: Want,
        ty: Type,
        left: Expr,
        right: Expr,
        span: Range<usize>,
    ) -> Option<Expr> {
        let sign = op.sign();
        let left = self.expect(left, want, || format!("the left side of `{sign}`"));
        let right = self.expect(right, want, || format!("the right side of `{sign}`"));
        Some(node(op, left?, right?, ty, span))
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        span: Range<usize>,
    ) -> Option<Expr> {
        if (op, left.ty, right.ty) == (BinaryOp::Add, Type::String, Type::String) {
            let kind = ErrorKind::Mismatch {
                place: "`+`".to_owned(),
                left: left.ty,
                right: right.ty,
            };
            let help = "`a || b` joins texts; `cast(x as double)` reads a text as a number";
            return self.refuse(ExprError::new(kind, span).help(help));
        }
        let temporal = |e: &Expr| matches!(e.ty, Type::Date | Type::Timestamp);
        if temporal(&left) || temporal(&right) {
            return self.date_arithmetic(op, left, right, span);
        }
        let want = if op == BinaryOp::Divide {
            Want::Float
        } else {
            Want::Number
        };
        let sign = op.sign();
        let left = self.expect(left, want, || format!("the left side of `{sign}`"));
        let right = self.expect(right, want, || format!("the right side of `{sign}`"));
        let [left, right] = <[Expr; 2]>::try_from(decimal_constants(vec![left?, right?])).ok()?;
        if let (BinaryOp::Multiply, Some(scale)) = (op, product_scale(left.ty, right.ty)) {
            let factor = |of: Expr| match of.ty {
                Type::Decimal { .. } => of,
                _ => of.cast(Type::Decimal { scale: 0 }),
            };
            let ty = Type::Decimal { scale };
            return Some(node(op, factor(left), factor(right), ty, span));
        }
        let ty = match (op, join(left.ty, right.ty)?) {
            // more decimals than a decimal has
            (BinaryOp::Multiply, Type::Decimal { .. }) => Type::Float,
            (_, ty) => ty,
        };
        Some(node(op, left.cast(ty), right.cast(ty), ty, span))
    }

    /// `date + days`, `days + date`, `date - days`, `date - date` (whole days).
    fn date_arithmetic(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        span: Range<usize>,
    ) -> Option<Expr> {
        let text = |e: &Expr| matches!(e.node, Node::Literal(Literal::String(_)));
        let days = |ty: Type| matches!(ty, Type::Int | Type::Null);
        match (op, left.ty, right.ty) {
            (BinaryOp::Add | BinaryOp::Subtract, Type::Date, ty) if days(ty) => {
                Some(node(op, left, right.cast(Type::Int), Type::Date, span))
            }
            (BinaryOp::Add, ty, Type::Date) if days(ty) => {
                Some(node(op, left.cast(Type::Int), right, Type::Date, span))
            }
            (BinaryOp::Subtract, Type::Date, Type::Date) => {
                Some(node(op, left, right, Type::Int, span))
            }
            (BinaryOp::Subtract, Type::Null, Type::Date) => {
                Some(node(op, left.cast(Type::Date), right, Type::Int, span))
            }
            (BinaryOp::Subtract, Type::Date, Type::String) if text(&right) => {
                let right = self.expect(right, Want::Day, String::new)?;
                Some(node(op, left, right, Type::Int, span))
            }
            (BinaryOp::Subtract, Type::String, Type::Date) if text(&left) => {
                let left = self.expect(left, Want::Day, String::new)?;
                Some(node(op, left, right, Type::Int, span))
            }
            _ => {
                let help = match (left.ty, right.ty) {
                    (Type::Timestamp, _) | (_, Type::Timestamp) => {
                        "take the day first, `cast(x as date)`, or use `date_diff('day', a, b)`"
                    }
                    (Type::Float | Type::Decimal { .. }, _)
                    | (_, Type::Float | Type::Decimal { .. }) => {
                        "whole days only: `cast(x as bigint)`"
                    }
                    _ => "dates take `d + days`, `d - days` and `d - d`, which is in days",
                };
                let kind = ErrorKind::Mismatch {
                    place: format!("`{}`", op.sign()),
                    left: left.ty,
                    right: right.ty,
                };
                self.refuse(ExprError::new(kind, span).help(help))
            }
        }
    }

    pub(super) fn comparison(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: Expr,
        span: Range<usize>,
    ) -> Option<Expr> {
        let null = |e: &Expr| matches!(e.node, Node::Literal(Literal::Null));
        if null(&left) || null(&right) {
            let help = "write `x is null` or `x is not null`";
            return self.refuse(ExprError::new(ErrorKind::NullComparison, span).help(help));
        }
        let used = match op {
            BinaryOp::Equal | BinaryOp::NotEqual => Use::Equality,
            _ => Use::Order,
        };
        let (operands, ty) = self.unify_for(used, "comparison", vec![left, right])?;
        if used == Use::Order {
            self.ordered(
                ty,
                || format!("an operand of `{}`", op.sign()),
                span.clone(),
            )?;
        }
        pair(op, operands, Type::Bool, span)
    }

    pub(super) fn distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        op: BinaryOp,
        depth: usize,
    ) -> Option<Expr> {
        let left = self.expr(left, depth);
        let right = self.expr(right, depth);
        let (left, right) = (left?, right?);
        let span = union(&left.span, &right.span);
        let (operands, _) = self.unify("comparison", vec![left, right])?;
        pair(op, operands, Type::Bool, span)
    }
}

/// Decimals of a product of decimals, or of a decimal and an integer: those of both factors. `None` for other factors, and
/// where a decimal cannot have as many.
fn product_scale(left: Type, right: Type) -> Option<u8> {
    let (a, b) = match (left, right) {
        (Type::Decimal { scale: a }, Type::Decimal { scale: b }) => (a, b),
        (Type::Decimal { scale }, Type::Int) | (Type::Int, Type::Decimal { scale }) => (scale, 0),
        _ => return None,
    };
    Some(a + b).filter(|scale| *scale <= MAX_DIGITS)
}

fn node(op: BinaryOp, left: Expr, right: Expr, ty: Type, span: Range<usize>) -> Expr {
    Expr {
        node: Node::Binary(op, Box::new(left), Box::new(right)),
        ty,
        span,
    }
}

fn pair(op: BinaryOp, operands: Vec<Expr>, ty: Type, span: Range<usize>) -> Option<Expr> {
    let [left, right] = <[Expr; 2]>::try_from(operands).ok()?;
    Some(node(op, left, right, ty, span))
}
