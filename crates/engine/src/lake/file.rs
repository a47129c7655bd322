//! A file of the lake by its descriptor.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tessera_expr::rel::FileStamp;

use super::Fault;

/// An open file and what it was when it was first seen.
pub(super) struct LakeFile {
    file: File,
    pub(super) bytes: u64,
    stamp: FileStamp,
}

impl LakeFile {
    /// Opens a regular file; a FIFO, device or socket of that name is an error, without waiting for it.
    /// `known` is its stamp when the lake was listed.
    pub(super) fn open(path: &Path, known: Option<&FileStamp>) -> Result<Self, Fault> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => Fault::Changed("it no longer exists".to_owned()),
                _ => Fault::System("open", error),
            })?;
        let metadata = file
            .metadata()
            .map_err(|error| Fault::System("stat", error))?;
        if !metadata.is_file() {
            return Err("it is not a regular file".to_owned().into());
        }
        let now = FileStamp::of(&metadata);
        let opened = Self {
            bytes: metadata.len(),
            stamp: known.copied().unwrap_or(now),
            file,
        };
        opened.unchanged()?;
        Ok(opened)
    }

    /// An error if the file has changed.
    pub(super) fn unchanged(&self) -> Result<(), Fault> {
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|error| Fault::System("stat", error))?;
        match self.stamp.difference(&FileStamp::of(&metadata)) {
            Some(what) => Err(Fault::Changed(what)),
            None => Ok(()),
        }
    }

    /// Appends `length` bytes from `start` to `to`.
    pub(super) fn read(&mut self, start: u64, length: u64, to: &mut Vec<u8>) -> Result<(), Fault> {
        let wanted = usize::try_from(length).map_err(|_| "it is too large".to_owned())?;
        to.try_reserve_exact(wanted).map_err(|_| {
            format!("{length} bytes of it must be read at once, more than the available memory")
        })?;
        self.file
            .seek(SeekFrom::Start(start))
            .map_err(|error| Fault::System("read", error))?;
        let got = (&self.file)
            .take(length)
            .read_to_end(to)
            .map_err(|error| Fault::System("read", error))?;
        if got < wanted {
            self.unchanged()?;
            let end = start + got as u64;
            return Err(format!("it was truncated to {end} bytes while it was read").into());
        }
        Ok(())
    }
}
