//! A few rows of a source, and the limits of a column: for a look at files of which nothing is known yet.

use polars::prelude::*;
use tessera_expr::rel::SourceRows;

use crate::column::col;
use crate::error::EngineError;
use crate::scan::each_window;

/// The first rows of a file, by its place: a text for each value, column by column, in the order of `columns`.
pub(crate) fn first_rows(
    rows: &SourceRows,
    columns: &[String],
    file: usize,
    most: usize,
) -> Result<Vec<Vec<Option<String>>>, EngineError> {
    let texts = columns
        .iter()
        .map(|name| col(name.as_str()).cast(DataType::String));
    let texts: Vec<Expr> = texts.collect();
    let mut found = vec![Vec::new(); columns.len()];
    let make = |frame: LazyFrame| Ok(frame.select(texts.clone()).limit(most as IdxSize));
    let mut run = |frame: LazyFrame| {
        let frame = frame
            .collect_with_engine(Engine::Streaming)?
            .unwrap_single();
        for (values, column) in found.iter_mut().zip(frame.columns()) {
            let texts = column.as_materialized_series().str()?.clone();
            let wanted = most.saturating_sub(values.len());
            values.extend(
                texts
                    .iter()
                    .take(wanted)
                    .map(|text| text.map(str::to_owned)),
            );
        }
        Ok(found.first().is_none_or(|values| values.len() < most))
    };
    each_window(rows, file..file + 1, false, &make, &mut run)?;
    Ok(found)
}

/// The smallest and the largest value of a column, as texts; `None` where it has none.
pub(crate) fn limits(
    rows: &SourceRows,
    column: &str,
) -> Result<Option<(String, String)>, EngineError> {
    let ends = [
        col(column).min().cast(DataType::String).alias("least"),
        col(column).max().cast(DataType::String).alias("most"),
    ];
    let mut found: Option<(String, String)> = None;
    let make = |frame: LazyFrame| Ok(frame.select(ends.clone()));
    let mut run = |frame: LazyFrame| {
        let frame = frame
            .collect_with_engine(Engine::Streaming)?
            .unwrap_single();
        let end = |name: &str| -> Result<Option<String>, EngineError> {
            let texts = frame.column(name)?.as_materialized_series().str()?.clone();
            Ok(texts.get(0).map(str::to_owned))
        };
        if let (Some(least), Some(most)) = (end("least")?, end("most")?) {
            found = Some(match found.take() {
                Some((a, b)) => (a.min(least), b.max(most)),
                None => (least, most),
            });
        }
        Ok(true)
    };
    each_window(rows, 0..rows.scan.files.len(), false, &make, &mut run)?;
    Ok(found)
}
