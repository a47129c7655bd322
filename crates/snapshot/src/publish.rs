//! Publishing: tables are staged, verified, made durable, and then become visible when the commit is created under a name that
//! must not exist yet. The steps are those of the store's protocol, in its order; a run that is killed at any point leaves the
//! old version or the new one, never a mix.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::SystemTime;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, SecondsFormat, Utc};
use rayon::prelude::*;
use serde_json::Value;

use crate::artifacts::NewArtifact;
use crate::commit::{
    Commit, CommittedArtifact, CommittedColumn, CommittedFile, CommittedTable, FORMAT, Replaced,
    file_name,
};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::gate::Gate;
use crate::identity::RunIdentity;
use crate::owners::Owner;
use crate::step::Step;
use crate::store::Store;
use crate::version::{Version, read_file, verify_file};
use crate::writer::{Layout, write_parquet};
use crate::{succession, tables, txid};

/// A run older than this may have lost its staged files to garbage collection, so it gives up.
const OLDEST_RUN_MILLIS: u64 = 24 * 3_600 * 1_000;

/// How often a run tries again when others publish first.
const TRIES: u32 = 10;

/// A version that was published, or had been already.
#[derive(Debug, Clone)]
pub struct Published {
    /// The version.
    pub version: Version,
    /// Whether an equal run had published it before.
    pub already: bool,
}

/// Tables that are being published. Nothing is visible before [`Staging::publish`]; if it is dropped before, its files are
/// removed.
#[derive(Debug)]
pub struct Staging<'a> {
    store: &'a Store,
    identity: RunIdentity,
    txid: String,
    run: Folder,
    day: Folder,
    tables: Vec<CommittedTable>,
    /// Files on their way to the disk while others are written.
    syncing: Vec<Syncing>,
    contracts: Value,
    started: SystemTime,
    /// The damaged version that this one replaces.
    replaces: Option<Replaced>,
    /// The inputs as they are committed.
    inputs: Value,
    /// What was learned from data and applied.
    artifacts: Vec<NewArtifact>,
    /// The version before this day when the tables were made, 0 for none; `None` where they do not depend on it.
    follows: Option<u64>,
    /// The gate by which the run can be stopped from outside.
    gate: Option<&'a Gate>,
    /// The pipeline that publishes.
    owner: Option<Owner>,
    /// Whether a commit may refer to the staged files, so that they must not be removed.
    referenced: bool,
}

/// A file whose content reaches the disk in a thread of its own.
#[derive(Debug)]
struct Syncing {
    path: PathBuf,
    thread: JoinHandle<io::Result<()>>,
}

impl Store {
    /// Begins a run: step 1 of the protocol.
    ///
    /// # Errors
    /// The run's folder cannot be made, or not be named.
    pub fn stage(&self, identity: RunIdentity) -> Result<Staging<'_>, StoreError> {
        txid::check_clock()?;
        let day = self
            .data
            .enter_or_make(&format!("as_of={}", identity.as_of))?;
        loop {
            let txid = txid::new();
            let name = format!("run={txid}");
            match self
                .steps
                .reach(Step::MakeRun)
                .and_then(|()| day.make(&name))
            {
                // Another run has the name, so this one takes the next.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => {
                    return Err(StoreError::io("make run folder", &day.join(&name), error));
                }
                Ok(()) => {}
            }
            return Ok(Staging {
                store: self,
                identity,
                run: day.enter(&name)?,
                txid,
                day,
                tables: Vec::new(),
                syncing: Vec::new(),
                contracts: Value::Null,
                started: SystemTime::now(),
                replaces: None,
                inputs: Value::Null,
                artifacts: Vec::new(),
                follows: None,
                gate: None,
                owner: None,
                referenced: false,
            });
        }
    }
}

impl<'a> Staging<'a> {
    /// The unique name of this run.
    pub fn txid(&self) -> &str {
        &self.txid
    }

    /// Publishes although an equal run did before, because that version is damaged.
    pub fn replace(&mut self, damaged: Replaced) {
        self.replaces = Some(damaged);
    }

    /// States the version before this day when the tables were made, 0 for none. If it is another one when the run commits,
    /// nothing is published: [`StoreError::Overtaken`].
    pub fn follow(&mut self, version: u64) {
        self.follows = Some(version);
    }

    /// States what was learned from data and applied, by what it is of.
    pub fn apply(&mut self, mut artifacts: Vec<NewArtifact>) {
        artifacts.sort_by(|a, b| a.committed.of.cmp(&b.committed.of));
        self.artifacts = artifacts;
    }

    /// States the pipeline that publishes: if the store belongs to another one when the run commits, since both began in a new store
    /// at the same time, nothing is published: [`StoreError::OtherPipeline`].
    pub fn own(&mut self, owner: Owner) {
        self.owner = Some(owner);
    }

    /// Lets others stop the run until it commits.
    pub fn stop_at(&mut self, gate: &'a Gate) {
        self.gate = Some(gate);
    }

    /// An error where the run was stopped.
    fn go_on(&self) -> Result<(), StoreError> {
        if self.gate.is_some_and(Gate::is_stopped) {
            return Err(StoreError::Stopped);
        }
        Ok(())
    }

    /// Sets when the run began, if that was before it staged its tables.
    pub fn began(&mut self, at: SystemTime) {
        self.started = at;
    }

    /// Writes a table, step 2. Columns and order of rows must be those of the table's definition.
    ///
    /// # Errors
    /// The columns or the order of rows are not those of the table, or the file cannot be written.
    pub fn write(
        &mut self,
        table: &str,
        schema: &SchemaRef,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<(), StoreError> {
        let layout = tables::layout(table, schema)?;
        let file = self.write_file(&layout, &format!("{table}.parquet"), batches)?;
        let columns = layout.schema.fields().iter().map(|field| CommittedColumn {
            name: field.name().clone(),
            ty: field.data_type().to_string(),
            nullable: field.is_nullable(),
        });
        self.tables.push(CommittedTable {
            name: table.to_owned(),
            schema: columns.collect(),
            files: vec![file],
        });
        Ok(())
    }

    fn write_file(
        &mut self,
        layout: &Layout,
        name: &str,
        batches: impl Iterator<Item = Result<RecordBatch, StoreError>>,
    ) -> Result<CommittedFile, StoreError> {
        let path = self.run.join(name);
        let steps = &self.store.steps;
        steps
            .reach(Step::CreateTable)
            .map_err(|error| StoreError::io("create table", &path, error))?;
        let batches = batches.map(|batch| self.go_on().and(batch));
        let (file, written) = write_parquet(layout, batches, self.run.create(name)?, &path)?;
        steps
            .reach(Step::SyncTable)
            .and_then(|()| self.sync(path.clone(), file))
            .map_err(|error| StoreError::io("fsync table", &path, error))?;
        Ok(CommittedFile {
            path: name.to_owned(),
            bytes: written.bytes,
            sha256: written.sha256,
            rows: written.rows,
        })
    }

    /// Begins to wait for the disk while the next tables are written.
    fn sync(&mut self, path: PathBuf, file: File) -> io::Result<()> {
        let named = std::thread::Builder::new().name("fsync".to_owned());
        let thread = named.spawn(move || file.sync_all())?;
        self.syncing.push(Syncing { path, thread });
        Ok(())
    }

    /// Waits until the content of all tables has reached the disk, the end of step 2. After fsync has failed, a second one may
    /// succeed although pages were lost, so it is never tried again.
    fn synced(&mut self) -> Result<(), StoreError> {
        self.syncing.drain(..).try_for_each(|syncing| {
            let stopped = |_| {
                Err(io::Error::other(
                    "the thread that waited for the disk stopped",
                ))
            };
            let synced = syncing.thread.join().unwrap_or_else(stopped);
            synced.map_err(|error| StoreError::io("fsync table", &syncing.path, error))
        })
    }

    /// Reads a staged table back, so that contracts are checked on what will be published: step 5.
    ///
    /// # Errors
    /// The table was not written, or is not what was written.
    pub fn read(&self, table: &str) -> Result<Vec<RecordBatch>, StoreError> {
        let found = self.tables.iter().find(|known| known.name == table);
        let found = found.ok_or_else(|| StoreError::BadTable {
            table: table.to_owned(),
            reason: "it was not staged".to_owned(),
        })?;
        let mut batches = Vec::new();
        for file in &found.files {
            let path = self.run.join(&file.path);
            let open = self
                .run
                .file(&file.path)
                .map_err(|error| StoreError::io("open table", &path, error))?;
            read_file(open, &path, &|_| true, &mut batches)?;
        }
        Ok(batches)
    }

    /// Keeps the results of the contracts on the staged tables for the commit.
    pub fn record_contracts(&mut self, results: Value) {
        self.contracts = results;
    }

    /// Makes the tables visible as the next version: steps 3 to 9.
    ///
    /// # Errors
    /// Nothing was published, unless the error is [`StoreError::InDoubt`] or [`StoreError::NotYetVisible`].
    pub fn publish(mut self, counts: Value) -> Result<Published, StoreError> {
        self.tables.sort_by(|a, b| a.name.cmp(&b.name));
        self.inputs = self.store.keep_inputs(&self.identity.inputs)?;
        self.store.keep_artifacts(&self.artifacts)?;
        self.synced()?;
        for _ in 0..TRIES {
            self.verify()?;
            self.make_durable()?;
            if let Some(published) = self.commit(&counts)? {
                return Ok(published);
            }
        }
        Err(StoreError::Contended {
            path: self.store.path().to_owned(),
            tries: TRIES,
        })
    }

    fn files(&self) -> impl Iterator<Item = &CommittedFile> {
        self.tables.iter().flat_map(|table| &table.files)
    }

    /// Step 3: every file is read again and compared.
    fn verify(&self) -> Result<(), StoreError> {
        let open = |file: &CommittedFile| {
            let path = self.run.join(&file.path);
            let reached = self.store.steps.reach(Step::ReadBack);
            reached
                .and_then(|()| self.run.file(&file.path))
                .map_err(|error| StoreError::io("open table", &path, error))
        };
        let opened = self
            .files()
            .map(|file| Ok((open(file)?, file)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        opened.into_par_iter().try_for_each(|(open, file)| {
            self.go_on()?;
            verify_file(open, &self.run.join(&file.path), file)
        })
    }

    /// Step 4: the names survive a power loss.
    fn make_durable(&self) -> Result<(), StoreError> {
        [&self.run, &self.day, &self.store.data, &self.store.root]
            .into_iter()
            .try_for_each(|folder| {
                let synced = self
                    .store
                    .steps
                    .reach(Step::SyncFolders)
                    .and_then(|()| folder.sync());
                synced.map_err(|error| StoreError::io("fsync folder", folder.path(), error))
            })
    }

    /// Steps 6 to 9; `None` where another run took the number.
    fn commit(&mut self, counts: &Value) -> Result<Option<Published>, StoreError> {
        let store = self.store;
        self.check_age()?;
        // Commits are read before the lock is taken, so that others wait only milliseconds even with many versions.
        store.digests()?;
        let _lock = store.lock_unless(&|| self.go_on())?;
        if let Some(owner) = &self.owner {
            store.claim_locked(owner)?;
        }
        // If an earlier run was killed after its commit, its hints are completed first.
        store.refresh_hints()?;
        let damaged = self.replaces.as_ref().map(|damaged| damaged.version);
        let found = store.find(&self.identity)?;
        if let Some(version) = found.filter(|found| Some(found.number()) != damaged) {
            return Ok(Some(Published {
                version,
                already: true,
            }));
        }
        self.look_again()?;
        if !store.has_kept(&self.inputs, &self.artifacts) {
            store.keep_inputs(&self.identity.inputs)?;
            store.keep_artifacts(&self.artifacts)?;
        }
        let (commit, bytes) = self.sealed(counts)?;
        if let Some(followed) = self.follows.filter(|&followed| followed != commit.previous) {
            return Err(StoreError::Overtaken {
                followed,
                now: commit.previous,
            });
        }
        if !self.name_commit(commit.version, &bytes)? {
            return Ok(None);
        }
        if let Err(error) = store
            .steps
            .reach(Step::SyncCommits)
            .and_then(|()| store.commits.sync())
        {
            return Err(StoreError::InDoubt {
                path: store.path().to_owned(),
                version: commit.version,
                step: "fsync of commits",
                error,
            });
        }
        if let Some(gate) = self.gate {
            gate.close(commit.version);
        }
        store
            .refresh_hints()
            .map_err(|error| StoreError::NotYetVisible {
                path: store.path().to_owned(),
                version: commit.version,
                error: Box::new(error),
            })?;
        Ok(Some(Published {
            version: store.version_from(commit),
            already: false,
        }))
    }

    /// Step 6.
    fn check_age(&self) -> Result<(), StoreError> {
        let young = |began: u64| txid::now_millis().saturating_sub(began) <= OLDEST_RUN_MILLIS;
        if txid::began_millis(&self.txid).is_some_and(young) {
            return Ok(());
        }
        let error = io::Error::other("the run began more than 24 hours ago; start it again");
        Err(StoreError::io("commit", self.run.path(), error))
    }

    /// Step 7: garbage collection may have run since the files were verified.
    fn look_again(&self) -> Result<(), StoreError> {
        self.files().try_for_each(|file| {
            let path = self.run.join(&file.path);
            let size = self
                .store
                .steps
                .reach(Step::LookAgain)
                .and_then(|()| self.run.size(&file.path));
            match size.map_err(|error| StoreError::io("look at table", &path, error))? {
                size if size == file.bytes => Ok(()),
                size => Err(StoreError::damaged(
                    &path,
                    format!("{size} bytes instead of {}", file.bytes),
                )),
            }
        })
    }

    /// Step 7: gives the commit its name. False where another run's commit has that name.
    fn name_commit(&mut self, version: u64, bytes: &[u8]) -> Result<bool, StoreError> {
        let store = self.store;
        let (draft, name) = (format!("{}.json", self.txid), file_name(version));
        let path = store.commits.join(&name);
        let drafted = store
            .steps
            .reach(Step::DraftCommit)
            .map_err(|error| StoreError::io("write commit", &path, error));
        if let Err(error) = drafted.and_then(|()| store.tmp.write_new(&draft, bytes)) {
            store.tmp.remove(&draft);
            return Err(error);
        }
        // From here to the end of the commit the run cannot be stopped.
        if !self.gate.is_none_or(Gate::enter) {
            store.tmp.remove(&draft);
            return Err(StoreError::Stopped);
        }
        self.referenced = true;
        let named = store
            .steps
            .reach(Step::LinkCommit)
            .and_then(|()| store.tmp.name_new(&draft, &store.commits, &name));
        store.tmp.remove(&draft);
        let Err(error) = named else { return Ok(true) };
        // Some file systems report an error although the name was created, so it is read.
        match store.commits.read(&name) {
            Ok(Some(found)) if found == bytes => Ok(true),
            Ok(found) => {
                self.referenced = false;
                if let Some(gate) = self.gate {
                    gate.leave();
                }
                match found {
                    Some(_) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                    _ => Err(StoreError::io("link commit", &path, error)),
                }
            }
            Err(_) => Err(StoreError::InDoubt {
                path: store.path().to_owned(),
                version,
                step: "naming the commit",
                error,
            }),
        }
    }

    /// The artifacts as the commit of a version names them.
    fn artifacts_of(&self, version: u64) -> Vec<CommittedArtifact> {
        let committed = self.artifacts.iter().map(|new| {
            let own = new.content.is_some();
            CommittedArtifact {
                version: if own { version } else { new.committed.version },
                ..new.committed.clone()
            }
        });
        committed.collect()
    }

    fn sealed(&self, counts: &Value) -> Result<(Commit, Vec<u8>), StoreError> {
        let digests = self.store.digests()?;
        let (parent, parent_sha256) = digests.last().map_or((0, String::new()), |last| {
            (last.version, last.sha256.clone())
        });
        let before = succession::previous(&digests, self.identity.as_of);
        let expired = self.store.expired()?;
        let is_gone = before.is_some_and(|before| expired.contains(&before.version));
        let (idempotency_key, previous) = self.identity.key_after(before, is_gone);
        let time = |time: SystemTime| {
            DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
        };
        Commit {
            format: FORMAT,
            version: parent + 1,
            parent,
            parent_sha256,
            txid: self.txid.clone(),
            idempotency_key,
            previous,
            replaces: self.replaces.clone(),
            program: self.identity.program.clone(),
            as_of: self.identity.as_of,
            pipeline: self.identity.pipeline.clone(),
            inputs: self.inputs.clone(),
            counts: counts.clone(),
            contracts: self.contracts.clone(),
            artifacts: self.artifacts_of(parent + 1),
            tables: self.tables.clone(),
            started_at: time(self.started),
            finished_at: time(SystemTime::now()),
            body_sha256: String::new(),
        }
        .seal()
        .map_err(|error| StoreError::io("write commit", self.run.path(), error))
    }
}

impl Drop for Staging<'_> {
    /// Removes the files unless a commit may refer to them; those of a run that is killed are left to garbage collection.
    fn drop(&mut self) {
        if self.referenced {
            return;
        }
        for name in self.run.list().unwrap_or_default() {
            self.run.remove(&name);
        }
        self.day.remove_folder(&format!("run={}", self.txid));
    }
}
