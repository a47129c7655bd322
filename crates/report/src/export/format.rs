//! The formats of exported lists: each is a file here and a variant of [`ExportFormat`].

mod csv;
mod ndjson;

use std::io::Write;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tessera_spec::pipeline::ExportFormat;

use super::ExportError;

/// Whom a list is written for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// Programs: every text is as it is.
    #[default]
    Exact,
    /// A spreadsheet that opens a CSV file: it recognises UTF-8 by the first bytes, and takes no text for a formula.
    Spreadsheet,
}

/// Writes rows to `to`. `path` is for messages.
///
/// # Errors
/// `to` cannot be written to.
pub fn write(
    (format, style): (ExportFormat, Style),
    rows: &RecordBatch,
    to: &mut (dyn Write + Send),
    path: &Path,
) -> Result<(), ExportError> {
    match format {
        ExportFormat::Csv => csv::write(rows, style, to)?,
        ExportFormat::Ndjson => ndjson::write(rows, to)?,
        ExportFormat::Parquet => {
            tessera_snapshot::write_rows("export", rows, &mut *to, path)?;
        }
    }
    Ok(to.flush()?)
}

/// The values of a column as texts of a file.
enum Values<'a> {
    /// Texts, which need quotes.
    Texts(&'a StringArray),
    /// Numbers, days, times and truths, which have one spelling: dates and times as ISO 8601 has them, floats with as few digits as
    /// identify them.
    Others(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> Values<'a> {
    fn of(column: &'a dyn Array) -> Result<Self, ArrowError> {
        const OPTIONS: FormatOptions<'static> = FormatOptions::new();
        Ok(match column.as_string_opt::<i32>() {
            Some(texts) => Self::Texts(texts),
            None => Self::Others(column, ArrayFormatter::try_new(column, &OPTIONS)?),
        })
    }

    fn all(rows: &'a RecordBatch) -> Result<Vec<Self>, ArrowError> {
        let columns = rows.columns().iter();
        columns.map(|column| Self::of(column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        TimestampMicrosecondArray,
    };

    use super::*;

    /// Texts that break formats which do not quote or escape them.
    pub(super) const TEXTS: [&str; 20] = [
        "plain",
        "",
        "a,b",
        "\"",
        "say \"no\"",
        "two\nlines",
        "back\r\nagain",
        "\r",
        "007",
        " before",
        "behind ",
        "=1+1",
        "+49 30",
        "-5",
        "@home",
        "\tx",
        "'x",
        "ünï €",
        "\u{feff}x",
        "null",
    ];

    pub(super) fn texts() -> RecordBatch {
        let texts: ArrayRef = Arc::new(StringArray::from(TEXTS.to_vec()));
        RecordBatch::try_from_iter([("a \"name\", quoted", texts)]).unwrap()
    }

    /// A column of every published type; the last row has a key alone.
    pub(super) fn every_type() -> RecordBatch {
        let money = Decimal128Array::from(vec![Some(1250), Some(-5), Some(0), None]);
        let money = money.with_precision_and_scale(12, 2).unwrap();
        let micros = TimestampMicrosecondArray::from(vec![
            Some(0),
            Some(-1),
            Some(1_798_675_199_500_000),
            None,
        ]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "whole",
                Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX, 0, 7])),
            ),
            (
                "text",
                Arc::new(StringArray::from(vec![
                    Some("a"),
                    Some(""),
                    Some("-"),
                    None,
                ])),
            ),
            (
                "float",
                Arc::new(Float64Array::from(vec![
                    Some(0.1),
                    Some(1e300),
                    Some(-0.0),
                    None,
                ])),
            ),
            (
                "small",
                Arc::new(Float64Array::from(vec![
                    Some(5e-324),
                    Some(3.0),
                    Some(f64::INFINITY),
                    None,
                ])),
            ),
            ("money", Arc::new(money)),
            (
                "day",
                Arc::new(Date32Array::from(vec![
                    Some(0),
                    Some(-719_162),
                    Some(20_820),
                    None,
                ])),
            ),
            ("time", Arc::new(micros)),
            (
                "truth",
                Arc::new(BooleanArray::from(vec![
                    Some(true),
                    Some(false),
                    None,
                    None,
                ])),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(
            columns
                .into_iter()
                .map(|(name, column)| (name, column, true)),
        )
        .unwrap()
    }
}
