//! A file of the lake by its descriptor.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::Fault;

/// An open file and its size when it was opened.
pub(super) struct LakeFile {
    file: File,
    pub(super) bytes: u64,
}

impl LakeFile {
    /// Opens a regular file; whatever else has its name now is refused without waiting for it.
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| Fault::System("open", error))?;
        let metadata = file
            .metadata()
            .map_err(|error| Fault::System("stat", error))?;
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned().into());
        }
        Ok(Self {
            bytes: metadata.len(),
            file,
        })
    }

    /// Appends `length` bytes from `start` to `to`.
    pub(super) fn read(&mut self, start: u64, length: u64, to: &mut Vec<u8>) -> Result<(), Fault> {
        let wanted = usize::try_from(length).map_err(|_| "it is too large".to_owned())?;
        to.try_reserve_exact(wanted).map_err(|_| {
            format!("{length} bytes of it are to be read at once, more than there is memory")
        })?;
        self.file
            .seek(SeekFrom::Start(start))
            .map_err(|error| Fault::System("read", error))?;
        let got = (&self.file)
            .take(length)
            .read_to_end(to)
            .map_err(|error| Fault::System("read", error))?;
        if got < wanted {
            let end = start + got as u64;
            return Err(format!("it was cut off at {end} bytes while it was read").into());
        }
        Ok(())
    }
}
