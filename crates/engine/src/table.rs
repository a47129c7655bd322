//! Stage files: the Parquet tables that stages hand to one another.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

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

impl TableRef {
    /// Writes batches as a stage file: uncompressed, since it is read once and soon.
    pub fn write(
        path: &Path,
        schema: SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<Self, EngineError> {
        let file = File::create(path).map_err(|error| EngineError::io(path, error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::UNCOMPRESSED)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
            .build();
        let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))
            .map_err(|e| broken(path, &e))?;
        for batch in batches {
            writer.write(batch).map_err(|e| broken(path, &e))?;
        }
        writer.close().map_err(|e| broken(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            schema,
            rows: batches.iter().map(|b| b.num_rows() as u64).sum(),
        })
    }

    /// Reads the whole table.
    pub fn read(&self) -> Result<RecordBatch, EngineError> {
        read_file(&self.path)
    }
}

fn broken(path: &Path, error: &parquet::errors::ParquetError) -> EngineError {
    EngineError::io(path, std::io::Error::other(error.to_string()))
}

/// Reads a whole stage file.
pub(crate) fn read_file(path: &Path) -> Result<RecordBatch, EngineError> {
    let file = File::open(path).map_err(|error| EngineError::io(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| broken(path, &e))?;
    let schema = builder.schema().clone();
    let reader = builder
        .with_batch_size(1 << 16)
        .build()
        .map_err(|e| broken(path, &e))?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    Ok(arrow::compute::concat_batches(&schema, &batches)?)
}
