//! `reports/version-N.html`: the HTML report of each version. It depends only on the version, so it can be lost and made again;
//! a report that exists is complete and durable.

use std::path::PathBuf;

use crate::error::StoreError;
use crate::store::Store;
use crate::txid;

/// The folder of the pages.
pub(crate) const FOLDER: &str = "reports";

impl Store {
    /// Path of the report of a version, whether it exists or not.
    pub fn report_path(&self, version: u64) -> PathBuf {
        self.root.join(FOLDER).join(file_name(version))
    }

    /// Makes this page the report of a version, in one step and durably, unless it is already.
    ///
    /// # Errors
    /// `reports` is no folder of the store's own, or the page cannot be written.
    pub fn write_report(&self, version: u64, html: &str) -> Result<(), StoreError> {
        let folder = self.root.enter_or_make(FOLDER)?;
        let name = file_name(version);
        let there = folder
            .read(&name)
            .is_ok_and(|found| found.as_deref() == Some(html.as_bytes()));
        if !there {
            let draft = format!("{name}-{}", txid::new());
            let placed = self.tmp.write_new(&draft, html.as_bytes()).and_then(|()| {
                self.tmp
                    .rename_over(&draft, &folder, &name)
                    .map_err(|error| StoreError::io("rename report", &folder.join(&name), error))
            });
            if placed.is_err() {
                self.tmp.remove(&draft);
            }
            placed?;
        }
        // Also where the report exists: the run that wrote it may have been killed before its name was durable.
        for folder in [&folder, self.root.as_ref()] {
            folder
                .sync()
                .map_err(|error| StoreError::io("fsync folder", folder.path(), error))?;
        }
        Ok(())
    }
}

/// Name of the report of a version.
pub(crate) fn file_name(version: u64) -> String {
    format!("version-{version}.html")
}
