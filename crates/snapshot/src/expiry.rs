//! `expired/`: marks of versions whose data may be removed, or was. A mark is made once and never changed; the commit stays as it is.

use std::collections::BTreeSet;
use std::io;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::commit::{file_name, version_of};
use crate::error::StoreError;
use crate::step::Step;
use crate::store::Store;
use crate::txid;

/// The folder of the marks.
const FOLDER: &str = "expired";

/// Content of a mark.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    version: u64,
    /// What made it.
    reason: String,
    /// When (RFC 3339, UTC).
    marked_at: String,
}

impl Store {
    /// Versions whose data may have been removed.
    pub(crate) fn expired(&self) -> Result<BTreeSet<u64>, StoreError> {
        match self.root.enter(FOLDER) {
            Ok(folder) => Ok(folder
                .list()?
                .iter()
                .filter_map(|name| version_of(name))
                .collect()),
            Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                Ok(BTreeSet::new())
            }
            Err(other) => Err(other),
        }
    }

    /// When a version was marked.
    ///
    /// # Errors
    /// Its mark cannot be read, so it is not known how long readers have known of it.
    pub(crate) fn marked_at(&self, version: u64) -> Result<DateTime<Utc>, StoreError> {
        let (folder, name) = (self.root.enter(FOLDER)?, file_name(version));
        let bytes = folder.read(&name)?.unwrap_or_default();
        let unread = |error: String| {
            let way_out = "it does not say when the version expired; remove it, and the version is marked again";
            StoreError::damaged(&folder.join(&name), format!("{error}; {way_out}"))
        };
        let mark: Mark =
            serde_json::from_slice(&bytes).map_err(|error| unread(error.to_string()))?;
        let at = DateTime::parse_from_rfc3339(&mark.marked_at);
        Ok(at.map_err(|error| unread(error.to_string()))?.to_utc())
    }

    /// Marks versions as expired at this time. All marks are durable when this returns, also those of an earlier try that was killed.
    /// The caller holds the lock.
    pub(crate) fn mark_expired(
        &self,
        versions: &[u64],
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if versions.is_empty() && self.expired()?.is_empty() {
            return Ok(());
        }
        let folder = self.root.enter_or_make(FOLDER)?;
        for &version in versions {
            let name = file_name(version);
            let failed =
                |error: io::Error| StoreError::io("mark version", &folder.join(&name), error);
            self.steps.reach(Step::MarkExpired).map_err(failed)?;
            let mark = Mark {
                version,
                reason: "gc".to_owned(),
                marked_at: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            };
            let bytes = serde_json::to_vec(&mark).map_err(|error| failed(error.into()))?;
            let draft = format!("expired-{version}-{}", txid::new());
            let marked = self.tmp.write_new(&draft, &bytes).and_then(|()| {
                match self.tmp.name_new(&draft, &folder, &name) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        Err(failed(error))
                    }
                    _ => Ok(()),
                }
            });
            self.tmp.remove(&draft);
            marked?;
        }
        for folder in [&folder, self.root.as_ref()] {
            let synced = self.steps.reach(Step::SyncMarks);
            let synced = synced.and_then(|()| folder.sync());
            synced.map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
        }
        Ok(())
    }
}
