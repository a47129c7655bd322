//! A file that others read: it is there complete, or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::interrupt;

/// The mode of new files, of which the process's mask takes away what it does not allow.
const MODE: u32 = 0o666;

/// Writes a file in one step: `write` fills a draft beside it, which is made durable and then gets its name. What was there stays until
/// then, and its permissions after that. A pipe or a device is written to directly.
///
/// # Errors
/// Those of `write`, and of the operating system, after which nothing of the draft is left.
pub(crate) fn write<E: From<io::Error>>(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> Result<(), E>,
) -> Result<(), E> {
    let there = match std::fs::metadata(path) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(there) = there.as_ref().filter(|there| !there.is_file()) {
        if there.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        let mut direct = BufWriter::new(File::options().write(true).open(path)?);
        write(&mut direct)?;
        return Ok(direct.flush()?);
    }
    // A link stays, and the file that it names is replaced.
    let path = match there {
        Some(_) => path.canonicalize()?,
        None => path.to_owned(),
    };
    let folder = folder_of(&path);
    let opened = File::open(&folder)?;
    let draft = draft(&path, &folder)?;
    interrupt::remove_at_end(draft.path());
    if let Some(there) = there {
        draft.as_file().set_permissions(there.permissions())?;
    }
    let mut buffered = BufWriter::new(draft.as_file());
    write(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    draft.as_file().sync_all()?;
    draft.persist(&path).map_err(|failed| failed.error)?;
    Ok(opened.sync_all()?)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// A new file in the folder, with a hidden name that begins with that of the file.
fn draft(path: &Path, folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut builder = Builder::new();
    let prefix = format!(".{name}.");
    builder.prefix(&prefix).suffix(".tmp");
    builder.permissions(std::fs::Permissions::from_mode(MODE));
    builder.tempfile_in(folder)
}
