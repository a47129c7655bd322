//! The memory of a run: measured continuously, compared with the limit, and reported for every stage.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tessera_engine::{Budget, PolarsEngine};
use tessera_spec::shown::grouped;

use crate::error::PipelineError;
use crate::stage::Stage;

/// Time between two measurements, in which a run fills no more than about 10 MB.
const INTERVAL: Duration = Duration::from_millis(3);

/// Least time between two calls that return freed memory to the operating system.
const RELEASE_INTERVAL: Duration = Duration::from_millis(100);

/// Share of the limit above which freed memory is returned to the operating system and entries are written to files.
const SCARCE: f64 = 0.85;

/// Share of the limit at which the run ends.
const OVERRUN: f64 = 1.01;

/// The memory of a run.
#[derive(Debug)]
pub struct Memory {
    budget: Budget,
    /// Largest measurement since the last call of [`Memory::take_peak`], bytes.
    peak: AtomicU64,
}

/// Functions of the program for memory.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// Returns freed memory to the operating system.
    pub release: fn(),
    /// Ends the program, which uses `taken_bytes` of its limit of `limit_bytes`, unless it has begun to commit.
    pub overrun: fn(taken_bytes: u64, limit_bytes: u64),
}

impl Memory {
    /// The memory of a run with this limit and this folder for its files.
    pub fn new(limit_bytes: u64, folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            budget: Budget::new(limit_bytes, folder),
            peak: AtomicU64::new(0),
        })
    }

    /// Measures until the run has ended. Where the operating system does not report the memory of a process, nothing is measured.
    pub fn watch(self: &Arc<Self>, hooks: Hooks) -> std::io::Result<()> {
        let memory = Arc::downgrade(self);
        let named = std::thread::Builder::new().name("memory".to_owned());
        named.spawn(move || watch(&memory, hooks)).map(|_| ())
    }

    /// An error if a stage over a table of the customers would need more than the limit. `tables` are the tables in memory; the stage
    /// makes `copies` of the first of them.
    pub(crate) fn require(
        &self,
        stage: &Stage,
        tables: &[&RecordBatch],
        copies: f64,
    ) -> Result<(), PipelineError> {
        let bytes = |table: &&RecordBatch| table.get_array_memory_size() as u64;
        let held: u64 = tables.iter().map(bytes).sum();
        let made = tables
            .first()
            .map_or(0.0, |table| bytes(table) as f64 * copies);
        let customers = tables.first().map_or(0, |table| table.num_rows());
        let what = format!(
            "the stage `{stage}` over {} customers",
            grouped(customers as u64)
        );
        Ok(self
            .budget
            .require(held.saturating_add(made as u64), &what)?)
    }

    /// An engine that keeps to this memory.
    pub(crate) fn engine(&self, threads: usize) -> PolarsEngine {
        PolarsEngine::new(threads, self.budget.clone())
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Peak memory of the process since the last call, bytes.
    pub(crate) fn take_peak(&self) -> u64 {
        let now = resident_bytes().unwrap_or(0);
        self.peak.swap(0, Ordering::Relaxed).max(now)
    }
}

fn watch(memory: &Weak<Memory>, hooks: Hooks) {
    let Some(mut counter) = Counter::open() else {
        return;
    };
    let mut released = Instant::now();
    loop {
        {
            let Some(memory) = memory.upgrade() else {
                return;
            };
            let Some(mut taken) = counter.bytes() else {
                return;
            };
            memory.peak.fetch_max(taken, Ordering::Relaxed);
            let limit = memory.budget.limit_bytes();
            let beyond = |taken: u64, share: f64| taken as f64 > limit as f64 * share;
            if beyond(taken, OVERRUN)
                || beyond(taken, SCARCE) && released.elapsed() > RELEASE_INTERVAL
            {
                (hooks.release)();
                released = Instant::now();
                taken = counter.bytes().unwrap_or(taken);
            }
            memory.budget.set_scarce(beyond(taken, SCARCE));
            if beyond(taken, OVERRUN) {
                (hooks.overrun)(taken, limit);
            }
        }
        std::thread::sleep(INTERVAL);
    }
}

/// Resident memory of the process, bytes; `None` where there is no `/proc`.
fn resident_bytes() -> Option<u64> {
    Counter::open()?.bytes()
}

/// The file with the memory of the process. It stays open, since it is read continuously.
struct Counter {
    file: File,
    page_bytes: u64,
}

impl Counter {
    fn open() -> Option<Self> {
        Some(Self {
            file: File::open("/proc/self/statm").ok()?,
            page_bytes: page_bytes()?,
        })
    }

    fn bytes(&mut self) -> Option<u64> {
        let mut text = [0; 128];
        self.file.rewind().ok()?;
        let length = self.file.read(&mut text).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages * self.page_bytes)
    }
}

/// Size of a page of memory in bytes, from the auxiliary vector of the process.
fn page_bytes() -> Option<u64> {
    const PAGE_SIZE: u64 = 6;
    let entries = std::fs::read("/proc/self/auxv").ok()?;
    let (words, _) = entries.as_chunks::<{ size_of::<usize>() }>();
    let (pairs, _) = words.as_chunks::<2>();
    let number = |word: &[u8; size_of::<usize>()]| usize::from_ne_bytes(*word) as u64;
    let found = pairs.iter().find(|[name, _]| number(name) == PAGE_SIZE)?;
    Some(number(&found[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_process_takes_is_measured_and_noted() {
        let memory = Memory::new(u64::MAX, Path::new("/tmp"));
        let before = memory.take_peak();
        let filled = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = memory.take_peak();
        assert!(after >= before + (60 << 20), "{before} {after}");
        drop(filled);
    }
}
