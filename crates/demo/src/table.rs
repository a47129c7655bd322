//! Writing files so that the same rows give the same bytes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::{DemoError, TableSummary};

/// Rows of a row group: few, so that some row groups can be skipped.
const ROW_GROUP_ROWS: usize = 32_768;

/// A folder of the lake that files are written into, with counts of what has been written so far.
pub(crate) struct Table {
    root: PathBuf,
    summary: TableSummary,
}

impl Table {
    /// Creates the folder `name` below the lake.
    pub fn create(lake: &Path, name: &'static str) -> Result<Self, DemoError> {
        let root = lake.join(name);
        create_folder(&root)?;
        Ok(Self {
            root,
            summary: TableSummary {
                name,
                files: 0,
                rows: 0,
                bytes: 0,
            },
        })
    }

    /// Writes one Parquet file; `columns` are name, type and values.
    pub fn parquet(
        &mut self,
        file: &str,
        columns: Vec<(&str, DataType, ArrayRef)>,
    ) -> Result<(), DemoError> {
        let path = self.root.join(file);
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|(name, ty, _)| Field::new(*name, ty.clone(), true))
            .collect();
        let arrays: Vec<ArrayRef> = columns.into_iter().map(|(_, _, values)| values).collect();
        let batch =
            RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|source| {
                DemoError::Columns {
                    path: path.clone(),
                    source,
                }
            })?;
        write_batch(&path, &batch)?;
        self.count(&path, batch.num_rows())
    }

    /// Writes one text file of so many rows.
    pub fn text(&mut self, file: &str, text: &str, rows: usize) -> Result<(), DemoError> {
        let path = self.root.join(file);
        fs::write(&path, text).map_err(|source| DemoError::Io {
            path: path.clone(),
            source,
        })?;
        self.count(&path, rows)
    }

    /// What was written.
    pub fn finish(self) -> TableSummary {
        self.summary
    }

    fn count(&mut self, path: &Path, rows: usize) -> Result<(), DemoError> {
        let meta = fs::metadata(path).map_err(|source| DemoError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        self.summary.files += 1;
        self.summary.rows += rows as u64;
        self.summary.bytes += meta.len();
        Ok(())
    }
}

fn create_folder(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(|source| DemoError::Io {
        path: path.to_path_buf(),
        source,
    })
}

fn write_batch(path: &Path, batch: &RecordBatch) -> Result<(), DemoError> {
    let failed = |source| DemoError::Parquet {
        path: path.to_path_buf(),
        source,
    };
    let level = ZstdLevel::try_new(3).map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("tessera demo".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let file = File::create(path).map_err(|source| DemoError::Io {
        path: path.to_path_buf(),
        source,
    })?;
    let mut writer =
        ArrowWriter::try_new(file, batch.schema(), Some(properties)).map_err(failed)?;
    writer.write(batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(())
}

/// Naive timestamps in microseconds.
pub(crate) fn naive_timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, None)
}

/// Timestamps in UTC, in microseconds.
pub(crate) fn utc_timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}
