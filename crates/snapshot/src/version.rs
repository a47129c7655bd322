//! One published version.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};

use crate::commit::{Commit, CommittedFile, CommittedTable, hex, run_path};
use crate::error::{StoreError, unread};
use crate::folder::Folder;
use crate::lookup;

/// A version: its commit and the folder of its tables.
#[derive(Debug, Clone)]
pub struct Version {
    commit: Arc<Commit>,
    root: Arc<Folder>,
    folder: PathBuf,
}

impl Version {
    pub(crate) fn new(commit: Commit, root: Arc<Folder>) -> Self {
        let folder = root.join(&run_path(commit.as_of, &commit.txid));
        Self {
            commit: Arc::new(commit),
            root,
            folder,
        }
    }

    /// Its number, from 1.
    pub fn number(&self) -> u64 {
        self.commit.version
    }

    /// The day at whose close it shows the customer base.
    pub fn as_of(&self) -> NaiveDate {
        self.commit.as_of
    }

    /// Name of the run that published it.
    pub fn txid(&self) -> &str {
        &self.commit.txid
    }

    /// What was committed.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Its tables.
    pub fn tables(&self) -> &[CommittedTable] {
        &self.commit.tables
    }

    /// Folder of its tables.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of its tables, relative to that of the store.
    pub fn folder_in_store(&self) -> String {
        run_path(self.commit.as_of, &self.commit.txid)
    }

    /// Rows of a table, 0 where it has no such table.
    pub fn rows(&self, table: &str) -> u64 {
        self.tables()
            .iter()
            .find(|known| known.name == table)
            .map_or(0, CommittedTable::rows)
    }

    /// Size of all its files.
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    fn files(&self) -> impl Iterator<Item = &CommittedFile> {
        self.tables().iter().flat_map(|table| &table.files)
    }

    /// Opens a file that has the size that the commit states: another one, though it may be a table, is not what was published.
    fn open(&self, stated: &CommittedFile) -> Result<File, StoreError> {
        let relative = format!(
            "{}/{}",
            run_path(self.commit.as_of, &self.commit.txid),
            stated.path
        );
        let path = || self.folder.join(&stated.path);
        let opened = self.root.file_below(&relative);
        let file = opened.map_err(|error| StoreError::io("open table", &path(), error))?;
        let found = file.metadata();
        let bytes = found
            .map_err(|error| StoreError::io("look at table", &path(), error))?
            .len();
        if bytes != stated.bytes {
            let reason = format!("{bytes} bytes instead of {}", stated.bytes);
            return Err(StoreError::damaged(&path(), reason));
        }
        Ok(file)
    }

    fn open_table(&self, table: &CommittedTable) -> Result<Vec<File>, StoreError> {
        table.files.iter().map(|file| self.open(file)).collect()
    }

    /// Opens every file. Open files stay readable even if they are removed.
    ///
    /// # Errors
    /// A file that is missing or cannot be opened.
    pub fn open_all(&self) -> Result<OpenVersion, StoreError> {
        let open = |table: &CommittedTable| Ok((table.name.clone(), self.open_table(table)?));
        let files = self
            .tables()
            .iter()
            .map(open)
            .collect::<Result<_, StoreError>>()?;
        Ok(OpenVersion {
            version: self.clone(),
            files,
        })
    }

    fn table(&self, name: &str) -> Result<&CommittedTable, StoreError> {
        let found = self.tables().iter().find(|known| known.name == name);
        found.ok_or_else(|| StoreError::NoTable {
            version: self.number(),
            table: name.to_owned(),
        })
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
    pub fn read_columns(
        &self,
        table: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.table(table)?;
        let files = self.open_table(found)?;
        self.read_files(found, &files, wanted)
    }

    /// Reads those columns of a table whose names are wanted, of the rows for which `keep` is true.
    ///
    /// # Errors
    /// The version has no such table, or its file is missing or damaged.
    pub fn read_where(
        &self,
        table: &str,
        wanted: impl Fn(&str) -> bool,
        keep: &mut dyn FnMut(&RecordBatch) -> BooleanArray,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.table(table)?;
        let (mut kept, mut failed) = (Vec::new(), None);
        for (stated, file) in found.files.iter().zip(self.open_table(found)?) {
            let path = self.folder.join(&stated.path);
            scan_file(
                file,
                &path,
                &wanted,
                &mut |batch| match filter_record_batch(&batch, &keep(&batch)) {
                    Ok(batch) => kept.push(batch),
                    Err(error) => failed = Some(StoreError::damaged(&path, error.to_string())),
                },
            )?;
        }
        failed.map_or(Ok(kept), Err)
    }

    /// The columns of a table with their types, also where it has no rows.
    ///
    /// # Errors
    /// The version has no such table, or its file is missing or damaged.
    pub fn schema(&self, table: &str) -> Result<SchemaRef, StoreError> {
        let found = self.table(table)?;
        let first = found.files.iter().zip(self.open_table(found)?).next();
        let (stated, file) =
            first.ok_or_else(|| StoreError::damaged(&self.folder.join(table), "it has no file"))?;
        let metadata = ArrowReaderMetadata::load(&file, Default::default());
        let metadata = metadata.map_err(|error| unread(&self.folder.join(&stated.path), &error))?;
        Ok(metadata.schema().clone())
    }

    /// Reads the rows of these customers in a table whose second column is the customer's key.
    ///
    /// # Errors
    /// The version has no such table, or its file is missing or damaged.
    pub fn read_customers(
        &self,
        table: &str,
        keys: &BTreeSet<String>,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.table(table)?;
        let mut rows = Vec::new();
        for (stated, file) in found.files.iter().zip(self.open_table(found)?) {
            lookup::read_keys(file, &self.folder.join(&stated.path), keys, &mut rows)?;
        }
        Ok(rows)
    }

    /// Whether it has the table.
    pub fn has(&self, table: &str) -> bool {
        self.tables().iter().any(|known| known.name == table)
    }

    fn read_files(
        &self,
        table: &CommittedTable,
        files: &[File],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<RecordBatch>, StoreError> {
        let mut batches = Vec::new();
        for (stated, file) in table.files.iter().zip(files) {
            let path = self.folder.join(&stated.path);
            let file = file
                .try_clone()
                .map_err(|error| StoreError::io("open table", &path, error))?;
            read_file(file, &path, &wanted, &mut batches)?;
        }
        Ok(batches)
    }

    /// Checks that every file exists with its size. This is fast.
    ///
    /// # Errors
    /// The first file that fails; [`StoreError::is_damage`] where it is missing or has another size.
    pub fn check(&self) -> Result<(), StoreError> {
        self.files().try_for_each(|file| self.check_file(file))
    }

    pub(crate) fn check_file(&self, stated: &CommittedFile) -> Result<(), StoreError> {
        self.open(stated).map(drop)
    }

    /// Checks one file as [`Version::verify`] does, and then decodes every page of every column with its checksum.
    pub(crate) fn decode_file(&self, stated: &CommittedFile) -> Result<(), StoreError> {
        self.verify_file(stated)?;
        let path = self.folder.join(&stated.path);
        let mut rows = 0;
        scan_file(self.open(stated)?, &path, &|_| true, &mut |batch| {
            rows += batch.num_rows() as u64;
        })?;
        if rows != stated.rows {
            let reason = format!("{rows} rows instead of {}", stated.rows);
            return Err(StoreError::damaged(&path, reason));
        }
        Ok(())
    }

    /// Checks every file: size, sha256, footer, rows.
    ///
    /// # Errors
    /// The first file that is not what the commit says.
    pub fn verify(&self) -> Result<(), StoreError> {
        self.files().try_for_each(|file| self.verify_file(file))
    }

    /// As [`Version::verify`], and every page of every column is decoded.
    ///
    /// # Errors
    /// The first file that is not what the commit says.
    pub fn verify_pages(&self) -> Result<(), StoreError> {
        self.files().try_for_each(|file| self.decode_file(file))
    }

    pub(crate) fn verify_file(&self, stated: &CommittedFile) -> Result<(), StoreError> {
        verify_file(self.open(stated)?, &self.folder.join(&stated.path), stated)
    }
}

/// A version with all its files open. One reader at a time: clones of a file share their position.
#[derive(Debug)]
pub struct OpenVersion {
    version: Version,
    files: BTreeMap<String, Vec<File>>,
}

impl OpenVersion {
    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Reads a table from the open files.
    ///
    /// # Errors
    /// The version has no such table, or its file is damaged.
    pub fn read(&mut self, table: &str) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.version.table(table)?;
        self.version.read_files(
            found,
            self.files.get(table).map_or(&[], Vec::as_slice),
            |_| true,
        )
    }
}

/// Appends the wanted columns of one file.
pub(crate) fn read_file(
    file: File,
    path: &Path,
    wanted: &impl Fn(&str) -> bool,
    batches: &mut Vec<RecordBatch>,
) -> Result<(), StoreError> {
    scan_file(file, path, wanted, &mut |batch| batches.push(batch))
}

/// Passes the wanted columns of one file to a function, batch by batch.
fn scan_file(
    file: File,
    path: &Path,
    wanted: &impl Fn(&str) -> bool,
    take: &mut dyn FnMut(RecordBatch),
) -> Result<(), StoreError> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unread(path, &error))?;
    let fields = builder.schema().fields();
    let numbers: Vec<usize> = (0..fields.len())
        .filter(|&number| wanted(fields[number].name()))
        .collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), numbers);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(1 << 16)
        .build()
        .map_err(|error| unread(path, &error))?;
    for batch in reader {
        take(batch.map_err(|error| unread(path, &error))?);
    }
    Ok(())
}

/// Checks one file against its entry in the commit.
pub(crate) fn verify_file(
    mut file: File,
    path: &Path,
    stated: &CommittedFile,
) -> Result<(), StoreError> {
    let damaged = |reason: String| StoreError::damaged(path, reason);
    let (bytes, sha256) =
        hash(&mut file).map_err(|error| StoreError::io("read table", path, error))?;
    if bytes != stated.bytes {
        return Err(damaged(format!(
            "{bytes} bytes instead of {}",
            stated.bytes
        )));
    }
    if sha256 != stated.sha256 {
        return Err(damaged("its sha256 is not that of the commit".to_owned()));
    }
    let metadata = ArrowReaderMetadata::load(&file, Default::default())
        .map_err(|error| unread(path, &error))?;
    let rows = metadata.metadata().file_metadata().num_rows();
    if u64::try_from(rows).ok() != Some(stated.rows) {
        return Err(damaged(format!("{rows} rows instead of {}", stated.rows)));
    }
    Ok(())
}

/// Size and sha256 of a file from its beginning.
fn hash(file: &mut File) -> io::Result<(u64, String)> {
    file.rewind()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((bytes, hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
}
