//! Files of one run outside the store: all are readable by their owner only, since they contain rows of customers.
//!
//! A run has one [`WorkFolder`], which is removed at its end. The folder of a run that was killed, or lost power, is removed by the
//! next run: the folder of a live run is locked, and the operating system releases the lock of a process that ends for any reason.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use tempfile::TempDir;
use tessera_spec::activity::{self, Fact};
use tessera_spec::noted::bare;
use tessera_spec::private;

use crate::error::PipelineError;

/// Prefix of the names of work folders.
const PREFIX: &str = "tessera-work-";

/// The file within a work folder that its run holds locked.
const LOCK: &str = "lock";

/// A folder without a lock may be one that is being created. After this time it is a leftover.
const WITHOUT_LOCK: Duration = Duration::from_secs(3600);

/// How often a folder is created again after another run removed it as a leftover.
const TRIES: u32 = 8;

/// A folder for the files of one run, with mode 0700.
#[derive(Debug)]
pub struct WorkFolder {
    parent: PathBuf,
    folder: TempDir,
    /// Locked while the run is alive.
    _lock: Option<File>,
}

impl WorkFolder {
    /// Creates a folder in this one (by default in the operating system's temporary folder), after removing folders of killed runs.
    pub fn new(parent: Option<&Path>) -> Result<Self, PipelineError> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let failed = |error| PipelineError::Io {
            step: "cannot make a folder for temporary files in",
            path: parent.clone(),
            error,
        };
        for _ in 0..TRIES {
            let folder = private_folder(&parent, PREFIX).map_err(failed)?;
            let Some(lock) = lock(folder.path()).map_err(failed)? else {
                continue;
            };
            activity::note(Fact::Work, folder.path());
            remove_leftovers(&parent, folder.path());
            return Ok(Self {
                parent,
                folder,
                _lock: lock,
            });
        }
        Err(failed(io::Error::other("other runs keep removing it")))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that contains it.
    pub fn parent(&self) -> &Path {
        &self.parent
    }
}

/// A folder with mode 0700 that is removed when the value is dropped.
pub(crate) fn private_folder(parent: &Path, prefix: &str) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    builder.permissions(Permissions::from_mode(0o700));
    builder.tempdir_in(parent).map_err(bare)
}

/// Locks a new work folder. `None` where another run just removed it; `Some(None)` where the file system has no locks, so that no
/// other run removes the folder as a leftover.
fn lock(folder: &Path) -> io::Result<Option<Option<File>>> {
    let path = folder.join(LOCK);
    let file = match private::create(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        created => created?,
    };
    match file.try_lock() {
        Ok(()) if path.exists() => Ok(Some(Some(file))),
        Ok(()) | Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => {
            tracing::debug!("{}: no lock: {error}", path.display());
            std::fs::remove_file(&path)?;
            Ok(Some(None))
        }
    }
}

/// Removes the work folders of killed runs. A folder that cannot be removed is not an error.
fn remove_leftovers(parent: &Path, own: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let named = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if !named || path == own || !is_ours(&path, own) {
            continue;
        }
        // Held until the folder is removed, so that a run that is just beginning in it notices that.
        let Some(_lock) = dead(&path) else { continue };
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!("removed {}, which a killed run left", path.display()),
            Err(error) => tracing::debug!("{}: {error}", path.display()),
        }
    }
}

/// Removes the work folder of a run whose process was killed. If that fails, the next run tries again.
pub fn remove_left(folder: &Path) {
    if let Some(_lock) = dead(folder) {
        let _ = std::fs::remove_dir_all(folder);
    }
}

/// Whether this is a folder, not a link to one, that belongs to the user of this run.
fn is_ours(path: &Path, own: &Path) -> bool {
    let (Ok(found), Ok(own)) = (path.symlink_metadata(), own.symlink_metadata()) else {
        return false;
    };
    #[cfg(unix)]
    let same_user = found.uid() == own.uid();
    #[cfg(not(unix))]
    let same_user = own.is_dir();
    found.is_dir() && same_user
}

/// The lock of a folder whose run has ended; `None` where the run is alive or may be just beginning.
fn dead(folder: &Path) -> Option<Option<File>> {
    match File::open(folder.join(LOCK)) {
        Ok(file) => file.try_lock().is_ok().then_some(Some(file)),
        Err(_) => {
            let changed = folder.symlink_metadata().ok()?.modified().ok()?;
            let age = SystemTime::now().duration_since(changed).ok()?;
            (age > WITHOUT_LOCK).then_some(None)
        }
    }
}

/// What messages may show of rejected rows, and where the rows of a failed run are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disclosure<'a> {
    /// Whether messages and logs show values as they are.
    pub(crate) values: bool,
    /// Folder for the rows of a run that fails.
    pub(crate) folder: &'a Path,
    /// Name of the pipeline.
    pub(crate) pipeline: &'a str,
}

impl Disclosure<'_> {
    fn path(&self, source: &str) -> PathBuf {
        let name = format!("tessera-rejects-{}-{source}.ndjson", self.pipeline);
        self.folder.join(name)
    }

    /// Writes rows of a source to a file with mode 0600, which replaces that of an earlier run; returns a sentence that names it.
    pub(crate) fn keep(&self, source: &str, lines: &[String]) -> String {
        let path = self.path(source);
        let kept = || -> io::Result<()> {
            let mut draft = tempfile::Builder::new()
                .prefix(".tessera-rejects-")
                .tempfile_in(self.folder)?;
            for line in lines {
                writeln!(draft, "{line}")?;
            }
            draft.persist(&path).map_err(|error| error.error)?;
            Ok(())
        };
        let rows = match lines.len() {
            1 => "the first row is".to_owned(),
            n => format!("the first {n} rows are"),
        };
        match kept() {
            Ok(()) => format!(
                "{rows} in {}, which only its owner can read",
                path.display()
            ),
            Err(error) => format!(
                "the rows were not kept: cannot write {}: {error}",
                path.display()
            ),
        }
    }

    /// Removes the rows that an earlier run kept, after the pipeline was published.
    pub(crate) fn forget(&self, source: &str) {
        let path = self.path(source);
        match std::fs::remove_file(&path) {
            Ok(()) => tracing::info!("removed {}, which an earlier run left", path.display()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::debug!("{}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(parent: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(parent).unwrap();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        found.sort();
        found
    }

    #[test]
    fn leftovers_are_removed_and_what_lives_or_is_not_ours_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let parent = Some(dir.path());
        let living = WorkFolder::new(parent).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(living.path()), 0o700);
        assert_eq!(mode(&living.path().join(LOCK)), 0o600);
        // A killed run: its folder exists, and the lock is not held.
        let died = dir.path().join(format!("{PREFIX}died"));
        std::fs::create_dir_all(died.join("inner")).unwrap();
        std::fs::write(died.join(LOCK), "").unwrap();
        let beginning = dir.path().join(format!("{PREFIX}beginning"));
        std::fs::create_dir(&beginning).unwrap();
        let foreign = dir.path().join("tessera-other");
        std::fs::create_dir(&foreign).unwrap();
        let target = dir.path().join("target");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join(LOCK), "").unwrap();
        let link = dir.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let second = WorkFolder::new(parent).unwrap();
        assert!(!died.exists());
        for path in [
            living.path(),
            second.path(),
            &beginning,
            &foreign,
            &target,
            &link,
        ] {
            assert!(path.symlink_metadata().is_ok(), "{}", path.display());
        }
        drop((living, second));
        let left = folders(dir.path());
        assert_eq!(left.len(), 4, "{left:?}");
    }

    #[test]
    fn rows_are_kept_for_their_owner_until_the_source_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let disclosure = Disclosure {
            values: false,
            folder: dir.path(),
            pipeline: "shop",
        };
        let words = disclosure.keep("orders", &["{}".to_owned()]);
        let path = dir.path().join("tessera-rejects-shop-orders.ndjson");
        assert!(words.contains(&path.display().to_string()), "{words}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        disclosure.keep("orders", &["{}".to_owned(), "{}".to_owned()]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{}\n{}\n");
        disclosure.forget("orders");
        assert_eq!(folders(dir.path()), Vec::<PathBuf>::new());
    }
}
