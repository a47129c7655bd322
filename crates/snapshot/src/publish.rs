//! Publishing: staged, verified, made durable, then visible by one create-if-absent link. The steps are those of the store's
//! protocol, in its order; a run that dies anywhere leaves the old version or the new one, never a mix.

use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::Value;

use crate::commit::{Commit, CommittedTable, FORMAT, file_name, sha256};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::store::Store;
use crate::version::{Version, verify_file};
use crate::writer::write_file;
use crate::{tables, txid};

/// A run older than this may have lost its staged files to garbage collection, so it gives up.
const OLDEST_RUN_MILLIS: u64 = 24 * 3_600 * 1_000;

/// How often a run tries again when others publish first.
const TRIES: u32 = 10;

/// What decides the published bytes, and what is committed beside the tables.
#[derive(Debug, Clone)]
pub struct RunIdentity {
    /// sha256 over format, engine version, canonical pipeline, date, zone and inputs.
    pub idempotency_key: String,
    /// State of the customer base at the close of this day.
    pub as_of: NaiveDate,
    /// What a report needs to know of the pipeline.
    pub pipeline: Value,
    /// Inputs with their fingerprints.
    pub inputs: Value,
}

/// A version that was published, or had been already.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version.
    pub version: Version,
    /// An equal run had published it before.
    pub already: bool,
}

/// Tables on their way into the store. Nothing is visible before [`Staging::publish`].
#[derive(Debug)]
pub struct Staging<'a> {
    store: &'a Store,
    identity: RunIdentity,
    txid: String,
    run: Folder,
    day: Folder,
    tables: Vec<CommittedTable>,
    started: SystemTime,
}

impl Store {
    /// Begins a run: step 1 of the protocol.
    ///
    /// # Errors
    /// The run's folder cannot be made.
    pub fn stage(&self, identity: RunIdentity) -> Result<Staging<'_>, StoreError> {
        let day = self.data.enter_or_make(&format!("as_of={}", identity.as_of))?;
        let txid = txid::new();
        let name = format!("run={txid}");
        day.make(&name).map_err(|error| StoreError::io("make run folder", &day.join(&name), error))?;
        let run = day.enter(&name)?;
        Ok(Staging { store: self, identity, txid, run, day, tables: Vec::new(), started: SystemTime::now() })
    }
}

impl Staging<'_> {
    /// Writes a table, step 2. Columns and order of rows must be those of the table's definition.
    ///
    /// # Errors
    /// The columns are not those of the table, or the file cannot be written.
    pub fn write(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<(), StoreError> {
        let sorted_by = tables::conform(table, schema)?;
        let name = format!("{table}.parquet");
        let file = self.run.create(&name)?;
        let written = write_file(table, &name, file, schema, &sorted_by, batches)?;
        self.tables.push(CommittedTable { name: table.to_owned(), files: vec![written] });
        Ok(())
    }

    /// Makes the tables visible as the next version: steps 3 to 9.
    ///
    /// # Errors
    /// Nothing was published, unless the error is [`StoreError::InDoubt`] or [`StoreError::NotYetVisible`].
    pub fn publish(mut self, counts: Value) -> Result<Published, StoreError> {
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        for _ in 0..TRIES {
            self.verify()?;
            self.make_durable()?;
            if let Some(published) = self.commit(&counts)? {
                return Ok(published);
            }
        }
        Err(StoreError::Contended { path: self.store.path().to_owned(), tries: TRIES })
    }

    /// Step 3: every file is read again and compared.
    fn verify(&self) -> Result<(), StoreError> {
        self.tables.iter().flat_map(|table| &table.files).try_for_each(|file| verify_file(&self.run.join(&file.path), file))
    }

    /// Step 4: the names survive a power loss.
    fn make_durable(&self) -> Result<(), StoreError> {
        for folder in [&self.run, &self.day, &self.store.data, &self.store.root] {
            folder.sync().map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
        }
        Ok(())
    }

    /// Steps 6 to 9; `None` where another run took the number.
    fn commit(&self, counts: &Value) -> Result<Option<Published>, StoreError> {
        let store = self.store;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis() as u64);
        if txid::began_millis(&self.txid).is_none_or(|began| now.saturating_sub(began) > OLDEST_RUN_MILLIS) {
            return Err(StoreError::io("commit", self.run.path(), std::io::Error::other("the run began more than 24 hours ago; start it again")));
        }
        let _lock = store.lock()?;
        // A predecessor that died after its commit is completed first.
        store.refresh_hints()?;
        if let Some(version) = store.find(&self.identity.idempotency_key)? {
            return Ok(Some(Published { version, already: true }));
        }
        self.still_there()?;
        let parent = store.numbers()?.last().copied().unwrap_or(0);
        let (commit, bytes) = self.sealed(parent, counts)?;
        let draft = format!("{}.json", self.txid);
        store.tmp.remove(&draft);
        store.tmp.write_new(&draft, &bytes)?;
        match store.tmp.link(&draft, &store.commits, &file_name(commit.version)) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(StoreError::io("link commit", &store.commits.join(&file_name(commit.version)), error)),
            Ok(()) => {}
        }
        if let Err(error) = store.commits.sync() {
            return Err(StoreError::InDoubt { path: store.path().to_owned(), version: commit.version, step: "fsync of commits", error });
        }
        store.tmp.remove(&draft);
        store.refresh_hints().map_err(|error| StoreError::NotYetVisible {
            path: store.path().to_owned(),
            version: commit.version,
            error: Box::new(error),
        })?;
        Ok(Some(Published { version: store.version_from(commit), already: false }))
    }

    /// Garbage collection may have run since the files were verified.
    fn still_there(&self) -> Result<(), StoreError> {
        for file in self.tables.iter().flat_map(|table| &table.files) {
            let path = self.run.join(&file.path);
            let size = self.run.size(&file.path).map_err(|error| StoreError::io("look at table", &path, error))?;
            if size != file.bytes {
                return Err(StoreError::damaged(&path, format!("{size} bytes instead of {}", file.bytes)));
            }
        }
        Ok(())
    }

    fn sealed(&self, parent: u64, counts: &Value) -> Result<(Commit, Vec<u8>), StoreError> {
        let parent_sha256 = match parent {
            0 => String::new(),
            number => sha256(&self.store.commit(number)?.1),
        };
        let time = |time: SystemTime| DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true);
        Commit {
            format: FORMAT,
            version: parent + 1,
            parent,
            parent_sha256,
            txid: self.txid.clone(),
            idempotency_key: self.identity.idempotency_key.clone(),
            as_of: self.identity.as_of,
            pipeline: self.identity.pipeline.clone(),
            inputs: self.identity.inputs.clone(),
            counts: counts.clone(),
            tables: self.tables.clone(),
            started_at: time(self.started),
            finished_at: time(SystemTime::now()),
            body_sha256: String::new(),
        }
        .seal()
        .map_err(|error| StoreError::io("write commit", self.run.path(), error))
    }
}
