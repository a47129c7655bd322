//! Samples of rows that depend on the content of the rows and on a seed, never on the order of the rows.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::moments::CHUNK;
use crate::Matrix;

/// A generator for one named random step: the same for the same seed, different between steps.
pub(super) fn generator(seed: u64, step: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(mix(seed ^ mix(step.wrapping_add(0x9E37_79B9_7F4A_7C15))))
}

/// The rows in an order that is random by seed but depends only on their content: shuffling the table does not change it, up
/// to the order of equal rows. It is made once for all samples of a matrix, since for many rows making it takes long.
#[derive(Debug)]
pub struct ContentOrder<'m> {
    matrix: &'m Matrix<'m>,
    /// Hash of the content and position of each row, by ascending hash.
    rows: Vec<(u64, usize)>,
}

impl<'m> ContentOrder<'m> {
    /// The order of the rows of `matrix` for `seed`. NaN is a value like any other.
    pub fn new(matrix: &'m Matrix<'m>, seed: u64) -> Self {
        let columns = matrix.columns();
        let mut rows = vec![(mix(seed), 0); matrix.rows()];
        rows.par_chunks_mut(CHUNK)
            .enumerate()
            .for_each(|(chunk, rows)| {
                let from = chunk * CHUNK;
                for column in &columns {
                    for (row, &value) in rows.iter_mut().zip(&column[from..]) {
                        // Adding 0.0 makes -0.0 and 0.0 the same content.
                        row.0 = mix(row.0 ^ (value + 0.0).to_bits());
                    }
                }
                for (offset, row) in rows.iter_mut().enumerate() {
                    row.1 = from + offset;
                }
            });
        rows.par_sort_unstable();
        Self { matrix, rows }
    }

    /// The rows that are in order.
    pub fn matrix(&self) -> &'m Matrix<'m> {
        self.matrix
    }

    /// Number of distinct rows; two rows with the same 64-bit hash count as equal.
    pub(super) fn distinct(&self) -> usize {
        self.rows.chunk_by(|a, b| a.0 == b.0).count()
    }

    /// Position of one row of each set of equal rows, in content order.
    pub(super) fn representatives(&self) -> Vec<usize> {
        self.rows
            .chunk_by(|a, b| a.0 == b.0)
            .map(|equal| equal[0].1)
            .collect()
    }

    /// At most `size` rows, spread evenly over the content order, so that equal rows appear in proportion to their number.
    pub(super) fn take(&self, size: usize) -> Vec<usize> {
        evenly(self.rows.len(), size)
            .map(|at| self.rows[at].1)
            .collect()
    }

    /// At most about `size` rows, from each label in proportion to its rows and at least `least` (or all it has).
    pub(super) fn take_stratified(&self, labels: &[u32], size: usize, least: usize) -> Vec<usize> {
        let groups = labels
            .iter()
            .max()
            .map_or(0, |&highest| highest as usize + 1);
        let mut members = vec![Vec::new(); groups];
        for &(_, row) in &self.rows {
            members[labels[row] as usize].push(row);
        }
        let share = size as f64 / self.rows.len().max(1) as f64;
        let quota = |rows: &Vec<usize>| {
            ((rows.len() as f64 * share).round() as usize)
                .max(least)
                .min(rows.len())
        };
        members
            .iter()
            .flat_map(|rows| evenly(rows.len(), quota(rows)).map(|at| rows[at]))
            .collect()
    }
}

/// `size` (at most `rows`) positions below `rows`, evenly spread, rising.
fn evenly(rows: usize, size: usize) -> impl Iterator<Item = usize> {
    let size = size.min(rows);
    (0..size).map(move |i| (i as u128 * rows as u128 / size as u128) as usize)
}

/// `rows` draws with replacement from the positions below `rows`.
pub(super) fn bootstrap(rows: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    (0..rows).map(|_| random.random_range(0..rows)).collect()
}

/// All positions below `rows` in random order (Fisher and Yates).
pub(super) fn permutation(rows: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    for last in (1..rows).rev() {
        order.swap(last, random.random_range(0..=last));
    }
    order
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014): every input bit changes about half of the output bits.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
