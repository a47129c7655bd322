//! Text files: every column as the text that the file holds, and the conversion of texts to the types of the plan.

use std::path::PathBuf;
use std::sync::Arc;

use polars::lazy::dsl::ScanSources;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{Scan, ScanColumn, Stored};

use super::local::{local_time, polars_zone};
use super::path_values::path_column;
use super::{RAW, in_file, paths};
use crate::error::EngineError;
use crate::lower::{finite, to_decimal};

pub(super) fn csv(scan: &Scan, files: &[PathBuf]) -> Result<LazyFrame, EngineError> {
    let ScanSources::Paths(paths) = paths(files)? else {
        return Err(EngineError::internal("paths".to_owned()));
    };
    let frame = LazyCsvReader::new_paths(paths)
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_missing_is_null(true)
        .with_raise_if_empty(false)
        .with_glob(false)
        .with_include_file_paths(path_column(scan))
        .finish()?;
    Ok(raw_texts(scan, frame))
}

pub(super) fn ndjson(scan: &Scan, files: &[PathBuf]) -> Result<LazyFrame, EngineError> {
    let ScanSources::Paths(paths) = paths(files)? else {
        return Err(EngineError::internal("paths".to_owned()));
    };
    let schema: SchemaRef = Arc::new(
        scan.columns
            .iter()
            .filter(|c| c.stored == Stored::Text)
            .map(|c| Field::new(c.name.as_str().into(), DataType::String))
            .collect(),
    );
    let frame = LazyJsonLineReader::new_paths(paths)
        .with_schema(Some(schema))
        .with_include_file_paths(path_column(scan))
        .finish()?;
    Ok(raw_texts(scan, frame))
}

/// Keeps the texts of columns that are about to be converted.
fn raw_texts(scan: &Scan, frame: LazyFrame) -> LazyFrame {
    let raws: Vec<Expr> = scan
        .columns
        .iter()
        .filter(|c| c.stored == Stored::Text && is_converted(c))
        .map(|c| col(c.name.as_str()).alias(raw_name(&c.name)))
        .collect();
    if raws.is_empty() {
        frame
    } else {
        frame.with_columns(raws)
    }
}

pub(super) fn from_text(scan: &Scan, name: &str, ty: Type) -> Expr {
    let text = col(name).str().strip_chars(lit(NULL));
    match ty {
        Type::String | Type::Null => col(name),
        Type::Int => text.cast(DataType::Int64),
        Type::Float => finite(text.cast(DataType::Float64)),
        Type::Decimal { scale } => to_decimal(col(name), Type::String, scale),
        Type::Bool => {
            let lower = text.str().to_lowercase();
            when(lower.clone().eq(lit("true")).or(lower.clone().eq(lit("1"))))
                .then(lit(true))
                .when(lower.clone().eq(lit("false")).or(lower.eq(lit("0"))))
                .then(lit(false))
                .otherwise(lit(NULL).cast(DataType::Boolean))
        }
        Type::Date => text.str().to_date(strptime("%Y-%m-%d")),
        Type::Timestamp => {
            let attempt = |format: &str| {
                text.clone().str().to_datetime(
                    Some(TimeUnit::Microseconds),
                    None,
                    strptime(format),
                    lit("raise"),
                )
            };
            let naive = coalesce(&[
                attempt("%Y-%m-%dT%H:%M:%S%.f"),
                attempt("%Y-%m-%d %H:%M:%S%.f"),
                attempt("%Y-%m-%dT%H:%M"),
                attempt("%Y-%m-%d %H:%M"),
                text.clone()
                    .str()
                    .to_date(strptime("%Y-%m-%d"))
                    .cast(DataType::Datetime(TimeUnit::Microseconds, None)),
            ]);
            let utc = text.str().to_datetime(
                Some(TimeUnit::Microseconds),
                None,
                strptime("%Y-%m-%dT%H:%M:%S%.fZ"),
                lit("raise"),
            );
            let instant = local_time(
                scan,
                utc.dt().replace_time_zone(
                    Some(polars_zone(chrono_tz::UTC)),
                    lit("earliest"),
                    NonExistent::Null,
                ),
                true,
            );
            coalesce(&[local_time(scan, naive, false), instant])
        }
    }
}

fn strptime(format: &str) -> StrptimeOptions {
    StrptimeOptions {
        format: Some(format.into()),
        strict: false,
        exact: true,
        cache: true,
    }
}

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
