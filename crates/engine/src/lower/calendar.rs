//! Dates within the years 1 to 9999; what would lie outside is null.

use chrono::{Datelike, NaiveDate};
use polars::prelude::arity::{broadcast_binary_elementwise, unary_elementwise};
use polars::prelude::{
    DataType, Expr, Int32Chunked, Int32Type, Int64Chunked, Int64Type, IntoSeries, TimeUnit,
};
use tessera_expr::DateUnit;
use tessera_expr::temporal::{DAY_MICROS, day_in_range};

use super::kernels::{binary, dates, days, micros, timestamps, unary};

/// `date + sign * days`.
pub(super) fn shift(date: Expr, by: Expr, sign: i64) -> Expr {
    binary(date, by, DataType::Date, move |date, by| {
        let moved = |date: Option<i32>, by: Option<i64>| {
            let by = by?.checked_mul(sign)?;
            day_in_range(i64::from(date?).checked_add(by)?)
        };
        let done: Int32Chunked = broadcast_binary_elementwise::<Int32Type, Int64Type, _, _>(
            days(date)?,
            by.i64()?,
            moved,
        );
        Ok(dates(done))
    })
}

/// `to - from` in days.
pub(super) fn days_between(from: Expr, to: Expr) -> Expr {
    crossed(from, to, i64::from)
}

/// `date_diff(unit, from, to)`: boundaries crossed.
pub(super) fn diff(unit: DateUnit, args: Vec<Expr>) -> Expr {
    let number: fn(i32) -> i64 = match unit {
        DateUnit::Day => i64::from,
        DateUnit::Week => week,
        DateUnit::Month => |day| months(day).0,
        DateUnit::Quarter => |day| months(day).0.div_euclid(3),
        DateUnit::Year => |day| months(day).0.div_euclid(12),
    };
    match <[Expr; 2]>::try_from(args) {
        Ok([from, to]) => crossed(from, to, number),
        Err(_) => polars::prelude::lit(polars::prelude::NULL),
    }
}

fn crossed(from: Expr, to: Expr, number: fn(i32) -> i64) -> Expr {
    binary(from, to, DataType::Int64, move |from, to| {
        let done: Int64Chunked = broadcast_binary_elementwise::<Int32Type, Int32Type, _, _>(
            days(from)?,
            days(to)?,
            |from: Option<i32>, to: Option<i32>| Some(number(to?) - number(from?)),
        );
        Ok(done.into_series())
    })
}

/// Number of the week, which starts on Monday; week 0 is that of 1970-01-01, a Thursday.
fn week(day: i32) -> i64 {
    (i64::from(day) + 3).div_euclid(7)
}

/// Number of the month since year 0, and the day's distance from the first of it.
fn months(day: i32) -> (i64, i32) {
    match NaiveDate::from_epoch_days(day) {
        Some(date) => (
            i64::from(date.year()) * 12 + i64::from(date.month0()),
            i32::try_from(date.day0()).unwrap_or(0),
        ),
        None => (0, 0),
    }
}

/// `date_trunc(unit, x)` of a date or a timestamp.
pub(super) fn trunc(unit: DateUnit, of: Expr, with_time: bool) -> Expr {
    if !with_time {
        return unary(of, DataType::Date, move |s| {
            let done: Int32Chunked =
                unary_elementwise(days(s)?, |day: Option<i32>| start(unit, day?));
            Ok(dates(done))
        });
    }
    unary(
        of,
        DataType::Datetime(TimeUnit::Microseconds, None),
        move |s| {
            let done: Int64Chunked = unary_elementwise(micros(s)?, |time: Option<i64>| {
                let day = i32::try_from(time?.div_euclid(DAY_MICROS)).ok()?;
                Some(i64::from(start(unit, day)?) * DAY_MICROS)
            });
            Ok(timestamps(done))
        },
    )
}

/// First day of the unit that holds the day.
fn start(unit: DateUnit, day: i32) -> Option<i32> {
    day_in_range(i64::from(day))?;
    let first = match unit {
        DateUnit::Day => day,
        DateUnit::Week => day - (day + 3).rem_euclid(7),
        DateUnit::Month => day - months(day).1,
        DateUnit::Quarter => {
            let (month, _) = months(day);
            first_of_month(month - month.rem_euclid(3))?
        }
        DateUnit::Year => {
            let (month, _) = months(day);
            first_of_month(month - month.rem_euclid(12))?
        }
    };
    day_in_range(i64::from(first))
}

fn first_of_month(month: i64) -> Option<i32> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let of_year = u32::try_from(month.rem_euclid(12)).ok()?;
    NaiveDate::from_ymd_opt(year, of_year + 1, 1).map(|date| date.to_epoch_days())
}
