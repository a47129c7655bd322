//! Hints: `LATEST`, the link `latest`, the index, the catalogue, the views and the Delta tables. They are caches of what the commits
//! state: all of them can be lost and rebuilt, and correctness never depends on them.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::commit::run_path;
use crate::error::StoreError;
use crate::folder::Folder;
use crate::listed::Digested;
use crate::step::Step;
use crate::store::Store;
use crate::{catalogue, delta, index, succession, txid};

/// Content of `LATEST`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Latest {
    pub(crate) version: u64,
    /// sha256 of the commit's file.
    pub(crate) sha256: String,
    /// Folder of the version's tables below the store: a reader that takes all paths from here sees one version.
    #[serde(default)]
    pub(crate) folder: String,
}

/// The hints as computed from the commits.
struct Wanted {
    latest: Vec<u8>,
    index: Vec<u8>,
    target: String,
    catalogue: Vec<u8>,
    views: String,
}

impl Store {
    /// The content of `LATEST`; `None` where it is missing or cannot be parsed.
    pub(crate) fn hint(&self) -> Option<Latest> {
        serde_json::from_slice(&self.root.read("LATEST").ok()??).ok()
    }

    /// The hints computed from the list of commits; `None` before the first commit.
    fn wanted(&self) -> Result<Option<Wanted>, StoreError> {
        let expired = self.expired()?;
        let (digests, shown) = loop {
            let digests = self.digests()?;
            let Some(shown) = succession::shown(&digests, &expired).cloned() else {
                return Ok(None);
            };
            if self.confirm(&shown)? {
                break (digests, shown);
            }
        };
        self.wanted_of(&digests, &expired, &shown).map(Some)
    }

    fn wanted_of(
        &self,
        digests: &[Arc<Digested>],
        expired: &BTreeSet<u64>,
        shown: &Digested,
    ) -> Result<Wanted, StoreError> {
        let hint = Latest {
            version: shown.version,
            sha256: shown.sha256.clone(),
            folder: run_path(shown.as_of, &shown.txid),
        };
        let unwritten = |error| StoreError::io("write hints", self.path(), error);
        Ok(Wanted {
            latest: serde_json::to_vec(&hint).map_err(unwritten)?,
            index: self
                .index_of(digests.iter().map(|known| &**known))
                .map_err(unwritten)?,
            target: run_path(shown.as_of, &shown.txid),
            catalogue: catalogue::parquet(digests, expired)?,
            views: catalogue::duckdb(digests, expired, &self.absolute_path()),
        })
    }

    /// Updates every hint to match the commits, after all commits are durable. A hint that is right already is not written, so
    /// publishing an older day does not change `LATEST`. The caller holds the lock, so hints never go back.
    pub(crate) fn refresh_hints(&self) -> Result<(), StoreError> {
        self.commits
            .sync()
            .map_err(|error| StoreError::io("fsync commits", self.commits.path(), error))?;
        let Some(wanted) = self.wanted()? else {
            return Ok(());
        };
        self.replace(Step::ReplaceLatest, &self.root, "LATEST", &wanted.latest)?;
        self.point_latest(&wanted.target)?;
        self.sync_root()?;
        self.replace(Step::ReplaceIndex, &self.root, index::FILE, &wanted.index)?;
        self.replace(
            Step::ReplaceCatalogue,
            &self.root,
            "catalog.parquet",
            &wanted.catalogue,
        )?;
        let views = self.root.enter_or_make("views")?;
        self.replace(
            Step::ReplaceViews,
            &views,
            "duckdb.sql",
            wanted.views.as_bytes(),
        )?;
        views
            .sync()
            .map_err(|error| StoreError::io("fsync views", views.path(), error))?;
        self.refresh_delta(false)?;
        self.sync_root()
    }

    /// The store's folder from the root of the file system, without links.
    fn absolute_path(&self) -> PathBuf {
        let path = self.path();
        path.canonicalize()
            .or_else(|_| std::path::absolute(path))
            .unwrap_or_else(|_| path.to_owned())
    }

    fn sync_root(&self) -> Result<(), StoreError> {
        let synced = self
            .steps
            .reach(Step::SyncRoot)
            .and_then(|()| self.root.sync());
        synced.map_err(|error| StoreError::io("fsync store", self.path(), error))
    }

    /// Replaces a small file in one step, unless it holds these bytes.
    pub(crate) fn replace(
        &self,
        step: Step,
        folder: &Folder,
        name: &str,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        if folder
            .read(name)
            .is_ok_and(|found| found.as_deref() == Some(bytes))
        {
            return Ok(());
        }
        let failed = |error: io::Error| StoreError::io("replace file", &folder.join(name), error);
        self.steps.reach(step).map_err(failed)?;
        let draft = format!("{name}-{}", txid::new());
        let replaced = self
            .tmp
            .write_new(&draft, bytes)
            .and_then(|()| self.tmp.rename_over(&draft, folder, name).map_err(failed));
        if replaced.is_err() {
            self.tmp.remove(&draft);
        }
        replaced
    }

    fn point_latest(&self, target: &str) -> Result<(), StoreError> {
        if self.root.target("latest").as_deref() == Some(target) {
            return Ok(());
        }
        let draft = format!("latest-{}", txid::new());
        let pointed = self
            .steps
            .reach(Step::PointLatest)
            .and_then(|()| self.tmp.symlink(target, &draft))
            .and_then(|()| self.place_latest(&draft));
        pointed.map_err(|error| {
            self.tmp.remove(&draft);
            StoreError::io("point latest", &self.root.join("latest"), error)
        })
    }

    /// Gives the drafted link its name. A folder of that name, as a copy of the store has it that followed links, is kept under another.
    fn place_latest(&self, draft: &str) -> io::Result<()> {
        let placed = self.tmp.rename_over(draft, &self.root, "latest");
        match placed.as_ref().map_err(io::Error::kind) {
            Err(io::ErrorKind::IsADirectory) => {}
            _ => return placed,
        }
        let aside = format!("moved-{draft}");
        self.root.rename_over("latest", &self.root, &aside)?;
        tracing::warn!(
            "`latest` was a folder, as a copy of the store has it that followed links; it is a link again, and the folder is now {}: remove it",
            self.root.join(&aside).display()
        );
        self.tmp.rename_over(draft, &self.root, "latest")
    }

    /// Rebuilds hints, catalogue and views, which an interrupted run may have left behind the commits.
    ///
    /// # Errors
    /// The lock is held, or a commit is damaged.
    pub fn repair(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        self.digests_read()?;
        self.refresh_hints()?;
        self.refresh_delta(true)
    }

    /// Names of hints that do not match the commits.
    pub(crate) fn stale_hints(&self) -> Result<Vec<&'static str>, StoreError> {
        self.digests_read()?;
        let Some(wanted) = self.wanted()? else {
            return Ok(Vec::new());
        };
        let holds = |folder: &Folder, name: &str, bytes: &[u8]| {
            folder
                .read(name)
                .is_ok_and(|found| found.as_deref() == Some(bytes))
        };
        let views = self
            .root
            .enter("views")
            .is_ok_and(|views| holds(&views, "duckdb.sql", wanted.views.as_bytes()));
        Ok([
            ("LATEST", holds(&self.root, "LATEST", &wanted.latest)),
            (
                "latest",
                self.root.target("latest").as_deref() == Some(wanted.target.as_str()),
            ),
            (index::FILE, holds(&self.root, index::FILE, &wanted.index)),
            (
                "catalog.parquet",
                holds(&self.root, "catalog.parquet", &wanted.catalogue),
            ),
            ("views/duckdb.sql", views),
            (delta::FOLDER, self.delta_fits()?),
        ]
        .into_iter()
        .filter_map(|(name, fits)| (!fits).then_some(name))
        .collect())
    }
}
