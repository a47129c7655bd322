//! Timestamps and dates from text and numbers.

use polars::prelude::arity::unary_elementwise;
use polars::prelude::{
    BooleanChunked, DataType, Expr, Int32Chunked, Int64Chunked, IntoSeries, TimeUnit,
};
use tessera_expr::forms::{self, Moment, trimmed};
use tessera_expr::temporal::{DAY_MICROS, FIRST_DAY, LAST_DAY, Stated, read_timestamp};
use tessera_expr::{EpochUnit, Type};
use tessera_spec::pipeline::TimeFormat;

use super::Clock;
use super::kernels::{dates, timestamps, unary};
use super::zones::Stating;

const TIMESTAMP: DataType = DataType::Datetime(TimeUnit::Microseconds, None);

/// `cast(text as timestamp)`; white space around the text does not matter.
pub(super) fn from_text(of: Expr, clock: Clock) -> Expr {
    let stating = Stating::new(clock);
    let read = move |text: &str| stating.timestamp(read_timestamp(text.trim())?);
    unary(of, TIMESTAMP, move |s| {
        let done: Int64Chunked = unary_elementwise(s.str()?, |x: Option<&str>| read(x?));
        Ok(timestamps(done))
    })
}

/// `cast(text as date)`: a date, or the day of a timestamp on the local clock.
pub(super) fn day_from_text(of: Expr, clock: Clock) -> Expr {
    let stating = Stating::new(clock);
    let read = move |text: &str| match read_timestamp(text.trim())? {
        Stated::Day(day) => Some(day),
        stated => i32::try_from(stating.timestamp(stated)?.div_euclid(DAY_MICROS)).ok(),
    };
    unary(of, DataType::Date, move |s| {
        let done: Int32Chunked = unary_elementwise(s.str()?, |x: Option<&str>| read(x?));
        Ok(dates(done))
    })
}

/// Times of a file, of any unit and with a zone or without, in microseconds; null outside the years 1 to 9999, and for the
/// largest and smallest number of nanoseconds, which readers return for times beyond the range of nanoseconds.
pub(crate) fn micros_in_range(of: Expr) -> Expr {
    unary(of, TIMESTAMP, |s| {
        let times = s.datetime()?;
        let ticks = times.physical();
        let per_milli: i64 = match times.time_unit() {
            TimeUnit::Milliseconds => 1,
            TimeUnit::Microseconds => 1_000,
            TimeUnit::Nanoseconds => 1_000_000,
        };
        let (low, high) = tick_range(times.time_unit());
        // one pass that the compiler can vectorise; hardly any column needs the second
        let clean = ticks.downcast_iter().all(|chunk| {
            let outside = |bad, tick: &i64| bad | (*tick < low) | (*tick > high);
            !chunk.values().iter().fold(false, outside)
        });
        if clean && per_milli == 1_000 {
            return Ok(timestamps(ticks.clone()));
        }
        let micros: Int64Chunked = unary_elementwise(ticks, |tick: Option<i64>| {
            let tick = tick.filter(|tick| (low..=high).contains(tick))?;
            Some(match per_milli {
                1 => tick * 1_000,
                1_000 => tick,
                _ => tick.div_euclid(1_000),
            })
        });
        Ok(timestamps(micros))
    })
}

/// The first and the last tick that is a time: of the years 1 to 9999, or of those that nanoseconds can count.
pub(crate) fn tick_range(unit: TimeUnit) -> (i64, i64) {
    let (first, last) = (
        i64::from(FIRST_DAY) * DAY_MICROS,
        (i64::from(LAST_DAY) + 1) * DAY_MICROS - 1,
    );
    match unit {
        TimeUnit::Milliseconds => (first.div_euclid(1_000), last.div_euclid(1_000)),
        TimeUnit::Microseconds => (first, last),
        TimeUnit::Nanoseconds => (i64::MIN + 1, i64::MAX - 1),
    }
}

/// Days of a file; null outside the years 1 to 9999.
pub(crate) fn days_in_range(of: Expr) -> Expr {
    unary(of, DataType::Date, |s| {
        let days = super::kernels::days(s)?;
        let inside = FIRST_DAY..=LAST_DAY;
        let clean = days.downcast_iter().all(|chunk| {
            let outside = |bad, day: &i32| bad | (*day < FIRST_DAY) | (*day > LAST_DAY);
            !chunk.values().iter().fold(false, outside)
        });
        if clean {
            return Ok(s.clone());
        }
        let done: Int32Chunked = unary_elementwise(days, |day: Option<i32>| {
            day.filter(|day| inside.contains(day))
        });
        Ok(dates(done))
    })
}

/// `strptime(text, format)`: a date or a timestamp, as the checker has decided by the format.
pub(super) fn strptime(of: Expr, format: &str, ty: Type, clock: Clock) -> Expr {
    let read = by_format(format);
    let stating = Stating::new(clock);
    if ty == Type::Date {
        return unary(of, DataType::Date, move |s| {
            let day = |text: Option<&str>| match read(text?)? {
                Stated::Day(day) => Some(day),
                Stated::Local(time) | Stated::Instant(time) => {
                    i32::try_from(time.div_euclid(DAY_MICROS)).ok()
                }
            };
            let done: Int32Chunked = unary_elementwise(s.str()?, day);
            Ok(dates(done))
        });
    }
    unary(of, TIMESTAMP, move |s| {
        let time = |text: Option<&str>| stating.timestamp(read(text?)?);
        let done: Int64Chunked = unary_elementwise(s.str()?, time);
        Ok(timestamps(done))
    })
}

/// `to_timestamp(epoch, unit)`; decimals of floats count.
pub(super) fn from_epoch(of: Expr, float: bool, unit: EpochUnit, clock: Clock) -> Expr {
    let stating = Stating::new(clock);
    let per_second = unit.per_second();
    unary(of, TIMESTAMP, move |s| {
        let done: Int64Chunked = if float {
            unary_elementwise(s.f64()?, |x: Option<f64>| {
                stating.timestamp(Stated::Instant(float_micros(x?, per_second)?))
            })
        } else {
            unary_elementwise(s.i64()?, |x: Option<i64>| {
                stating.timestamp(Stated::Instant(integer_micros(x?, per_second)?))
            })
        };
        Ok(timestamps(done))
    })
}

fn integer_micros(epoch: i64, per_second: i64) -> Option<i64> {
    if per_second <= 1_000_000 {
        epoch.checked_mul(1_000_000 / per_second)
    } else {
        Some(epoch.div_euclid(per_second / 1_000_000))
    }
}

/// The nearest microsecond.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // powers of ten; within the limits
fn float_micros(epoch: f64, per_second: i64) -> Option<i64> {
    let micros = if per_second <= 1_000_000 {
        epoch * (1_000_000 / per_second) as f64
    } else {
        epoch / (per_second / 1_000_000) as f64
    };
    let micros = micros.round();
    (micros.abs() < 9.0e18).then_some(micros as i64)
}

/// Whether the text states a time that the clocks skipped.
pub(crate) fn text_skipped(of: Expr, clock: Clock) -> Expr {
    skipped(of, clock, |text| read_timestamp(text.trim()))
}

/// Whether the text states in this format a time that the clocks skipped.
pub(super) fn format_skipped(of: Expr, format: &str, clock: Clock) -> Expr {
    skipped(of, clock, by_format(format))
}

/// What a text states in a format that the checker has seen.
fn by_format(format: &str) -> impl Fn(&str) -> Option<Stated> + Send + Sync + 'static {
    let format = TimeFormat::parse(format).ok();
    move |text| {
        let format = format.as_ref()?;
        Some(match forms::read_with(trimmed(text), format)? {
            Moment::Day(time) => Stated::Day(i32::try_from(time.div_euclid(DAY_MICROS)).ok()?),
            Moment::Local(time) => Stated::Local(time),
            Moment::Instant(at) => Stated::Instant(at),
        })
    }
}

fn skipped(
    of: Expr,
    clock: Clock,
    read: impl Fn(&str) -> Option<Stated> + Send + Sync + 'static,
) -> Expr {
    let stating = Stating::new(clock);
    unary(of, DataType::Boolean, move |s| {
        let done: BooleanChunked =
            unary_elementwise(s.str()?, |x: Option<&str>| Some(stating.skipped(read(x?)?)));
        Ok(done.into_series())
    })
}
