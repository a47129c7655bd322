//! Whether a file's own column agrees with the value in its path, judged by the file's statistics.

use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use tessera_expr::decimal;
use tessera_expr::forms::Moment;
use tessera_expr::rel::Stored;

use crate::footer::{Footer, Found};
use crate::partitions;

/// No local time is further from UTC than this.
const FARTHEST_NANOS: i128 = 17 * 3_600 * 1_000_000_000;

impl Footer {
    /// Whether some row of the file has another value in the column than the path states (`None` is null). False where the
    /// file has no such column, or no statistics of it that tell.
    pub(crate) fn contradicts(&self, name: &str, stated: Option<&str>) -> bool {
        let Some(metadata) = &self.metadata else {
            return false;
        };
        let held = self.columns.iter().find(|(held, _)| held == name);
        let Some((_, Found::Flat(stored))) = held else {
            return false;
        };
        let schema = metadata.file_metadata().schema_descr();
        let place = schema
            .columns()
            .iter()
            .position(|column| column.path().parts() == [name]);
        place.is_some_and(|column| contradicts(metadata, (column, stored), stated))
    }
}

fn contradicts(
    metadata: &ParquetMetaData,
    (column, stored): (usize, &Stored),
    stated: Option<&str>,
) -> bool {
    metadata.row_groups().iter().any(|group| {
        let chunk = group.column(column);
        let Some(statistics) = chunk.statistics() else {
            return false;
        };
        let nulls = statistics.null_count_opt().unwrap_or(0);
        match stated {
            None => nulls < chunk.num_values().unsigned_abs() && has_bounds(statistics),
            Some(stated) => nulls > 0 || differs(statistics, stored, stated),
        }
    })
}

fn has_bounds(statistics: &Statistics) -> bool {
    statistics.min_bytes_opt().is_some()
}

/// Whether the smallest or the largest value differs from the value of the text, in the form in which the column is stored.
fn differs(statistics: &Statistics, stored: &Stored, stated: &str) -> bool {
    fn other<T>(min: Option<T>, max: Option<T>, is_stated: impl Fn(T) -> bool) -> bool {
        let mut bounds = min.into_iter().chain(max);
        bounds.any(|value| !is_stated(value))
    }
    let text = stated.trim();
    match statistics {
        Statistics::Int32(values) => {
            let [min, max] =
                [values.min_opt(), values.max_opt()].map(|v| v.copied().map(i64::from));
            other(min, max, |value| is_whole(value, stored, text))
        }
        Statistics::Int64(values) => {
            let [min, max] = [values.min_opt(), values.max_opt()].map(|v| v.copied());
            other(min, max, |value| is_whole(value, stored, text))
        }
        Statistics::Double(values) => {
            let stated: Option<f64> = text.parse().ok();
            other(values.min_opt(), values.max_opt(), |v| Some(*v) == stated)
        }
        Statistics::Boolean(values) => {
            let stated = partitions::boolean(text);
            other(values.min_opt(), values.max_opt(), |v| Some(*v) == stated)
        }
        Statistics::ByteArray(values) if matches!(stored, Stored::String | Stored::Bytes) => {
            let exact = values.min_is_exact() && values.max_is_exact();
            exact
                && other(values.min_opt(), values.max_opt(), |value| {
                    value.data() == stated.as_bytes()
                })
        }
        _ => false,
    }
}

/// Whether an integer of the file means what the text states. True where that cannot be told.
fn is_whole(value: i64, stored: &Stored, text: &str) -> bool {
    match stored {
        Stored::Int { bits, signed } => {
            let value = match (signed, bits) {
                (true, _) => i128::from(value),
                (false, 64) => i128::from(value.cast_unsigned()),
                // In 32 bits, of which the first is no sign.
                (false, _) => i128::from(value & 0xffff_ffff),
            };
            text.parse() == Ok(value)
        }
        Stored::Decimal { scale, .. } => decimal::parse(text, *scale) == Some(i128::from(value)),
        Stored::Date => partitions::date(text).map(|day| day.to_epoch_days().into()) == Some(value),
        Stored::Timestamp {
            ticks_per_second,
            zone,
        } => {
            let nanos = i128::from(value) * i128::from(1_000_000_000 / (*ticks_per_second).max(1));
            let apart = |micros: i64| (nanos - i128::from(micros) * 1_000).abs();
            match partitions::moment(text) {
                // The zone of such a time is not known here.
                Some(Moment::Day(micros) | Moment::Local(micros)) if zone.is_some() => {
                    apart(micros) <= FARTHEST_NANOS
                }
                Some(Moment::Instant(micros)) if zone.is_none() => apart(micros) <= FARTHEST_NANOS,
                Some(Moment::Day(micros) | Moment::Local(micros) | Moment::Instant(micros)) => {
                    apart(micros) == 0
                }
                None => false,
            }
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timestamp(ticks_per_second: u32, zone: Option<&str>) -> Stored {
        Stored::Timestamp {
            ticks_per_second,
            zone: zone.map(str::to_owned),
        }
    }

    #[test]
    fn values_are_compared_and_not_their_texts() {
        let midnight = 1_790_812_800;
        let unsigned = |bits| Stored::Int {
            bits,
            signed: false,
        };
        let (precision, scale) = (9, 2);
        for (value, stored, text) in [
            (20_727, Stored::Date, "2026-10-01"),
            (20_727, Stored::Date, "20261001"),
            (midnight * 1_000, timestamp(1_000, None), "2026-10-01"),
            (midnight * 1_000_000, timestamp(1_000_000, None), "20261001"),
            (
                (midnight + 90) * 1_000_000_000,
                timestamp(1_000_000_000, None),
                "2026-10-01 00:01:30",
            ),
            // Midnight in Tokyo.
            (
                (midnight - 9 * 3_600) * 1_000,
                timestamp(1_000, Some("UTC")),
                "2026-10-01",
            ),
            (150, Stored::Decimal { precision, scale }, "1.50"),
            (
                7,
                Stored::Int {
                    bits: 32,
                    signed: true,
                },
                "07",
            ),
            (-1, unsigned(32), "4294967295"),
            (-1, unsigned(64), "18446744073709551615"),
        ] {
            assert!(is_whole(value, &stored, text), "{text}");
            let other = value - 86_400_000 * 1_000_000_000;
            assert!(!is_whole(other, &stored, text), "{text}");
        }
        assert!(!is_whole(20_727, &Stored::Date, "x"));
    }
}
