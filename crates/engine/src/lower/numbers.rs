//! Integers that never wrap, floats that are always finite: what does not fit is null.

use polars::prelude::arity::{broadcast_binary_elementwise, unary_elementwise};
use polars::prelude::{
    DataType, Expr, Float64Chunked, Float64Type, Int64Chunked, Int64Type, IntoSeries,
};
use tessera_expr::BinaryOp;

use super::kernels::{binary, unary};

/// `-x` of integers.
pub(super) fn negate(of: Expr) -> Expr {
    integer(of, i64::checked_neg)
}

/// `abs(x)` of integers.
pub(super) fn abs(of: Expr) -> Expr {
    integer(of, i64::checked_abs)
}

fn integer(of: Expr, f: fn(i64) -> Option<i64>) -> Expr {
    unary(of, DataType::Int64, move |s| {
        let done: Int64Chunked = unary_elementwise(s.i64()?, |x: Option<i64>| x.and_then(f));
        Ok(done.into_series())
    })
}

/// `+`, `-`, `*` and `%` of integers.
pub(super) fn integers(op: BinaryOp, left: Expr, right: Expr) -> Expr {
    let f: fn(i64, i64) -> Option<i64> = match op {
        BinaryOp::Add => i64::checked_add,
        BinaryOp::Subtract => i64::checked_sub,
        BinaryOp::Multiply => i64::checked_mul,
        BinaryOp::Modulo => integer_remainder,
        BinaryOp::Divide
        | BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessOrEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterOrEqual
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::IsDistinctFrom
        | BinaryOp::IsNotDistinctFrom
        | BinaryOp::Concat => |_, _| None,
    };
    binary(left, right, DataType::Int64, move |a, b| {
        let done: Int64Chunked = broadcast_binary_elementwise::<Int64Type, Int64Type, _, _>(
            a.i64()?,
            b.i64()?,
            |a: Option<i64>, b: Option<i64>| f(a?, b?),
        );
        Ok(done.into_series())
    })
}

/// Sign of the dividend. The smallest integer divided by -1 leaves 0, though its quotient does not fit.
fn integer_remainder(a: i64, b: i64) -> Option<i64> {
    (b != 0).then(|| a.wrapping_rem(b))
}

/// The column with nulls for all that is not a finite number.
pub(crate) fn finite(of: Expr) -> Expr {
    unary(of, DataType::Float64, |s| {
        let values = s.f64()?;
        // one pass that the compiler can vectorise; hardly any column needs the second
        let clean = values.downcast_iter().all(|chunk| {
            !chunk
                .values()
                .iter()
                .fold(false, |bad, v| bad | !v.is_finite())
        });
        if clean {
            return Ok(s.clone());
        }
        let done: Float64Chunked =
            unary_elementwise(values, |x: Option<f64>| x.filter(|x| x.is_finite()));
        Ok(done.into_series())
    })
}

/// A function of one float; null where its value is not finite.
pub(super) fn float(of: Expr, f: fn(f64) -> f64) -> Expr {
    unary(of, DataType::Float64, move |s| {
        let done: Float64Chunked = unary_elementwise(s.f64()?, |x: Option<f64>| {
            x.map(f).filter(|y| y.is_finite())
        });
        Ok(done.into_series())
    })
}

fn floats(left: Expr, right: Expr, f: fn(f64, f64) -> f64) -> Expr {
    binary(left, right, DataType::Float64, move |a, b| {
        let done: Float64Chunked = broadcast_binary_elementwise::<Float64Type, Float64Type, _, _>(
            a.f64()?,
            b.f64()?,
            |a: Option<f64>, b: Option<f64>| Some(f(a?, b?)).filter(|y| y.is_finite()),
        );
        Ok(done.into_series())
    })
}

/// `a / b`, rounded once. Polars multiplies by the reciprocal of a constant divisor, which is another number.
pub(super) fn divide(left: Expr, right: Expr) -> Expr {
    floats(left, right, |a, b| a / b)
}

/// Remainder with the sign of the dividend.
pub(super) fn float_remainder(left: Expr, right: Expr) -> Expr {
    floats(left, right, |a, b| a % b)
}

/// `power(x, y)`.
pub(super) fn power(args: Vec<Expr>) -> Expr {
    match <[Expr; 2]>::try_from(args) {
        Ok([x, y]) => floats(x, y, f64::powf),
        Err(_) => polars::prelude::lit(polars::prelude::NULL),
    }
}

/// Floats from here on are whole numbers, or so large that decimals beyond `digits` have none.
const NO_DECIMALS: f64 = 4_503_599_627_370_496.0;

/// `round(x, digits)`: halves away from 0.
pub(super) fn round(of: Expr, digits: i32) -> Expr {
    let scale = 10_f64.powi(digits);
    unary(of, DataType::Float64, move |s| {
        let rounded = |x: f64| {
            let scaled = x * scale;
            if scaled.abs() < NO_DECIMALS {
                scaled.round() / scale
            } else {
                x
            }
        };
        let done: Float64Chunked = unary_elementwise(s.f64()?, |x: Option<f64>| x.map(rounded));
        Ok(done.into_series())
    })
}
