//! A record of what a process is doing, for its parent process: a process that is killed by the operating system, or aborted by
//! a library, cannot report which file it was reading.
//!
//! The record is a file that both processes have open. The child overwrites fixed slots in it, each with one write, and clears
//! the slot of a file when it has finished reading it; the parent reads the record once, after the child has died. Without
//! [`record_in`] nothing is written.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Bytes of a slot: the length of a text and the text, which is truncated to fit.
const PLACE_BYTES: usize = 8 << 10;

/// Bytes of the length at the beginning of a slot.
const LENGTH_BYTES: usize = 4;

/// Number of files that can be recorded at a time; further ones are not recorded.
const MOST_FILES: usize = 256;

/// A fact with a slot of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Name of the pipeline.
    Pipeline,
    /// Day of the run.
    AsOf,
    /// Identifier of the run in the events that it has written.
    Run,
    /// Folder of its own files.
    Work,
    /// Folder of its store.
    Store,
    /// Identifier of the commit that it may make in the store.
    Transaction,
    /// The current stage.
    Stage,
}

/// Number of facts.
const FACTS: usize = 7;

/// The record of this process.
static RECORD: OnceLock<Record> = OnceLock::new();

struct Record {
    file: File,
    /// Which slots for files are in use.
    taken: Mutex<[bool; MOST_FILES]>,
}

impl Record {
    /// Overwrites a slot. An error is ignored: the run does not depend on the record.
    fn write(&self, place: usize, text: &[u8]) {
        let text = &text[..text.len().min(PLACE_BYTES - LENGTH_BYTES)];
        let mut bytes = (text.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(text);
        let _ = self.file.write_all_at(&bytes, (place * PLACE_BYTES) as u64);
    }
}

/// From now on, this process writes its record to this file. A second call has no effect.
pub fn record_in(file: File) {
    let _ = RECORD.set(Record {
        file,
        taken: Mutex::new([false; MOST_FILES]),
    });
}

/// Records a fact and replaces its earlier value.
pub fn note(fact: Fact, text: impl AsRef<OsStr>) {
    if let Some(record) = RECORD.get() {
        record.write(fact as usize, text.as_ref().as_bytes());
    }
}

/// A file that is being read; its slot is cleared when this is dropped.
#[derive(Debug)]
#[must_use = "the file is being read as long as this lives"]
pub struct Reading(Option<usize>);

/// Records that a file of a source is being read; with an empty source, a pipeline file.
pub fn reading(source: &str, file: &Path) -> Reading {
    let Some(record) = RECORD.get() else {
        return Reading(None);
    };
    let mut taken = record.taken.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(free) = taken.iter().position(|taken| !taken) else {
        return Reading(None);
    };
    taken[free] = true;
    drop(taken);
    let mut text = source.as_bytes().to_vec();
    text.push(0);
    text.extend_from_slice(file.as_os_str().as_bytes());
    record.write(FACTS + free, &text);
    Reading(Some(free))
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let (Some(place), Some(record)) = (self.0, RECORD.get()) {
            record.write(FACTS + place, &[]);
            let mut taken = record.taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken[place] = false;
        }
    }
}

/// What a process was doing when it died.
#[derive(Debug, Default)]
pub struct Recorded {
    facts: Vec<Option<OsString>>,
    /// The files that were being read, with their sources, in no particular order.
    pub reading: Vec<(String, PathBuf)>,
}

impl Recorded {
    /// Reads the record of a process; a slot that cannot be read counts as empty.
    pub fn of(file: &File) -> Self {
        let mut recorded = Self::default();
        for place in 0..FACTS {
            recorded
                .facts
                .push(text(file, place).map(OsString::from_vec));
        }
        for place in FACTS..FACTS + MOST_FILES {
            let Some(text) = text(file, place) else {
                continue;
            };
            let mut parts = text.splitn(2, |byte| *byte == 0);
            if let (Some(source), Some(path)) = (parts.next(), parts.next()) {
                let source = String::from_utf8_lossy(source).into_owned();
                recorded
                    .reading
                    .push((source, PathBuf::from(OsStr::from_bytes(path))));
            }
        }
        recorded
    }

    /// A fact, if the process recorded it.
    pub fn fact(&self, fact: Fact) -> Option<&OsStr> {
        self.facts.get(fact as usize)?.as_deref()
    }

    /// A fact as text.
    pub fn text(&self, fact: Fact) -> Option<String> {
        let text = self.fact(fact)?;
        Some(text.to_string_lossy().into_owned())
    }
}

/// The text of a slot; `None` if it is empty.
fn text(file: &File, place: usize) -> Option<Vec<u8>> {
    let begin = (place * PLACE_BYTES) as u64;
    let mut length = [0; LENGTH_BYTES];
    file.read_exact_at(&mut length, begin).ok()?;
    let length = u32::from_le_bytes(length) as usize;
    if length == 0 || length > PLACE_BYTES - LENGTH_BYTES {
        return None;
    }
    let mut text = vec![0; length];
    file.read_exact_at(&mut text, begin + LENGTH_BYTES as u64)
        .ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_being_read_is_recorded_until_it_is_read() {
        let file = tempfile::tempfile().unwrap();
        record_in(file.try_clone().unwrap());
        assert_eq!(Recorded::of(&file).reading, []);
        note(Fact::Store, "/store");
        note(Fact::Stage, "a long text");
        note(Fact::Stage, "short");
        let long = "x".repeat(3 * PLACE_BYTES);
        let first = reading("orders", Path::new("/lake/a.parquet"));
        let cut = reading("orders", Path::new(&long));
        let odd = Path::new(OsStr::from_bytes(b"/lake/\xff\n.csv"));
        let second = reading("customers", odd);
        drop(first);
        drop(cut);
        let recorded = Recorded::of(&file);
        assert_eq!(
            recorded.reading,
            [("customers".to_owned(), odd.to_path_buf())]
        );
        assert_eq!(recorded.fact(Fact::Store), Some(OsStr::new("/store")));
        assert_eq!(recorded.text(Fact::Stage).as_deref(), Some("short"));
        assert_eq!(recorded.fact(Fact::Work), None);
        let others: Vec<Reading> = (0..2 * MOST_FILES)
            .map(|n| reading("many", Path::new(&n.to_string())))
            .collect();
        assert_eq!(Recorded::of(&file).reading.len(), MOST_FILES);
        drop((others, second));
        assert_eq!(Recorded::of(&file).reading, []);
    }
}
