//! The digest of a file's content.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::footer::hex;

/// Bytes read at a time.
pub(crate) const BUFFER: usize = 1 << 18;

/// A file that is digested as it is read.
pub(crate) struct Digested {
    file: File,
    digest: Sha256,
}

impl Digested {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let digest = Sha256::new();
        Ok(Self { file, digest })
    }

    /// sha256 of what was read.
    pub(crate) fn finish(self) -> String {
        hex(&self.digest.finalize())
    }
}

impl Read for Digested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

/// sha256 of a whole file.
pub(crate) fn of_file(path: &Path) -> Result<String, String> {
    let mut input = io::BufReader::with_capacity(BUFFER, Digested::open(path)?);
    io::copy(&mut input, &mut io::sink()).map_err(|error| error.to_string())?;
    Ok(input.into_inner().finish())
}
