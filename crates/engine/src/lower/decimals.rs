//! Decimals: whole numbers of their last digit in 128 bits. What needs more than 38 digits is null, as an integer beyond 64 bits
//! is. Polars rounds and wraps in places, so only its comparisons are used.

use polars::prelude::arity::{broadcast_binary_elementwise, unary_elementwise};
use polars::prelude::{
    BooleanChunked, DataType, Expr, Float64Chunked, Int64Chunked, Int128Chunked, Int128Type,
    IntoSeries, PolarsResult, Series, StringChunked,
};
use tessera_expr::decimal::{MAX_DIGITS, checked, parse, power_of_ten, rescale, text};
use tessera_expr::exact::decimal_to_float;
use tessera_expr::{BinaryOp, Function, Type};

use super::kernels::{binary, unary};

/// The polars type of decimals.
pub(crate) fn decimal_type(scale: u8) -> DataType {
    DataType::Decimal(usize::from(MAX_DIGITS), usize::from(scale))
}

fn wholes(series: &Series) -> PolarsResult<&Int128Chunked> {
    Ok(series.decimal()?.physical())
}

fn decimals(wholes: Int128Chunked, scale: u8) -> Series {
    wholes
        .into_decimal_unchecked(usize::from(MAX_DIGITS), usize::from(scale))
        .into_series()
}

fn each(of: Expr, scale: u8, f: impl Fn(i128) -> Option<i128> + Send + Sync + 'static) -> Expr {
    unary(of, decimal_type(scale), move |s| {
        let done: Int128Chunked = unary_elementwise(wholes(s)?, |x: Option<i128>| f(x?));
        Ok(decimals(done, scale))
    })
}

/// `-x`
pub(super) fn negate(of: Expr, scale: u8) -> Expr {
    each(of, scale, |x| Some(-x))
}

/// `+`, `-` and `%` of decimals with the same number of decimals, and `*` of any.
pub(super) fn arithmetic(op: BinaryOp, left: Expr, right: Expr, scale: u8) -> Expr {
    let f: fn(i128, i128) -> Option<i128> = match op {
        BinaryOp::Add => i128::checked_add,
        BinaryOp::Subtract => i128::checked_sub,
        BinaryOp::Multiply => i128::checked_mul,
        BinaryOp::Modulo => i128::checked_rem,
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
    binary(left, right, decimal_type(scale), move |a, b| {
        let done: Int128Chunked = broadcast_binary_elementwise::<Int128Type, Int128Type, _, _>(
            wholes(a)?,
            wholes(b)?,
            |a: Option<i128>, b: Option<i128>| f(a?, b?).and_then(checked),
        );
        Ok(decimals(done, scale))
    })
}

/// `abs`, `round`, `floor` and `ceil`, whose values have as many decimals as their operand; `None` for other functions.
pub(super) fn call(function: Function, of: Expr, scale: u8, digits: u8) -> Option<Expr> {
    let unit = power_of_ten(scale)?;
    Some(match function {
        Function::Abs => each(of, scale, |x| Some(x.abs())),
        Function::Round if digits >= scale => of,
        Function::Round => each(of, scale, move |x| {
            rescale(rescale(x, scale, digits)?, digits, scale)
        }),
        Function::Floor => each(of, scale, move |x| {
            checked(x.div_euclid(unit).checked_mul(unit)?)
        }),
        Function::Ceil => each(of, scale, move |x| {
            checked((-(-x).div_euclid(unit)).checked_mul(unit)?)
        }),
        _ => return None,
    })
}

/// A cast from or to decimals; `None` for other casts.
pub(super) fn cast(of: &Expr, from: Type, to: Type) -> Option<Expr> {
    let of = of.clone();
    Some(match (from, to) {
        (Type::Decimal { scale }, to) => from_decimal(of, scale, to),
        (from, Type::Decimal { scale }) => to_decimal(of, from, scale),
        _ => return None,
    })
}

/// Decimals in another type.
pub(crate) fn from_decimal(of: Expr, scale: u8, to: Type) -> Expr {
    match to {
        Type::Decimal { scale: to } => each(of, to, move |x| rescale(x, scale, to)),
        Type::Float => unary(of, DataType::Float64, move |s| {
            let done: Float64Chunked = unary_elementwise(wholes(s)?, |x: Option<i128>| {
                x.map(|x| decimal_to_float(x, scale))
            });
            Ok(done.into_series())
        }),
        Type::Int => {
            let unit = power_of_ten(scale).unwrap_or(1);
            unary(of, DataType::Int64, move |s| {
                let done: Int64Chunked =
                    unary_elementwise(wholes(s)?, |x: Option<i128>| i64::try_from(x? / unit).ok());
                Ok(done.into_series())
            })
        }
        Type::Bool => unary(of, DataType::Boolean, |s| {
            let done: BooleanChunked =
                unary_elementwise(wholes(s)?, |x: Option<i128>| x.map(|x| x != 0));
            Ok(done.into_series())
        }),
        Type::String => unary(of, DataType::String, move |s| {
            let done: StringChunked = unary_elementwise(wholes(s)?, |x: Option<i128>| {
                x.map(|x| text(x, Type::Decimal { scale }))
            });
            Ok(done.into_series())
        }),
        // the checker lets no other through
        Type::Date | Type::Timestamp | Type::Null => of,
    }
}

/// Values of another type as decimals.
pub(crate) fn to_decimal(of: Expr, from: Type, scale: u8) -> Expr {
    match from {
        Type::Int => unary(of, decimal_type(scale), move |s| {
            let done: Int128Chunked =
                unary_elementwise(s.i64()?, |x: Option<i64>| rescale(i128::from(x?), 0, scale));
            Ok(decimals(done, scale))
        }),
        // The shortest text that reads back as the float is what was meant by it.
        Type::Float => unary(of, decimal_type(scale), move |s| {
            let done: Int128Chunked = unary_elementwise(s.f64()?, |x: Option<f64>| {
                parse(&format!("{:?}", x?), scale)
            });
            Ok(decimals(done, scale))
        }),
        Type::String => unary(of, decimal_type(scale), move |s| {
            let done: Int128Chunked =
                unary_elementwise(s.str()?, |x: Option<&str>| parse(x?.trim(), scale));
            Ok(decimals(done, scale))
        }),
        // the checker lets no other through
        Type::Null | Type::Bool | Type::Decimal { .. } | Type::Date | Type::Timestamp => {
            polars::prelude::lit(polars::prelude::NULL).cast(decimal_type(scale))
        }
    }
}

/// Integers of any width, and decimals as the files hold them, as decimals with `scale` digits behind the point. What needs
/// more than 38 digits, or has more decimals than it may keep, is null.
pub(crate) fn widened(of: Expr, scale: u8) -> Expr {
    unary(of, decimal_type(scale), move |s| {
        let (wholes, from) = match s.dtype() {
            DataType::Decimal(_, from) => (wholes(s)?.clone(), u8::try_from(*from).unwrap_or(0)),
            _ => (s.strict_cast(&DataType::Int128)?.i128()?.clone(), 0),
        };
        if from == scale {
            return Ok(decimals(wholes, scale));
        }
        let exact =
            |x: i128| rescale(x, from, scale).filter(|y| rescale(*y, scale, from) == Some(x));
        let done: Int128Chunked = unary_elementwise(&wholes, |x: Option<i128>| exact(x?));
        Ok(decimals(done, scale))
    })
}

/// Decimals and floats without a fraction, and integers of any width, as integers of 64 bits; everything else is null. A float
/// of 2^53 and more is no integer, since the file does not say which of several it was.
pub(crate) fn whole_number(of: Expr) -> Expr {
    /// Beyond it neighbouring integers are the same float.
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    unary(of, DataType::Int64, |s| {
        let done: Int64Chunked = match s.dtype() {
            DataType::Decimal(_, scale) => {
                let unit = power_of_ten(u8::try_from(*scale).unwrap_or(0)).unwrap_or(1);
                unary_elementwise(wholes(s)?, |x: Option<i128>| {
                    let x = x?;
                    (x % unit == 0).then(|| i64::try_from(x / unit).ok())?
                })
            }
            dtype if dtype.is_float() => {
                let floats = s.strict_cast(&DataType::Float64)?;
                unary_elementwise(floats.f64()?, |x: Option<f64>| {
                    let x = x?;
                    // within the limits
                    (x.trunc() == x && x.abs() < LIMIT).then_some(x as i64)
                })
            }
            _ => s.cast(&DataType::Int64)?.i64()?.clone(),
        };
        Ok(done.into_series())
    })
}
