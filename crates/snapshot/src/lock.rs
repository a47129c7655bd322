//! The lock of a store: one publisher at a time, from its last check until its hints are written.
//!
//! Users who may write to the store may lock it, and nobody else: `LOCK` has the write permissions of the store's folder and no
//! read permission beyond those, because a lock can be held through any open file descriptor. The file names its holder.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::folder::Folder;

/// Name of the file.
const NAME: &str = "LOCK";

/// How often the lock is tried.
const PAUSE: Duration = Duration::from_millis(20);

/// After a wait of this length there is a warning, and another one whenever the wait has doubled.
const LONG: Duration = Duration::from_secs(2);

/// The process that took the lock last, as the file states it.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: String,
}

/// Waits for the lock, no longer than `wait` and as long as `go_on` is no error; it is free again when the file is dropped.
pub(crate) fn take(
    root: &Folder,
    wait: Duration,
    go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<File, StoreError> {
    let file = root.lock_file(NAME)?;
    let started = Instant::now();
    let mut warn_after = LONG;
    loop {
        match file.try_lock() {
            Ok(()) => {
                // The holder is only used in messages, so failing to write it is no error.
                if let Err(error) = state_holder(&file) {
                    tracing::debug!("LOCK does not name its holder: {error}");
                }
                return Ok(file);
            }
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(StoreError::io("lock store", &root.join(NAME), error));
            }
            Err(std::fs::TryLockError::WouldBlock) => {}
        }
        let waited = started.elapsed();
        if waited >= wait {
            return Err(StoreError::Locked {
                path: root.path().to_owned(),
                waited_seconds: waited.as_secs(),
                holder: holder(&file),
            });
        }
        if waited >= warn_after {
            warn_after = waited * 2;
            tracing::warn!(
                "waiting for the lock of {}, held by {}",
                root.path().display(),
                holder(&file)
            );
        }
        go_on()?;
        std::thread::sleep(PAUSE);
    }
}

fn state_holder(mut file: &File) -> io::Result<()> {
    let holder = Holder {
        pid: std::process::id(),
        host: host(),
        since: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(&serde_json::to_vec(&holder)?)
}

/// The holder as a text, as far as it is known.
fn holder(file: &File) -> String {
    let mut text = String::new();
    let mut reader = file;
    let stated: Option<Holder> = reader
        .rewind()
        .and_then(|()| reader.read_to_string(&mut text))
        .ok()
        .and_then(|_| serde_json::from_str(&text).ok());
    match (owner(file), stated) {
        (Some(pid), Some(stated)) if stated.pid == pid => named(&stated),
        (Some(pid), _) => format!("process {pid}{} of this machine", command(pid)),
        (None, Some(stated)) => format!("{}, unless another program took it since", named(&stated)),
        (None, None) => "an unknown process".to_owned(),
    }
}

fn named(holder: &Holder) -> String {
    let Holder { pid, host, since } = holder;
    format!("process {pid} on {host} since {since}")
}

/// The process that holds the lock of this file, as far as this machine knows it.
fn owner(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // "1: FLOCK  ADVISORY  WRITE 1234 08:01:56789 0 EOF"; lines of those that wait have an arrow.
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = fields.as_slice() else {
            return None;
        };
        let same = place.rsplit(':').next() == Some(inode.as_str());
        same.then(|| pid.parse().ok().filter(|&pid| pid > 0))?
    })
}

/// The name of a process, in brackets.
fn command(pid: u32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|name| format!(" ({})", name.trim().escape_debug()))
        .unwrap_or_default()
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_else(|_| "this machine".to_owned())
}
