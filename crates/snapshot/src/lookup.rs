//! The rows of single customers in a table that has the customer's key.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowPredicateFn, ParquetRecordBatchReaderBuilder, RowFilter};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use crate::error::{StoreError, unread};

/// Place of the key in tables of customers: behind `as_of`.
const KEY: usize = 1;

/// Appends the rows with one of these keys; row groups whose statistics exclude all of them are not read.
pub(crate) fn read_keys(
    file: File,
    path: &Path,
    keys: &BTreeSet<String>,
    rows: &mut Vec<RecordBatch>,
) -> Result<(), StoreError> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unread(path, &error))?;
    if builder.parquet_schema().root_schema().get_fields().len() <= KEY {
        return Ok(());
    }
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups: Vec<usize> = groups
        .filter(|(_, group)| keys.iter().any(|key| may_hold(group, key)))
        .map(|(number, _)| number)
        .collect();
    if groups.is_empty() {
        return Ok(());
    }
    // Of rows of other customers the key alone is decoded.
    let mask = ProjectionMask::roots(builder.parquet_schema(), [KEY]);
    let wanted = keys.clone();
    let predicate = ArrowPredicateFn::new(mask, move |batch| Ok(is_one(&batch, &wanted)));
    let reader = builder
        .with_row_groups(groups)
        .with_row_filter(RowFilter::new(vec![Box::new(predicate)]))
        .build();
    for batch in reader.map_err(|error| unread(path, &error))? {
        let found = batch.map_err(|error| unread(path, &error))?;
        if found.num_rows() > 0 {
            rows.push(found);
        }
    }
    Ok(())
}

/// Whether the statistics of a row group leave it open that the key is in it.
fn may_hold(group: &RowGroupMetaData, key: &str) -> bool {
    match group.column(KEY).statistics() {
        Some(Statistics::Int64(range)) => {
            match (key.parse::<i64>(), range.min_opt(), range.max_opt()) {
                (Ok(key), Some(min), Some(max)) => (*min..=*max).contains(&key),
                (Err(_), ..) => false,
                _ => true,
            }
        }
        Some(Statistics::ByteArray(range)) => match (range.min_opt(), range.max_opt()) {
            (Some(min), Some(max)) => min.data() <= key.as_bytes() && key.as_bytes() <= max.data(),
            _ => true,
        },
        _ => true,
    }
}

/// Where the key of a row, which is the only column, is one of these.
fn is_one(batch: &RecordBatch, keys: &BTreeSet<String>) -> BooleanArray {
    let column = batch.columns().first();
    if let Some(texts) = column.and_then(|column| column.as_string_opt::<i32>()) {
        let of = |text: Option<&str>| Some(text.is_some_and(|text| keys.contains(text)));
        return texts.iter().map(of).collect();
    }
    if let Some(numbers) = column.and_then(|column| column.as_primitive_opt::<Int64Type>()) {
        let keys: BTreeSet<i64> = keys.iter().filter_map(|key| key.parse().ok()).collect();
        let of = |number: Option<i64>| Some(number.is_some_and(|number| keys.contains(&number)));
        return numbers.iter().map(of).collect();
    }
    BooleanArray::from(vec![false; batch.num_rows()])
}
