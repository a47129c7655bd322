//! Columns from the form in which files hold them to the types of the expression language.

use chrono::{DateTime, NaiveDate};
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{Scan, ScanColumn, Stored};

use super::local::local_time;
use super::texts::{from_epoch, from_text, raw_name, raw_texts};
use super::{beyond_name, code_name, is_told_apart_raw, no_number_name, shows_beyond};
use crate::column::col;
use crate::lower::{days_in_range, finite, from_decimal, unary, whole_number, widened};
use crate::types::polars_type;

/// The largest integer up to which every integer is a float of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The column in its type: integers of 64 bits, finite floats, local wall-clock times. None where it is that already.
pub(super) fn normalised(scan: &Scan, column: &ScanColumn) -> Option<Expr> {
    let made = in_its_type(scan, column);
    let made = match column.bounds {
        Some(bounds) if column.breaks_as(&column.stored) => {
            let value = made.unwrap_or_else(|| col(column.name.as_str()));
            Some(within(value, bounds))
        }
        _ => made,
    };
    made.map(|made| made.alias(column.name.as_str()))
}

/// Integers within bounds; null for others.
fn within(integer: Expr, (least, greatest): (i64, i64)) -> Expr {
    let inside = integer
        .clone()
        .gt_eq(lit(least))
        .and(integer.clone().lt_eq(lit(greatest)));
    when(inside).then(integer).otherwise(lit(NULL))
}

/// [`normalised`] for a type of 64 bits.
fn in_its_type(scan: &Scan, column: &ScanColumn) -> Option<Expr> {
    let name = column.name.as_str();
    let made = match (&column.stored, column.ty) {
        (Stored::Date, Type::Timestamp) => {
            days_in_range(col(name)).cast(polars_type(Type::Timestamp))
        }
        (Stored::Date, _) => days_in_range(col(name)),
        (Stored::DateMillis, ty) => {
            days_in_range(col(name).cast(DataType::Date)).cast(polars_type(ty))
        }
        (Stored::Bool | Stored::String | Stored::HivePath | Stored::Mixed, _) => return None,
        (
            Stored::Int {
                bits: 64,
                signed: true,
            },
            Type::Int,
        ) => return None,
        (Stored::Int { .. }, Type::Date | Type::Timestamp) => from_epoch(scan, column),
        (Stored::Int { bits: 64, .. }, Type::Float) => exact_float(col(name)),
        (Stored::Int { .. } | Stored::Decimal { .. }, Type::Decimal { scale }) => {
            widened(col(name), scale)
        }
        (
            Stored::Float { .. }
            | Stored::Decimal { .. }
            | Stored::Int {
                bits: 64,
                signed: false,
            },
            Type::Int,
        ) => whole_number(col(name)),
        (Stored::Decimal { scale, .. }, Type::Float) => {
            from_decimal(col(name), *scale, Type::Float)
        }
        (Stored::Int { .. } | Stored::Decimal { .. }, ty) => col(name).cast(polars_type(ty)),
        (Stored::Float { .. }, _) => finite(col(name).cast(DataType::Float64)),
        (Stored::Bytes, _) => bytes_text(col(name), utf8),
        (Stored::Uuid, _) => uuid_text(col(name)),
        (Stored::Timestamp { zone, .. }, Type::Date) => {
            let local = local_time(scan, col(name), zone.is_some());
            let date = local.clone().cast(DataType::Date);
            let midnight = date.clone().cast(polars_type(Type::Timestamp));
            when(local.eq(midnight)).then(date).otherwise(lit(NULL))
        }
        (Stored::Timestamp { zone, .. }, _) => local_time(scan, col(name), zone.is_some()),
        (Stored::Text, _) => from_text(scan, column),
    };
    Some(made)
}

/// Floats of integers for which there is one; null for others.
fn exact_float(integer: Expr) -> Expr {
    let integer = integer.cast(DataType::Int64);
    let within = integer
        .clone()
        .lt_eq(lit(MAX_EXACT as i64))
        .and(integer.clone().gt_eq(lit(-(MAX_EXACT as i64))));
    let kept = when(within).then(integer).otherwise(lit(NULL));
    kept.cast(DataType::Float64)
}

/// The text of UUIDs in 16 bytes: `0f8fad5b-d9cb-469f-a165-70867728950e`.
fn uuid_text(bytes: Expr) -> Expr {
    bytes_text(bytes, |bytes| Some(hyphenated(bytes)))
}

/// The text of bytes that are UTF-8.
fn utf8(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

fn bytes_text(bytes: Expr, text: fn(&[u8]) -> Option<String>) -> Expr {
    let texts = move |column: Column| {
        let bytes = column.as_materialized_series().binary()?;
        let texts: StringChunked = bytes.iter().map(|bytes| bytes.and_then(text)).collect();
        Ok(texts.with_name(column.name().clone()).into_column())
    };
    let field = |_: &Schema, field: &Field| Ok(Field::new(field.name().clone(), DataType::String));
    bytes.map(texts, field)
}

fn hyphenated(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// What the files hold of a column of which not every value converts, as text; of forms that are no text, only where the value
/// did not convert. None for other columns.
pub(super) fn raw(scan: &Scan, column: &ScanColumn) -> Option<Expr> {
    if !column.may_break {
        return None;
    }
    let raw = raw_name(&column.name);
    if column.stored == Stored::Text {
        return Some(raw_texts(column).alias(raw));
    }
    if !column.breaks_as(&column.stored) {
        return Some(lit(NULL).cast(DataType::String).alias(raw));
    }
    let value = col(column.name.as_str());
    let shown = match column.stored {
        Stored::Bytes => bytes_text(value.clone(), |bytes| {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }),
        Stored::Timestamp { ref zone, .. } => {
            let inside = local_time(scan, value.clone(), zone.is_some()).is_not_null();
            let time = when(inside).then(value.clone()).otherwise(lit(NULL));
            coalesce(&[time.cast(DataType::String), outside_years(scan, column)?])
        }
        _ => value.clone().cast(DataType::String),
    };
    let made = normalised(scan, column)?;
    let broken = value.is_not_null().and(made.is_null());
    Some(when(broken).then(shown).otherwise(lit(NULL)).alias(raw))
}

/// What the files hold of a column of days or times where it has none that can be represented. None for other columns.
pub(super) fn beyond(scan: &Scan, column: &ScanColumn, common: &ScanColumn) -> Option<Expr> {
    if !shows_beyond(common) {
        return None;
    }
    let nothing = || lit(NULL).cast(DataType::String);
    let text = outside_years(scan, column).unwrap_or_else(nothing);
    Some(text.alias(beyond_name(&column.name)))
}

/// The text of days and times outside the years 1 to 9999; null for others. None for columns of something else.
fn outside_years(scan: &Scan, column: &ScanColumn) -> Option<Expr> {
    let value = col(column.name.as_str());
    let (per_second, made) = match &column.stored {
        Stored::Date => (None, days_in_range(value.clone())),
        Stored::DateMillis => (
            Some(1_000),
            days_in_range(value.clone().cast(DataType::Date)),
        ),
        Stored::Timestamp {
            ticks_per_second,
            zone,
        } => (
            Some(*ticks_per_second),
            local_time(scan, value.clone(), zone.is_some()),
        ),
        _ => return None,
    };
    let ticks = value.clone().to_physical().cast(DataType::Int64);
    let texts = unary(ticks, DataType::String, move |ticks| {
        let text = |ticks: Option<i64>| ticks.map(|ticks| written_time(ticks, per_second));
        let texts: StringChunked = ticks.i64()?.iter().map(text).collect();
        Ok(texts.with_name(ticks.name().clone()).into_series())
    });
    let outside = value.is_not_null().and(made.is_null());
    Some(when(outside).then(texts).otherwise(lit(NULL)))
}

/// A day or time since 1970-01-01 as a calendar writes it; beyond every calendar, the number. `per_second`: `None` for days.
fn written_time(ticks: i64, per_second: Option<u32>) -> String {
    let days = |ticks: i64| {
        let days = i32::try_from(ticks.checked_add(719_163)?).ok()?;
        NaiveDate::from_num_days_from_ce_opt(days).map(|day| day.to_string())
    };
    let time = |ticks: i64, per_second: i64| {
        let nanos = ticks.rem_euclid(per_second) * (1_000_000_000 / per_second);
        let nanos = u32::try_from(nanos).ok()?;
        let time = DateTime::from_timestamp(ticks.div_euclid(per_second), nanos)?;
        Some(time.naive_utc().to_string())
    };
    let unit = match per_second {
        None => "days",
        Some(1_000) => "ms",
        Some(1_000_000) => "µs",
        Some(_) => "ns",
    };
    let known = per_second.map_or_else(|| days(ticks), |per| time(ticks, per.into()));
    known.unwrap_or_else(|| format!("{ticks} {unit}"))
}

/// Where a column of which files may hold floats has one that is NaN or infinite. None for other columns.
pub(super) fn no_number(column: &ScanColumn) -> Option<Expr> {
    let flag = match column.stored {
        Stored::Float { .. } => col(column.name.as_str()).is_finite().not(),
        _ => lit(false),
    };
    let flag = flag.fill_null(lit(false));
    (column.ty == Type::Float).then(|| flag.alias(no_number_name(&column.name)))
}

/// The values of a column as the files hold them: the ticks of its times, or its floats.
pub(super) fn codes(column: &ScanColumn, common: &ScanColumn) -> Option<Expr> {
    if !is_told_apart_raw(common) {
        return None;
    }
    let value = col(column.name.as_str());
    if let Stored::Float { .. } = common.stored {
        let floats = value.cast(DataType::Float64);
        return Some(floats.alias(code_name(&column.name)));
    }
    let value = match (&column.stored, &common.stored) {
        (
            Stored::Timestamp {
                ticks_per_second: held,
                ..
            },
            Stored::Timestamp {
                ticks_per_second: wanted,
                ..
            },
        ) if held != wanted => value.dt().cast_time_unit(TimeUnit::Microseconds),
        _ => value,
    };
    let codes = value.to_physical().cast(DataType::Int64);
    Some(codes.alias(code_name(&column.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bytes_are_a_uuid() {
        let bytes: Vec<u8> = (0..16).map(|n| n * 17).collect();
        assert_eq!(hyphenated(&bytes), "00112233-4455-6677-8899-aabbccddeeff");
    }

    #[test]
    fn times_beyond_a_calendar_are_numbers() {
        for (ticks, per_second, wanted) in [
            (253_402_300_800_000, Some(1_000), "+10000-01-01 00:00:00"),
            (
                -62_135_596_800_000_001,
                Some(1_000_000),
                "0000-12-31 23:59:59.999999",
            ),
            (i64::MAX, Some(1_000), "9223372036854775807 ms"),
            (i64::MIN, Some(1_000_000), "-9223372036854775808 µs"),
            (2_932_897, None, "+10000-01-01"),
            (i64::MAX, None, "9223372036854775807 days"),
        ] {
            assert_eq!(written_time(ticks, per_second), wanted);
        }
    }

    fn made(expr: Expr, series: Series) -> Series {
        let frame = DataFrame::new(series.len(), vec![series.into_column()]).unwrap();
        let made = frame.lazy().select([expr]).collect().unwrap();
        made.columns()[0].as_materialized_series().clone()
    }

    #[test]
    fn floats_are_integers_where_no_digit_is_missing() {
        let held = [
            17_850.0,
            -0.0,
            1.5,
            9_007_199_254_740_994.0,
            f64::NAN,
            f64::INFINITY,
        ];
        let found = made(whole_number(col("x")), Series::new("x".into(), held));
        let found: Vec<Option<i64>> = found.i64().unwrap().iter().collect();
        assert_eq!(found, [Some(17_850), Some(0), None, None, None, None]);
    }

    #[test]
    fn integers_are_floats_where_there_is_one() {
        let held = [17_850_i64, -3, 9_007_199_254_740_993, i64::MIN];
        let found = made(exact_float(col("x")), Series::new("x".into(), held));
        let found: Vec<Option<f64>> = found.f64().unwrap().iter().collect();
        assert_eq!(found, [Some(17_850.0), Some(-3.0), None, None]);
    }
}
