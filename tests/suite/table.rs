//! Published tables as rows of texts, and their stores.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A table read whole.
pub(crate) struct Table {
    batches: Vec<RecordBatch>,
}

impl Table {
    pub(crate) fn read(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        Self {
            batches: reader.map(Result::unwrap).collect(),
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Whether there is such a column.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut batches = self.batches.iter();
        batches.any(|batch| batch.schema().index_of(name).is_ok())
    }

    pub(crate) fn bools(&self, name: &str) -> Vec<Option<bool>> {
        self.column(name, |column| column.as_boolean().iter().collect())
    }

    /// Where a column of any type has a value.
    pub(crate) fn known(&self, name: &str) -> Vec<bool> {
        self.column(name, |column| {
            (0..column.len()).map(|row| column.is_valid(row)).collect()
        })
    }

    pub(crate) fn ints(&self, name: &str) -> Vec<Option<i64>> {
        self.column(name, |column| {
            column.as_primitive::<Int64Type>().iter().collect()
        })
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<Option<f64>> {
        self.column(name, |column| {
            column.as_primitive::<Float64Type>().iter().collect()
        })
    }

    /// Days as `YYYY-MM-DD`.
    pub(crate) fn days(&self, name: &str) -> Vec<Option<String>> {
        self.column(name, |column| {
            let texts = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
            let texts = texts.as_string::<i32>().iter();
            texts.map(|text| text.map(str::to_owned)).collect()
        })
    }

    /// A numeric column, whatever its width.
    pub(crate) fn numbers(&self, name: &str) -> Vec<Option<f64>> {
        self.column(name, |column| {
            let floats =
                arrow::compute::cast(column, &arrow::datatypes::DataType::Float64).unwrap();
            floats.as_primitive::<Float64Type>().iter().collect()
        })
    }

    /// The values of a column as text.
    pub(crate) fn texts(&self, name: &str) -> Vec<Option<String>> {
        self.column(name, |column| {
            let texts = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
            texts
                .as_string::<i32>()
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect()
        })
    }

    /// The first value of a column as text.
    pub(crate) fn shown(&self, name: &str) -> String {
        let column = self.batches[0]
            .column_by_name(name)
            .unwrap_or_else(|| panic!("no column {name}"));
        let texts = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
        texts
            .as_string::<i32>()
            .value(0)
            .trim_end_matches(".0")
            .to_owned()
    }

    fn column<T>(&self, name: &str, read: impl Fn(&dyn Array) -> Vec<T>) -> Vec<T> {
        let column = |batch: &RecordBatch| {
            read(
                batch
                    .column_by_name(name)
                    .unwrap_or_else(|| panic!("no column {name}"))
                    .as_ref(),
            )
        };
        self.batches.iter().flat_map(column).collect()
    }

    /// Row number by the value of a text column.
    pub(crate) fn by_text(&self, name: &str) -> BTreeMap<String, usize> {
        self.texts(name)
            .into_iter()
            .enumerate()
            .filter_map(|(row, text)| Some((text?, row)))
            .collect()
    }
}
