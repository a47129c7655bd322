//! Distinct values of a customer.

use super::super::batch::Code;
use super::entries::Entries;
use crate::budget::Budget;
use crate::error::EngineError;
use crate::sorter::Equal;

/// What one distinct count keeps beside the states.
pub(crate) struct Distinct {
    /// Common values: the bits of their codes, by bit number.
    common: Vec<u128>,
    /// Where a common value was found last, by the low bits of its code.
    hints: [u8; 64],
    /// Further values, each with its customer; repeated ones may be among them.
    others: Entries,
}

/// Binary digits below the part of the code seen last.
const COUNT_BITS: u32 = 40;

/// Set where there are further values. The digits below hold their number, which is counted in the end.
const FURTHER: u64 = 1 << (COUNT_BITS - 1);

/// The distinct values that the words of a customer count.
pub(crate) fn count(words: &[u64]) -> u64 {
    u64::from(words[0].count_ones()) + (words[1] & (FURTHER - 1))
}

impl Distinct {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            common: Vec::new(),
            hints: [0; 64],
            others: Entries::new(Equal::Once, budget),
        }
    }

    /// Notes a value of a distinct count. The first 64 different values of a column have a bit each in the customer's state;
    /// others are counted in the end. A value is taken for the one seen last by 88 bits of its code: all bits of an exact one, and by
    /// chance once in 2^88 rows for a hash, which is below 1e-17 for a thousand million rows.
    #[inline]
    pub(super) fn note(&mut self, words: &mut [u64], number: u32, code: Code) {
        let bits = code.bits();
        let low = bits as u64;
        let hint = &mut self.hints[((low ^ (low >> 6)) % 64) as usize];
        if self.common.get(usize::from(*hint)) == Some(&bits) {
            words[0] |= 1 << *hint;
            return;
        }
        // Rows of one order or day tend to stand together: the last value spares the search.
        let high = (bits >> 64) as u64 & ((1 << (64 - COUNT_BITS)) - 1);
        if words[1] != 0 && words[2] == low && words[1] >> COUNT_BITS == high {
            return;
        }
        if let Some(bit) = self.common.iter().position(|&known| known == bits) {
            *hint = bit as u8;
            words[0] |= 1 << bit;
        } else if self.common.len() < 64 {
            words[0] |= 1 << self.common.len();
            self.common.push(bits);
        } else {
            match code {
                Code::Exact(value) => self.others.push(number, value),
                Code::Hash(hash) => self.others.push_long(number, hash),
            }
            words[1] = FURTHER | high << COUNT_BITS;
            words[2] = low;
        }
    }

    /// Writes entries to files if the memory is used up.
    pub(super) fn relieve(&mut self) -> Result<(), EngineError> {
        self.others.relieve()
    }

    /// Counts the further values: calls `add` with the customer of each.
    pub(super) fn count(self, mut add: impl FnMut(u32)) -> Result<(), EngineError> {
        self.others.each(|number, _| add(number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use xxhash_rust::xxh3::xxh3_128;

    use super::*;

    proptest! {
        #[test]
        fn counts_are_those_of_sets(
            rows in prop::collection::vec((0u32..4, 0u64..200, any::<bool>()), 0..600),
            hashed in any::<bool>(),
            spills in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let budget = Budget::spilling_at(if spills { 1 } else { u64::MAX }, folder.path());
            let mut distinct = Distinct::new(&budget);
            let mut states: BTreeMap<u32, [u64; 3]> = BTreeMap::new();
            let mut sets: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
            for (customer, value, again) in rows {
                let code = if hashed {
                    Code::Hash(xxh3_128(&value.to_le_bytes()))
                } else {
                    Code::Exact(value.wrapping_sub(100))
                };
                sets.entry(customer).or_default().insert(value);
                for _ in 0..=u8::from(again) {
                    distinct.note(states.entry(customer).or_default(), customer, code);
                }
                distinct.relieve().unwrap();
            }
            distinct
                .count(|customer| states.get_mut(&customer).unwrap()[1] += 1)
                .unwrap();
            for (customer, set) in sets {
                prop_assert_eq!(count(&states[&customer]), set.len() as u64);
            }
        }
    }
}
