//! Whether a file's own column agrees with the value in its path, judged by the file's statistics.

use chrono::NaiveDate;
use parquet::basic::ConvertedType;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use crate::footer::Footer;

impl Footer {
    /// Whether some row of the file has another value in the column than the path states (`None` is null). False where the
    /// file has no such column, or no statistics of it.
    pub(crate) fn contradicts(&self, name: &str, stated: Option<&str>) -> bool {
        let Some(metadata) = &self.metadata else {
            return false;
        };
        let schema = metadata.file_metadata().schema_descr();
        let place = schema
            .columns()
            .iter()
            .position(|column| column.path().parts() == [name]);
        place.is_some_and(|column| contradicts(metadata, column, stated))
    }
}

fn contradicts(metadata: &ParquetMetaData, column: usize, stated: Option<&str>) -> bool {
    let date = metadata
        .file_metadata()
        .schema_descr()
        .column(column)
        .converted_type()
        == ConvertedType::DATE;
    metadata.row_groups().iter().any(|group| {
        let chunk = group.column(column);
        let Some(statistics) = chunk.statistics() else {
            return false;
        };
        let nulls = statistics.null_count_opt().unwrap_or(0);
        match stated {
            None => nulls < chunk.num_values().unsigned_abs() && has_bounds(statistics),
            Some(stated) => nulls > 0 || differs(statistics, stated, date),
        }
    })
}

fn has_bounds(statistics: &Statistics) -> bool {
    statistics.min_bytes_opt().is_some()
}

/// Whether the smallest or the largest value differs from the value of the text.
fn differs(statistics: &Statistics, stated: &str, date: bool) -> bool {
    fn other<T: PartialEq>(min: Option<&T>, max: Option<&T>, stated: Option<T>) -> bool {
        let differs = |value: Option<&T>| value.is_some_and(|value| Some(value) != stated.as_ref());
        differs(min) || differs(max)
    }
    match statistics {
        Statistics::Int32(values) => {
            let number = if date {
                day(stated)
            } else {
                stated.parse().ok()
            };
            other(values.min_opt(), values.max_opt(), number)
        }
        Statistics::Int64(values) => other(values.min_opt(), values.max_opt(), stated.parse().ok()),
        Statistics::Double(values) => {
            other(values.min_opt(), values.max_opt(), stated.parse().ok())
        }
        Statistics::Boolean(values) => {
            let stated = stated.to_lowercase().parse().ok();
            other(values.min_opt(), values.max_opt(), stated)
        }
        Statistics::ByteArray(values) => {
            let exact = values.min_is_exact() && values.max_is_exact();
            let differs = |value: Option<&parquet::data_type::ByteArray>| {
                value.is_some_and(|value| value.data() != stated.as_bytes())
            };
            exact && (differs(values.min_opt()) || differs(values.max_opt()))
        }
        Statistics::Int96(_) | Statistics::Float(_) | Statistics::FixedLenByteArray(_) => false,
    }
}

fn day(text: &str) -> Option<i32> {
    let form = if text.len() == 8 {
        "%Y%m%d"
    } else {
        "%Y-%m-%d"
    };
    let date = NaiveDate::parse_from_str(text, form).ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}
