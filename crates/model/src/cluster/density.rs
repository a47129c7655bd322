//! Clusters by density, for bases of some tens of thousands of customers: DBSCAN (Ester, Kriegel, Sander, Xu 1996).
//!
//! Implemented here over all pairs of rows: smartcore does not expose the labels of its fit, and its `predict` assigns a row to
//! the majority of its neighbourhood, which gives other clusters.

use rayon::prelude::*;

use super::error::{ClusterError, refuse, require_finite};
use super::lloyd::{self, LANES};
use crate::Matrix;

/// Largest number of rows whose pairs can be compared in seconds.
const MOST_ROWS: usize = 50_000;

/// Rows whose neighbours one thread collects at a time.
const TASK: usize = 64;

/// Finds clusters by density in rows of comparable columns: the cluster of every row, numbered by the first core row of each,
/// and `None` for noise. A core row has at least `least_neighbours` rows (itself included) within `radius`; core rows within
/// `radius` of each other share a cluster; any other row within `radius` of a core row joins the cluster of the nearest core
/// row (in a tie the first), so that only the numbering depends on the order of rows.
///
/// # Errors
/// No rows, more than 50,000 rows, a value that is not finite, a radius that is not a finite number above 0, or
/// `least_neighbours` of 0.
pub fn density_clusters(
    matrix: &Matrix<'_>,
    radius: f64,
    least_neighbours: usize,
) -> Result<Vec<Option<u32>>, ClusterError> {
    require_finite(matrix)?;
    let rows = matrix.rows();
    if rows > MOST_ROWS {
        return Err(ClusterError::TooManyRows {
            method: "clusters by density",
            rows,
            most: MOST_ROWS,
        });
    }
    if !(radius > 0.0 && radius.is_finite()) {
        return refuse("radius", radius, "a finite number above 0");
    }
    if least_neighbours == 0 {
        return refuse("least_neighbours", 0.0, "at least 1");
    }
    let limit = radius * radius;
    let counts = neighbour_counts(matrix, limit);
    let core: Vec<usize> = (0..rows)
        .filter(|&row| counts[row] >= least_neighbours)
        .collect();
    let mut labels: Vec<Option<u32>> = vec![None; rows];
    let mut unreached = core.clone();
    let mut clusters = 0;
    while let Some(&first) = unreached.first() {
        spread(matrix, first, clusters, limit, &mut unreached, &mut labels);
        clusters += 1;
    }
    let border: Vec<(usize, Option<u32>)> = (0..rows)
        .into_par_iter()
        .filter(|row| counts[*row] < least_neighbours)
        .map(|row| {
            (
                row,
                nearest_core(matrix, row, &core, limit).and_then(|nearest| labels[nearest]),
            )
        })
        .collect();
    border
        .into_iter()
        .for_each(|(row, label)| labels[row] = label);
    Ok(labels)
}

/// Rows within the limit of each row, itself included.
fn neighbour_counts(matrix: &Matrix<'_>, limit: f64) -> Vec<usize> {
    let columns = matrix.columns();
    let rows: Vec<Vec<f64>> = (0..matrix.rows()).map(|row| matrix.row(row)).collect();
    let mut counts = vec![0; rows.len()];
    counts
        .par_chunks_mut(TASK)
        .enumerate()
        .for_each(|(task, counts)| {
            lloyd::for_each_block(&columns, task * TASK, counts.len(), |at, length, block| {
                let mut near = [0usize; LANES];
                for row in &rows {
                    let squared = lloyd::squared_distances(block, row);
                    near.iter_mut()
                        .zip(squared)
                        .for_each(|(near, d)| *near += usize::from(d <= limit));
                }
                counts[at..at + length].copy_from_slice(&near[..length]);
            });
        });
    counts
}

/// Assigns all core rows reachable from one to its cluster, and removes them from the unreached rows.
fn spread(
    matrix: &Matrix<'_>,
    first: usize,
    cluster: u32,
    limit: f64,
    unreached: &mut Vec<usize>,
    labels: &mut [Option<u32>],
) {
    let mut frontier = vec![first];
    labels[first] = Some(cluster);
    unreached.retain(|&row| row != first);
    while let Some(from) = frontier.pop() {
        unreached.retain(|&row| {
            let reached = squared(matrix, from, row) <= limit;
            if reached {
                labels[row] = Some(cluster);
                frontier.push(row);
            }
            !reached
        });
    }
}

fn nearest_core(matrix: &Matrix<'_>, row: usize, core: &[usize], limit: f64) -> Option<usize> {
    let distances = core
        .iter()
        .map(|&other| (other, squared(matrix, row, other)));
    let nearest =
        distances
            .filter(|(_, d)| *d <= limit)
            .fold(None, |best: Option<(usize, f64)>, found| match best {
                Some(kept) if kept.1 <= found.1 => Some(kept),
                _ => Some(found),
            });
    nearest.map(|(other, _)| other)
}

fn squared(matrix: &Matrix<'_>, a: usize, b: usize) -> f64 {
    (0..matrix.width())
        .map(|place| matrix.column(place))
        .map(|column| (column[a] - column[b]).powi(2))
        .sum()
}
