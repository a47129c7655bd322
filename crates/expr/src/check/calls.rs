//! Function calls: from the parser's several forms to the catalogue.

use std::ops::Range;

use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart};

use super::Checker;
use crate::catalogue::{self, Site};
use crate::error::{ErrorKind, ExprError, nearest};
use crate::tree::Expr;

impl Checker<'_> {
    pub(super) fn function(&mut self, function: &ast::Function, depth: usize) -> Option<Expr> {
        let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else {
            return self.unsupported(
                "function names with a dot are",
                0..self.source.end().end,
                None,
            );
        };
        let name_span = self.source.range(name.span);
        let span = self.source.call(name_span.clone());
        if function.over.is_some() {
            return self.unsupported("window functions are", span, None);
        }
        let plain = function.filter.is_none()
            && function.within_group.is_empty()
            && function.null_treatment.is_none()
            && !function.uses_odbc_syntax
            && matches!(function.parameters, FunctionArguments::None);
        let args: &[FunctionArg] = match &function.args {
            FunctionArguments::None => &[],
            FunctionArguments::Subquery(_) => {
                return self.unsupported("subqueries are", span, None);
            }
            FunctionArguments::List(list) => {
                if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                    return self.unsupported("clauses within a function call are", span, None);
                }
                &list.args
            }
        };
        let lower = name.value.to_lowercase();
        if let Some((what, help)) = catalogue::refused(&lower) {
            let what = format!("{what} such as `{}` are", name.value);
            return self.unsupported(&what, name_span, Some(help));
        }
        let checked: Vec<Option<Expr>> = args
            .iter()
            .map(|arg| self.argument(arg, &span, depth))
            .collect();
        let Some(entry) = catalogue::find(&lower) else {
            return self.unknown_function(&name.value, &lower, name_span);
        };
        self.call(entry, span, checked)
    }

    fn argument(&mut self, arg: &FunctionArg, call: &Range<usize>, depth: usize) -> Option<Expr> {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expr(expr, depth),
            FunctionArg::Unnamed(_) => self.unsupported("`*` is", call.clone(), None),
            FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                self.unsupported("named arguments are", call.clone(), None)
            }
        }
    }

    /// Functions that the parser has syntax of its own for.
    pub(super) fn special_form(&mut self, syntax: &ast::Expr, depth: usize) -> Option<Expr> {
        let (name, args): (&str, Vec<&ast::Expr>) = match syntax {
            ast::Expr::Floor {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => ("floor", vec![&**expr]),
            ast::Expr::Ceil {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => ("ceil", vec![&**expr]),
            ast::Expr::Trim {
                expr,
                trim_where: None,
                trim_what: None,
                trim_characters: None,
            } => ("trim", vec![&**expr]),
            ast::Expr::Substring {
                expr,
                substring_from,
                substring_for,
                shorthand: false,
                ..
            } => {
                let rest = [substring_from, substring_for];
                let rest = rest.into_iter().filter_map(|a| a.as_deref());
                ("substring", std::iter::once(&**expr).chain(rest).collect())
            }
            ast::Expr::Substring { expr, .. } => {
                let span = self.expr(expr, depth)?.span;
                let span = self.source.with_prefix(span);
                return self.unknown_function("substr", "substr", span);
            }
            ast::Expr::Floor { expr, .. }
            | ast::Expr::Ceil { expr, .. }
            | ast::Expr::Trim { expr, .. } => {
                let span = self.expr(expr, depth)?.span;
                let span = self.source.with_prefix(span);
                let help =
                    "floor, ceil and trim take one argument; `round(x, digits)` keeps decimals";
                return self.unsupported("this form of the function is", span, Some(help));
            }
            other => return self.unsupported_form(other),
        };
        let checked: Vec<Option<Expr>> =
            args.into_iter().map(|arg| self.expr(arg, depth)).collect();
        let first = checked.first()?.as_ref()?.span.clone();
        let span = self.source.with_prefix(first);
        self.call(catalogue::find(name)?, span, checked)
    }

    /// Arity first, then types by the catalogue's row.
    fn call(
        &mut self,
        entry: &'static catalogue::Entry,
        span: Range<usize>,
        checked: Vec<Option<Expr>>,
    ) -> Option<Expr> {
        if !entry.arity.contains(&checked.len()) {
            let kind = ErrorKind::Arguments {
                function: entry.doc.name,
                expected: format!("{}, found {}", arity_words(entry), checked.len()),
            };
            let help = format!("write `{}`", entry.doc.signature);
            return self.refuse(ExprError::new(kind, span).help(help));
        }
        let args: Option<Vec<Expr>> = checked.into_iter().collect();
        (entry.check)(
            self,
            Site {
                doc: &entry.doc,
                span,
            },
            args?,
        )
    }

    fn unknown_function<T>(&mut self, name: &str, lower: &str, span: Range<usize>) -> Option<T> {
        let names = || catalogue::functions().map(|f| f.name);
        let suggestion =
            catalogue::synonym(lower).or_else(|| nearest(lower, &names().collect::<Vec<_>>()));
        let all = names().collect::<Vec<_>>().join(", ");
        let help = match suggestion {
            Some("as_of") => {
                "expressions never read the clock: the run's date is `as_of()`".to_owned()
            }
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("available: {all}"),
        };
        let kind = ErrorKind::UnknownFunction {
            name: name.to_owned(),
            suggestion,
        };
        self.refuse(ExprError::new(kind, span).help(help))
    }
}

fn arity_words(entry: &catalogue::Entry) -> String {
    let (low, high) = (*entry.arity.start(), *entry.arity.end());
    let noun = if high == 1 { "argument" } else { "arguments" };
    match (low, high) {
        (0, 0) => "no arguments".to_owned(),
        (low, high) if low == high => format!("{low} {noun}"),
        (low, usize::MAX) => format!("at least {low} {noun}"),
        (low, high) => format!("{low} or {high} {noun}"),
    }
}
