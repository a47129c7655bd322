//! One published version.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};

use crate::commit::{Commit, CommittedFile, hex};
use crate::error::StoreError;

/// A version: its commit and the folder of its tables.
#[derive(Debug, Clone)]
pub struct Version {
    commit: Commit,
    folder: PathBuf,
}

impl Version {
    pub(crate) fn new(commit: Commit, folder: PathBuf) -> Self {
        Self { commit, folder }
    }

    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        self.commit.version
    }

    /// The day at whose close it shows the customer base.
    pub fn as_of(&self) -> NaiveDate {
        self.commit.as_of
    }

    /// What was committed.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Folder of its tables.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Rows of a table, 0 where it has no such table.
    pub fn rows(&self, table: &str) -> u64 {
        self.commit.tables.iter().find(|known| known.name == table).map_or(0, |known| known.rows())
    }

    /// Size of all its files.
    pub fn bytes(&self) -> u64 {
        self.commit.tables.iter().flat_map(|table| &table.files).map(|file| file.bytes).sum()
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The version has no such table, or its file is missing or damaged.
    pub fn read(&self, table: &str) -> Result<Vec<RecordBatch>, StoreError> {
        self.read_columns(table, |_| true)
    }

    /// Reads those columns of a table whose names are wanted, in the order of the table.
    ///
    /// # Errors
    /// The version has no such table, or its file is missing or damaged.
    pub fn read_columns(&self, table: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.commit.tables.iter().find(|known| known.name == table);
        let found = found.ok_or_else(|| StoreError::NoTable { version: self.number(), table: table.to_owned() })?;
        let mut batches = Vec::new();
        for file in &found.files {
            let path = self.folder.join(&file.path);
            let damaged = |reason: String| StoreError::damaged(&path, reason);
            let open = File::open(&path).map_err(|error| StoreError::io("open table", &path, error))?;
            let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(|error| damaged(error.to_string()))?;
            let numbers: Vec<usize> = builder
                .schema()
                .fields()
                .iter()
                .enumerate()
                .filter(|(_, field)| wanted(field.name()))
                .map(|(number, _)| number)
                .collect();
            let mask = ProjectionMask::roots(builder.parquet_schema(), numbers);
            let reader = builder.with_projection(mask).with_batch_size(1 << 16).build().map_err(|error| damaged(error.to_string()))?;
            for batch in reader {
                batches.push(batch.map_err(|error| damaged(error.to_string()))?);
            }
        }
        Ok(batches)
    }

    /// Checks every file: size, sha256, footer, rows.
    ///
    /// # Errors
    /// The first file that is not what the commit says.
    pub fn verify(&self) -> Result<(), StoreError> {
        for file in self.commit.tables.iter().flat_map(|table| &table.files) {
            verify_file(&self.folder.join(&file.path), file)?;
        }
        Ok(())
    }
}

/// Checks one file against what was committed of it.
pub(crate) fn verify_file(path: &Path, stated: &CommittedFile) -> Result<(), StoreError> {
    let mut file = File::open(path).map_err(|error| StoreError::io("open table", path, error))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(|error| StoreError::io("read table", path, error))?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    if bytes != stated.bytes {
        return Err(StoreError::damaged(path, format!("{bytes} bytes instead of {}", stated.bytes)));
    }
    if hex(&hash.finalize()) != stated.sha256 {
        return Err(StoreError::damaged(path, "its sha256 is not the committed one"));
    }
    let metadata = ArrowReaderMetadata::load(&file, Default::default()).map_err(|error| StoreError::damaged(path, error.to_string()))?;
    let rows = metadata.metadata().file_metadata().num_rows();
    if u64::try_from(rows).ok() != Some(stated.rows) {
        return Err(StoreError::damaged(path, format!("{rows} rows instead of {}", stated.rows)));
    }
    Ok(())
}
