//! What a CSV or NDJSON file holds, and that it is whole. Neither format says so in a footer, so the file is read.

mod csv;
mod ndjson;
mod quotes;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use tessera_expr::rel::Stored;

use crate::footer::{Footer, Found, hex};

pub(crate) use csv::csv;
pub(crate) use ndjson::ndjson;

/// Bytes read at a time.
const BUFFER: usize = 1 << 18;

/// A file that is digested as it is read.
struct Digested {
    file: File,
    digest: Sha256,
}

impl Digested {
    fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let digest = Sha256::new();
        Ok(Self { file, digest })
    }

    /// The footer of a file that was read to its end.
    fn footer(self, names: Vec<String>) -> Footer {
        let columns = names
            .into_iter()
            .map(|name| (name, Found::Flat(Stored::Text)))
            .collect();
        Footer {
            columns,
            rows: 0,
            fingerprint: hex(&self.digest.finalize()),
        }
    }
}

impl Read for Digested {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        self.digest.update(&buffer[..length]);
        Ok(length)
    }
}

/// sha256 of a file's content.
pub(crate) fn content_hash(path: &Path) -> Result<String, String> {
    let mut input = Digested::open(path)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(hex(&input.digest.finalize())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}
