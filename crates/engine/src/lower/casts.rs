//! `cast(x as type)` and `try_cast`: a value that does not convert is null. Rows in which a `cast` fails are rejected by separate
//! checks over the same conversion, which the plan contains.

use polars::prelude as pl;
use polars::prelude::arity::unary_elementwise;
use polars::prelude::{
    BooleanChunked, DataType, Expr, Float64Chunked, Int32Chunked, Int64Chunked, IntoSeries,
    StringChunked, TimeUnit,
};
use tessera_expr::Type;
use tessera_expr::temporal::{DAY_MICROS, day_in_range, format_date, format_timestamp};

use super::decimals;
use super::kernels::{dates, days, micros, timestamps, unary};
use super::{Clock, times};

/// The operand in another type.
pub(super) fn cast(of: Expr, from: Type, to: Type, clock: Clock) -> Expr {
    if let Some(done) = decimals::cast(&of, from, to) {
        return done;
    }
    match (from, to) {
        // whatever has the type of a bare null is null
        (Type::Null, _) | (_, Type::Null) => pl::lit(pl::NULL).cast(super::dtype(to)),
        (Type::Int | Type::Float, Type::Bool) => of.neq(super::constant(from, zero(from))),
        (Type::Bool, Type::Int | Type::Float | Type::String) => of.cast(super::dtype(to)),
        (Type::Int, Type::Float | Type::String) => of.cast(super::dtype(to)),
        (Type::Float, Type::Int) => float_to_integer(of),
        (Type::Float, Type::String) => float_to_text(of),
        (Type::String, Type::Timestamp) => times::from_text(of, clock),
        (Type::String, Type::Date) => times::day_from_text(of, clock),
        (Type::String, _) => read(of, to),
        (Type::Date, Type::String) => unary(of, DataType::String, |s| {
            let done: StringChunked =
                unary_elementwise(days(s)?, |day: Option<i32>| format_date(day?));
            Ok(done.into_series())
        }),
        (Type::Timestamp, Type::String) => unary(of, DataType::String, |s| {
            let done: StringChunked =
                unary_elementwise(micros(s)?, |time: Option<i64>| format_timestamp(time?));
            Ok(done.into_series())
        }),
        (Type::Date, Type::Timestamp) => {
            unary(of, DataType::Datetime(TimeUnit::Microseconds, None), |s| {
                let midnight =
                    |day: Option<i32>| Some(i64::from(day_in_range(i64::from(day?))?) * DAY_MICROS);
                let done: Int64Chunked = unary_elementwise(days(s)?, midnight);
                Ok(timestamps(done))
            })
        }
        (Type::Timestamp, Type::Date) => unary(of, DataType::Date, |s| {
            let done: Int32Chunked = unary_elementwise(micros(s)?, |time: Option<i64>| {
                day_in_range(time?.div_euclid(DAY_MICROS))
            });
            Ok(dates(done))
        }),
        // the same type, or a pair that the checker refuses
        (Type::Decimal { .. }, _)
        | (_, Type::Decimal { .. })
        | (Type::Bool, Type::Bool | Type::Date | Type::Timestamp)
        | (Type::Int, Type::Int | Type::Date | Type::Timestamp)
        | (Type::Float, Type::Float | Type::Date | Type::Timestamp)
        | (Type::Date, Type::Bool | Type::Int | Type::Float | Type::Date)
        | (Type::Timestamp, Type::Bool | Type::Int | Type::Float | Type::Timestamp) => of,
    }
}

fn zero(ty: Type) -> pl::AnyValue<'static> {
    if ty == Type::Float {
        pl::AnyValue::Float64(0.0)
    } else {
        pl::AnyValue::Int64(0)
    }
}

/// Toward 0; null beyond 64 bits.
fn float_to_integer(of: Expr) -> Expr {
    /// 2 to the power of 63, the first float beyond the integers.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    unary(of, DataType::Int64, |s| {
        let whole = |x: Option<f64>| {
            let whole = x?.trunc();
            #[allow(clippy::cast_possible_truncation)] // within the limits
            (-LIMIT..LIMIT).contains(&whole).then_some(whole as i64)
        };
        let done: Int64Chunked = unary_elementwise(s.f64()?, whole);
        Ok(done.into_series())
    })
}

/// The shortest text that reads back as the same float, always with a point or an exponent; no sign before 0.
fn float_to_text(of: Expr) -> Expr {
    unary(of, DataType::String, |s| {
        let done: StringChunked = unary_elementwise(s.f64()?, |x: Option<f64>| {
            x.map(|x| format!("{:?}", x + 0.0))
        });
        Ok(done.into_series())
    })
}

/// Text as a value; white space around it does not matter.
fn read(of: Expr, to: Type) -> Expr {
    unary(of, super::dtype(to), move |s| {
        let text = s.str()?;
        Ok(match to {
            Type::Bool => {
                let done: BooleanChunked =
                    unary_elementwise(text, |x: Option<&str>| read_boolean(x?.trim()));
                done.into_series()
            }
            Type::Int => {
                let done: Int64Chunked =
                    unary_elementwise(text, |x: Option<&str>| x?.trim().parse::<i64>().ok());
                done.into_series()
            }
            Type::Float => {
                let done: Float64Chunked = unary_elementwise(text, |x: Option<&str>| {
                    x?.trim().parse::<f64>().ok().filter(|x| x.is_finite())
                });
                done.into_series()
            }
            Type::Date | Type::Timestamp | Type::Decimal { .. } | Type::String | Type::Null => {
                s.clone()
            }
        })
    })
}

fn read_boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
