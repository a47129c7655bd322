//! Opens files of the lake and detects changes until they are read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use tessera_expr::rel::FileStamp;

/// Why a file cannot be used.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Its content is not what it must be: a sentence about the file.
    Damaged(String),
    /// The operating system refused: what was tried, and why not.
    System(&'static str, io::Error),
    /// It has changed: how it differs.
    Changed(String),
    /// The process is asked to stop.
    Interrupted,
    /// Its records could not be kept in a stage file: what was tried, the stage file, and why not.
    Unkept(&'static str, PathBuf, io::Error),
}

impl From<String> for Unread {
    fn from(reason: String) -> Self {
        Self::Damaged(reason)
    }
}

/// Resolution of file times on the coarsest supported system.
const CLOCK_STEP: Duration = Duration::from_millis(25);

/// Opens a regular file; a FIFO, device or socket of that name is an error, without waiting for it. A change after this changes its
/// stamp.
pub(crate) fn open(path: &Path) -> Result<(File, FileStamp), Unread> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(|error| Unread::System("open", error))?;
    let stat = || {
        file.metadata()
            .map_err(|error| Unread::System("stat", error))
    };
    let mut metadata = stat()?;
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned().into());
    }
    // A file that has just been written could be written again without a change of its time.
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ns = now.map_or(0, |now| now.as_nanos().cast_signed());
    let age_ns = now_ns - FileStamp::of(&metadata).changed_ns;
    if (0..CLOCK_STEP.as_nanos().cast_signed()).contains(&age_ns) {
        std::thread::sleep(CLOCK_STEP);
        metadata = stat()?;
    }
    let stamp = FileStamp::of(&metadata);
    Ok((file, stamp))
}

/// Changes and errors of a file while it is read, perhaps several times.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// What it was at first.
    pub(crate) stamp: FileStamp,
    trouble: Arc<Mutex<Option<Unread>>>,
}

impl Watch {
    pub(crate) fn new(stamp: FileStamp) -> Self {
        Self {
            stamp,
            trouble: Arc::default(),
        }
    }

    /// Checks that the open file has not changed.
    pub(crate) fn compare(&self, file: &File) {
        match file.metadata() {
            Ok(now) => {
                if let Some(what) = self.stamp.difference(&FileStamp::of(&now)) {
                    self.note(Unread::Changed(what));
                }
            }
            Err(error) => self.note(Unread::System("stat", error)),
        }
    }

    /// Keeps an operating system error, since callers may replace its text.
    pub(crate) fn failed(&self, error: &io::Error) {
        if let Some(code) = error.raw_os_error() {
            self.note(Unread::System("read", io::Error::from_raw_os_error(code)));
        }
    }

    /// The reading was stopped because the process is asked to stop.
    pub(crate) fn interrupted(&self) {
        self.note(Unread::Interrupted);
    }

    /// Keeps an error of the stage file that holds the records of this one.
    pub(crate) fn unkept(&self, operation: &'static str, stage: &Path, error: io::Error) {
        self.note(Unread::Unkept(operation, stage.to_owned(), error));
    }

    fn note(&self, trouble: Unread) {
        let mut kept = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get_or_insert(trouble);
    }

    /// The first of them.
    pub(crate) fn trouble(&self) -> Option<Unread> {
        let mut kept = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take()
    }
}
