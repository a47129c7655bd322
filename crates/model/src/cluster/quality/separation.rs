//! Measures of clusters by their centres: linear in the rows.

use super::defined;
use crate::Matrix;
use crate::cluster::error::ClusterError;
use crate::cluster::lloyd::Centroids;
use crate::cluster::moments::CHUNK;
use rayon::prelude::*;

/// Calinski and Harabasz (1974), equation 3: (between sum of squares / (k - 1)) / (within sum of squares / (n - k)).
/// At least 0, higher is better; 1 where every row lies on its centre, as in scikit-learn.
///
/// # Errors
/// Fewer than 2 clusters or as many as rows, values that are not finite, labels that do not cover the rows.
pub fn calinski_harabasz(matrix: &Matrix<'_>, labels: &[u32]) -> Result<f64, ClusterError> {
    let (labels, clusters) = defined("Calinski-Harabasz", matrix, labels)?;
    let rows = matrix.rows();
    let centres = Centroids::from_members(matrix, &labels, clusters);
    let all = Centroids::from_members(matrix, &vec![0; rows], 1);
    let mut sizes = vec![0.0; clusters];
    labels
        .iter()
        .for_each(|&label| sizes[label as usize] += 1.0);
    let between: f64 = centres
        .iter()
        .zip(&sizes)
        .map(|(centre, size)| size * squared(centre, &all.values))
        .sum();
    let within: f64 = distances_to_own(matrix, &labels, &centres)
        .iter()
        .map(|d| d * d)
        .sum();
    if within == 0.0 {
        return Ok(1.0);
    }
    Ok(between * (rows - clusters) as f64 / (within * (clusters as f64 - 1.0)))
}

/// Davies and Bouldin (1979): the mean over clusters of the largest (S_i + S_j) / d_ij, with S the mean distance to the
/// centre and d the distance of two centres. At least 0, lower is better; clusters with the same centre are left out.
///
/// # Errors
/// As [`calinski_harabasz`].
pub fn davies_bouldin(matrix: &Matrix<'_>, labels: &[u32]) -> Result<f64, ClusterError> {
    let (labels, clusters) = defined("Davies-Bouldin", matrix, labels)?;
    let centres = Centroids::from_members(matrix, &labels, clusters);
    let (mut spread, mut sizes) = (vec![0.0; clusters], vec![0.0; clusters]);
    for (&label, distance) in labels
        .iter()
        .zip(distances_to_own(matrix, &labels, &centres))
    {
        spread[label as usize] += distance;
        sizes[label as usize] += 1.0;
    }
    spread
        .iter_mut()
        .zip(&sizes)
        .for_each(|(sum, size)| *sum /= size);
    let centres: Vec<&[f64]> = centres.iter().collect();
    let worst = |i: usize| {
        let ratio = |j: usize| {
            let apart = squared(centres[i], centres[j]).sqrt();
            if apart > 0.0 {
                (spread[i] + spread[j]) / apart
            } else {
                0.0
            }
        };
        (0..clusters)
            .filter(|&j| j != i)
            .map(ratio)
            .fold(0.0, f64::max)
    };
    Ok((0..clusters).map(worst).sum::<f64>() / clusters as f64)
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

/// Distance of each row to the centre of its label.
fn distances_to_own(matrix: &Matrix<'_>, labels: &[u32], centres: &Centroids) -> Vec<f64> {
    let columns = matrix.columns();
    let mut distances = vec![0.0; labels.len()];
    distances
        .par_chunks_mut(CHUNK)
        .zip(labels.par_chunks(CHUNK))
        .enumerate()
        .for_each(|(chunk, (distances, labels))| {
            for (j, column) in columns.iter().enumerate() {
                let values = &column[chunk * CHUNK..];
                for ((sum, &label), x) in distances.iter_mut().zip(labels).zip(values) {
                    let difference = x - centres.values[label as usize * centres.width + j];
                    *sum += difference * difference;
                }
            }
            distances.iter_mut().for_each(|d| *d = d.sqrt());
        });
    distances
}
