//! From keys to dense customer numbers: an open-addressing table with the keys beside the customers' states.

use super::batch::KeyWords;
use super::records::{Records, prefetch, room};

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
    /// Long keys: start in `texts`; `u64::MAX` for keys that fit into 16 bytes. Empty until a long key comes.
    long_starts: Vec<u64>,
    texts: Vec<u8>,
    /// Key and state of each customer.
    pub(crate) records: Records,
}

impl Customers {
    /// No customers yet; each will begin with the state `empty`.
    pub(crate) fn new(empty: Vec<u64>) -> Self {
        Self {
            slots: free_slots(1 << 12),
            long_starts: Vec::new(),
            texts: Vec::new(),
            records: Records::new(KEY_WORDS, empty),
        }
    }

    /// Number of customers.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Bytes of keys and states, and of the table that leads to them.
    pub(crate) fn bytes(&self) -> usize {
        let long = self.long_starts.capacity() * size_of::<u64>() + self.texts.capacity();
        self.records.bytes() + long + self.slots.len() * size_of::<Slot>()
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
                self.records.prefetch(slot.number as usize - 1, words);
                return;
            }
            position = (position + 1) & mask;
        }
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
        let number = self.records.len();
        if key.long {
            self.long_starts.resize(number, u64::MAX);
            self.long_starts.push(self.texts.len() as u64);
            self.texts.extend_from_slice(text);
        }
        self.records
            .push(&[key.words as u64, (key.words >> 64) as u64]);
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
        for number in 0..self.records.len() {
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
        let record = self.records.whole(number);
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
}

/// A table of so many free slots.
fn free_slots(count: usize) -> Vec<Slot> {
    let mut slots = room(count);
    slots.resize(count, Slot::default());
    slots
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
        assert_eq!(customers.records.state(customers.len() - 1), [7]);
    }
}
