//! The customers with the lowest hashes, found while rows are read.
//!
//! Whoever is among the lowest at the end is so at every moment before: customers beyond the bound of the moment can be left out for
//! good. So neither the order of rows nor the number of workers shows.

use std::collections::BinaryHeap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::lock;

/// The lowest hashes of the customers of a pass, shared by its workers.
#[derive(Debug)]
pub(crate) struct Lowest {
    /// Customers that are kept.
    most: usize,
    /// Customers with this hash or a higher one are left out, if there are so many.
    bound: AtomicU64,
    /// The lowest hashes so far, one more than are kept.
    hashes: Mutex<BinaryHeap<u64>>,
}

impl Lowest {
    /// Keeps so many customers at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            bound: AtomicU64::new(u64::MAX),
            hashes: Mutex::new(BinaryHeap::new()),
        }
    }

    /// Whether a customer with this hash may be among those that are kept.
    #[inline]
    pub(crate) fn may_keep(&self, hash: u64) -> bool {
        let bound = self.bound.load(Ordering::Relaxed);
        hash < bound || bound == u64::MAX
    }

    /// Customers of whom rows came for the first time.
    pub(crate) fn enter(&self, found: &[u64]) {
        let mut hashes = lock(&self.hashes);
        for &hash in found.iter().filter(|hash| self.may_keep(**hash)) {
            hashes.push(hash);
            if hashes.len() > self.most + 1 {
                hashes.pop();
            }
            if hashes.len() > self.most
                && let Some(&highest) = hashes.peek()
            {
                self.bound.store(highest, Ordering::Relaxed);
            }
        }
    }

    /// The lowest hash that is left out once every customer has entered; `None` where all are kept.
    pub(crate) fn left_out(&self) -> Option<u64> {
        let hashes = lock(&self.hashes);
        let highest = hashes.peek().copied();
        highest.filter(|_| hashes.len() > self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_lowest_are_kept_whatever_the_order(
            mut hashes in prop::collection::vec(0..1_000_u64, 0..60),
            most in 0..40_usize,
            turned in 0..60_usize,
        ) {
            hashes.sort_unstable();
            hashes.dedup();
            let expected = hashes.get(most).copied();
            let turned = turned.min(hashes.len());
            hashes.rotate_left(turned);
            let lowest = Lowest::new(most);
            for part in hashes.chunks(7) {
                let may_keep = |hash: &u64| lowest.may_keep(*hash);
                let part: Vec<u64> = part.iter().copied().filter(may_keep).collect();
                lowest.enter(&part);
            }
            prop_assert_eq!(lowest.left_out(), expected);
            let kept = |hash: u64| lowest.left_out().is_none_or(|out| hash < out);
            prop_assert_eq!(hashes.iter().filter(|hash| kept(**hash)).count(), hashes.len().min(most));
        }
    }
}
