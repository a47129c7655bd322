//! What customers of a published version count in moves.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, Decimal128Type, Float64Type, Int64Type};
use tessera_history::Alignment;
use tessera_snapshot::Version;
use tessera_spec::pipeline::VALUE_COLUMNS;

use crate::error::PipelineError;

/// A money column of the table `customers`, in hundredths.
pub(crate) struct Values {
    keys: Option<ArrayRef>,
    cents: Vec<i64>,
}

impl Values {
    /// The column by which a version counts moves: what customers will bring where the pipeline says so, else what they have
    /// brought, else its money feature.
    pub(crate) fn column_of(version: &Version) -> Option<&str> {
        let declared = [VALUE_COLUMNS[1], VALUE_COLUMNS[2]];
        let mut declared = declared.into_iter();
        let found = declared.find(|column| Self::are_in(version, column));
        found.or_else(|| version.commit().pipeline["value"].as_str())
    }

    /// Whether a version has the column.
    pub(crate) fn are_in(version: &Version, column: &str) -> bool {
        let features = version.commit().pipeline["features"].as_array();
        let mut features = features.into_iter().flatten();
        features.any(|feature| feature["name"] == column)
    }

    /// Reads the column; a version without it counts nothing.
    pub(crate) fn new(version: &Version, key: &str, column: &str) -> Result<Self, PipelineError> {
        let read = |name: &str| name == key || name == column;
        let (mut keys, mut cents) = (Vec::new(), Vec::new());
        for batch in version.read_columns("customers", read)? {
            keys.extend(batch.column_by_name(key).cloned());
            match batch.column_by_name(column) {
                Some(column) => cents.extend(numbers(column).into_iter().map(in_cents)),
                None => cents.extend(std::iter::repeat_n(0, batch.num_rows())),
            }
        }
        let keys: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
        let keys = match keys.is_empty() {
            true => None,
            false => Some(arrow::compute::concat(&keys)?),
        };
        Ok(Self { keys, cents })
    }

    /// The values of these customers, whose keys rise; 0 where there is none.
    pub(crate) fn of(&self, keys: &ArrayRef) -> Vec<i64> {
        let rows = self.keys.as_ref();
        let rows = rows.and_then(|own| Alignment::new(own, keys, |place| place));
        let rows = rows.map(|found| found.before).unwrap_or_default();
        let of = |row: usize| {
            let row = rows.get(row).and_then(|&row| self.cents.get(row as usize));
            row.copied().unwrap_or(0)
        };
        (0..keys.len()).map(of).collect()
    }
}

/// Money in hundredths, so that sums of it are exact; nothing where there is no number.
pub(crate) fn in_cents(value: f64) -> i64 {
    let cents = (value * 100.0).round();
    // Beyond 2^53 hundredths a float has no hundredths.
    if cents.abs() < 9e15 { cents as i64 } else { 0 }
}

/// A column as numbers, days of dates among them; NaN where it is null or none.
pub(crate) fn numbers(column: &ArrayRef) -> Vec<f64> {
    if let Some(floats) = column.as_primitive_opt::<Float64Type>() {
        return floats
            .iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect();
    }
    if let Some(integers) = column.as_primitive_opt::<Int64Type>() {
        let number = |value: Option<i64>| value.map_or(f64::NAN, |value| value as f64);
        return integers.iter().map(number).collect();
    }
    if let Some(decimals) = column.as_primitive_opt::<Decimal128Type>() {
        let scale = 10_f64.powi(i32::from(decimals.scale()));
        let number = |value: Option<i128>| value.map_or(f64::NAN, |value| value as f64 / scale);
        return decimals.iter().map(number).collect();
    }
    if let Some(days) = column.as_primitive_opt::<Date32Type>() {
        let number = |value: Option<i32>| value.map_or(f64::NAN, f64::from);
        return days.iter().map(number).collect();
    }
    vec![f64::NAN; column.len()]
}
