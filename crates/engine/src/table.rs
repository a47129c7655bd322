//! Stage files: the Parquet tables that stages hand to one another.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use rayon::prelude::*;
use tessera_spec::noted::{Failure, Noting, of_system};
use tessera_spec::private;

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
pub(crate) const ROW_GROUP_ROWS: usize = 1 << 17;

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

/// Reads a whole stage file, its row groups and then its columns at the same time.
pub(crate) fn read_file(path: &Path) -> Result<RecordBatch, EngineError> {
    let open = || File::open(path).map_err(|error| EngineError::io("open stage file", path, error));
    let footer =
        ArrowReaderMetadata::load(&open()?, Default::default()).map_err(|e| broken(path, &e))?;
    let group = |group: usize| -> Result<Vec<RecordBatch>, EngineError> {
        EngineError::go_on()?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open()?, footer.clone())
            .with_row_groups(vec![group])
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
    let schema = footer.schema();
    if parts.is_empty() {
        return Ok(RecordBatch::new_empty(schema.clone()));
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
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
