//! Sorts small entries of fixed size: in memory, or with temporary files if they exceed the memory limit of the run.
//!
//! Entries are partitioned, so that each part can be sorted within a cache. When the memory limit is reached, every part is sorted
//! and all are written one after the other as a run; at the end, the runs and the entries in memory are merged part by part. The
//! result does not depend on whether, or when, runs were written.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tessera_spec::noted::bare;

use crate::budget::{Budget, Claim};
use crate::error::EngineError;

/// Entries of a block. Blocks never grow, so nothing is copied, and a freed block can be used by any part.
const BLOCK: usize = 128;

/// Fewest entries for which repeated ones are looked for.
const LEAST_COMPACTED: usize = 1 << 20;

/// Bytes that are read or written at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// An entry that can be sorted.
pub(crate) trait Entry: Copy + Send {
    /// Its order; equal for equal entries.
    type Key: Ord + Copy;
    /// Bytes in a file.
    const BYTES: usize;

    /// By what it is sorted.
    fn key(self) -> Self::Key;
    /// Appends its bytes.
    fn write(self, to: &mut Vec<u8>);
    /// The entry with these bytes, which are [`Entry::BYTES`].
    fn read(bytes: &[u8]) -> Self;
}

/// A customer's number and a value of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short([u32; 3]);

/// A customer's number and a value of 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Long([u32; 5]);

impl Short {
    #[inline]
    pub(crate) fn new(number: u32, value: u64) -> Self {
        Self([number, (value >> 32) as u32, value as u32])
    }

    pub(crate) fn number(self) -> u32 {
        self.0[0]
    }

    pub(crate) fn value(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[2])
    }
}

impl Long {
    #[inline]
    pub(crate) fn new(number: u32, value: u128) -> Self {
        let word = |shift: u32| (value >> shift) as u32;
        Self([number, word(96), word(64), word(32), word(0)])
    }

    pub(crate) fn number(self) -> u32 {
        self.0[0]
    }

    pub(crate) fn value(self) -> u128 {
        let [_, words @ ..] = self.0;
        words
            .iter()
            .fold(0, |value, word| value << 32 | u128::from(*word))
    }
}

impl Entry for Short {
    type Key = u128;
    const BYTES: usize = 12;

    #[inline]
    fn key(self) -> u128 {
        u128::from(self.0[0]) << 64 | u128::from(self.value())
    }

    fn write(self, to: &mut Vec<u8>) {
        write_words(&self.0, to);
    }

    fn read(bytes: &[u8]) -> Self {
        Self(words(bytes))
    }
}

impl Entry for Long {
    type Key = (u32, u128);
    const BYTES: usize = 20;

    #[inline]
    fn key(self) -> (u32, u128) {
        (self.0[0], self.value())
    }

    fn write(self, to: &mut Vec<u8>) {
        write_words(&self.0, to);
    }

    fn read(bytes: &[u8]) -> Self {
        Self(words(bytes))
    }
}

impl Entry for u128 {
    type Key = u128;
    const BYTES: usize = 16;

    #[inline]
    fn key(self) -> u128 {
        self
    }

    fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Self {
        let mut own = [0; 16];
        own.copy_from_slice(bytes);
        Self::from_le_bytes(own)
    }
}

fn write_words(words: &[u32], to: &mut Vec<u8>) {
    for word in words {
        to.extend_from_slice(&word.to_le_bytes());
    }
}

fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut own = [0; N];
    for (word, bytes) in own.iter_mut().zip(bytes.chunks_exact(4)) {
        let mut four = [0; 4];
        four.copy_from_slice(bytes);
        *word = u32::from_le_bytes(four);
    }
    own
}

/// What happens to equal entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Equal {
    /// All come out.
    Kept,
    /// One comes out.
    Once,
}

/// Takes entries in any order and gives them back in the order of their parts and keys.
pub(crate) struct Sorter<E> {
    /// None until an entry comes.
    parts: Vec<Blocks<E>>,
    part_count: usize,
    equal: Equal,
    /// Entries in memory.
    held: usize,
    /// So many in memory make it worth looking for repeated ones.
    compact_at: usize,
    /// Whether the memory limit was reached since runs were written last.
    is_full: bool,
    claim: Claim,
    budget: Budget,
    runs: Vec<Run>,
}

/// Entries of a part.
struct Blocks<E> {
    open: Vec<E>,
    full: Vec<Vec<E>>,
}

/// Sorted parts in a file that has no name and vanishes with the process.
struct Run {
    file: Arc<File>,
    /// Where each part ends; it begins where the one before it ends.
    ends: Vec<u64>,
}

/// Entries of one part, to be taken in order.
pub(crate) struct Part<E> {
    entries: Vec<Vec<E>>,
    segments: Vec<Segment>,
    equal: Equal,
    budget: Budget,
}

/// A part in a run.
struct Segment {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl<E: Entry> Sorter<E> {
    /// No entries yet; they will have parts below `part_count`.
    pub(crate) fn new(part_count: usize, equal: Equal, budget: &Budget) -> Self {
        Self {
            parts: Vec::new(),
            part_count,
            equal,
            held: 0,
            compact_at: LEAST_COMPACTED,
            is_full: false,
            claim: budget.claim(),
            budget: budget.clone(),
            runs: Vec::new(),
        }
    }

    /// Takes an entry of this part.
    #[inline]
    pub(crate) fn push(&mut self, part: usize, entry: E) {
        match self.parts.get_mut(part) {
            Some(blocks) if blocks.open.len() < blocks.open.capacity() => blocks.open.push(entry),
            _ => self.push_into_new(part, entry),
        }
    }

    #[cold]
    fn push_into_new(&mut self, part: usize, entry: E) {
        if self.parts.is_empty() {
            let none = || Blocks {
                open: Vec::new(),
                full: Vec::new(),
            };
            self.parts.resize_with(self.part_count, none);
        }
        let mut block = Vec::with_capacity(BLOCK);
        block.push(entry);
        let blocks = &mut self.parts[part];
        let full = std::mem::replace(&mut blocks.open, block);
        if !full.is_empty() {
            self.held += full.len();
            blocks.full.push(full);
        }
        self.is_full |= !self.claim.grow((BLOCK * size_of::<E>()) as u64);
    }

    /// Writes the entries to a file if the memory limit was reached since the last call. Must be called regularly: entries stay in
    /// memory until then.
    pub(crate) fn relieve(&mut self) -> Result<(), EngineError> {
        if self.equal == Equal::Once && self.held >= self.compact_at {
            self.compact();
        }
        if self.is_full {
            self.spill()?;
        }
        Ok(())
    }

    /// Drops repeated entries.
    fn compact(&mut self) {
        let before = self.held;
        self.held = 0;
        let (mut sorted, mut blocks_held) = (Vec::new(), 0);
        for blocks in &mut self.parts {
            blocks.take_sorted(Equal::Once, &mut sorted);
            let mut chunks = sorted.chunks(BLOCK).map(|chunk| {
                let mut block = Vec::with_capacity(BLOCK);
                block.extend_from_slice(chunk);
                block
            });
            blocks.full = chunks.by_ref().collect();
            blocks.open = blocks.full.pop().unwrap_or_default();
            self.held += blocks.full.len() * BLOCK;
            blocks_held += blocks.full.len() + usize::from(blocks.open.capacity() > 0);
        }
        self.claim
            .set((blocks_held * BLOCK * size_of::<E>()) as u64);
        self.is_full = !self.claim.grow(0);
        // Where hardly any repeat, looking for them is done seldom.
        let factor = if self.held > before / 16 * 15 { 4 } else { 2 };
        self.compact_at = (self.held * factor).max(LEAST_COMPACTED);
    }

    /// Writes what is in memory as a run.
    fn spill(&mut self) -> Result<(), EngineError> {
        let folder = self.budget.folder();
        let failed = |error| EngineError::io("write temporary file", folder, error);
        let file = tempfile::tempfile_in(folder).map_err(|error| failed(bare(error)))?;
        let mut ends = Vec::with_capacity(self.part_count);
        let (mut sorted, mut bytes, mut at) = (Vec::new(), Vec::new(), 0);
        for blocks in &mut self.parts {
            blocks.take_sorted(self.equal, &mut sorted);
            for entry in &sorted {
                entry.write(&mut bytes);
            }
            ends.push(at + bytes.len() as u64);
            if bytes.len() >= BUFFER_BYTES {
                file.write_all_at(&bytes, at).map_err(failed)?;
                at += bytes.len() as u64;
                bytes.clear();
            }
        }
        file.write_all_at(&bytes, at).map_err(failed)?;
        self.budget.note_spilled(at + bytes.len() as u64);
        self.runs.push(Run {
            file: Arc::new(file),
            ends,
        });
        self.held = 0;
        self.claim.set(0);
        self.is_full = false;
        Ok(())
    }

    /// The parts, in order.
    pub(crate) fn into_parts(self) -> Vec<Part<E>> {
        let mut in_memory = self.parts.into_iter();
        let part = |number: usize| {
            let blocks = in_memory.next();
            let entries = blocks.map_or_else(Vec::new, |mut blocks| {
                blocks.full.push(blocks.open);
                blocks.full
            });
            let segments = self.runs.iter().map(|run| Segment {
                file: run.file.clone(),
                at: number.checked_sub(1).map_or(0, |before| run.ends[before]),
                end: run.ends[number],
            });
            Part {
                entries,
                segments: segments
                    .filter(|segment| segment.at < segment.end)
                    .collect(),
                equal: self.equal,
                budget: self.budget.clone(),
            }
        };
        (0..self.part_count).map(part).collect()
    }
}

impl<E: Entry> Blocks<E> {
    /// Moves the entries, in order, into `sorted`, whose content is replaced.
    fn take_sorted(&mut self, equal: Equal, sorted: &mut Vec<E>) {
        sorted.clear();
        for block in self.full.drain(..) {
            sorted.extend_from_slice(&block);
        }
        sorted.extend_from_slice(&std::mem::take(&mut self.open));
        sort(sorted, equal);
    }
}

fn sort<E: Entry>(entries: &mut Vec<E>, equal: Equal) {
    entries.sort_unstable_by_key(|entry| entry.key());
    if equal == Equal::Once {
        entries.dedup_by(|later, earlier| later.key() == earlier.key());
    }
}

impl<E: Entry> Part<E> {
    /// Hands over the entries in order.
    pub(crate) fn each(self, mut take: impl FnMut(E)) -> Result<(), EngineError> {
        let mut sorted = Vec::with_capacity(self.entries.iter().map(Vec::len).sum());
        for block in self.entries {
            sorted.extend_from_slice(&block);
        }
        sort(&mut sorted, self.equal);
        if self.segments.is_empty() {
            sorted.into_iter().for_each(take);
            return Ok(());
        }
        let failed = |error| EngineError::io("read temporary file", self.budget.folder(), error);
        EngineError::go_on()?;
        let mut sources: Vec<Source<E>> = self.segments.into_iter().map(Source::file).collect();
        sources.push(Source::memory(sorted));
        let mut next = BinaryHeap::with_capacity(sources.len());
        for (number, source) in sources.iter_mut().enumerate() {
            if let Some(entry) = source.next().map_err(failed)? {
                next.push(Reverse(Next(entry, number)));
            }
        }
        let mut last = None;
        while let Some(Reverse(Next(entry, number))) = next.pop() {
            if self.equal == Equal::Kept || last != Some(entry.key()) {
                take(entry);
            }
            last = Some(entry.key());
            if let Some(entry) = sources[number].next().map_err(failed)? {
                next.push(Reverse(Next(entry, number)));
            }
        }
        Ok(())
    }
}

/// The next entry of a source, with the source's number.
struct Next<E>(E, usize);

impl<E: Entry> PartialEq for Next<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<E: Entry> Eq for Next<E> {}

impl<E: Entry> PartialOrd for Next<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E: Entry> Ord for Next<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.key(), self.1).cmp(&(other.0.key(), other.1))
    }
}

/// Sorted entries in a file, of which some are in memory; or all in memory.
struct Source<E> {
    segment: Option<Segment>,
    entries: std::vec::IntoIter<E>,
}

impl<E: Entry> Source<E> {
    fn file(segment: Segment) -> Self {
        Self {
            segment: Some(segment),
            entries: Vec::new().into_iter(),
        }
    }

    fn memory(sorted: Vec<E>) -> Self {
        Self {
            segment: None,
            entries: sorted.into_iter(),
        }
    }

    fn next(&mut self) -> std::io::Result<Option<E>> {
        if let Some(entry) = self.entries.next() {
            return Ok(Some(entry));
        }
        let Some(segment) = self.segment.as_mut().filter(|s| s.at < s.end) else {
            return Ok(None);
        };
        let most = (BUFFER_BYTES / E::BYTES * E::BYTES) as u64;
        let mut bytes = vec![0; (segment.end - segment.at).min(most) as usize];
        segment.file.read_exact_at(&mut bytes, segment.at)?;
        segment.at += bytes.len() as u64;
        let entries: Vec<E> = bytes.chunks_exact(E::BYTES).map(E::read).collect();
        self.entries = entries.into_iter();
        Ok(self.entries.next())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTS: usize = 8;

    fn sorted<E: Entry>(entries: &[(usize, E)], equal: Equal, budget: &Budget) -> Vec<(usize, E)> {
        let mut sorter = Sorter::new(PARTS, equal, budget);
        for (number, (part, entry)) in entries.iter().enumerate() {
            sorter.push(*part, *entry);
            if number % 64 == 0 {
                sorter.relieve().unwrap();
            }
        }
        let mut found = Vec::new();
        for (number, part) in sorter.into_parts().into_iter().enumerate() {
            part.each(|entry| found.push((number, entry))).unwrap();
        }
        found
    }

    proptest! {
        #[test]
        fn entries_come_out_in_order_whether_runs_were_written_or_not(
            values in prop::collection::vec((0..PARTS, 0_u32..40, 0_u64..60), 0..4000),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let small = Budget::spilling_at(1, folder.path());
            let large = Budget::unlimited(folder.path());
            let shorts: Vec<_> = values.iter().map(|(p, n, v)| (*p, Short::new(*n, v << 40))).collect();
            let longs: Vec<_> = values.iter().map(|(p, n, v)| (*p, Long::new(*n, u128::from(*v) << 70))).collect();
            let mut expected = values.clone();
            expected.sort_unstable();
            for equal in [Equal::Kept, Equal::Once] {
                if equal == Equal::Once {
                    expected.dedup();
                }
                for budget in [&small, &large] {
                    let found = sorted(&shorts, equal, budget);
                    let found: Vec<_> = found.iter().map(|(p, e)| (*p, e.number(), e.value() >> 40)).collect();
                    prop_assert_eq!(&found, &expected);
                    let found = sorted(&longs, equal, budget);
                    let found: Vec<_> = found.iter().map(|(p, e)| (*p, e.number(), (e.value() >> 70) as u64)).collect();
                    prop_assert_eq!(&found, &expected);
                }
            }
            prop_assert_eq!(large.spilled_bytes(), 0);
            prop_assert!(values.len() < 100 || small.spilled_bytes() > 0);
        }
    }

    #[test]
    fn repeated_entries_are_dropped_before_memory_ends() {
        let folder = tempfile::tempdir().unwrap();
        let budget = Budget::unlimited(folder.path());
        let mut sorter = Sorter::new(PARTS, Equal::Once, &budget);
        for round in 0..40 {
            for value in 0..100_000_u64 {
                sorter.push(value as usize % PARTS, Short::new(value as u32 % 7, value));
            }
            sorter.relieve().unwrap();
            assert!(sorter.held <= LEAST_COMPACTED + 100_000, "round {round}");
        }
        let mut count = 0;
        for part in sorter.into_parts() {
            part.each(|_| count += 1).unwrap();
        }
        assert_eq!(count, 100_000);
    }

    #[test]
    fn a_folder_that_is_gone_is_named() {
        let budget = Budget::spilling_at(1, std::path::Path::new("/nowhere/at/all"));
        let mut sorter = Sorter::new(PARTS, Equal::Kept, &budget);
        sorter.push(0, 7_u128);
        let error = sorter.relieve().unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all"), "{error}");
    }
}
