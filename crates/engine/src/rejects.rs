//! The rows that were set aside, each with its file, its position and its content.

use std::path::PathBuf;

use polars::prelude::*;
use tessera_expr::rel::{RowOutcome, SourceRows, Stored};

use crate::aggregate::{outcomes, status};
use crate::duplicates::Duplicates;
use crate::error::EngineError;
use crate::scan::{ROW, in_file, is_converted, raw_name, times_in_range, visible_rows};

const STATUS: &str = "__status";

/// A row that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// The file.
    pub file: PathBuf,
    /// Position within the file, from 1.
    pub row_number: u64,
    /// Name of the rule it broke.
    pub rule: String,
    /// The row as a JSON object.
    pub row: String,
}

/// Names of the checks in the order of [`tessera_expr::rel::RowCounts::by_check`].
pub(crate) fn rule_names(rows: &SourceRows) -> Vec<String> {
    let broken = rows
        .scan
        .columns
        .iter()
        .filter(|c| is_converted(c))
        .map(|c| {
            let wanted = match c.ty {
                tessera_expr::Type::Bool => "true or false",
                tessera_expr::Type::Int => "an integer",
                tessera_expr::Type::Float | tessera_expr::Type::Decimal { .. } => "a number",
                tessera_expr::Type::Date => "a date",
                tessera_expr::Type::Timestamp => "a timestamp",
                tessera_expr::Type::String | tessera_expr::Type::Null => "a text",
            };
            format!("{} is {wanted}", c.name)
        });
    let times = times_in_range(rows).map(|c| match &c.stored {
        Stored::Timestamp {
            ticks_per_second: 1_000_000_000,
            ..
        } => format!("{} is a time of the years 1677 to 2262", c.name),
        _ => format!("{} is a time of the years 1 to 9999", c.name),
    });
    broken
        .chain(times)
        .chain(rows.checks.iter().map(|check| check.rule.clone()))
        .collect()
}

/// Reads the source again, file by file, and hands over the rows set aside, in file and row order.
pub(crate) fn collect(rows: &SourceRows, mut take: impl FnMut(Reject)) -> Result<(), EngineError> {
    let rules = rule_names(rows);
    let shown: Vec<bool> = outcomes(rows)
        .iter()
        .map(|outcome| matches!(outcome, RowOutcome::Quarantine | RowOutcome::Fail))
        .collect();
    let duplicates = match &rows.dedup {
        Some(dedup) if matches!(dedup.outcome, RowOutcome::Quarantine | RowOutcome::Fail) => {
            Some(Duplicates::find(rows, dedup)?)
        }
        _ => None,
    };
    let mut position = 0;
    for file in &rows.scan.files {
        let mut frame = visible_rows(rows, std::slice::from_ref(file), true)?;
        frame = frame.with_column(status(rows).unwrap_or_else(|| lit(0u32)).alias(STATUS));
        if duplicates.is_none() {
            frame = frame.filter(col(STATUS).neq(lit(0u32)));
        }
        let frame = frame.select(content(rows)).collect()?;
        let statuses = frame
            .column(STATUS)?
            .as_materialized_series()
            .u32()?
            .clone();
        let numbers = frame
            .column(ROW)?
            .as_materialized_series()
            .cast(&DataType::UInt64)?;
        let numbers = numbers.u64()?.clone();
        for row in 0..frame.height() {
            let rule = match statuses.get(row).unwrap_or(0) {
                0 => {
                    let repeated = duplicates
                        .as_ref()
                        .is_some_and(|found| found.contains(position));
                    position += 1;
                    repeated.then(|| "not a duplicate".to_owned())
                }
                status => shown[status as usize - 1].then(|| rules[status as usize - 1].clone()),
            };
            if let Some(rule) = rule {
                let row_number = numbers.get(row).unwrap_or(0) + 1;
                take(Reject {
                    file: file.clone(),
                    row_number,
                    rule,
                    row: json(&frame, row)?,
                });
            }
        }
    }
    Ok(())
}

/// Position, status, and every column of the file; texts as they stand there.
fn content(rows: &SourceRows) -> Vec<Expr> {
    let columns = rows
        .scan
        .columns
        .iter()
        .filter(|c| c.stored != Stored::HivePath)
        .map(|c| {
            if is_converted(c) {
                let value = col(c.name.as_str()).cast(DataType::String);
                coalesce(&[col(raw_name(&c.name)), value]).alias(c.name.as_str())
            } else {
                in_file(&rows.scan, &c.name).alias(c.name.as_str())
            }
        });
    [col(ROW), col(STATUS)].into_iter().chain(columns).collect()
}

fn json(frame: &DataFrame, row: usize) -> Result<String, EngineError> {
    let mut object = serde_json::Map::new();
    for column in frame
        .columns()
        .iter()
        .filter(|c| ![ROW, STATUS].contains(&c.name().as_str()))
    {
        object.insert(column.name().to_string(), json_value(&column.get(row)?));
    }
    Ok(serde_json::Value::Object(object).to_string())
}

fn json_value(value: &AnyValue<'_>) -> serde_json::Value {
    match value {
        AnyValue::Null => serde_json::Value::Null,
        AnyValue::Boolean(b) => (*b).into(),
        AnyValue::Int64(n) => (*n).into(),
        AnyValue::Float64(x) => {
            serde_json::Number::from_f64(*x).map_or(serde_json::Value::Null, Into::into)
        }
        AnyValue::String(text) => (*text).into(),
        AnyValue::StringOwned(text) => text.as_str().into(),
        other => other.to_string().trim_matches('"').into(),
    }
}
