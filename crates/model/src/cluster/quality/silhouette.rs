//! The silhouette of Rousseeuw (1987): whether a row is nearer to its own cluster than to the next.

use rayon::prelude::*;

use super::defined;
use crate::Matrix;
use crate::cluster::error::{ClusterError, require_labels};
use crate::cluster::lloyd::{self, LANES};
use crate::cluster::sample::ContentOrder;
use crate::interrupt;

/// Rows whose silhouettes one thread computes at a time.
const TASK: usize = 64;

/// Silhouette of every row: (b - a) / max(a, b), within -1 to 1, where a is the mean Euclidean distance to the other rows
/// of its cluster and b the smallest mean distance to the rows of another cluster. 0 for the only row of a cluster.
/// Takes time quadratic in the rows; for many rows see [`sampled_silhouette`].
///
/// # Errors
/// Fewer than 2 clusters or as many as rows, values that are not finite, labels that do not cover the rows.
pub fn silhouettes(matrix: &Matrix<'_>, labels: &[u32]) -> Result<Vec<f64>, ClusterError> {
    let (labels, clusters) = defined("the silhouette", matrix, labels)?;
    let rows = matrix.rows();
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|&row| labels[row]);
    // Rows side by side, cluster after cluster, so that each cluster's distances are one running sum.
    let by_cluster: Vec<f64> = order.iter().flat_map(|&row| matrix.row(row)).collect();
    let mut sizes = vec![0usize; clusters];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);

    let columns = matrix.columns();
    let mut scores = vec![0.0; rows];
    scores
        .par_chunks_mut(TASK)
        .enumerate()
        .for_each(|(task, scores)| {
            if interrupt::requested() {
                return;
            }
            let from = task * TASK;
            lloyd::for_each_block(&columns, from, scores.len(), |at, length, block| {
                let sums = distance_sums(block, &by_cluster, &sizes);
                for lane in 0..length {
                    let own = labels[from + at + lane] as usize;
                    scores[at + lane] = score(lane, own, &sums, &sizes);
                }
            });
        });
    Ok(scores)
}

/// Mean of [`silhouettes`].
///
/// # Errors
/// As [`silhouettes`].
pub fn mean_silhouette(matrix: &Matrix<'_>, labels: &[u32]) -> Result<f64, ClusterError> {
    let scores = silhouettes(matrix, labels)?;
    Ok(scores.iter().sum::<f64>() / scores.len() as f64)
}

/// Mean silhouette estimated on at most about `rows` rows, drawn from each cluster in proportion (but at least 2 where it
/// has them), each cluster weighted by its size. The exact mean where there are no more rows than that.
///
/// # Errors
/// As [`silhouettes`].
pub fn sampled_silhouette(
    order: &ContentOrder<'_>,
    labels: &[u32],
    rows: usize,
) -> Result<f64, ClusterError> {
    let matrix = order.matrix();
    if matrix.rows() <= rows {
        return mean_silhouette(matrix, labels);
    }
    require_labels(matrix, labels)?;
    let (labels, clusters) = super::compact(labels);
    let sample = order.take_stratified(&labels, rows, 2);
    let drawn: Vec<u32> = sample.iter().map(|&row| labels[row]).collect();
    let scores = silhouettes(&matrix.gather(&sample), &drawn)?;
    let (mut sums, mut counts, mut sizes) = (
        vec![0.0; clusters],
        vec![0.0; clusters],
        vec![0.0; clusters],
    );
    for (&label, score) in drawn.iter().zip(scores) {
        sums[label as usize] += score;
        counts[label as usize] += 1.0;
    }
    labels
        .iter()
        .for_each(|&label| sizes[label as usize] += 1.0);
    let weighted = (0..clusters)
        .map(|c| sums[c] / counts[c] * sizes[c])
        .sum::<f64>();
    Ok(weighted / labels.len() as f64)
}

/// Sums of distances of the rows of a block to the rows of each cluster.
fn distance_sums(block: &[[f64; LANES]], by_cluster: &[f64], sizes: &[usize]) -> Vec<[f64; LANES]> {
    let mut rows = by_cluster.chunks(block.len());
    let sum_cluster = |&size: &usize| {
        let mut sums = [0.0; LANES];
        for row in rows.by_ref().take(size) {
            let squared = lloyd::squared_distances(block, row);
            sums.iter_mut()
                .zip(squared)
                .for_each(|(sum, d)| *sum += d.sqrt());
        }
        sums
    };
    sizes.iter().map(sum_cluster).collect()
}

fn score(lane: usize, own: usize, sums: &[[f64; LANES]], sizes: &[usize]) -> f64 {
    if sizes[own] < 2 {
        return 0.0;
    }
    let within = sums[own][lane] / (sizes[own] - 1) as f64;
    let others = (0..sizes.len()).filter(|&cluster| cluster != own);
    let between = others
        .map(|cluster| sums[cluster][lane] / sizes[cluster] as f64)
        .fold(f64::INFINITY, f64::min);
    let larger = within.max(between);
    if larger > 0.0 {
        (between - within) / larger
    } else {
        0.0
    }
}
