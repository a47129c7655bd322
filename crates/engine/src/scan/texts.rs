//! Texts and epoch numbers of a lake as values of the expression language, by the settings of their column.

use polars::prelude::arity::unary_elementwise;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::forms::{self, Moment, trimmed};
use tessera_expr::rel::{Scan, ScanColumn};
use tessera_spec::pipeline::{ColumnForm, EpochUnit, TimeFormat};

use super::local::local_time;
use super::{RAW, in_file};
use crate::column::col;
use crate::lower::{to_decimal, unary, wall_clock};
use crate::types::polars_type;

/// True where what a file holds did not convert to the column's type.
pub(crate) fn broken_text(scan: &Scan, column: &ScanColumn) -> Expr {
    col(raw_name(&column.name))
        .is_not_null()
        .and(in_file(scan, &column.name).is_null())
}

/// Whether the column is converted value by value, and a value may not convert.
pub(crate) fn is_converted(column: &ScanColumn) -> bool {
    column.may_break
}

/// The text of a converted column as it stands in the file; for a form that is no text, only where it did not convert.
pub(crate) fn raw_name(name: &str) -> String {
    format!("{RAW}{name}")
}

/// The texts of a column that is converted, without those that stand for a missing value.
pub(super) fn raw_texts(column: &ScanColumn) -> Expr {
    let texts = col(column.name.as_str());
    if column.ty == Type::String {
        return absent_taken_out(texts, &column.form);
    }
    present(texts, &column.form)
}

/// Texts without those that stand for a missing value.
fn present(texts: Expr, form: &ColumnForm) -> Expr {
    let form = form.clone();
    unary(texts, DataType::String, move |series| {
        let texts = series.str()?;
        let missing = |text: &str| forms::is_null(trimmed(text), &form);
        if !texts.iter().flatten().any(missing) {
            return Ok(series.clone());
        }
        let kept = texts.iter().map(|text| text.filter(|text| !missing(text)));
        let kept: StringChunked = kept.collect();
        Ok(kept.with_name(texts.name().clone()).into_series())
    })
}

/// [`present`] for a column that is text: an empty text is one, and white space counts.
fn absent_taken_out(texts: Expr, form: &ColumnForm) -> Expr {
    let Some(nulls) = form.nulls.clone() else {
        return texts;
    };
    unary(texts, DataType::String, move |series| {
        let texts = series.str()?;
        let listed = |text: &str| nulls.iter().any(|null| null == text);
        let kept = texts.iter().map(|text| text.filter(|text| !listed(text)));
        let kept: StringChunked = kept.collect();
        Ok(kept.with_name(texts.name().clone()).into_series())
    })
}

/// Integers since 1970-01-01T00:00:00Z as times.
pub(super) fn from_epoch(scan: &Scan, column: &ScanColumn) -> Expr {
    let unit = column.form.epoch.unwrap_or(EpochUnit::S);
    let numbers = col(column.name.as_str()).cast(DataType::Int64);
    let instants = unary(numbers, polars_type(Type::Timestamp), move |series| {
        let micros: Int64Chunked = unary_elementwise(series.i64()?, |number: Option<i64>| {
            forms::read_epoch_number(number?, unit)
        });
        Ok(times(micros))
    });
    of_instants(scan, instants, column.ty)
}

/// Texts as values of the column's type; null where they are none.
pub(super) fn from_text(scan: &Scan, column: &ScanColumn) -> Expr {
    let raw = col(column.name.as_str());
    let form = column.form.clone();
    let ty = column.ty;
    match ty {
        Type::String | Type::Null => absent_taken_out(raw, &form),
        Type::Bool => convert(raw, ty, |texts| {
            let done: BooleanChunked =
                unary_elementwise(texts, |x: Option<&str>| forms::read_bool(trimmed(x?)));
            done.into_series()
        }),
        Type::Int => convert(raw, ty, move |texts| {
            let read = |x: Option<&str>| forms::read_integer(trimmed(x?), &form);
            let done: Int64Chunked = unary_elementwise(texts, read);
            done.into_series()
        }),
        Type::Float => convert(raw, ty, move |texts| {
            let read = |x: Option<&str>| {
                let text = trimmed(x?);
                if form.money {
                    forms::read_money(text, &form)
                } else {
                    forms::read_float(text, &form)
                }
            };
            let done: Float64Chunked = unary_elementwise(texts, read);
            done.into_series()
        }),
        Type::Decimal { scale } => {
            let plain = unary(raw, DataType::String, move |series| {
                let plain = |text: &str| forms::exact_decimal(trimmed(text), scale, &form);
                let texts = series.str()?;
                let made: StringChunked = texts.iter().map(|text| plain(text?)).collect();
                Ok(made.with_name(texts.name().clone()).into_series())
            });
            to_decimal(plain, Type::String, scale)
        }
        Type::Date | Type::Timestamp if form.epoch.is_some() => {
            let unit = form.epoch.unwrap_or(EpochUnit::S);
            let instants = convert(raw, Type::Timestamp, move |texts| {
                let read = |x: Option<&str>| forms::read_epoch(trimmed(x?), unit);
                let done: Int64Chunked = unary_elementwise(texts, read);
                times(done)
            });
            of_instants(scan, instants, ty)
        }
        Type::Date => convert(raw, ty, move |texts| {
            let read = |x: Option<&str>| forms::read_date(trimmed(x?), &form);
            let done: Int32Chunked = unary_elementwise(texts, read);
            done.into_date().into_series()
        }),
        Type::Timestamp => moments(scan, raw, &form),
    }
}

/// Local times by the source's zone, instants by their offset, days as they are.
fn moments(scan: &Scan, texts: Expr, form: &ColumnForm) -> Expr {
    let formats = &form.formats;
    let states_day = |format: &TimeFormat| !format.has_time() && !format.has_offset();
    let mut moments = Vec::new();
    if formats.is_empty() || !formats.iter().all(states_day) {
        let instants = moments_of(texts.clone(), form, |moment| match moment {
            Moment::Instant(micros) => Some(micros),
            Moment::Local(_) | Moment::Day(_) => None,
        });
        moments.push(local_time(scan, naive_times(texts.clone(), form), false));
        moments.push(of_instants(scan, instants, Type::Timestamp));
    }
    if formats.is_empty() || formats.iter().any(states_day) {
        moments.push(days(texts, form));
    }
    coalesce(&moments)
}

/// Midnights of texts that state a day and no time.
fn days(texts: Expr, form: &ColumnForm) -> Expr {
    /// The longest day in ISO 8601, `2026-10-31`: longer texts are not read again.
    const LONGEST: usize = 10;
    let form = form.clone();
    convert(texts, Type::Timestamp, move |texts| {
        let read = |x: Option<&str>| {
            let text = trimmed(x?);
            if form.formats.is_empty() && text.len() > LONGEST {
                return None;
            }
            match forms::read_moment(text, &form)? {
                Moment::Day(micros) => Some(micros),
                Moment::Local(_) | Moment::Instant(_) => None,
            }
        };
        let done: Int64Chunked = unary_elementwise(texts, read);
        times(done)
    })
}

/// Times of texts that state no offset, as they stand there; null for all others.
pub(super) fn naive_times(texts: Expr, form: &ColumnForm) -> Expr {
    moments_of(texts, form, |moment| match moment {
        Moment::Local(micros) => Some(micros),
        Moment::Instant(_) | Moment::Day(_) => None,
    })
}

fn moments_of(texts: Expr, form: &ColumnForm, wanted: fn(Moment) -> Option<i64>) -> Expr {
    let form = form.clone();
    convert(texts, Type::Timestamp, move |texts| {
        let read = |x: Option<&str>| wanted(forms::read_moment(trimmed(x?), &form)?);
        let done: Int64Chunked = unary_elementwise(texts, read);
        times(done)
    })
}

/// Instants, held as times without a zone, on the pipeline's clock.
fn of_instants(scan: &Scan, instants: Expr, ty: Type) -> Expr {
    let local = wall_clock(instants, scan.timezone);
    if ty == Type::Date {
        local.cast(DataType::Date)
    } else {
        local
    }
}

fn convert(
    texts: Expr,
    to: Type,
    kernel: impl Fn(&StringChunked) -> Series + Send + Sync + 'static,
) -> Expr {
    unary(texts, polars_type(to), move |series| {
        Ok(kernel(series.str()?))
    })
}

fn times(micros: Int64Chunked) -> Series {
    micros
        .into_datetime(TimeUnit::Microseconds, None)
        .into_series()
}
