//! The store: its folder, its versions, its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::commit::{Commit, CommittedTable, file_name, run_path, sha256, version_of};
use crate::error::{Lost, StoreError};
use crate::folder::Folder;
use crate::format;
use crate::identity::RunIdentity;
use crate::listed::{Digested, Listed, ListedFile, Standing};
use crate::lock;
use crate::step::{Step, Steps};
use crate::succession;
use crate::version::{OpenVersion, Version};

/// How often a reader resolves `latest` again when files of the version were removed while it opened them.
const RESOLUTIONS: usize = 3;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Accept NFS, SMB, FUSE and 9P, at the caller's own risk: their locks and fsync may not work as specified.
    pub allow_network: bool,
    /// How long a publisher waits for the lock, which others hold for milliseconds.
    pub lock_wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow_network: false,
            lock_wait: Duration::from_secs(30),
        }
    }
}

/// A snapshot store on a local file system.
#[derive(Debug)]
pub struct Store {
    pub(crate) root: Arc<Folder>,
    pub(crate) commits: Folder,
    pub(crate) data: Folder,
    pub(crate) tmp: Folder,
    pub(crate) steps: Steps,
    options: Options,
    /// Commits that were read. Commits never change, so this cache stays valid.
    known: Mutex<Known>,
}

/// A cache of commits.
#[derive(Debug, Default)]
struct Known {
    digests: BTreeMap<u64, Arc<Digested>>,
    /// Commits that were read and checked; the others are entries of the index.
    read: BTreeSet<u64>,
    /// Whether the index was read.
    indexed: bool,
}

/// The files of tables as digests have them.
fn listed(tables: Vec<CommittedTable>) -> Arc<[ListedFile]> {
    let mut files = Vec::new();
    for table in tables {
        let name: Arc<str> = table.name.into();
        files.extend(table.files.into_iter().map(|file| ListedFile {
            table: name.clone(),
            path: file.path.into(),
            bytes: file.bytes,
            rows: file.rows,
        }));
    }
    files.into()
}

/// Whether the numbers of commits begin with all up to this one. Commits are never deleted, so an index with commits that do not
/// exist is not of this store's state.
fn begin_with(numbers: &[u64], last: u64) -> bool {
    let last_place = usize::try_from(last).unwrap_or(usize::MAX);
    numbers.iter().copied().take(last_place).eq(1..=last)
}

impl Store {
    /// Opens the store in this folder, which is created if it does not exist.
    ///
    /// # Errors
    /// The folder holds something else, is on a network file system, or cannot be written.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        Self::open_or_create_with(path, Options::default())
    }

    /// Opens the store in this folder, which is created if it does not exist.
    ///
    /// # Errors
    /// The folder holds something else, is on a file system that the options exclude, or cannot be written.
    pub fn open_or_create_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        let root = format::found(path)?;
        let store = Self::with_root(root, options)?;
        store.check_file_system()?;
        Ok(store)
    }

    /// Whether a run could publish into this folder, as far as that can be known without writing to it.
    ///
    /// # Errors
    /// The folder holds something else or a store of an unknown format, or is on a network file system.
    pub fn check(path: &Path, options: &Options) -> Result<(), StoreError> {
        let Some(root) = format::check_place(path)? else {
            return Ok(());
        };
        match root.unsupported()? {
            Some(kind) if !options.allow_network => Err(StoreError::Unsupported {
                path: path.to_owned(),
                kind: kind.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Opens an existing store.
    ///
    /// # Errors
    /// There is none in this folder, or one of an unknown format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, Options::default())
    }

    /// Opens an existing store. Reading works on any file system; publishing depends on the options.
    ///
    /// # Errors
    /// There is none in this folder, or one of an unknown format.
    pub fn open_with(path: &Path, options: Options) -> Result<Self, StoreError> {
        Self::with_root(Folder::open(path)?, options)
    }

    fn with_root(root: Folder, options: Options) -> Result<Self, StoreError> {
        format::check(&root)?;
        Ok(Self {
            commits: root.enter_or_make("commits")?,
            data: root.enter_or_make("data")?,
            tmp: root.enter_or_make("tmp")?,
            root: Arc::new(root),
            steps: Steps::default(),
            options,
            known: Mutex::default(),
        })
    }

    fn check_file_system(&self) -> Result<(), StoreError> {
        match self.root.unsupported()? {
            Some(kind) if !self.options.allow_network => Err(StoreError::Unsupported {
                path: self.path().to_owned(),
                kind: kind.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Folder of the store.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Version numbers in `commits/`, ascending. Only the listing decides; hints are not used.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        Ok(self
            .commits
            .list()?
            .iter()
            .filter_map(|name| version_of(name))
            .collect())
    }

    /// The bytes of a commit.
    pub(crate) fn commit_bytes(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let name = file_name(number);
        tracing::debug!(version = number, "a commit is read");
        self.commits
            .read(&name)?
            .ok_or_else(|| self.damaged_commit(number, "the commit is missing".to_owned()))
    }

    /// A commit from its bytes.
    pub(crate) fn parse(&self, number: u64, bytes: &[u8]) -> Result<Commit, StoreError> {
        self.parse_with(number, bytes, Commit::open)
    }

    fn parse_with(
        &self,
        number: u64,
        bytes: &[u8],
        open: impl Fn(&[u8]) -> Result<Commit, String>,
    ) -> Result<Commit, StoreError> {
        let commit = open(bytes).map_err(|reason| self.damaged_commit(number, reason))?;
        if commit.version != number {
            let reason = format!("it says that it is version {}", commit.version);
            return Err(self.damaged_commit(number, reason));
        }
        Ok(commit)
    }

    fn damaged_commit(&self, version: u64, reason: String) -> StoreError {
        StoreError::DamagedCommit {
            path: self.commits.join(&file_name(version)),
            version,
            reason,
        }
    }

    /// A commit, with its inputs.
    pub(crate) fn commit(&self, number: u64) -> Result<Commit, StoreError> {
        self.parse(number, &self.commit_bytes(number)?)
    }

    /// The tables of a version, with their columns.
    pub(crate) fn committed_tables(&self, number: u64) -> Result<Vec<CommittedTable>, StoreError> {
        let bytes = self.commit_bytes(number)?;
        let commit = self.parse_with(number, &bytes, Commit::open_without_inputs)?;
        Ok(commit.tables)
    }

    /// What a commit states of its pipeline.
    pub(crate) fn pipeline_of(&self, number: u64) -> Result<Value, StoreError> {
        let bytes = self.commit_bytes(number)?;
        let commit = self.parse_with(number, &bytes, Commit::open_without_inputs)?;
        Ok(commit.pipeline)
    }

    /// Digests of all commits, oldest first. Of the commits in the index only the newest is read.
    pub(crate) fn digests(&self) -> Result<Vec<Arc<Digested>>, StoreError> {
        let numbers = self.numbers()?;
        let mut known = self.known();
        if !known.indexed {
            known.indexed = true;
            self.take_index(&mut known, &numbers)?;
        }
        numbers
            .into_iter()
            .map(|number| self.digest(&mut known, number))
            .collect()
    }

    /// As [`Store::digests`], from the commits themselves.
    pub(crate) fn digests_read(&self) -> Result<Vec<Arc<Digested>>, StoreError> {
        let mut known = self.known();
        known.indexed = true;
        let Known { digests, read, .. } = &mut *known;
        digests.retain(|number, _| read.contains(number));
        let numbers = self.numbers()?.into_iter();
        numbers
            .map(|number| self.digest(&mut known, number))
            .collect()
    }

    /// Whether the commit itself matches its digest; if not, the index is discarded.
    pub(crate) fn confirm(&self, digested: &Digested) -> Result<bool, StoreError> {
        let number = digested.version;
        if self.known().read.contains(&number) {
            return Ok(true);
        }
        let read = self.read_digest(number)?;
        let fits = read == *digested;
        let mut known = self.known();
        if !fits {
            known.digests.clear();
            known.read.clear();
        }
        known.read.insert(number);
        known.digests.insert(number, Arc::new(read));
        Ok(fits)
    }

    /// Number of commits that were read.
    #[cfg(test)]
    pub(crate) fn commits_read(&self) -> usize {
        self.known().read.len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the entries of the index, if its newest entry matches the commit.
    fn take_index(&self, known: &mut Known, numbers: &[u64]) -> Result<(), StoreError> {
        let Some(commits) = self.indexed() else {
            return Ok(());
        };
        let Some(last) = commits.last() else {
            return Ok(());
        };
        if !begin_with(numbers, last.version) {
            return Ok(());
        }
        let number = last.version;
        if self.read_digest(number)? != *last {
            return Ok(());
        }
        known.read.insert(number);
        let commits = commits.into_iter().map(Arc::new);
        known.digests = commits.map(|commit| (commit.version, commit)).collect();
        Ok(())
    }

    fn digest(&self, known: &mut Known, number: u64) -> Result<Arc<Digested>, StoreError> {
        if let Some(digested) = known.digests.get(&number) {
            return Ok(digested.clone());
        }
        let digested = Arc::new(self.read_digest(number)?);
        known.read.insert(number);
        known.digests.insert(number, digested.clone());
        Ok(digested)
    }

    fn read_digest(&self, number: u64) -> Result<Digested, StoreError> {
        let bytes = self.commit_bytes(number)?;
        let Commit {
            version,
            as_of,
            txid,
            idempotency_key,
            previous,
            tables,
            program,
            finished_at,
            replaces,
            ..
        } = self.parse_with(number, &bytes, Commit::open_without_inputs)?;
        Ok(Digested {
            version,
            as_of,
            txid,
            idempotency_key,
            previous,
            files: listed(tables),
            program: program.into(),
            finished_at,
            replaces: replaces.map(|damaged| damaged.version),
            sha256: sha256(&bytes),
        })
    }

    /// Every version, oldest first, without its inputs; including expired ones.
    ///
    /// # Errors
    /// A commit that cannot be read or does not match its checksum.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        self.listed(&self.digests()?)
    }

    /// As [`Store::list`], only so many of the newest versions, and how many are older. Where each of these follows a version that
    /// is in the end of the index, nothing else of the index is read.
    ///
    /// # Errors
    /// A commit that cannot be read or does not match its checksum.
    pub fn list_newest(&self, count: usize) -> Result<(Vec<Listed>, usize), StoreError> {
        let numbers = self.numbers()?;
        let versions = match self.digests_of_end(&numbers)? {
            Some(digests) if succession::decides(&digests, count) => self.listed(&digests)?,
            _ => self.list()?,
        };
        let newest = versions.len().saturating_sub(count);
        let older = numbers.len().saturating_sub(versions.len()) + newest;
        Ok((versions.into_iter().skip(newest).collect(), older))
    }

    /// Digests of the commits from some version on, by the end of the index; `None` where it is not of these commits.
    fn digests_of_end(&self, numbers: &[u64]) -> Result<Option<Vec<Arc<Digested>>>, StoreError> {
        let Some(commits) = self.indexed_end() else {
            return Ok(None);
        };
        let Some(last) = commits.last() else {
            return Ok(None);
        };
        if !begin_with(numbers, last.version) || self.read_digest(last.version)? != *last {
            return Ok(None);
        }
        let later = numbers.iter().filter(|&&number| number > last.version);
        let later: Vec<Digested> = later
            .map(|&number| self.read_digest(number))
            .collect::<Result<_, _>>()?;
        let all = commits.into_iter().chain(later);
        Ok(Some(all.map(Arc::new).collect()))
    }

    /// Digests as lists show them, with how those among them affect each other.
    fn listed(&self, digests: &[Arc<Digested>]) -> Result<Vec<Listed>, StoreError> {
        let expired = self.expired()?;
        let listed = |(known, standing): (&Arc<Digested>, Standing)| Listed {
            version: known.version,
            as_of: known.as_of,
            previous: known.previous,
            finished_at: known.finished_at.clone(),
            program: known.program.clone(),
            files: known.files.clone(),
            expired: expired.contains(&known.version),
            standing,
            folder: self.root.join(&run_path(known.as_of, &known.txid)),
        };
        let standings = succession::standings(digests);
        Ok(digests.iter().zip(standings).map(listed).collect())
    }

    /// The version that a run committed, if it did.
    ///
    /// # Errors
    /// A commit that cannot be read or does not match its checksum.
    pub fn committed_by(&self, txid: &str) -> Result<Option<u64>, StoreError> {
        let digests = self.digests()?;
        let mut newest_first = digests.iter().rev();
        let found = newest_first.find(|known| known.txid == txid);
        Ok(found.map(|known| known.version))
    }

    /// Every version, oldest first, from the commits themselves; including expired ones.
    ///
    /// # Errors
    /// A commit that cannot be read or does not match its checksum.
    pub fn versions(&self) -> Result<Vec<Version>, StoreError> {
        self.numbers()?
            .into_iter()
            .map(|number| Ok(self.version_from(self.commit(number)?)))
            .collect()
    }

    /// One version.
    ///
    /// # Errors
    /// There is none of that number, it is lost, or it has expired.
    pub fn version(&self, number: u64) -> Result<Version, StoreError> {
        let numbers = self.numbers()?;
        if !numbers.contains(&number) {
            let is_lost = |lost: &Lost| (lost.first..=lost.last).contains(&number);
            if let Some(lost) = self.lost()?.into_iter().find(is_lost) {
                return Err(StoreError::LostCommit(Box::new(lost)));
            }
            let available = match (numbers.first(), numbers.last()) {
                (Some(first), Some(last)) => format!("versions {first} to {last}"),
                _ => "none yet".to_owned(),
            };
            return Err(StoreError::NoVersion {
                path: self.path().to_owned(),
                version: number,
                available,
            });
        }
        if self.expired()?.contains(&number) {
            return Err(StoreError::Expired { version: number });
        }
        self.committed(number)
    }

    /// One version, also where it has expired: its commit and what it learned are still there, its tables may be gone.
    ///
    /// # Errors
    /// The commit is missing or damaged.
    pub fn committed(&self, number: u64) -> Result<Version, StoreError> {
        Ok(self.version_from(self.commit(number)?))
    }

    /// The version that readers see: that of `LATEST` where it verifies, else the one that `LATEST` should name, which is the
    /// version of the greatest `as_of` and of several of that day the newest commit.
    ///
    /// # Errors
    /// The commit cannot be read or has expired; [`StoreError::LostCommit`] where it is missing.
    pub fn latest(&self) -> Result<Option<Version>, StoreError> {
        let hinted = self.hint().filter(|latest| {
            let commit = self.commits.read(&file_name(latest.version)).ok().flatten();
            commit.is_some_and(|bytes| sha256(&bytes) == latest.sha256)
        });
        let number = match hinted {
            Some(latest) => Some(latest.version),
            None => {
                self.check_newest()?;
                succession::shown(&self.digests()?, &self.expired()?).map(|found| found.version)
            }
        };
        number.map(|number| self.version(number)).transpose()
    }

    /// The latest version with all its files open, so that it can be read to the end even if the files are removed.
    ///
    /// # Errors
    /// Its files are missing or cannot be opened, even after looking again for the latest version.
    pub fn open_latest(&self) -> Result<Option<OpenVersion>, StoreError> {
        let mut tries = 0;
        loop {
            let Some(version) = self.latest()? else {
                return Ok(None);
            };
            tries += 1;
            match version.open_all() {
                Err(StoreError::Io { error, .. })
                    if error.kind() == io::ErrorKind::NotFound && tries < RESOLUTIONS => {}
                opened => return opened.map(Some),
            }
        }
    }

    /// The newest version that an equal run published with the same version before it. `None` if it has expired or a later
    /// version of the same day supersedes it: then the run publishes again.
    ///
    /// # Errors
    /// A commit that cannot be read.
    pub fn find(&self, identity: &RunIdentity) -> Result<Option<Version>, StoreError> {
        // After the index was discarded, every commit is read.
        loop {
            let digests = self.digests()?;
            let expired = self.expired()?;
            let before = succession::previous(&digests, identity.as_of);
            let of_day = |known: &&Arc<Digested>| {
                known.as_of == identity.as_of && !expired.contains(&known.version)
            };
            let newest = digests.iter().rev().find(of_day);
            let mut confirmed = true;
            for known in before.into_iter().chain(newest) {
                confirmed &= self.confirm(known)?;
            }
            if confirmed {
                let is_gone = before.is_some_and(|before| expired.contains(&before.version));
                // A version that was made before then is compared with more than a run of now could be.
                let (compared, _) = identity.key_after(before, false);
                let (alone, _) = identity.key_after(before, is_gone);
                let is_same = |key: &str| key == compared || key == alone;
                let found = newest.filter(|known| is_same(&known.idempotency_key));
                return found.map(|found| self.version(found.version)).transpose();
            }
        }
    }

    pub(crate) fn version_from(&self, commit: Commit) -> Version {
        Version::new(commit, self.root.clone())
    }

    /// Waits for the lock; it is free again when the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        self.lock_unless(&|| Ok(()))
    }

    /// Waits for the lock as long as `go_on` is no error.
    pub(crate) fn lock_unless(
        &self,
        go_on: &dyn Fn() -> Result<(), StoreError>,
    ) -> Result<File, StoreError> {
        self.check_file_system()?;
        let failed =
            |error: io::Error| StoreError::io("lock store", &self.root.join("LOCK"), error);
        self.steps.reach(Step::Lock).map_err(failed)?;
        lock::take(&self.root, self.options.lock_wait, go_on)
    }
}
