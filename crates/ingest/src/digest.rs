//! The digest of a file's content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tessera_spec::interrupt;

use crate::footer::hex;
use crate::open::{Unread, Watch, open};

/// Bytes read at a time.
pub(crate) const BUFFER: usize = 1 << 18;

/// A file that is digested as it is read.
pub(crate) struct Digested {
    file: File,
    watch: Watch,
    digest: Sha256,
}

impl Digested {
    /// Opens a file that was seen before.
    pub(crate) fn open(path: &Path, watch: &Watch) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| {
            watch.failed(&error);
            error.to_string()
        })?;
        watch.compare(&file);
        Ok(Self {
            file,
            watch: watch.clone(),
            digest: Sha256::new(),
        })
    }

    /// sha256 of what was read.
    pub(crate) fn finish(self) -> String {
        self.watch.compare(&self.file);
        hex(&self.digest.finalize())
    }
}

impl Read for Digested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if interrupt::requested() {
            self.watch.interrupted();
            return Err(io::Error::other("interrupted"));
        }
        let length = self
            .file
            .read(buffer)
            .inspect_err(|error| self.watch.failed(error))?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

/// sha256 of a whole file.
pub(crate) fn of_file(path: &Path) -> Result<String, Unread> {
    let (_, stamp) = open(path)?;
    let watch = Watch::new(stamp);
    let mut input = io::BufReader::with_capacity(BUFFER, Digested::open(path, &watch)?);
    let copied = io::copy(&mut input, &mut io::sink());
    let digest = input.into_inner().finish();
    if let Some(trouble) = watch.trouble() {
        return Err(trouble);
    }
    copied.map_err(|error| Unread::System("read", error))?;
    Ok(digest)
}
