//! From keys to dense customer numbers: an open-addressing table with the keys beside the customers' states.

use super::batch::KeyWords;

/// About how many words a page of records has room for: 8 MiB, several large pages of the system. Pages keep their place when
/// the table grows, so that nothing is copied.
const PAGE_WORDS: usize = 1 << 20;

/// Words of a cache line.
const LINE: usize = 8;

/// A slot of the table: number + 1 (0 is free) and the upper half of the key's hash.
#[derive(Clone, Copy, Default)]
struct Slot {
    number: u32,
    tag: u32,
}

/// Words before a state: the customer's key, so that finding a customer begins to load its state.
const KEY_WORDS: usize = 2;

/// Customers of one worker: their keys and states, numbered in order of appearance.
pub(crate) struct Customers {
    slots: Vec<Slot>,
    count: usize,
    /// Long keys: start in `texts`; `u64::MAX` for keys that fit into 16 bytes. Empty until a long key comes.
    long_starts: Vec<u64>,
    texts: Vec<u8>,
    /// Key and state of each customer, filled up to whole cache lines.
    pages: Vec<Vec<u64>>,
    /// A page holds two to the power of this many customers.
    page_bits: u32,
    stride: usize,
    words: usize,
    empty: Vec<u64>,
}

impl Customers {
    /// No customers yet; each will begin with the state `empty`.
    pub(crate) fn new(empty: Vec<u64>) -> Self {
        let stride = (KEY_WORDS + empty.len()).next_multiple_of(LINE);
        Self {
            slots: free_slots(1 << 12),
            count: 0,
            long_starts: Vec::new(),
            texts: Vec::new(),
            pages: Vec::new(),
            page_bits: (PAGE_WORDS / stride).max(1).ilog2(),
            stride,
            words: empty.len(),
            empty,
        }
    }

    /// Number of customers.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Bytes of keys and states, and of the table that leads to them. Of a page, memory is taken where it has been written.
    pub(crate) fn bytes(&self) -> usize {
        let pages = self.count * self.stride * size_of::<u64>();
        let long = self.long_starts.capacity() * size_of::<u64>() + self.texts.capacity();
        pages + long + self.slots.len() * size_of::<Slot>()
    }

    /// Starts loading the slot of a hash into the cache.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        let position = hash as usize & (self.slots.len() - 1);
        prefetch(&raw const self.slots[position]);
    }

    /// Starts loading what a hash most likely leads to: the key and the first words of the state behind it.
    #[inline]
    pub(crate) fn prefetch_first(&self, hash: u64, words: usize) {
        let mask = self.slots.len() - 1;
        let tag = (hash >> 32) as u32;
        let mut position = hash as usize & mask;
        loop {
            let slot = self.slots[position];
            if slot.number == 0 {
                return;
            }
            if slot.tag == tag {
                let record = self.record(slot.number as usize - 1);
                prefetch_all(&record[..KEY_WORDS + words]);
                return;
            }
            position = (position + 1) & mask;
        }
    }

    /// Starts loading key and state of a customer.
    #[inline]
    pub(crate) fn prefetch_record(&self, number: usize) {
        prefetch_all(self.record(number));
    }

    /// Number of the customer with this key, who is entered if new.
    #[inline]
    pub(crate) fn number(&mut self, hash: u64, key: KeyWords, text: &[u8]) -> u32 {
        let mask = self.slots.len() - 1;
        let tag = (hash >> 32) as u32;
        let mut position = hash as usize & mask;
        loop {
            let slot = self.slots[position];
            if slot.number == 0 {
                return self.enter(position, tag, key, text);
            }
            let number = slot.number - 1;
            if slot.tag == tag
                && self.words(number as usize) == key.words
                && (!key.long || self.text(number as usize) == text)
            {
                return number;
            }
            position = (position + 1) & mask;
        }
    }

    #[cold]
    fn enter(&mut self, position: usize, tag: u32, key: KeyWords, text: &[u8]) -> u32 {
        let number = self.count;
        self.count += 1;
        if key.long {
            self.long_starts.resize(number, u64::MAX);
            self.long_starts.push(self.texts.len() as u64);
            self.texts.extend_from_slice(text);
        }
        if number.is_multiple_of(1 << self.page_bits) {
            self.pages.push(room(self.stride << self.page_bits));
        }
        if let Some(page) = self.pages.last_mut() {
            let next = page.len() + self.stride;
            page.extend_from_slice(&[key.words as u64, (key.words >> 64) as u64]);
            page.extend_from_slice(&self.empty);
            page.resize(next, 0);
        }
        self.slots[position] = Slot {
            number: number as u32 + 1,
            tag,
        };
        if (number + 1) * 8 > self.slots.len() * 5 {
            self.grow();
        }
        number as u32
    }

    fn grow(&mut self) {
        let mut slots = free_slots(self.slots.len() * 2);
        let mask = slots.len() - 1;
        for number in 0..self.count {
            let hash = self.hash(number);
            let mut position = hash as usize & mask;
            while slots[position].number != 0 {
                position = (position + 1) & mask;
            }
            slots[position] = Slot {
                number: number as u32 + 1,
                tag: (hash >> 32) as u32,
            };
        }
        self.slots = slots;
    }

    /// The hash that the key was entered with: long keys carry it, short ones are hashed again.
    fn hash(&self, number: usize) -> u64 {
        if self.is_long(number) {
            (self.words(number) >> 64) as u64
        } else {
            super::batch::mix(self.words(number))
        }
    }

    /// Whether the key is a text beyond 12 bytes.
    pub(crate) fn is_long(&self, number: usize) -> bool {
        self.long_starts
            .get(number)
            .is_some_and(|&start| start != u64::MAX)
    }

    /// The 16 bytes of a key.
    #[inline]
    pub(crate) fn words(&self, number: usize) -> u128 {
        let record = self.record(number);
        (u128::from(record[1]) << 64) | u128::from(record[0])
    }

    /// The text of a long key.
    pub(crate) fn text(&self, number: usize) -> &[u8] {
        match self.long_starts.get(number) {
            Some(&start) if start != u64::MAX => {
                let length = (self.words(number) as u32) as usize;
                &self.texts[start as usize..start as usize + length]
            }
            _ => &[],
        }
    }

    /// Page and first word of a customer's record.
    #[inline]
    fn place(&self, number: usize) -> (usize, usize) {
        let within = number & ((1 << self.page_bits) - 1);
        (number >> self.page_bits, within * self.stride)
    }

    /// Key and state of a customer.
    #[inline]
    fn record(&self, number: usize) -> &[u64] {
        let (page, start) = self.place(number);
        &self.pages[page][start..start + KEY_WORDS + self.words]
    }

    /// The state of a customer.
    #[inline]
    pub(crate) fn state(&self, number: usize) -> &[u64] {
        &self.record(number)[KEY_WORDS..]
    }

    /// The state of a customer, to be changed.
    #[inline]
    pub(crate) fn state_mut(&mut self, number: usize) -> &mut [u64] {
        let (page, start) = self.place(number);
        &mut self.pages[page][start + KEY_WORDS..start + KEY_WORDS + self.words]
    }
}

/// Room for so many items, in large pages where the system gives them: they are reached in no order, and with small pages
/// every other access would wait for a page table as well.
fn room<T>(items: usize) -> Vec<T> {
    let room: Vec<T> = Vec::with_capacity(items);
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let first = room.as_ptr() as usize;
        let begin = first.next_multiple_of(LARGE);
        let end = (first + room.capacity() * size_of::<T>()) / LARGE * LARGE;
        if begin < end {
            // SAFETY: the range lies within memory that this vector owns. The call is a hint about how the memory is mapped:
            // it changes no content, and where it fails, small pages remain.
            unsafe { libc::madvise(begin as *mut _, end - begin, libc::MADV_HUGEPAGE) };
        }
    }
    room
}

/// A table of so many free slots.
fn free_slots(count: usize) -> Vec<Slot> {
    let mut slots = room(count);
    slots.resize(count, Slot::default());
    slots
}

/// Asks the processor to load these words.
#[inline(always)]
fn prefetch_all(words: &[u64]) {
    for line in words.chunks(LINE) {
        prefetch(line.as_ptr());
    }
}

/// Asks the processor to load a cache line; without effect where the platform has no such instruction.
#[inline(always)]
fn prefetch<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: prefetching reads nothing and cannot fault, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::batch::mix;
    use std::collections::HashMap;
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn numbers_agree_with_a_standard_map() {
        let mut customers = Customers::new(vec![7]);
        let mut expected: HashMap<String, u32> = HashMap::new();
        for i in 0..50_000u32 {
            let name = if i % 3 == 0 {
                format!("a key longer than twelve bytes {}", i % 7919)
            } else {
                format!("c{}", i % 10_007)
            };
            let (hash, key) = if name.len() > 12 {
                let hash = xxh3_64(name.as_bytes());
                (
                    hash,
                    KeyWords {
                        words: (u128::from(hash) << 64) | name.len() as u128,
                        long: true,
                    },
                )
            } else {
                let mut bytes = [0u8; 16];
                bytes[0] = name.len() as u8;
                bytes[4..4 + name.len()].copy_from_slice(name.as_bytes());
                let words = u128::from_le_bytes(bytes);
                (mix(words), KeyWords { words, long: false })
            };
            let next = expected.len() as u32;
            let wanted = *expected.entry(name.clone()).or_insert(next);
            assert_eq!(
                customers.number(hash, key, name.as_bytes()),
                wanted,
                "{name}"
            );
        }
        assert_eq!(customers.len(), expected.len());
        assert_eq!(customers.state(customers.len() - 1), [7]);
    }
}
