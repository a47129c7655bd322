//! Checks that the lake has not changed since it was listed.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

use tessera_expr::rel::FileStamp;
use tessera_spec::pipeline::Source;

use crate::error::IngestError;
use crate::files::list;
use crate::inventory::{Inventory, LakeFile};

/// Checks the files of a source again after they were read: those of the inventory must be unchanged, and there must be no new
/// ones. New files of a Delta table are allowed, since they belong to a later version of it.
pub fn unchanged(source: &Source, inventory: &Inventory) -> Result<(), IngestError> {
    for file in &inventory.files {
        same(source, file)?;
    }
    if inventory.of_table {
        return Ok(());
    }
    let changed = |path: &Path, what: &str| IngestError::Changed {
        source_name: source.name.value.clone(),
        file: path.to_owned(),
        what: what.to_owned(),
    };
    let listing = list(source).map_err(|error| match error {
        IngestError::Io { path, error, .. } if error.kind() == ErrorKind::NotFound => {
            changed(&path, "it no longer exists")
        }
        other => other,
    })?;
    let known: BTreeSet<&Path> = inventory.files.iter().map(|f| f.path.as_path()).collect();
    let now: BTreeSet<&Path> = listing.files.iter().map(|f| f.path.as_path()).collect();
    if let Some(path) = now.difference(&known).next() {
        return Err(changed(path, "it is new"));
    }
    match known.difference(&now).next() {
        Some(path) => Err(changed(path, "it is no longer part of the source")),
        None => Ok(()),
    }
}

fn same(source: &Source, file: &LakeFile) -> Result<(), IngestError> {
    let what = match std::fs::metadata(&file.path) {
        Ok(now) => file
            .stamp
            .and_then(|stamp| stamp.difference(&FileStamp::of(&now))),
        Err(error) if error.kind() == ErrorKind::NotFound => Some("it no longer exists".to_owned()),
        Err(error) => {
            return Err(IngestError::Unreadable {
                source_name: source.name.value.clone(),
                operation: "stat",
                file: file.path.clone(),
                error,
            });
        }
    };
    match what {
        Some(what) => Err(IngestError::Changed {
            source_name: source.name.value.clone(),
            file: file.path.clone(),
            what,
        }),
        None => Ok(()),
    }
}
