//! Columns of tables of the previous version, by name.

use arrow::array::{ArrayRef, AsArray, Date32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Date32Type, Int64Type};

use crate::error::HistoryError;

/// Rows of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Columns<'a> {
    pub(crate) table: &'static str,
    pub(crate) batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    /// A column of any type; `what` is its name in messages.
    pub(crate) fn any(self, name: &str, what: &'static str) -> Result<&'a ArrayRef, HistoryError> {
        let found = self.batch.column_by_name(name);
        found.ok_or_else(|| self.missing(what))
    }

    pub(crate) fn texts(self, name: &'static str) -> Result<&'a StringArray, HistoryError> {
        let found = self.any(name, name)?.as_string_opt::<i32>();
        found.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn days(self, name: &'static str) -> Result<&'a Date32Array, HistoryError> {
        let found = self.any(name, name)?.as_primitive_opt::<Date32Type>();
        found.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn integers(self, name: &'static str) -> Result<&'a Int64Array, HistoryError> {
        let found = self.any(name, name)?.as_primitive_opt::<Int64Type>();
        found.ok_or_else(|| self.missing(name))
    }

    /// The error that names a column.
    pub(crate) fn missing(self, column: &'static str) -> HistoryError {
        HistoryError::Column {
            table: self.table,
            column,
        }
    }
}
