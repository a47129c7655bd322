//! Lloyd's passes over many rows: assign each row to the nearest centre, move each centre to the mean of its rows.
//!
//! Rows are handled in chunks of fixed size whose sums are added in order, so the result does not depend on threads.

use rayon::prelude::*;

use super::moments::{self, CHUNK};
use crate::{Matrix, interrupt};

/// Rows whose distances are computed side by side: four AVX2 registers of f64.
pub(super) const LANES: usize = 16;

/// Centres of clusters: `count()` points of `width` coordinates, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Centroids {
    pub(super) width: usize,
    pub(super) values: Vec<f64>,
}

impl Centroids {
    pub(super) fn from_rows(matrix: &Matrix<'_>, rows: &[usize]) -> Self {
        Self {
            width: matrix.width(),
            values: rows.iter().flat_map(|&row| matrix.row(row)).collect(),
        }
    }

    /// Means of the rows of each label below `clusters`; labels without rows get no centre.
    pub(super) fn from_members(matrix: &Matrix<'_>, labels: &[u32], clusters: usize) -> Self {
        let width = matrix.width();
        let mut tally = Tally::new(clusters, width);
        for (j, column) in matrix.columns().into_iter().enumerate() {
            for (&label, &x) in labels.iter().zip(column) {
                tally.sums[label as usize * width + j] += x;
            }
        }
        labels
            .iter()
            .for_each(|&label| tally.sizes[label as usize] += 1);
        let mut values = Vec::with_capacity(clusters * width);
        for (sums, &size) in tally
            .sums
            .chunks(width)
            .zip(&tally.sizes)
            .filter(|(_, size)| **size > 0)
        {
            values.extend(sums.iter().map(|sum| sum / size as f64));
        }
        Self { width, values }
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.width
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks(self.width)
    }

    /// Adds a centre.
    pub(super) fn push(&mut self, centre: &[f64]) {
        self.values.extend_from_slice(centre);
    }
}

/// When the passes stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Largest number of passes.
    pub(super) max_iterations: usize,
    /// Squared movement of all centres at which passes stop, as a share of the mean variance of the columns (as in
    /// scikit-learn).
    pub(super) tolerance: f64,
}

/// The result of the passes.
#[derive(Debug, Clone)]
pub(super) struct Refined {
    pub(super) centroids: Centroids,
    /// Sum of squared distances to the centres the passes began with.
    pub(super) first_inertia: f64,
    pub(super) iterations: usize,
    pub(super) converged: bool,
}

/// Nearest and second-nearest centre of each row, and squared distances to them.
pub(super) struct Nearest {
    pub(super) label: Vec<u32>,
    pub(super) squared: Vec<f64>,
    pub(super) second: Vec<u32>,
    pub(super) second_squared: Vec<f64>,
}

/// Moves the centres until they converge or the limit of passes is reached.
pub(super) fn refine(matrix: &Matrix<'_>, start: Centroids, stop: Stop) -> Refined {
    let columns = matrix.columns();
    let variance = columns
        .iter()
        .map(|c| moments::mean_sd(c).1.powi(2))
        .sum::<f64>()
        / columns.len() as f64;
    let rest = stop.tolerance * variance;
    let mut labels = vec![u32::MAX; matrix.rows()];
    let mut refined = Refined {
        centroids: start,
        first_inertia: 0.0,
        iterations: 0,
        converged: false,
    };
    while refined.iterations < stop.max_iterations && !refined.converged && !interrupt::requested()
    {
        let mut tally = pass(&columns, &refined.centroids, &mut labels);
        if refined.iterations == 0 {
            refined.first_inertia = tally.inertia;
        }
        reseed_empty(matrix, &refined.centroids, &labels, &mut tally);
        let moved = tally.means(&refined.centroids);
        let shift: f64 = moved
            .values
            .iter()
            .zip(&refined.centroids.values)
            .map(|(a, b)| (a - b) * (a - b))
            .sum();
        refined.iterations += 1;
        refined.converged = tally.changed == 0 || shift <= rest;
        refined.centroids = moved;
    }
    refined
}

/// Sum of squared distances of all rows to their nearest centres.
pub(super) fn inertia(matrix: &Matrix<'_>, centroids: &Centroids) -> f64 {
    let mut labels = vec![0; matrix.rows()];
    pass(&matrix.columns(), centroids, &mut labels).inertia
}

/// Nearest centre of each row.
pub(super) fn labels(matrix: &Matrix<'_>, centroids: &Centroids) -> Vec<u32> {
    let mut labels = vec![0; matrix.rows()];
    pass(&matrix.columns(), centroids, &mut labels);
    labels
}

/// Nearest and second-nearest centre of each row; in a tie the first. With one centre the second is that centre at an infinite
/// distance.
pub(super) fn nearest(matrix: &Matrix<'_>, centroids: &Centroids) -> Nearest {
    let (columns, rows) = (matrix.columns(), matrix.rows());
    let mut to = Nearest {
        label: vec![0; rows],
        squared: vec![0.0; rows],
        second: vec![0; rows],
        second_squared: vec![f64::INFINITY; rows],
    };
    let chunks = to
        .label
        .par_chunks_mut(CHUNK)
        .zip(to.squared.par_chunks_mut(CHUNK));
    let seconds = to
        .second
        .par_chunks_mut(CHUNK)
        .zip(to.second_squared.par_chunks_mut(CHUNK));
    chunks.zip(seconds).enumerate().for_each(
        |(chunk, ((label, squared), (second, second_squared)))| {
            if interrupt::requested() {
                return;
            }
            let from = chunk * CHUNK;
            for_each_block(&columns, from, label.len(), |at, length, block| {
                let found = two_nearest(block, centroids);
                for lane in 0..length {
                    label[at + lane] = found.label[lane] as u32;
                    squared[at + lane] = found.squared[lane];
                    second[at + lane] = found.second[lane] as u32;
                    second_squared[at + lane] = found.second_squared[lane];
                }
            });
        },
    );
    to
}

/// Sums over rows, by cluster.
struct Tally {
    sums: Vec<f64>,
    sizes: Vec<u64>,
    inertia: f64,
    changed: usize,
}

impl Tally {
    fn new(clusters: usize, width: usize) -> Self {
        Self {
            sums: vec![0.0; clusters * width],
            sizes: vec![0; clusters],
            inertia: 0.0,
            changed: 0,
        }
    }

    fn add(mut self, other: &Self) -> Self {
        self.sums
            .iter_mut()
            .zip(&other.sums)
            .for_each(|(a, b)| *a += b);
        self.sizes
            .iter_mut()
            .zip(&other.sizes)
            .for_each(|(a, b)| *a += b);
        self.inertia += other.inertia;
        self.changed += other.changed;
        self
    }

    /// The means; a cluster without rows stays where it was.
    fn means(&self, before: &Centroids) -> Centroids {
        let mut after = before.clone();
        let centres = after
            .values
            .chunks_mut(before.width)
            .zip(self.sums.chunks(before.width))
            .zip(&self.sizes);
        for ((centre, sums), &size) in centres.filter(|(_, size)| **size > 0) {
            centre
                .iter_mut()
                .zip(sums)
                .for_each(|(c, sum)| *c = sum / size as f64);
        }
        after
    }
}

/// One pass: labels every row and sums the rows of each cluster.
fn pass(columns: &[&[f64]], centroids: &Centroids, labels: &mut [u32]) -> Tally {
    let chunks = labels.par_chunks_mut(CHUNK).enumerate();
    let tallies: Vec<Tally> = chunks
        .map(|(chunk, labels)| pass_chunk(columns, centroids, chunk * CHUNK, labels))
        .collect();
    tallies
        .iter()
        .fold(Tally::new(centroids.count(), centroids.width), Tally::add)
}

fn pass_chunk(columns: &[&[f64]], centroids: &Centroids, from: usize, labels: &mut [u32]) -> Tally {
    let width = centroids.width;
    let mut tally = Tally::new(centroids.count(), width);
    if interrupt::requested() {
        return tally;
    }
    for_each_block(columns, from, labels.len(), |at, length, block| {
        let (label, squared) = one_nearest(block, centroids);
        for lane in 0..length {
            let cluster = label[lane] as usize;
            let sums = &mut tally.sums[cluster * width..][..width];
            sums.iter_mut()
                .zip(block)
                .for_each(|(sum, values)| *sum += values[lane]);
            tally.sizes[cluster] += 1;
            tally.inertia += squared[lane];
            tally.changed += usize::from(labels[at + lane] != label[lane] as u32);
            labels[at + lane] = label[lane] as u32;
        }
    });
    tally
}

/// Calls `work(at, length, block)` for every `LANES` rows from row `from` on: `block[j]` holds column j of the rows, `at`
/// counts from `from`, and lanes from `length` on are padding.
pub(super) fn for_each_block(
    columns: &[&[f64]],
    from: usize,
    rows: usize,
    mut work: impl FnMut(usize, usize, &[[f64; LANES]]),
) {
    let mut block = vec![[0.0; LANES]; columns.len()];
    for at in (0..rows).step_by(LANES) {
        let length = LANES.min(rows - at);
        for (lanes, column) in block.iter_mut().zip(columns) {
            lanes[..length].copy_from_slice(&column[from + at..][..length]);
        }
        work(at, length, &block);
    }
}

/// Squared distances of the rows of a block to one point. Differences are squared directly: the expansion into products
/// is no faster at these widths and loses digits for rows near their centre.
#[inline]
pub(super) fn squared_distances(block: &[[f64; LANES]], centre: &[f64]) -> [f64; LANES] {
    let mut sum = [0.0; LANES];
    for (values, &c) in block.iter().zip(centre) {
        for (sum, x) in sum.iter_mut().zip(values) {
            *sum += (x - c) * (x - c);
        }
    }
    sum
}

/// Labels are kept in 64 bits here, the width of the distances, so that both are selected by the same mask.
#[inline]
fn one_nearest(block: &[[f64; LANES]], centroids: &Centroids) -> ([u64; LANES], [f64; LANES]) {
    let (mut label, mut least) = ([0u64; LANES], [f64::INFINITY; LANES]);
    for (cluster, centre) in centroids.iter().enumerate() {
        let squared = squared_distances(block, centre);
        for lane in 0..LANES {
            let nearer = squared[lane] < least[lane];
            label[lane] = if nearer { cluster as u64 } else { label[lane] };
            least[lane] = if nearer { squared[lane] } else { least[lane] };
        }
    }
    (label, least)
}

struct TwoNearest {
    label: [u64; LANES],
    squared: [f64; LANES],
    second: [u64; LANES],
    second_squared: [f64; LANES],
}

fn two_nearest(block: &[[f64; LANES]], centroids: &Centroids) -> TwoNearest {
    let mut found = TwoNearest {
        label: [0; LANES],
        squared: [f64::INFINITY; LANES],
        second: [0; LANES],
        second_squared: [f64::INFINITY; LANES],
    };
    for (cluster, centre) in centroids.iter().enumerate() {
        let squared = squared_distances(block, centre);
        for (lane, &here) in squared.iter().enumerate() {
            let (nearest, closer) = (
                here < found.squared[lane],
                here < found.second_squared[lane],
            );
            let (kept, kept_label) = (found.squared[lane], found.label[lane]);
            let other = if closer {
                here
            } else {
                found.second_squared[lane]
            };
            let other_label = if closer {
                cluster as u64
            } else {
                found.second[lane]
            };
            found.second_squared[lane] = if nearest { kept } else { other };
            found.second[lane] = if nearest { kept_label } else { other_label };
            found.squared[lane] = if nearest { here } else { kept };
            found.label[lane] = if nearest { cluster as u64 } else { kept_label };
        }
    }
    found
}

/// Gives each cluster without rows the row that lies farthest from its centre, taken from a cluster of several rows.
fn reseed_empty(matrix: &Matrix<'_>, centroids: &Centroids, labels: &[u32], tally: &mut Tally) {
    if tally.sizes.iter().all(|&size| size > 0) {
        return;
    }
    let squared = nearest(matrix, centroids).squared;
    let mut farthest: Vec<usize> = (0..labels.len())
        .filter(|&row| squared[row] > 0.0)
        .collect();
    farthest.sort_by(|&a, &b| squared[b].total_cmp(&squared[a]).then(a.cmp(&b)));
    let mut farthest = farthest.into_iter();
    for empty in 0..tally.sizes.len() {
        if tally.sizes[empty] > 0 {
            continue;
        }
        let Some(row) = farthest.find(|&row| tally.sizes[labels[row] as usize] > 1) else {
            return;
        };
        let (giver, values) = (labels[row] as usize, matrix.row(row));
        for (j, x) in values.into_iter().enumerate() {
            tally.sums[giver * centroids.width + j] -= x;
            tally.sums[empty * centroids.width + j] = x;
        }
        tally.sizes[giver] -= 1;
        tally.sizes[empty] = 1;
        tally.changed += 1;
    }
}
