//! Centres from several starts, converged on a sample, of which the best is taken.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{ClusterError, go_on};
use super::lloyd::{self, Centroids, Stop};
use super::sample::{ContentOrder, generator, mix};
use super::seeding;
use crate::Matrix;

/// How many starts there are, and when each is at rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Starts {
    /// Starts of each way to choose the first centres.
    pub(super) restarts: u32,
    pub(super) seed: u64,
    pub(super) stop: Stop,
}

/// Where a candidate's first centres came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CandidateOrigin {
    /// smartcore's k-means.
    Smartcore,
    /// Greedy k-means++.
    PlusPlus,
    /// The distinct rows themselves, the mean where one cluster is asked for, or clusters that were merged.
    Direct,
}

/// One start of the fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Where its first centres came from.
    pub origin: CandidateOrigin,
    /// Sum of squared distances on the sample, after Lloyd's passes on it.
    pub sample_inertia: f64,
}

/// Centres of the best of some k-means++ starts on a small sample: for measures that need many fits.
pub(super) fn quick_fit(matrix: &Matrix<'_>, clusters: usize, starts: u32, seed: u64) -> Centroids {
    let stop = Stop {
        max_iterations: 100,
        tolerance: 1e-4,
    };
    let fits: Vec<(Candidate, Centroids)> = (0..starts.max(1))
        .map(|start| {
            let mut random = generator(seed, u64::from(start));
            at_rest(
                matrix,
                CandidateOrigin::PlusPlus,
                seeding::plus_plus(matrix, clusters, &mut random),
                stop,
            )
        })
        .collect();
    let best = lowest(&fits).unwrap_or(0);
    sorted(&fits[best].1)
}

/// Every candidate with its centres, converged on the sample.
pub(super) fn starts(
    matrix: &Matrix<'_>,
    sample: &Matrix<'_>,
    order: &ContentOrder<'_>,
    k: usize,
    how: &Starts,
) -> Result<Vec<(Candidate, Centroids)>, ClusterError> {
    if k == order.distinct() {
        let centroids = Centroids::from_rows(matrix, &order.representatives());
        return Ok(vec![at_rest(
            sample,
            CandidateOrigin::Direct,
            centroids,
            how.stop,
        )]);
    }
    if k == 1 {
        let mean = Centroids::from_members(sample, &vec![0; sample.rows()], 1);
        return Ok(vec![at_rest(
            sample,
            CandidateOrigin::Direct,
            mean,
            how.stop,
        )]);
    }
    // With few distinct rows smartcore may divide by the size of an empty cluster.
    let enough = ContentOrder::new(sample, how.seed).distinct() > k;
    let smartcore = if enough { how.restarts } else { 0 };
    let jobs: Vec<(CandidateOrigin, u64)> = (0..smartcore)
        .map(|start| (CandidateOrigin::Smartcore, u64::from(start)))
        .chain((0..how.restarts).map(|start| (CandidateOrigin::PlusPlus, u64::from(start))))
        .collect();
    jobs.into_par_iter()
        .map(|(origin, start)| {
            go_on()?;
            let centroids = match origin {
                CandidateOrigin::Smartcore => {
                    seeding::smartcore(sample, k, mix(how.seed ^ mix(start)))?
                }
                _ => seeding::plus_plus(sample, k, &mut generator(how.seed, start)),
            };
            Ok(at_rest(sample, origin, centroids, how.stop))
        })
        .collect()
}

fn at_rest(
    sample: &Matrix<'_>,
    origin: CandidateOrigin,
    start: Centroids,
    stop: Stop,
) -> (Candidate, Centroids) {
    let centroids = lloyd::refine(sample, start, stop).centroids;
    let sample_inertia = lloyd::inertia(sample, &centroids);
    (
        Candidate {
            origin,
            sample_inertia,
        },
        centroids,
    )
}

/// The candidate with most clusters and then lowest inertia; in a tie the first.
pub(super) fn lowest(candidates: &[(Candidate, Centroids)]) -> Option<usize> {
    let key = |position: &usize| {
        let (candidate, centroids) = &candidates[*position];
        (
            std::cmp::Reverse(centroids.count()),
            candidate.sample_inertia,
        )
    };
    (0..candidates.len()).min_by(|a, b| {
        let ((count_a, inertia_a), (count_b, inertia_b)) = (key(a), key(b));
        count_a.cmp(&count_b).then(inertia_a.total_cmp(&inertia_b))
    })
}

/// The centres by descending coordinates, the first coordinate first.
pub(super) fn sorted(centroids: &Centroids) -> Centroids {
    let mut centres: Vec<&[f64]> = centroids.iter().collect();
    centres.sort_by(|a, b| {
        let differing = b
            .iter()
            .zip(*a)
            .map(|(x, y)| x.total_cmp(y))
            .find(|order| order.is_ne());
        differing.unwrap_or(std::cmp::Ordering::Equal)
    });
    Centroids {
        width: centroids.width,
        values: centres.concat(),
    }
}
