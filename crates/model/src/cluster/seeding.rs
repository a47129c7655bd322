//! First centres: from smartcore's k-means, and from k-means++.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use smartcore::cluster::kmeans::{KMeans, KMeansParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::error::ClusterError;
use super::lloyd::Centroids;
use crate::{Matrix, interrupt};

/// smartcore need not converge, since its centres are refined by the passes of `lloyd`.
const SMARTCORE_ITERATIONS: usize = 15;

/// Centres found by smartcore's k-means, for `clusters` of at least 2. It does not expose its centres, so they are computed
/// as the means of the rows it assigns to each cluster; there are fewer than `clusters` where it leaves one empty.
pub(super) fn smartcore(
    sample: &Matrix<'_>,
    clusters: usize,
    seed: u64,
) -> Result<Centroids, ClusterError> {
    let refused = |reason: smartcore::error::Failed| ClusterError::Library {
        clusters,
        rows: sample.rows(),
        reason: reason.to_string(),
    };
    let dense = DenseMatrix::new(
        sample.rows(),
        sample.width(),
        sample.columns().concat(),
        true,
    )
    .map_err(refused)?;
    let parameters = KMeansParameters {
        k: clusters,
        max_iter: SMARTCORE_ITERATIONS,
        seed: Some(seed),
    };
    let fitted =
        KMeans::<f64, u32, DenseMatrix<f64>, Vec<u32>>::fit(&dense, parameters).map_err(refused)?;
    let labels = fitted.predict(&dense).map_err(refused)?;
    Ok(Centroids::from_members(sample, &labels, clusters))
}

/// Greedy k-means++ (Arthur and Vassilvitskii 2007, section 2.2, with several trials a step): each further centre is a row
/// drawn with probability proportional to its squared distance to the nearest centre, the best of 2 + ln k draws.
/// Fewer than `clusters` where there are fewer distinct rows.
pub(super) fn plus_plus(
    sample: &Matrix<'_>,
    clusters: usize,
    random: &mut ChaCha8Rng,
) -> Centroids {
    let columns = sample.columns();
    let first = random.random_range(0..sample.rows());
    let mut centroids = Centroids::from_rows(sample, &[first]);
    let mut squared = distances_to(&columns, &sample.row(first));
    let trials = 2 + (clusters as f64).ln() as usize;
    while centroids.count() < clusters && !interrupt::requested() {
        let total: f64 = squared.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut best: Option<(f64, Vec<f64>, Vec<f64>)> = None;
        for _ in 0..trials {
            let candidate = sample.row(draw(&squared, random.random::<f64>() * total));
            let mut left = distances_to(&columns, &candidate);
            left.iter_mut()
                .zip(&squared)
                .for_each(|(new, &old)| *new = new.min(old));
            let potential = left.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| potential < *least) {
                best = Some((potential, candidate, left));
            }
        }
        let Some((_, centre, left)) = best else { break };
        centroids.push(&centre);
        squared = left;
    }
    centroids
}

/// Squared distances of all rows to one point.
fn distances_to(columns: &[&[f64]], point: &[f64]) -> Vec<f64> {
    let mut squared = vec![0.0; columns[0].len()];
    for (column, &c) in columns.iter().zip(point) {
        squared
            .iter_mut()
            .zip(*column)
            .for_each(|(sum, x)| *sum += (x - c) * (x - c));
    }
    squared
}

/// The first position where the running sum of the weights passes `cutoff`; the last with a weight if rounding keeps it below.
fn draw(weights: &[f64], cutoff: f64) -> usize {
    let mut sum = 0.0;
    let passes = weights.iter().position(|&weight| {
        sum += weight;
        weight > 0.0 && sum >= cutoff
    });
    passes
        .or_else(|| weights.iter().rposition(|&weight| weight > 0.0))
        .unwrap_or(0)
}
