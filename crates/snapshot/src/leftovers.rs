//! What killed runs leave behind: folders of tables that no commit names, and drafts in `tmp`. No version needs them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::time::{Duration, UNIX_EPOCH};

use crate::error::StoreError;
use crate::folder::Folder;
use crate::store::Store;
use crate::txid;

/// How long nothing was written to what is removed: no run takes so long, and no clocks differ by so much.
const AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Files that no version needs, and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Their number.
    pub files: u64,
    /// Size of all of them.
    pub bytes: u64,
}

/// A file or folder below a folder of the store.
struct Found {
    leftovers: Leftovers,
    /// When something was written to it last, in milliseconds since 1970.
    written_millis: u64,
}

impl Leftovers {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            files: self.files + other.files,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl Store {
    /// What killed runs left behind so far; runs that are under way have such files, too. None where commits are missing, since the
    /// files may be those of their versions.
    ///
    /// # Errors
    /// A commit or a folder that cannot be read.
    pub fn leftovers(&self) -> Result<Leftovers, StoreError> {
        if !self.lost()?.is_empty() {
            return Ok(Leftovers::default());
        }
        self.sweep_all(|_| false)
    }

    /// Removes what killed runs left behind, where nothing was written to it for seven days; returns what was removed: nothing where
    /// commits are missing, since a commit may come back from a backup.
    ///
    /// # Errors
    /// A commit or a folder that cannot be read; the lock.
    pub fn remove_leftovers(&self) -> Result<Leftovers, StoreError> {
        let _lock = self.lock()?;
        if !self.lost()?.is_empty() {
            return Ok(Leftovers::default());
        }
        let now = txid::now_millis();
        let before = now.saturating_sub(u64::try_from(AGE.as_millis()).unwrap_or(u64::MAX));
        let all = self.sweep_all(|found| found.written_millis < before)?;
        let left = self.leftovers()?;
        Ok(Leftovers {
            files: all.files.saturating_sub(left.files),
            bytes: all.bytes.saturating_sub(left.bytes),
        })
    }

    /// Goes through all leftovers and removes those of which `is_old` is true; returns what there was.
    fn sweep_all(&self, is_old: impl Fn(&Found) -> bool) -> Result<Leftovers, StoreError> {
        let mut all = Leftovers::default();
        for name in self.tmp.list()? {
            let Some(found) = measured(&self.tmp, &name) else {
                continue;
            };
            if is_old(&found) {
                remove(&self.tmp, &name);
            }
            all = all.plus(found.leftovers);
        }
        let committed: BTreeSet<String> = self
            .digests_read()?
            .iter()
            .map(|digested| digested.txid.clone())
            .collect();
        let Ok(data) = self.root.enter("data") else {
            return Ok(all);
        };
        for day in data.list()? {
            let Ok(runs) = data.enter(&day) else {
                continue;
            };
            for name in runs.list()? {
                let id = name.strip_prefix("run=").filter(|id| txid::is_txid(id));
                let Some(id) = id.filter(|id| !committed.contains(*id)) else {
                    continue;
                };
                let Some(mut found) = measured(&runs, &name) else {
                    continue;
                };
                let began = txid::began_millis(id).unwrap_or(u64::MAX);
                found.written_millis = found.written_millis.max(began);
                if is_old(&found) {
                    remove(&runs, &name);
                    // Only where it is empty.
                    data.remove_folder(&day);
                }
                all = all.plus(found.leftovers);
            }
        }
        Ok(all)
    }
}

/// The files of a name in a folder, and when they were written; none where it is gone.
fn measured(folder: &Folder, name: &str) -> Option<Found> {
    let metadata = std::fs::symlink_metadata(folder.join(name)).ok()?;
    if !metadata.is_dir() {
        return Some(Found {
            leftovers: Leftovers {
                files: 1,
                bytes: metadata.len(),
            },
            written_millis: written(&metadata),
        });
    }
    let inside = folder.enter(name).ok()?;
    let mut all = Found {
        leftovers: Leftovers::default(),
        written_millis: written(&metadata),
    };
    for name in inside.list().ok()? {
        let found = measured(&inside, &name)?;
        all.leftovers = all.leftovers.plus(found.leftovers);
        all.written_millis = all.written_millis.max(found.written_millis);
    }
    Some(all)
}

/// When a file was written last, in milliseconds since 1970; of one whose time is not known, that it is new.
fn written(metadata: &Metadata) -> u64 {
    let time = metadata.modified().ok();
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    millis.unwrap_or(u64::MAX)
}

/// Removes a file, or a folder with all that is in it; what cannot be removed stays.
fn remove(folder: &Folder, name: &str) {
    if let Ok(inside) = folder.enter(name) {
        for name in inside.list().unwrap_or_default() {
            remove(&inside, &name);
        }
        folder.remove_folder(name);
    } else {
        folder.remove(name);
    }
}
