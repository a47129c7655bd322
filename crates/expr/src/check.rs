//! From the parser's syntax to the closed, typed tree: names, types, the subset.
//!
//! A check that fails records an error and gives no tree, but its siblings are still checked, so that all mistakes
//! of an expression are reported at once.

mod calls;
mod choices;
mod constants;
mod operands;
mod operators;

use std::ops::Range;

use sqlparser::ast::{self, Spanned, UnaryOperator};

use crate::error::{ErrorKind, ExprError, listed, nearest};
use crate::source::Source;
use crate::tree::{BinaryOp, DateUnit, Expr, Literal, MAX_DEPTH, Node, Schema, Type};

pub(crate) use operands::{Use, Want};

/// Most nodes of a tree; `between` and `case x when` repeat their operand, which nesting would double at every level.
const MAX_NODES: usize = 20_000;

/// Checks one expression.
pub(crate) struct Checker<'a> {
    source: &'a Source<'a>,
    schema: &'a Schema,
    errors: Vec<ExprError>,
    repeated: usize,
}

impl<'a> Checker<'a> {
    /// A checker of one text.
    pub(crate) fn new(source: &'a Source<'a>, schema: &'a Schema) -> Self {
        Self {
            source,
            schema,
            errors: Vec::new(),
            repeated: 0,
        }
    }

    /// What was wrong.
    pub(crate) fn into_errors(self) -> Vec<ExprError> {
        self.errors
    }

    /// Records an error; the value is for `return`.
    pub(crate) fn refuse<T>(&mut self, error: ExprError) -> Option<T> {
        self.errors.push(error);
        None
    }

    /// Records once that the expression is nested too deeply.
    fn too_deep(&mut self) -> Option<Expr> {
        let already = |e: &ExprError| matches!(e.kind, ErrorKind::TooDeep { .. });
        if !self.errors.iter().any(already) {
            let kind = ErrorKind::TooDeep { limit: MAX_DEPTH };
            self.errors.push(ExprError::new(kind, 0..self.source.end().end).help(
                "a chain of operators has one level per term: give parts of it names of their own, or use `in (…)`",
            ));
        }
        None
    }

    /// The checked tree, or nothing after recording why.
    pub(crate) fn expr(&mut self, syntax: &ast::Expr, depth: usize) -> Option<Expr> {
        if depth > MAX_DEPTH {
            return self.too_deep();
        }
        let depth = depth + 1;
        match syntax {
            ast::Expr::Identifier(name) => self.column(name),
            ast::Expr::Value(value) => self.constant(value),
            ast::Expr::TypedString(typed) => self.typed_constant(typed),
            ast::Expr::Nested(inner) => {
                let mut expr = self.expr(inner, depth)?;
                expr.span = self.source.bracketed(expr.span);
                Some(expr)
            }
            ast::Expr::UnaryOp { op, expr } => self.unary(*op, expr, syntax, depth),
            ast::Expr::BinaryOp { left, op, right } => self.binary(left, op, right, depth),
            ast::Expr::IsNull(of) => self.is_null(of, false, depth),
            ast::Expr::IsNotNull(of) => self.is_null(of, true, depth),
            ast::Expr::IsDistinctFrom(left, right) => {
                self.distinct(left, right, BinaryOp::IsDistinctFrom, depth)
            }
            ast::Expr::IsNotDistinctFrom(left, right) => {
                self.distinct(left, right, BinaryOp::IsNotDistinctFrom, depth)
            }
            ast::Expr::InList {
                expr,
                list,
                negated,
            } => self.in_list(expr, list, *negated, depth),
            ast::Expr::Between {
                expr,
                negated,
                low,
                high,
            } => self.between(expr, low, high, *negated, depth),
            ast::Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => self.like(expr, pattern, *negated, depth),
            ast::Expr::Case {
                operand,
                conditions,
                else_result,
                case_token,
                end_token,
            } => {
                let span = crate::source::union(
                    &self.source.range(case_token.0.span),
                    &self.source.range(end_token.0.span),
                );
                self.case(
                    operand.as_deref(),
                    conditions,
                    else_result.as_deref(),
                    span,
                    depth,
                )
            }
            ast::Expr::Cast {
                kind: kind @ (ast::CastKind::Cast | ast::CastKind::TryCast),
                expr,
                data_type,
                format: None,
            } => self.cast(expr, data_type, *kind == ast::CastKind::TryCast, depth),
            ast::Expr::Function(function) => self.function(function, depth),
            ast::Expr::Floor { .. }
            | ast::Expr::Ceil { .. }
            | ast::Expr::Substring { .. }
            | ast::Expr::Trim { .. } => self.special_form(syntax, depth),
            other => self.unsupported_form(other),
        }
    }

    fn column(&mut self, name: &ast::Ident) -> Option<Expr> {
        let span = self.source.range(name.span);
        if let Some(ty) = self.schema.get(&name.value) {
            return Some(Expr {
                node: Node::Column(name.value.clone()),
                ty,
                span,
            });
        }
        let columns = self.schema.columns.iter();
        let available: Vec<&str> = columns.map(|(known, _)| known.as_str()).collect();
        let suggestion = nearest(&name.value, &available).map(str::to_owned);
        let mut help = match &suggestion {
            Some(near) => format!("did you mean `{near}`? "),
            None if name.value.eq_ignore_ascii_case("as_of") => {
                "the day of the run is `as_of()`, with brackets. ".to_owned()
            }
            None if DateUnit::named(&name.value).is_some() => {
                format!("units are written in quotes: '{}'. ", name.value)
            }
            None if name.quote_style.is_some() => {
                "double quotes name a column; text stands in single quotes. ".to_owned()
            }
            None => String::new(),
        };
        help.push_str(&match available.is_empty() {
            true => "no columns are available here".to_owned(),
            false => format!("available: {}", listed(&available)),
        });
        let kind = ErrorKind::UnknownColumn {
            name: name.value.clone(),
            suggestion,
        };
        self.refuse(ExprError::new(kind, span).help(help))
    }

    fn unary(
        &mut self,
        op: UnaryOperator,
        operand: &ast::Expr,
        whole: &ast::Expr,
        depth: usize,
    ) -> Option<Expr> {
        match op {
            UnaryOperator::Not => {
                let of = self.expr(operand, depth)?;
                let span = self.source.with_prefix(of.span.clone());
                let of = self.expect(of, Want::Bool, || "the operand of `not`".to_owned())?;
                Some(Expr {
                    node: Node::Not(Box::new(of)),
                    ty: Type::Bool,
                    span,
                })
            }
            UnaryOperator::Minus => self.negate(operand, depth),
            UnaryOperator::Plus => {
                let of = self.expr(operand, depth)?;
                self.expect(of, Want::Number, || "the operand of `+`".to_owned())
            }
            other => {
                let span = self.source.range(whole.span());
                self.unsupported(&format!("the operator `{other}` is"), span, None)
            }
        }
    }

    /// `-x`; a negative constant is one constant, so that the smallest integer can be written.
    fn negate(&mut self, operand: &ast::Expr, depth: usize) -> Option<Expr> {
        if let ast::Expr::Value(value) = operand
            && let ast::Value::Number(digits, false) = &value.value
        {
            let span = self.source.with_prefix(self.source.range(value.span));
            return self.number(&format!("-{digits}"), span);
        }
        let of = self.expr(operand, depth)?;
        let span = self.source.with_prefix(of.span.clone());
        let of = self.expect(of, Want::Number, || "the operand of `-`".to_owned())?;
        let ty = of.ty;
        let node = match of.node {
            Node::Literal(Literal::Int(value)) if value != i64::MIN => {
                Node::Literal(Literal::Int(-value))
            }
            Node::Literal(Literal::Float(value)) => Node::Literal(Literal::Float(-value)),
            Node::Literal(Literal::Decimal(value)) => Node::Literal(Literal::Decimal(-value)),
            _ => Node::Negate(Box::new(of)),
        };
        Some(Expr { node, ty, span })
    }

    fn is_null(&mut self, of: &ast::Expr, negated: bool, depth: usize) -> Option<Expr> {
        let of = self.expr(of, depth)?;
        // `is null`, or `is not null`.
        let words = if negated { 3 } else { 2 };
        let span = self.source.with_suffix(of.span.clone(), words);
        Some(Expr {
            node: Node::IsNull {
                of: Box::new(of),
                negated,
            },
            ty: Type::Bool,
            span,
        })
    }

    /// Counts the nodes of an operand that is written once and used again.
    fn repeat(&mut self, operand: &Expr) -> Option<()> {
        self.repeated += size(operand);
        if self.repeated <= MAX_NODES {
            return Some(());
        }
        let kind = ErrorKind::TooLarge {
            found: self.repeated,
            limit: MAX_NODES,
            unit: "repeated values",
        };
        self.refuse(ExprError::new(kind, operand.span.clone()).help(
            "nested `between` and `case x when` repeat their operand at every level: give the inner parts names of their own",
        ))
    }

    /// Refuses a construct; `what` has its verb: "subqueries are".
    fn unsupported<T>(&mut self, what: &str, span: Range<usize>, help: Option<&str>) -> Option<T> {
        let error = ExprError::new(
            ErrorKind::Unsupported {
                what: what.to_owned(),
            },
            span,
        );
        self.refuse(match help {
            Some(help) => error.help(help),
            None => error,
        })
    }

    fn unsupported_form(&mut self, syntax: &ast::Expr) -> Option<Expr> {
        let (what, help) = form_name(syntax);
        let span = self.source.range(syntax.span());
        self.unsupported(what, self.source.closed(span), help)
    }
}

/// Name of a form outside the subset, with its verb, and what to write instead.
fn form_name(syntax: &ast::Expr) -> (&'static str, Option<&'static str>) {
    use ast::Expr as E;
    match syntax {
        E::Subquery(_) | E::Exists { .. } | E::InSubquery { .. } => ("subqueries are", None),
        E::CompoundIdentifier(_) | E::CompoundFieldAccess { .. } => (
            "names with a dot are",
            Some("write the column's name alone, or in double quotes if it has a dot in it"),
        ),
        E::IsTrue(_) | E::IsNotTrue(_) | E::IsFalse(_) | E::IsNotFalse(_) => (
            "`is true` and `is false` are",
            Some("write `x is not distinct from true`"),
        ),
        E::IsUnknown(_) | E::IsNotUnknown(_) => ("`is unknown` is", Some("write `x is null`")),
        E::Like { any: true, .. } | E::ILike { any: true, .. } => ("`like any` is", None),
        E::Like { .. } => (
            "`escape` is",
            Some("the escape character of a pattern is always `\\`"),
        ),
        E::ILike { .. } => ("`ilike` is", Some("write `lower(x) like '…'`")),
        E::SimilarTo { .. } | E::RLike { .. } => (
            "these regular expressions are",
            Some("use `like`, or `regexp_extract(s, 'pattern')`"),
        ),
        E::AnyOp { .. } | E::AllOp { .. } => ("`any` and `all` are", Some("use `in (…)`")),
        E::Cast {
            kind: ast::CastKind::DoubleColon,
            ..
        } => ("`::` is", Some("write `cast(x as type)`")),
        E::Cast {
            kind: ast::CastKind::SafeCast,
            ..
        } => (
            "`safe_cast` is",
            Some("`try_cast(x as type)` gives null where a value does not convert"),
        ),
        E::Cast { .. } | E::Convert { .. } => {
            ("this form of cast is", Some("write `cast(x as type)`"))
        }
        E::AtTimeZone { .. } => (
            "`at time zone` is",
            Some("timestamps are already in the pipeline's time zone"),
        ),
        E::Extract { .. } => ("`extract` is", Some("use `date_trunc` or `date_diff`")),
        E::Interval(_) => (
            "intervals are",
            Some("add or subtract whole days: `d + 30`"),
        ),
        E::Position { .. } => ("`position` is", Some("use `like`")),
        E::Overlay { .. } => ("`overlay` is", None),
        E::Collate { .. } => ("collations are", Some("strings are compared byte by byte")),
        E::Tuple(_) => ("tuples are", None),
        E::Array(_) => ("arrays are", None),
        E::Lambda(_) => ("lambdas are", None),
        E::Wildcard(_) | E::QualifiedWildcard(..) => ("`*` is", None),
        E::JsonAccess { .. } | E::IsJson { .. } => ("JSON operators are", None),
        _ => ("this form is", None),
    }
}

/// Nodes of a tree.
fn size(expr: &Expr) -> usize {
    1 + crate::analysis::children(expr)
        .iter()
        .map(|child| size(child))
        .sum::<usize>()
}
