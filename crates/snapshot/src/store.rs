//! The store: its folder, its versions, its hints.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::commit::{Commit, file_name, sha256, version_of};
use crate::error::StoreError;
use crate::folder::Folder;
use crate::version::Version;

/// First line of the file `FORMAT`.
const FORMAT_LINE: &str = "tessera-store 1";

/// How long a publisher waits for the lock, which others hold for milliseconds.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Content of `LATEST`, a hint: the truth is `commits/`.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    version: u64,
    sha256: String,
}

/// A snapshot store on a local file system.
#[derive(Debug)]
pub struct Store {
    pub(crate) root: Folder,
    pub(crate) commits: Folder,
    pub(crate) data: Folder,
    pub(crate) tmp: Folder,
}

impl Store {
    /// Opens the store in this folder, which is made if it does not exist.
    ///
    /// # Errors
    /// The folder holds something else, lies on a network file system, or cannot be written.
    pub fn open_or_create(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(|error| StoreError::io("make store", path, error))?;
        let root = Folder::open(path)?;
        if let Some(kind) = root.unsupported() {
            return Err(StoreError::Unsupported { path: path.to_owned(), kind });
        }
        if root.read("FORMAT")?.is_none() {
            let strangers: Vec<String> = root.list()?.into_iter().filter(|name| name != "tmp" && name != "LOCK").collect();
            if let Some(stranger) = strangers.first() {
                return Err(StoreError::NotAStore {
                    path: path.to_owned(),
                    reason: format!("it holds `{stranger}` but no FORMAT; choose an empty folder"),
                });
            }
            Self::initialise(&root)?;
        }
        Self::with_root(root)
    }

    /// Opens an existing store.
    ///
    /// # Errors
    /// There is none in this folder, or one of an unknown format.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with_root(Folder::open(path)?)
    }

    /// Tries what publishing relies on (create-if-absent links, durable folders), then marks the folder as a store.
    fn initialise(root: &Folder) -> Result<(), StoreError> {
        let tmp = root.enter_or_make("tmp")?;
        let probe = format!("probe-{}", crate::txid::new());
        tmp.write_new(&probe, format!("{FORMAT_LINE}\n{probe}\n").as_bytes())?;
        let unsupported = |what: &str| StoreError::Unsupported { path: root.path().to_owned(), kind: format!("a file system without {what}") };
        tmp.link(&probe, &tmp, &format!("{probe}.2")).map_err(|_| unsupported("hard links"))?;
        if tmp.link(&probe, &tmp, &format!("{probe}.2")).is_ok() {
            return Err(unsupported("create-if-absent links"));
        }
        root.sync().map_err(|_| unsupported("durable folders"))?;
        match tmp.link(&probe, root, "FORMAT") {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(StoreError::io("mark store", &root.join("FORMAT"), error));
            }
            _ => {}
        }
        tmp.remove(&probe);
        tmp.remove(&format!("{probe}.2"));
        root.sync().map_err(|error| StoreError::io("fsync store", root.path(), error))
    }

    fn with_root(root: Folder) -> Result<Self, StoreError> {
        let not_a_store = |reason: String| StoreError::NotAStore { path: root.path().to_owned(), reason };
        let Some(format) = root.read("FORMAT")? else {
            return Err(not_a_store("it has no FORMAT".to_owned()));
        };
        let first = String::from_utf8_lossy(&format).lines().next().unwrap_or_default().to_owned();
        if first != FORMAT_LINE {
            return Err(not_a_store(format!("its format is `{first}`, and this program knows `{FORMAT_LINE}`")));
        }
        Ok(Self {
            commits: root.enter_or_make("commits")?,
            data: root.enter_or_make("data")?,
            tmp: root.enter_or_make("tmp")?,
            root,
        })
    }

    /// Folder of the store.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Version numbers in `commits/`, rising.
    pub(crate) fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        Ok(self.commits.list()?.iter().filter_map(|name| version_of(name)).collect())
    }

    /// The commit of a version and its bytes.
    pub(crate) fn commit(&self, number: u64) -> Result<(Commit, Vec<u8>), StoreError> {
        let name = file_name(number);
        let path = self.commits.join(&name);
        let bytes = self.commits.read(&name)?.ok_or_else(|| StoreError::damaged(&path, "the commit is missing"))?;
        let commit = Commit::open(&bytes).map_err(|reason| StoreError::damaged(&path, reason))?;
        if commit.version != number {
            return Err(StoreError::damaged(&path, format!("it says that it is version {}", commit.version)));
        }
        Ok((commit, bytes))
    }

    /// Every version, oldest first, by the commits themselves.
    ///
    /// # Errors
    /// A commit that cannot be read or does not fit its checksum.
    pub fn versions(&self) -> Result<Vec<Version>, StoreError> {
        self.numbers()?.into_iter().map(|number| Ok(self.version_from(self.commit(number)?.0))).collect()
    }

    /// One version.
    ///
    /// # Errors
    /// There is none of that number, or it has expired.
    pub fn version(&self, number: u64) -> Result<Version, StoreError> {
        let numbers = self.numbers()?;
        if !numbers.contains(&number) {
            let available = match (numbers.first(), numbers.last()) {
                (Some(first), Some(last)) => format!("versions {first} to {last}"),
                _ => "none yet".to_owned(),
            };
            return Err(StoreError::NoVersion { path: self.path().to_owned(), version: number, available });
        }
        if self.is_expired(number)? {
            return Err(StoreError::Expired { version: number });
        }
        Ok(self.version_from(self.commit(number)?.0))
    }

    /// The version that readers see: that of `LATEST` where it verifies, else the highest commit.
    ///
    /// # Errors
    /// The commit cannot be read or has expired.
    pub fn latest(&self) -> Result<Option<Version>, StoreError> {
        let hinted = self.hint()?.filter(|latest| {
            let commit = self.commits.read(&file_name(latest.version)).ok().flatten();
            commit.is_some_and(|bytes| sha256(&bytes) == latest.sha256)
        });
        let number = match hinted {
            Some(latest) => Some(latest.version),
            None => self.numbers()?.last().copied(),
        };
        number.map(|number| self.version(number)).transpose()
    }

    /// The newest version that a run with this key published and that has not expired.
    ///
    /// # Errors
    /// A commit that cannot be read.
    pub fn find(&self, idempotency_key: &str) -> Result<Option<Version>, StoreError> {
        for version in self.versions()?.into_iter().rev() {
            if version.commit().idempotency_key == idempotency_key && !self.is_expired(version.number())? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    fn is_expired(&self, number: u64) -> Result<bool, StoreError> {
        let mark = self.path().join("expired").join(file_name(number));
        mark.try_exists().map_err(|error| StoreError::io("look for expiry", &mark, error))
    }

    pub(crate) fn version_from(&self, commit: Commit) -> Version {
        let folder: PathBuf = self.path().join(run_path(&commit));
        Version::new(commit, folder)
    }

    fn hint(&self) -> Result<Option<Latest>, StoreError> {
        Ok(self.root.read("LATEST")?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Waits for the lock; it is free again when the file is dropped.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        let file = self.root.lock_file("LOCK")?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(std::fs::TryLockError::WouldBlock) if started.elapsed() < LOCK_WAIT => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    return Err(StoreError::Locked { path: self.path().to_owned(), waited_seconds: LOCK_WAIT.as_secs() });
                }
                Err(std::fs::TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock store", &self.root.join("LOCK"), error));
                }
            }
        }
    }

    /// Points the hints at the highest commit and rebuilds catalogue and views. The caller holds the lock.
    pub(crate) fn refresh_hints(&self) -> Result<(), StoreError> {
        self.commits.sync().map_err(|error| StoreError::io("fsync commits", self.commits.path(), error))?;
        let Some(number) = self.numbers()?.last().copied() else { return Ok(()) };
        let (commit, bytes) = self.commit(number)?;
        let hint = Latest { version: number, sha256: sha256(&bytes) };
        let target = run_path(&commit);
        let current = self.hint()?;
        let stands = current.is_some_and(|known| known.version == hint.version && known.sha256 == hint.sha256)
            && self.root.target("latest").as_deref() == Some(target.as_str())
            && self.root.read("catalog.parquet")?.is_some()
            && self.path().join("views/duckdb.sql").exists();
        if stands {
            return Ok(());
        }
        let text = serde_json::to_vec(&hint).map_err(|error| StoreError::io("write LATEST", self.root.path(), error))?;
        self.replace("LATEST", &text)?;
        let link = format!("latest-{}", crate::txid::new());
        self.tmp
            .symlink(&target, &link)
            .and_then(|()| self.tmp.rename_over(&link, &self.root, "latest"))
            .map_err(|error| StoreError::io("point latest", &self.root.join("latest"), error))?;
        crate::catalogue::rebuild(self)?;
        self.root.sync().map_err(|error| StoreError::io("fsync store", self.root.path(), error))
    }

    /// Replaces a small file of the root in one step.
    pub(crate) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let draft = format!("{}-{}", name.replace('/', "-"), crate::txid::new());
        self.tmp.write_new(&draft, bytes)?;
        self.tmp
            .rename_over(&draft, &self.root, name)
            .map_err(|error| StoreError::io("replace file", &self.root.join(name), error))
    }

    /// Completes what an interrupted publisher left: hints, catalogue, views.
    ///
    /// # Errors
    /// The lock is held, or a commit is damaged.
    pub fn repair(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.refresh_hints()
    }

    /// Versions that a later one of the same `as_of` replaces, with that one.
    pub(crate) fn superseded(versions: &[Version]) -> BTreeMap<u64, u64> {
        let mut newest: BTreeMap<chrono::NaiveDate, u64> = BTreeMap::new();
        let mut superseded = BTreeMap::new();
        for version in versions.iter().rev() {
            match newest.get(&version.commit().as_of) {
                Some(&by) => {
                    superseded.insert(version.number(), by);
                }
                None => {
                    newest.insert(version.commit().as_of, version.number());
                }
            }
        }
        superseded
    }
}

/// Path of a run's folder within the store.
pub(crate) fn run_path(commit: &Commit) -> String {
    format!("data/as_of={}/run={}", commit.as_of, commit.txid)
}
