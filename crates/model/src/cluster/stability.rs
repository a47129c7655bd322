//! Whether a cluster is found again when customers are resampled: Hennig (2007), "Cluster-wise assessment of cluster
//! stability".

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{ClusterError, go_on, refuse, require_finite, require_labels};
use super::lloyd;
use super::quality::compact;
use super::sample::{ContentOrder, bootstrap, generator, mix, permutation};
use super::starts::quick_fit;
use crate::{Matrix, interrupt};

/// How the customers are resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// As many rows as there are, with replacement; compared on those drawn at least once.
    Bootstrap,
    /// Half of the rows, without replacement.
    Half,
}

/// How stability is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StabilityParams {
    /// Number of resamples, at least 1; 100 by default.
    pub resamples: u32,
    /// How they are drawn; bootstrap by default.
    pub resampling: Resampling,
    /// Largest number of rows that take part, at least 2; 5,000 by default.
    pub sample: usize,
    /// k-means++ starts per refit, at least 1; 4 by default.
    pub starts: u32,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for StabilityParams {
    fn default() -> Self {
        Self {
            resamples: 100,
            resampling: Resampling::Bootstrap,
            sample: 5_000,
            starts: 4,
            seed: 0,
        }
    }
}

impl StabilityParams {
    fn check(&self) -> Result<(), ClusterError> {
        match self {
            Self { resamples: 0, .. } => refuse("stability.resamples", 0.0, "at least 1"),
            Self { sample: 0..2, .. } => {
                refuse("stability.sample", self.sample as f64, "at least 2")
            }
            Self { starts: 0, .. } => refuse("stability.starts", 0.0, "at least 1"),
            _ => Ok(()),
        }
    }
}

/// What a mean Jaccard similarity means (Hennig 2007 and the R package `fpc`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StabilityGrade {
    /// At most 0.5.
    Dissolved,
    /// Below 0.6: not to be trusted.
    Untrustworthy,
    /// Below 0.75: there is a pattern, but who belongs to it is doubtful.
    Pattern,
    /// Below 0.85: valid and stable.
    Stable,
    /// At least 0.85.
    HighlyStable,
}

impl StabilityGrade {
    /// The grade of a mean Jaccard similarity.
    pub fn of(mean_jaccard: f64) -> Self {
        match mean_jaccard {
            j if j <= 0.5 => Self::Dissolved,
            j if j < 0.6 => Self::Untrustworthy,
            j if j < 0.75 => Self::Pattern,
            j if j < 0.85 => Self::Stable,
            _ => Self::HighlyStable,
        }
    }
}

/// How stable one cluster was over the resamples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterStability {
    /// The label.
    pub cluster: u32,
    /// Mean over the resamples of the largest Jaccard similarity to a cluster of the refit, within 0 to 1.
    pub mean_jaccard: f64,
    /// Standard deviation of that similarity over the resamples.
    pub sd_jaccard: f64,
    /// Share of the resamples in which it was at least 0.75.
    pub recovered: f64,
    /// Share of the resamples in which it was at most 0.5.
    pub dissolved: f64,
    /// The grade of the mean.
    pub grade: StabilityGrade,
}

/// Refits k-means on resamples and measures how well each cluster is found again. `labels` are the clusters to be judged, of
/// the same rows; the refits look for as many. One entry per label that has rows, by ascending label; a cluster without rows
/// in the sample has no entry.
///
/// # Errors
/// No rows, a value that is not finite, labels that do not cover the rows, or parameters outside their ranges.
pub fn cluster_stability(
    order: &ContentOrder<'_>,
    labels: &[u32],
    params: &StabilityParams,
) -> Result<Vec<ClusterStability>, ClusterError> {
    let matrix = order.matrix();
    params.check()?;
    require_finite(matrix)?;
    require_labels(matrix, labels)?;
    let rows = order.take_stratified(labels, params.sample.min(matrix.rows()), 1);
    let sample = matrix.gather(&rows);
    let sampled: Vec<u32> = rows.iter().map(|&row| labels[row]).collect();
    let (compacted, clusters) = compact(&sampled);
    let mut kinds = sampled;
    kinds.sort_unstable();
    kinds.dedup();
    let resample = |b: u32| one_resample(&sample, &compacted, clusters, params, b);
    let similarities: Vec<Vec<Option<f64>>> = (0..params.resamples)
        .into_par_iter()
        .map(resample)
        .collect();
    go_on()?;
    let judge = |(position, &cluster): (usize, &u32)| {
        let found: Vec<f64> = similarities
            .iter()
            .filter_map(|resample| resample[position])
            .collect();
        let share = |holds: &dyn Fn(f64) -> bool| {
            found.iter().filter(|&&j| holds(j)).count() as f64 / found.len().max(1) as f64
        };
        let (mean_jaccard, sd_jaccard) = super::moments::mean_sd(&found);
        ClusterStability {
            cluster,
            mean_jaccard,
            sd_jaccard,
            recovered: share(&|j| j >= 0.75),
            dissolved: share(&|j| j <= 0.5),
            grade: StabilityGrade::of(mean_jaccard),
        }
    };
    Ok(kinds.iter().enumerate().map(judge).collect())
}

/// Largest Jaccard similarity of each cluster in one resample; none where none of its rows was drawn.
fn one_resample(
    sample: &Matrix<'_>,
    labels: &[u32],
    clusters: usize,
    params: &StabilityParams,
    resample: u32,
) -> Vec<Option<f64>> {
    if interrupt::requested() {
        return vec![None; clusters];
    }
    let mut random = generator(params.seed, u64::from(resample));
    let drawn = match params.resampling {
        Resampling::Bootstrap => bootstrap(sample.rows(), &mut random),
        Resampling::Half => {
            let mut half = permutation(sample.rows(), &mut random);
            half.truncate(sample.rows().div_ceil(2));
            half
        }
    };
    let centroids = quick_fit(
        &sample.gather(&drawn),
        clusters,
        params.starts,
        mix(params.seed ^ u64::from(resample)),
    );
    let mut present = drawn;
    present.sort_unstable();
    present.dedup();
    let found = lloyd::labels(&sample.gather(&present), &centroids);
    let original: Vec<u32> = present.iter().map(|&row| labels[row]).collect();
    best_jaccard(&original, &found, clusters, centroids.count())
}

/// For each of the first clusters that has rows, the largest |A and B| / |A or B| over the second clusters.
fn best_jaccard(first: &[u32], second: &[u32], clusters: usize, others: usize) -> Vec<Option<f64>> {
    let mut cells = vec![0.0; clusters * others];
    let (mut sizes, mut other_sizes) = (vec![0.0; clusters], vec![0.0; others]);
    for (&a, &b) in first.iter().zip(second) {
        cells[a as usize * others + b as usize] += 1.0;
        sizes[a as usize] += 1.0;
        other_sizes[b as usize] += 1.0;
    }
    let best = |cluster: usize| {
        let jaccard = |other: usize| {
            let both = cells[cluster * others + other];
            both / (sizes[cluster] + other_sizes[other] - both)
        };
        (sizes[cluster] > 0.0).then(|| (0..others).map(jaccard).fold(0.0, f64::max))
    };
    (0..clusters).map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jaccard_takes_the_best_match_on_common_rows() {
        let found = best_jaccard(&[0, 0, 0, 1, 1], &[1, 1, 0, 0, 0], 3, 2);
        assert_eq!(found, [Some(2.0 / 3.0), Some(2.0 / 3.0), None]);
    }

    #[test]
    fn grades_are_those_of_hennig() {
        use StabilityGrade::{Dissolved, HighlyStable, Pattern, Stable, Untrustworthy};
        let grades = [0.5, 0.55, 0.6, 0.75, 0.85].map(StabilityGrade::of);
        assert_eq!(
            grades,
            [Dissolved, Untrustworthy, Pattern, Stable, HighlyStable]
        );
    }
}
