//! The memory limit of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::EngineError;

/// What the program takes before it reads anything: its code, its threads, and what the reading libraries keep.
pub(crate) const PROGRAM_BYTES: u64 = 96 << 20;

/// Least memory for entries that can be written to files, however low the limit is.
const LEAST_ENTRIES: u64 = 4 << 20;

/// Least memory for states, however low the limit is.
const LEAST_STATES: u64 = 4 << 20;

/// What batches on their way take at most, where there is enough for them.
const BATCHES_BYTES: u64 = 1 << 30;

/// The memory of a run, shared by everything that takes much of it. What can go to files does so where
/// memory ends; what cannot is refused before it is allocated.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: u64,
    /// Most bytes of entries, whatever the limit leaves.
    most_entries: u64,
    folder: PathBuf,
    /// Bytes of entries that can go to files.
    entries: AtomicU64,
    /// Bytes of states that cannot.
    states: AtomicU64,
    spilled: AtomicU64,
    /// Passes over sources beyond one each.
    further_passes: AtomicU64,
    /// The process uses nearly all of its limit.
    is_scarce: AtomicBool,
}

impl Budget {
    /// A run that may take this many bytes, with files in this folder.
    pub fn new(limit_bytes: u64, folder: &Path) -> Self {
        Self::with_entries(limit_bytes, u64::MAX, folder)
    }

    /// A run without a limit whose entries go to files beyond so many bytes.
    #[cfg(test)]
    pub(crate) fn spilling_at(bytes: u64, folder: &Path) -> Self {
        Self::with_entries(u64::MAX, bytes, folder)
    }

    fn with_entries(limit_bytes: u64, most_entries: u64, folder: &Path) -> Self {
        Self(Arc::new(Inner {
            limit: limit_bytes,
            most_entries,
            folder: folder.to_owned(),
            entries: AtomicU64::new(0),
            states: AtomicU64::new(0),
            spilled: AtomicU64::new(0),
            further_passes: AtomicU64::new(0),
            is_scarce: AtomicBool::new(false),
        }))
    }

    /// A run without a limit.
    pub fn unlimited(folder: &Path) -> Self {
        Self::new(u64::MAX, folder)
    }

    /// Most bytes that the run may take.
    pub fn limit_bytes(&self) -> u64 {
        self.0.limit
    }

    /// Bytes written to files because memory was used up.
    pub fn spilled_bytes(&self) -> u64 {
        self.0.spilled.load(Ordering::Relaxed)
    }

    /// Passes over sources beyond one each, which were needed because the states of all customers would take too much.
    pub fn further_passes(&self) -> u64 {
        self.0.further_passes.load(Ordering::Relaxed)
    }

    /// States whether the whole process uses nearly all of its limit; it is measured elsewhere.
    pub fn set_scarce(&self, is_scarce: bool) {
        self.0.is_scarce.store(is_scarce, Ordering::Relaxed);
    }

    /// An error if data that cannot be written to files would need this many bytes in addition to what is held.
    pub fn require(&self, bytes: u64, what: &str) -> Result<(), EngineError> {
        let needed = bytes
            .saturating_add(self.0.states.load(Ordering::Relaxed))
            .saturating_add(PROGRAM_BYTES);
        if needed <= self.0.limit {
            return Ok(());
        }
        Err(self.refusal(needed, what))
    }

    /// The error of what would need a run to take so many bytes.
    pub(crate) fn refusal(&self, needed_bytes: u64, what: &str) -> EngineError {
        EngineError::Memory {
            what: what.to_owned(),
            needed_bytes,
            limit_bytes: self.0.limit,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0.folder
    }

    pub(crate) fn note_spilled(&self, bytes: u64) {
        self.0.spilled.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn note_further_pass(&self) {
        self.0.further_passes.fetch_add(1, Ordering::Relaxed);
    }

    /// Memory for entries that can go to files.
    pub(crate) fn claim(&self) -> Claim {
        Claim {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Memory for states that cannot go to files.
    pub(crate) fn states(&self) -> States {
        States {
            budget: self.clone(),
            bytes: 0,
        }
    }

    /// Whether all states of the run take no more than they may.
    pub(crate) fn states_fit(&self) -> bool {
        self.0.states.load(Ordering::Relaxed) <= self.states_limit()
    }

    /// Half of what the program and the states leave: the other half is for batches on their way.
    fn entries_limit(&self) -> u64 {
        let states = self.0.states.load(Ordering::Relaxed);
        let left = self.0.limit.saturating_sub(PROGRAM_BYTES + states);
        (left / 2).max(LEAST_ENTRIES).min(self.0.most_entries)
    }

    /// What the program and batches on their way leave for states.
    fn states_limit(&self) -> u64 {
        let left = self.0.limit.saturating_sub(PROGRAM_BYTES);
        let most = (left / 2).max(left.saturating_sub(BATCHES_BYTES));
        most.max(LEAST_STATES)
    }
}

/// Bytes of entries that one owner holds; they are given back when it ends.
#[derive(Debug)]
pub(crate) struct Claim {
    budget: Budget,
    bytes: u64,
}

impl Claim {
    /// Holds so many bytes more. False if memory is used up: the owner then writes its entries to a file.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        self.bytes += bytes;
        let inner = &self.budget.0;
        let held = inner.entries.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_scarce = inner.is_scarce.load(Ordering::Relaxed) && self.bytes > LEAST_ENTRIES;
        held <= self.budget.entries_limit() && !is_scarce
    }

    /// Holds so many bytes from now on.
    pub(crate) fn set(&mut self, bytes: u64) {
        let entries = &self.budget.0.entries;
        entries.fetch_add(bytes, Ordering::Relaxed);
        entries.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes of states that one owner holds; they are given back when it ends.
#[derive(Debug)]
pub(crate) struct States {
    budget: Budget,
    bytes: u64,
}

impl States {
    /// Holds so many bytes from now on. Whether all states of the run take no more than they may.
    pub(crate) fn set(&mut self, bytes: u64) -> bool {
        let states = &self.budget.0.states;
        states.fetch_add(bytes, Ordering::Relaxed);
        states.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        self.budget.states_fit()
    }
}

impl Drop for States {
    fn drop(&mut self) {
        self.budget
            .0
            .states
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_end_where_half_of_what_is_left_is_held() {
        let limit = PROGRAM_BYTES + (40 << 20);
        let budget = Budget::new(limit, Path::new("/tmp"));
        let mut states = budget.states();
        assert!(states.set(20 << 20));
        let mut claim = budget.claim();
        assert!(claim.grow(10 << 20));
        assert!(!claim.grow(1));
        drop(claim);
        assert!(budget.claim().grow(10 << 20));
        drop(states);
        assert!(budget.claim().grow(20 << 20));
        budget.set_scarce(true);
        assert!(budget.claim().grow(1), "little is kept even then");
        assert!(!budget.claim().grow(10 << 20));
    }

    #[test]
    fn what_cannot_be_held_is_refused_with_what_it_needs() {
        let budget = Budget::new(PROGRAM_BYTES + (10 << 20), Path::new("/tmp"));
        budget.require(10 << 20, "a table").unwrap();
        let error = budget.require(20 << 20, "a table").unwrap_err().to_string();
        assert!(error.contains("a table"), "{error}");
        assert!(error.contains("116.0 MiB"), "{error}");
        let mut states = budget.states();
        assert!(states.set(5 << 20), "half is for batches");
        assert!(!states.set(6 << 20));
        Budget::unlimited(Path::new("/tmp"))
            .require(1 << 60, "anything")
            .unwrap();
    }
}
