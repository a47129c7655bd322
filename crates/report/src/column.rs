//! Columns of published tables as plain Rust values.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt64Type,
};

use chrono::NaiveDate;

use crate::{ReportError, ReportInput};

/// One table of the input.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    name: &'a str,
    batches: &'a [RecordBatch],
}

impl<'a> Table<'a> {
    /// The table of that name, if the version has it.
    pub(crate) fn open(input: &'a ReportInput, name: &'a str) -> Option<Self> {
        input.tables.get(name).map(|batches| Self { name, batches })
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.batches
            .iter()
            .all(|batch| batch.column_by_name(column).is_some())
    }

    /// Whether a column holds strings.
    pub(crate) fn is_text(&self, column: &str) -> bool {
        let is_text = |array: &ArrayRef| {
            matches!(
                array.data_type(),
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
            )
        };
        let first = self.batches.first();
        first
            .and_then(|batch| batch.column_by_name(column))
            .is_some_and(is_text)
    }

    /// Names of the columns that hold strings, in the order of the table.
    pub(crate) fn text_columns(&self) -> Vec<&'a str> {
        let first = self.batches.first();
        let fields = first
            .into_iter()
            .flat_map(|batch| batch.schema_ref().fields());
        fields
            .map(|field| field.name().as_str())
            .filter(|name| self.is_text(name))
            .collect()
    }

    /// Names of the columns that hold floating point numbers, in the order of the table.
    pub(crate) fn number_columns(&self) -> Vec<&'a str> {
        let first = self.batches.first();
        let fields = first
            .into_iter()
            .flat_map(|batch| batch.schema_ref().fields());
        fields
            .filter(|field| matches!(field.data_type(), DataType::Float64 | DataType::Float32))
            .map(|field| field.name().as_str())
            .collect()
    }

    /// Whether the table has the column and it holds numbers. Of a version before that is not known: its pipeline file was
    /// another one.
    pub(crate) fn has_numbers(&self, column: &str) -> bool {
        self.has(column) && self.numbers(column).is_ok()
    }

    /// Sum of a column and how many rows have a number.
    pub(crate) fn sum(&self, column: &str) -> Result<(f64, i64), ReportError> {
        let known = self.numbers(column)?.into_iter().flatten();
        Ok(known.fold((0.0, 0), |(sum, rows), value| (sum + value, rows + 1)))
    }

    /// Mean of a column over the rows that have a number.
    pub(crate) fn mean(&self, column: &str) -> Result<Option<f64>, ReportError> {
        let (sum, rows) = self.sum(column)?;
        Ok((rows > 0).then(|| sum / rows as f64))
    }

    /// Strings of a column; all null where the table has no such column.
    pub(crate) fn text(&self, column: &str) -> Result<Vec<Option<&'a str>>, ReportError> {
        self.read(column, "a string", |array, out| {
            match array.data_type() {
                DataType::Utf8 => out.extend(array.as_string::<i32>().iter()),
                DataType::LargeUtf8 => out.extend(array.as_string::<i64>().iter()),
                DataType::Utf8View => out.extend(array.as_string_view().iter()),
                _ => return None,
            }
            Some(())
        })
    }

    /// Whole numbers of a column; all null where the table has no such column.
    pub(crate) fn integers(&self, column: &str) -> Result<Vec<Option<i64>>, ReportError> {
        self.read(column, "a whole number", |array, out| {
            match array.data_type() {
                DataType::Int64 => out.extend(array.as_primitive::<Int64Type>().iter()),
                DataType::Int32 => out.extend(
                    array
                        .as_primitive::<Int32Type>()
                        .iter()
                        .map(|v| v.map(i64::from)),
                ),
                DataType::UInt64 => {
                    out.extend(
                        array
                            .as_primitive::<UInt64Type>()
                            .iter()
                            .map(|v| v.and_then(|v| i64::try_from(v).ok())),
                    );
                }
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    out.extend(array.as_primitive::<TimestampMicrosecondType>().iter());
                }
                _ => return None,
            }
            Some(())
        })
    }

    /// Dates of a column; all null where the table has no such column.
    pub(crate) fn dates(&self, column: &str) -> Result<Vec<Option<NaiveDate>>, ReportError> {
        self.read(column, "a date", |array, out| {
            let days = array.as_primitive_opt::<Date32Type>()?;
            out.extend(days.iter().map(|day| Date32Type::to_naive_date_opt(day?)));
            Some(())
        })
    }

    /// Truths of a column; all null where the table has no such column.
    pub(crate) fn truths(&self, column: &str) -> Result<Vec<Option<bool>>, ReportError> {
        self.read(column, "true or false", |array, out| {
            out.extend(array.as_boolean_opt()?.iter());
            Some(())
        })
    }

    /// Numbers of a column; all null where the table has no such column. Values that are not finite are null.
    pub(crate) fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, ReportError> {
        let finite = |v: Option<f64>| v.filter(|v| v.is_finite());
        self.read(column, "a number", |array, out| {
            match array.data_type() {
                DataType::Float64 => {
                    out.extend(array.as_primitive::<Float64Type>().iter().map(finite))
                }
                DataType::Float32 => {
                    out.extend(
                        array
                            .as_primitive::<Float32Type>()
                            .iter()
                            .map(|v| finite(v.map(f64::from))),
                    );
                }
                DataType::Int64 => out.extend(
                    array
                        .as_primitive::<Int64Type>()
                        .iter()
                        .map(|v| v.map(|v| v as f64)),
                ),
                DataType::Int32 => out.extend(
                    array
                        .as_primitive::<Int32Type>()
                        .iter()
                        .map(|v| v.map(f64::from)),
                ),
                DataType::Decimal128(_, scale) => {
                    let unit = 10_f64.powi(i32::from(*scale));
                    let decimals = array.as_primitive::<Decimal128Type>();
                    out.extend(decimals.iter().map(|v| v.map(|v| v as f64 / unit)));
                }
                _ => return None,
            }
            Some(())
        })
    }

    /// An error if the table lacks one of the columns.
    pub(crate) fn require(&self, columns: &[&str]) -> Result<(), ReportError> {
        for column in columns {
            if let Some(batch) = self
                .batches
                .iter()
                .find(|batch| batch.column_by_name(column).is_none())
            {
                return Err(ReportError::MissingColumn {
                    table: self.name.to_owned(),
                    column: (*column).to_owned(),
                    available: batch
                        .schema()
                        .fields()
                        .iter()
                        .map(|field| field.name().clone())
                        .collect(),
                });
            }
        }
        Ok(())
    }

    fn read<T: Clone>(
        &self,
        column: &str,
        expected: &'static str,
        take: impl Fn(&'a ArrayRef, &mut Vec<Option<T>>) -> Option<()>,
    ) -> Result<Vec<Option<T>>, ReportError> {
        let mut out = Vec::with_capacity(self.rows());
        for batch in self.batches {
            match batch.column_by_name(column) {
                None => out.resize(out.len() + batch.num_rows(), None),
                Some(array) if array.data_type() == &DataType::Null => {
                    out.resize(out.len() + array.len(), None)
                }
                Some(array) if take(array, &mut out).is_some() => {}
                Some(array) => {
                    return Err(ReportError::ColumnType {
                        table: self.name.to_owned(),
                        column: column.to_owned(),
                        found: array.data_type().to_string(),
                        expected,
                    });
                }
            }
        }
        Ok(out)
    }
}
