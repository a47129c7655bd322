//! Expressions as polars expressions. What they mean is `docs/expressions.md`, whose every example is a test here.
//!
//! Where polars means the same as the document its own operation is used, so that it can prune and vectorise; everywhere
//! else a kernel of ours runs over whole columns. Every operand appears once in the result: a tree of n nodes becomes an
//! expression of the order of n, however it is nested.
//!
//! Where to look: `kernels` (one column or two to one), `numbers`, `texts`, `regex`, `calendar`, `casts`, `times`, `zones` (what the kernels compute).

mod calendar;
mod casts;
mod decimals;
mod kernels;
mod numbers;
mod regex;
mod texts;
mod times;
mod zones;

#[cfg(test)]
mod document;
#[cfg(test)]
mod oracle;

use polars::prelude as pl;
use polars::prelude::{AnyValue, DataType, TimeUnit};
use tessera_expr::{BinaryOp, Expr, Function, Literal, Node, Type};

use crate::column::col;

pub(crate) use decimals::{decimal_type, from_decimal, to_decimal, whole_number, widened};
pub(crate) use kernels::{many, unary};
pub(crate) use numbers::finite;
pub(crate) use times::{days_in_range, micros_in_range, tick_range};
pub(crate) use zones::{Clock, local_of, skipped, wall_clock};

/// The polars expression of a checked expression.
///
/// Columns must have the types of [`dtype`]. The result has the type of the expression; a bare null is a boolean.
pub(crate) fn lower(expr: &Expr, clock: impl Into<Clock>) -> pl::Expr {
    let clock = clock.into();
    Lowering { clock }.value(expr)
}

/// Whether the time that a conversion of text reads, `cast` or `strptime`, is one that the clocks skipped; none for other
/// expressions.
pub(crate) fn reads_skipped(expr: &Expr, clock: Clock) -> Option<pl::Expr> {
    if expr.ty != Type::Timestamp {
        return None;
    }
    let lowering = Lowering { clock };
    match &expr.node {
        Node::Cast(of) | Node::TryCast(of) if of.ty == Type::String => {
            Some(times::text_skipped(lowering.value(of), clock))
        }
        Node::Call(Function::Strptime | Function::TryStrptime, args) => match args.as_slice() {
            [of, format] => {
                let format = quoted(format);
                Some(times::format_skipped(lowering.value(of), format, clock))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The polars type of a value.
fn dtype(ty: Type) -> DataType {
    match ty {
        Type::Bool | Type::Null => DataType::Boolean,
        Type::Int => DataType::Int64,
        Type::Float => DataType::Float64,
        Type::Decimal { scale } => decimal_type(scale),
        Type::String => DataType::String,
        Type::Date => DataType::Date,
        Type::Timestamp => DataType::Datetime(TimeUnit::Microseconds, None),
    }
}

struct Lowering {
    clock: Clock,
}

impl Lowering {
    fn value(&self, expr: &Expr) -> pl::Expr {
        match &expr.node {
            Node::Column(name) => col(name.as_str()),
            Node::Literal(Literal::Decimal(whole)) => constant(expr.ty, decimal(*whole, expr.ty)),
            Node::Literal(literal) => constant(expr.ty, any_value(literal)),
            Node::AsOf => constant(Type::Date, AnyValue::Date(self.clock.as_of.to_epoch_days())),
            Node::Not(of) => self.value(of).not(),
            Node::Negate(of) => match expr.ty {
                Type::Int => numbers::negate(self.value(of)),
                Type::Decimal { scale } => decimals::negate(self.value(of), scale),
                _ => self.float(expr),
            },
            Node::Binary(op, left, right) => self.binary(expr, *op, left, right),
            Node::IsNull { of, negated: false } => self.value(of).is_null(),
            Node::IsNull { of, negated: true } => self.value(of).is_not_null(),
            Node::In { of, list, negated } => {
                let found = self.is_in(of, list);
                if *negated { found.not() } else { found }
            }
            Node::Like {
                of,
                pattern,
                negated,
            } => {
                let found = texts::like(self.value(of), pattern);
                if *negated { found.not() } else { found }
            }
            Node::Case {
                branches,
                otherwise,
            } => {
                let last = match otherwise {
                    Some(value) => self.value(value),
                    None => constant(expr.ty, AnyValue::Null),
                };
                branches.iter().rev().fold(last, |rest, (when, then)| {
                    pl::ternary_expr(self.value(when), self.value(then), rest)
                })
            }
            Node::Call(function, args) => self.call(expr.ty, *function, args),
            Node::Cast(of) | Node::TryCast(of) => {
                casts::cast(self.value(of), of.ty, expr.ty, self.clock)
            }
        }
    }

    fn binary(&self, whole: &Expr, op: BinaryOp, left: &Expr, right: &Expr) -> pl::Expr {
        let (a, b) = (|| self.value(left), || self.value(right));
        match op {
            BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply => match (left.ty, whole.ty) {
                (_, Type::Float) => self.float(whole),
                (_, Type::Decimal { scale }) => decimals::arithmetic(op, a(), b(), scale),
                (_, Type::Date) if left.ty == Type::Int => calendar::shift(b(), a(), 1),
                (_, Type::Date) => {
                    calendar::shift(a(), b(), if op == BinaryOp::Add { 1 } else { -1 })
                }
                (Type::Date, _) => calendar::days_between(b(), a()),
                _ => numbers::integers(op, a(), b()),
            },
            BinaryOp::Divide => numbers::divide(a(), b()),
            BinaryOp::Modulo if whole.ty == Type::Float => numbers::float_remainder(a(), b()),
            BinaryOp::Modulo => match whole.ty {
                Type::Decimal { scale } => decimals::arithmetic(op, a(), b(), scale),
                _ => numbers::integers(op, a(), b()),
            },
            BinaryOp::Equal => match (&left.node, &right.node) {
                (Node::Call(Function::Trim, of), Node::Literal(Literal::String(text)))
                    if text.is_empty() && of.len() == 1 =>
                {
                    texts::is_blank(self.value(&of[0]))
                }
                _ => a().eq(b()),
            },
            BinaryOp::NotEqual => a().neq(b()),
            BinaryOp::Less => a().lt(b()),
            BinaryOp::LessOrEqual => a().lt_eq(b()),
            BinaryOp::Greater => a().gt(b()),
            BinaryOp::GreaterOrEqual => a().gt_eq(b()),
            BinaryOp::And => a().and(b()),
            BinaryOp::Or => a().or(b()),
            BinaryOp::IsDistinctFrom => a().neq_missing(b()),
            BinaryOp::IsNotDistinctFrom => a().eq_missing(b()),
            BinaryOp::Concat => texts::join(a(), b()),
        }
    }

    /// A chain of float `+`, `-`, `*`, checked for finiteness once at its root: what is not finite stays so along the chain.
    fn float(&self, expr: &Expr) -> pl::Expr {
        numbers::finite(self.unchecked(expr))
    }

    fn unchecked(&self, expr: &Expr) -> pl::Expr {
        match &expr.node {
            Node::Negate(of) if expr.ty == Type::Float => -self.unchecked(of),
            Node::Binary(BinaryOp::Add, a, b) if expr.ty == Type::Float => {
                self.unchecked(a) + self.unchecked(b)
            }
            Node::Binary(BinaryOp::Subtract, a, b) if expr.ty == Type::Float => {
                self.unchecked(a) - self.unchecked(b)
            }
            Node::Binary(BinaryOp::Multiply, a, b) if expr.ty == Type::Float => {
                self.unchecked(a) * self.unchecked(b)
            }
            Node::Column(_)
            | Node::Literal(_)
            | Node::AsOf
            | Node::Not(_)
            | Node::Negate(_)
            | Node::Binary(..)
            | Node::IsNull { .. }
            | Node::In { .. }
            | Node::Like { .. }
            | Node::Case { .. }
            | Node::Call(..)
            | Node::Cast(_)
            | Node::TryCast(_) => self.value(expr),
        }
    }

    /// Constants go to a hash lookup, polars' own but for texts; a null among them makes every miss unknown.
    fn is_in(&self, of: &Expr, list: &[Expr]) -> pl::Expr {
        let constants: Option<Vec<AnyValue<'static>>> = list
            .iter()
            .map(|item| match &item.node {
                Node::Literal(_) if matches!(of.ty, Type::Decimal { .. }) => None,
                Node::Literal(literal) => Some(any_value(literal)),
                _ => None,
            })
            .collect();
        let series = constants.as_ref().and_then(|values| {
            let present: Vec<AnyValue<'_>> =
                values.iter().filter(|v| !v.is_null()).cloned().collect();
            pl::Series::from_any_values_and_dtype("".into(), &present, &dtype(of.ty), true).ok()
        });
        let (Some(constants), Some(series)) = (constants, series) else {
            let operands = std::iter::once(of)
                .chain(list)
                .map(|e| self.value(e))
                .collect();
            return kernels::any_equal(operands);
        };
        let found = match of.ty {
            Type::String => texts::is_one_of(self.value(of), &series),
            _ => self.value(of).is_in(pl::lit(series).implode(true), false),
        };
        if constants.iter().any(AnyValue::is_null) {
            found.or(constant(Type::Bool, AnyValue::Null))
        } else {
            found
        }
    }

    fn call(&self, ty: Type, function: Function, args: &[Expr]) -> pl::Expr {
        let values = || args.iter().map(|arg| self.value(arg)).collect::<Vec<_>>();
        let one = || {
            args.first()
                .map_or_else(|| constant(ty, AnyValue::Null), |arg| self.value(arg))
        };
        let whole = ty == Type::Int;
        if let Type::Decimal { scale } = ty {
            let digits = u8::try_from(digits(args)).unwrap_or(0);
            if let Some(done) = decimals::call(function, one(), scale, digits) {
                return done;
            }
        }
        match function {
            Function::Abs if whole => numbers::abs(one()),
            Function::Round | Function::Floor | Function::Ceil if whole => one(),
            Function::Abs => numbers::float(one(), f64::abs),
            Function::Round => numbers::round(one(), digits(args)),
            Function::Floor => numbers::float(one(), f64::floor),
            Function::Ceil => numbers::float(one(), f64::ceil),
            Function::Ln => numbers::float(one(), f64::ln),
            Function::Log10 => numbers::float(one(), f64::log10),
            Function::Exp => numbers::float(one(), f64::exp),
            Function::Power => numbers::power(values()),
            Function::Sqrt => numbers::float(one(), f64::sqrt),
            Function::Least => kernels::extreme(values(), true),
            Function::Greatest => kernels::extreme(values(), false),
            Function::Coalesce => pl::coalesce(&values()),
            Function::NullIf => kernels::null_if(values(), dtype(ty)),
            Function::Lower => texts::lower(one()),
            Function::Upper => texts::upper(one()),
            Function::Trim => texts::trim(one()),
            Function::Length => texts::length(one()),
            Function::Substring => texts::substring(values()),
            Function::Concat => texts::concat(values()),
            Function::Replace => texts::replace(values()),
            Function::SplitPart => texts::split_part(values()),
            Function::RegexpExtract => {
                regex::extract(one(), args.get(1).map_or("", quoted), group(args))
            }
            Function::Strptime | Function::TryStrptime => {
                times::strptime(one(), args.get(1).map_or("", quoted), ty, self.clock)
            }
            Function::ToTimestamp(unit) => {
                let float = args.first().is_some_and(|of| of.ty == Type::Float);
                times::from_epoch(one(), float, unit, self.clock)
            }
            Function::DateDiff(unit) => calendar::diff(unit, values()),
            Function::DateTrunc(unit) => calendar::trunc(unit, one(), ty == Type::Timestamp),
        }
    }
}

/// A constant in quotes, as the checker asks for it in its place.
fn quoted(arg: &Expr) -> &str {
    match &arg.node {
        Node::Literal(Literal::String(text)) => text,
        _ => "",
    }
}

/// Third argument of `regexp_extract`, which the checker made a constant.
fn group(args: &[Expr]) -> usize {
    match args.get(2).map(|group| &group.node) {
        Some(Node::Literal(Literal::Int(group))) => usize::try_from(*group).unwrap_or(0),
        _ => 0,
    }
}

/// Second argument of `round`, which the checker made a constant of 0 to 15.
fn digits(args: &[Expr]) -> i32 {
    match args.get(1).map(|digits| &digits.node) {
        Some(Node::Literal(Literal::Int(digits))) => i32::try_from(*digits).unwrap_or(0),
        _ => 0,
    }
}

fn any_value(literal: &Literal) -> AnyValue<'static> {
    match literal {
        Literal::Null => AnyValue::Null,
        Literal::Bool(value) => AnyValue::Boolean(*value),
        Literal::Int(value) => AnyValue::Int64(*value),
        Literal::Float(value) => AnyValue::Float64(*value),
        // which needs its type
        Literal::Decimal(_) => AnyValue::Null,
        Literal::String(value) => AnyValue::StringOwned(value.as_str().into()),
        Literal::Date(day) => AnyValue::Date(*day),
        Literal::Timestamp(micros) => AnyValue::Datetime(*micros, TimeUnit::Microseconds, None),
    }
}

fn decimal(whole: i128, ty: Type) -> AnyValue<'static> {
    match dtype(ty) {
        DataType::Decimal(precision, scale) => AnyValue::Decimal(whole, precision, scale),
        _ => AnyValue::Null,
    }
}

fn constant(ty: Type, value: AnyValue<'static>) -> pl::Expr {
    pl::Expr::Literal(pl::LiteralValue::Scalar(pl::Scalar::new(dtype(ty), value)))
}
