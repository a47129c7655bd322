//! Stage files: the Parquet tables that stages hand to one another.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{concat, interleave};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use rayon::prelude::*;
use tessera_spec::noted::{Failure, Noting, of_system};
use tessera_spec::private;
use tessera_spec::shown::grouped;

use crate::budget::Budget;
use crate::error::EngineError;

/// A table in a file.
#[derive(Debug, Clone)]
pub struct TableRef {
    /// The Parquet file.
    pub path: PathBuf,
    /// Its columns.
    pub schema: SchemaRef,
    /// Its rows.
    pub rows: u64,
}

/// Rows per row group: groups are read at the same time.
const ROW_GROUP_ROWS: usize = 1 << 17;

/// Rows that are merged at a time, and how many times so many are between two hand-overs to the writer.
const MERGED_ROWS: usize = 1 << 11;
const MERGED_AT_ONCE: usize = 64;

impl TableRef {
    /// Writes batches as a stage file.
    pub fn write(
        path: &Path,
        schema: SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Self, EngineError> {
        let mut writer = TableWriter::new(path, schema)?;
        for batch in batches {
            writer.push(batch)?;
        }
        writer.finish()
    }

    /// Writes a stage file from `parts`, each of which `make` turns into a batch: some at the same time, while those before
    /// them are written.
    pub(crate) fn write_parts<P: Sync>(
        path: &Path,
        schema: SchemaRef,
        parts: &[P],
        at_once: usize,
        make: impl Fn(&P) -> Result<RecordBatch, EngineError> + Sync,
    ) -> Result<Self, EngineError> {
        let mut writer = TableWriter::new(path, schema)?;
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel::<Vec<RecordBatch>>(1);
            let written = scope.spawn(move || {
                for batch in receiver.iter().flatten() {
                    writer.push(&batch)?;
                }
                writer.finish()
            });
            for parts in parts.chunks(at_once) {
                let batches = parts.par_iter().map(&make);
                if sender.send(batches.collect::<Result<_, _>>()?).is_err() {
                    // Writing has failed; it says why.
                    break;
                }
            }
            drop(sender);
            written
                .join()
                .map_err(|_| EngineError::internal("the writer of a stage stopped".to_owned()))?
        })
    }

    /// Reads the whole table.
    pub fn read(&self) -> Result<RecordBatch, EngineError> {
        read_file(&self.path)
    }

    /// Reads one column; none where the table does not have it.
    pub fn read_column(&self, name: &str) -> Result<RecordBatch, EngineError> {
        read_columns(&self.path, |column| column == name)
    }
}

/// A stage file that is being written: uncompressed, since it is read once and soon.
struct TableWriter {
    path: PathBuf,
    schema: SchemaRef,
    file: ArrowWriter<Noting<File>>,
    failure: Failure,
    rows: u64,
}

impl TableWriter {
    fn new(path: &Path, schema: SchemaRef) -> Result<Self, EngineError> {
        let file = private::create(path)
            .map_err(|error| EngineError::io("create stage file", path, error))?;
        let failure = Failure::default();
        let file = Noting::new(file, failure.clone());
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        Ok(Self {
            path: path.to_owned(),
            file: ArrowWriter::try_new(file, schema.clone(), Some(properties))
                .map_err(|e| not_written(path, &failure, &e))?,
            failure,
            schema,
            rows: 0,
        })
    }

    fn push(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        EngineError::go_on()?;
        self.rows += batch.num_rows() as u64;
        let written = self.file.write(batch);
        written.map_err(|e| not_written(&self.path, &self.failure, &e))
    }

    fn finish(self) -> Result<TableRef, EngineError> {
        let closed = self.file.close();
        closed.map_err(|e| not_written(&self.path, &self.failure, &e))?;
        Ok(TableRef {
            path: self.path,
            schema: self.schema,
            rows: self.rows,
        })
    }
}

/// The disk's error where there was one: the library hides some behind texts of its own.
fn not_written(path: &Path, failure: &Failure, error: &ParquetError) -> EngineError {
    let found = failure.take();
    let found = found.unwrap_or_else(|| io::Error::other(error.to_string()));
    EngineError::io("write stage file", path, found)
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> EngineError {
    let text = error.to_string();
    let found = of_system(&text).unwrap_or_else(|| io::Error::other(text));
    EngineError::io("read stage file", path, found)
}

/// Reads a whole stage file.
pub(crate) fn read_file(path: &Path) -> Result<RecordBatch, EngineError> {
    read_columns(path, |_| true)
}

/// Reads columns of a stage file, its row groups and then its columns at the same time.
fn read_columns(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<RecordBatch, EngineError> {
    let open = || File::open(path).map_err(|error| EngineError::io("open stage file", path, error));
    let footer =
        ArrowReaderMetadata::load(&open()?, Default::default()).map_err(|e| broken(path, &e))?;
    let fields = footer.schema().fields().iter().enumerate();
    let kept: Vec<usize> = fields
        .filter(|(_, field)| wanted(field.name()))
        .map(|(place, _)| place)
        .collect();
    let schema = Arc::new(footer.schema().project(&kept)?);
    let mask = ProjectionMask::roots(footer.parquet_schema(), kept);
    let group = |group: usize| -> Result<Vec<RecordBatch>, EngineError> {
        EngineError::go_on()?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open()?, footer.clone())
            .with_row_groups(vec![group])
            .with_projection(mask.clone())
            .with_batch_size(ROW_GROUP_ROWS)
            .build()
            .map_err(|e| broken(path, &e))?;
        let batches: Result<_, ArrowError> = reader.collect();
        batches.map_err(|e| broken(path, &e))
    };
    let groups = 0..footer.metadata().num_row_groups();
    let parts: Vec<RecordBatch> = groups
        .into_par_iter()
        .map(group)
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    if parts.is_empty() {
        return Ok(RecordBatch::new_empty(schema));
    }
    let column = |column: usize| {
        let parts: Vec<&dyn Array> = parts
            .iter()
            .map(|part| part.column(column).as_ref())
            .collect();
        concat(&parts)
    };
    let columns = (0..schema.fields().len())
        .into_par_iter()
        .map(column)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// Merges tables of the same columns, each sorted by its first one, that have no key in common. They are held in memory, and
/// their files are removed.
pub(crate) fn merge_by_key(
    parts: &[TableRef],
    budget: &Budget,
    to: &Path,
) -> Result<TableRef, EngineError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| EngineError::io("read stage file", &path, error)
    };
    let (mut bytes, mut rows) = (0, 0);
    for part in parts {
        bytes += part.path.metadata().map_err(failed(&part.path))?.len();
        rows += part.rows;
    }
    let order_bytes = rows * size_of::<(usize, usize)>() as u64;
    let what = format!("the aggregates of {} customers", grouped(rows));
    budget.require(bytes + order_bytes, &what)?;
    let mut tables = Vec::with_capacity(parts.len());
    for part in parts {
        tables.push(part.read()?);
        std::fs::remove_file(&part.path).map_err(failed(&part.path))?;
    }
    let Some(schema) = tables.first().map(RecordBatch::schema) else {
        return Err(EngineError::internal("no part of a table".to_owned()));
    };
    let order = order_by_key(&tables)?;
    let pieces: Vec<&[(usize, usize)]> = order.chunks(MERGED_ROWS).collect();
    let piece = |rows: &&[(usize, usize)]| {
        let column = |number: usize| {
            let parts: Vec<&dyn Array> = tables.iter().map(|t| t.column(number).as_ref()).collect();
            interleave(&parts, rows)
        };
        let columns = (0..schema.fields().len()).map(column);
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    };
    TableRef::write_parts(to, schema.clone(), &pieces, MERGED_AT_ONCE, piece)
}

/// Table and row of each key, in the order of keys.
fn order_by_key(tables: &[RecordBatch]) -> Result<Vec<(usize, usize)>, EngineError> {
    let keys = || tables.iter().map(|table| table.column(0));
    let numbers: Option<Vec<_>> = keys().map(|k| k.as_primitive_opt::<Int64Type>()).collect();
    if let Some(numbers) = numbers {
        let keys = numbers.into_iter().map(|keys| keys.values().iter());
        return Ok(merged(keys.collect()));
    }
    let texts: Option<Vec<_>> = keys().map(|keys| keys.as_string_opt::<i32>()).collect();
    let texts = texts.ok_or_else(|| EngineError::internal("keys of several types".to_owned()))?;
    let keys = texts.into_iter().map(|keys| keys.iter().flatten());
    Ok(merged(keys.collect()))
}

/// Which of the sorted lists each item comes from and its place there, in the order of items.
fn merged<K: Ord>(mut sorted: Vec<impl Iterator<Item = K>>) -> Vec<(usize, usize)> {
    let mut next = BinaryHeap::with_capacity(sorted.len());
    for (list, items) in sorted.iter_mut().enumerate() {
        next.extend(items.next().map(|item| Reverse((item, list, 0))));
    }
    let mut order = Vec::new();
    while let Some(Reverse((_, list, place))) = next.pop() {
        order.push((list, place));
        next.extend(
            sorted[list]
                .next()
                .map(|item| Reverse((item, list, place + 1))),
        );
    }
    order
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    /// Keys of a table from numbers.
    type Form<'f> = &'f dyn Fn(&[i64]) -> ArrayRef;

    #[test]
    fn parts_of_a_table_are_merged_by_key() {
        let folder = tempfile::tempdir().unwrap();
        let texts = |keys: &[i64]| -> ArrayRef {
            let texts = keys
                .iter()
                .map(|key| format!("a key of some length {key:07}"));
            Arc::new(StringArray::from_iter_values(texts))
        };
        let numbers = |keys: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(keys.to_vec())) };
        let forms: [Form<'_>; 2] = [&texts, &numbers];
        for keys_of in forms {
            let table = |keys: &[i64]| {
                let values = keys.iter().map(|key| (key % 3 != 0).then_some(key * 2));
                let values: ArrayRef = Arc::new(values.collect::<Int64Array>());
                RecordBatch::try_from_iter_with_nullable([
                    ("key", keys_of(keys), false),
                    ("value", values, true),
                ])
                .unwrap()
            };
            let parts: Vec<TableRef> = (0..5_i64)
                .map(|part| {
                    // The last is empty.
                    let keys = (0..20_000).filter(|key| key * 7919 % 1_009 % 4 == part);
                    let table = table(&keys.collect::<Vec<i64>>());
                    let path = folder.path().join(format!("{part}"));
                    TableRef::write(&path, table.schema(), &[table]).unwrap()
                })
                .collect();
            let to = folder.path().join("all");
            let budget = Budget::unlimited(folder.path());
            let all = merge_by_key(&parts, &budget, &to).unwrap();
            assert_eq!(all.rows, 20_000);
            let expected = table(&(0..20_000).collect::<Vec<i64>>());
            assert_eq!(all.read().unwrap(), expected);
            assert!(parts.iter().all(|part| !part.path.exists()));
        }
    }
}
