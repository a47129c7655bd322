//! How good a clustering is: by itself (silhouette, Calinski-Harabasz, Davies-Bouldin), and compared with another clustering
//! of the same rows (adjusted Rand index, V-measure). Results equal those of scikit-learn's functions of the same names.
//!
//! Labels are any numbers; only which rows share one matters.

mod agreement;
mod separation;
mod silhouette;

pub use agreement::{Agreement, adjusted_rand, agreement};
pub use separation::{calinski_harabasz, davies_bouldin};
pub use silhouette::{mean_silhouette, sampled_silhouette, silhouettes};

use super::error::{ClusterError, require_finite, require_labels};
use crate::Matrix;

/// Labels renumbered 0.. by rising label, and their number.
pub(super) fn compact(labels: &[u32]) -> (Vec<u32>, usize) {
    let mut kinds = labels.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    let place = |label: &u32| kinds.binary_search(label).unwrap_or_default() as u32;
    (labels.iter().map(place).collect(), kinds.len())
}

/// Compact labels of rows for which an internal measure is defined: 2 to n - 1 clusters.
fn defined(
    measure: &'static str,
    matrix: &Matrix<'_>,
    labels: &[u32],
) -> Result<(Vec<u32>, usize), ClusterError> {
    require_finite(matrix)?;
    require_labels(matrix, labels)?;
    let (labels, clusters) = compact(labels);
    if (2..matrix.rows()).contains(&clusters) {
        Ok((labels, clusters))
    } else {
        Err(ClusterError::Undefined {
            measure,
            clusters,
            rows: matrix.rows(),
        })
    }
}
