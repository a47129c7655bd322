//! The file `FORMAT`, which makes a folder a store, and the test of the file system before a store is created.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::StoreError;
use crate::folder::Folder;
use crate::txid;

/// First line of `FORMAT`; the second is a random name of the store.
const FORMAT_LINE: &str = "tessera-store 1";

/// Errors of a file system that lacks an operation.
const LACKS: [Errno; 5] = [
    Errno::PERM,
    Errno::OPNOTSUPP,
    Errno::NOSYS,
    Errno::INVAL,
    Errno::MLINK,
];

/// A file of each kind that a store has and that readers of data would take for theirs, by its place in the store.
pub const EXAMPLES: [&str; 11] = [
    "catalog.parquet",
    "artifacts/0123456789abcdef.json",
    "commits/00000000000000000001.json",
    "data/as_of=2026-10-31/run=01a2267430c1-00005fcb-1dbedad7/customers.parquet",
    "delta/customers/2026-10-31-01a2267430c1-00005fcb-1dbedad7-customers.parquet",
    "delta/customers/_delta_log/00000000000000000001.json",
    "expired/00000000000000000001.json",
    "inputs/0123456789abcdef.json",
    "latest/customers.parquet",
    "pins/audit.json",
    "reports/version-1.html",
];

/// What an interrupted attempt may have left in a folder that is not a store yet.
const BEFORE_FORMAT: [&str; 2] = ["tmp", "LOCK"];

/// Creates a store in the folder at this path, unless it is one.
pub(crate) fn found(path: &Path) -> Result<Folder, StoreError> {
    make_folders(path)?;
    let root = Folder::open(path)?;
    if root.read("FORMAT")?.is_none() {
        check_empty(&root)?;
        initialise(&root)?;
    }
    Ok(root)
}

/// Rejects a folder that holds something else and is not a store.
fn check_empty(root: &Folder) -> Result<(), StoreError> {
    let strangers = root
        .list()?
        .into_iter()
        .find(|name| !BEFORE_FORMAT.contains(&name.as_str()));
    // Another process may have created the store since the folder was listed.
    let stranger = strangers.filter(|_| root.read("FORMAT").is_ok_and(|format| format.is_none()));
    match stranger {
        Some(stranger) => Err(StoreError::NotAStore {
            path: root.path().to_owned(),
            reason: format!("it holds `{stranger}` but no file `FORMAT`; choose an empty folder"),
        }),
        None => Ok(()),
    }
}

/// Checks whether a store can be created in this folder; returns the folder, where it exists.
pub(crate) fn check_place(path: &Path) -> Result<Option<Folder>, StoreError> {
    let exists = path
        .try_exists()
        .map_err(|error| StoreError::io("open folder", path, error))?;
    if !exists {
        return Ok(None);
    }
    let root = Folder::open(path)?;
    match root.read("FORMAT")? {
        Some(_) => check(&root)?,
        None => check_empty(&root)?,
    }
    Ok(Some(root))
}

/// Checks that a folder is a store of a known format.
pub(crate) fn check(root: &Folder) -> Result<(), StoreError> {
    let not_a_store = |reason: String| StoreError::NotAStore {
        path: root.path().to_owned(),
        reason,
    };
    let format = root
        .read("FORMAT")?
        .ok_or_else(|| not_a_store("it has no file `FORMAT`".to_owned()))?;
    match String::from_utf8_lossy(&format)
        .lines()
        .next()
        .unwrap_or_default()
    {
        FORMAT_LINE => Ok(()),
        other => Err(not_a_store(format!(
            "its format is `{other}`, and this program knows `{FORMAT_LINE}`"
        ))),
    }
}

/// Creates a folder and those above it, durably, since what is published in them must survive a power loss.
fn make_folders(path: &Path) -> Result<(), StoreError> {
    let path =
        std::path::absolute(path).map_err(|error| StoreError::io("make store", path, error))?;
    let mut missing: Vec<PathBuf> = Vec::new();
    for ancestor in path.ancestors() {
        if ancestor
            .try_exists()
            .map_err(|error| StoreError::io("make store", ancestor, error))?
        {
            break;
        }
        missing.push(ancestor.to_owned());
    }
    for folder in missing.iter().rev() {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(StoreError::io("make store", folder, error));
            }
            _ => {}
        }
    }
    for folder in missing.iter().rev() {
        if let Some(parent) = folder.parent() {
            let sync = File::open(parent).and_then(|parent| parent.sync_all());
            sync.map_err(|error| StoreError::io("fsync folder", parent, error))?;
        }
    }
    Ok(())
}

/// Tests the operations that publishing needs, then creates `FORMAT`.
fn initialise(root: &Folder) -> Result<(), StoreError> {
    // An operation that the file system lacks is another error than a full or broken disk.
    let failed = |step: &'static str, what: &str, error: io::Error| match error.raw_os_error() {
        Some(code) if LACKS.contains(&Errno::from_raw_os_error(code)) => StoreError::Unsupported {
            path: root.path().to_owned(),
            kind: format!("a file system without {what} ({error})"),
        },
        _ => StoreError::io(step, root.path(), error),
    };
    let naming = |error| failed("try to name a file", "create-if-absent names", error);
    let tmp = root.enter_or_make("tmp")?;
    let [first, second, third] = [0, 1, 2].map(|_| format!("probe-{}", txid::new()));
    let content = format!("{FORMAT_LINE}\n{first}\n");
    let written = [&first, &second]
        .into_iter()
        .try_for_each(|name| tmp.write_new(name, content.as_bytes()));
    let tried = written
        .and_then(|()| tmp.name_new(&first, &tmp, &third).map_err(naming))
        .and_then(|()| match tmp.name_new(&second, &tmp, &third) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(naming(error)),
            Ok(()) => Err(StoreError::Unsupported {
                path: root.path().to_owned(),
                kind: "a file system that replaces an existing file when a new name is created"
                    .to_owned(),
            }),
        })
        .and_then(|()| {
            tmp.sync()
                .and_then(|()| root.sync())
                .map_err(|error| failed("fsync folder", "durable folders", error))
        })
        .and_then(|()| match tmp.name_new(&third, root, "FORMAT") {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(StoreError::io("mark store", &root.join("FORMAT"), error))
            }
            _ => Ok(()),
        });
    for name in [&first, &second, &third] {
        tmp.remove(name);
    }
    tried?;
    // The folder itself may be new and not durable yet, created by a run that was killed.
    let absolute = root
        .path()
        .canonicalize()
        .map_err(|error| StoreError::io("fsync store", root.path(), error))?;
    if let Some(parent) = absolute.parent().and_then(|parent| File::open(parent).ok()) {
        parent
            .sync_all()
            .map_err(|error| StoreError::io("fsync folder", &absolute, error))?;
    }
    root.sync()
        .map_err(|error| StoreError::io("fsync store", root.path(), error))
}
