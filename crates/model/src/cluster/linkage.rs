//! Clusters by merging the two whose merger adds least to the sum of squared distances to the centres (Ward 1963), on a sample of
//! the customers: time and memory grow with the square of the rows.

use super::error::{ClusterError, refuse, require_finite};
use super::kmeans::{KmeansFit, KmeansModel};
use super::lloyd::{self, Centroids};
use super::sample::ContentOrder;
use super::starts::{Candidate, CandidateOrigin};
use super::warning::ClusterWarning;
use crate::Matrix;

/// Largest number of rows that can be merged pair by pair: their distances take 100 MB.
const MOST_ROWS: usize = 5_000;

/// Merges rows of comparable columns until `k` clusters are left, always the two whose merger adds least to the sum of squared
/// distances to the centres: the label of every row, 0 for the cluster of the first row,
/// then in order of appearance.
///
/// # Errors
/// No rows, more than 5,000 rows, `k` of 0 or above the rows, a value that is not finite.
pub fn merge_clusters(matrix: &Matrix<'_>, k: usize) -> Result<Vec<u32>, ClusterError> {
    require_finite(matrix)?;
    let rows = matrix.rows();
    if rows > MOST_ROWS {
        return Err(ClusterError::TooManyRows {
            method: "merging clusters",
            rows,
            most: MOST_ROWS,
        });
    }
    if k == 0 || k > rows {
        return refuse("k", k as f64, "within 1 and the number of rows");
    }
    let roots = ward(matrix, k);
    let mut seen: Vec<usize> = Vec::new();
    let label = |root: &usize| {
        let place = seen.iter().position(|known| known == root);
        place.unwrap_or_else(|| {
            seen.push(*root);
            seen.len() - 1
        }) as u32
    };
    Ok(roots.iter().map(label).collect())
}

/// Merges at most `most` rows that represent all, drawn by content, until `k` clusters are left; every row then belongs to the
/// nearest centre of the merged ones. Centres stay where merging left them.
///
/// Where there are fewer distinct rows in the sample than clusters asked for, each of them is a cluster, with a warning.
///
/// # Errors
/// As [`merge_clusters`], for the sample.
pub fn fit_merged(
    order: &ContentOrder<'_>,
    k: usize,
    most: usize,
) -> Result<KmeansFit, ClusterError> {
    let matrix = order.matrix();
    require_finite(matrix)?;
    let sample = matrix.gather(&order.take(most.min(MOST_ROWS)));
    let distinct = ContentOrder::new(&sample, 0).distinct();
    let found = k.min(distinct);
    let labels = merge_clusters(&sample, found)?;
    let centroids = Centroids::from_members(&sample, &labels, found);
    let nearest = lloyd::nearest(matrix, &centroids);
    let mut sizes = vec![0; found];
    nearest
        .label
        .iter()
        .for_each(|&cluster| sizes[cluster as usize] += 1);
    let warning = || ClusterWarning::FewerClusters {
        asked: k,
        found,
        distinct_rows: Some(distinct),
    };
    let sample_inertia = lloyd::inertia(&sample, &centroids);
    Ok(KmeansFit {
        model: KmeansModel::new(matrix.names(), &centroids),
        sizes,
        inertia: lloyd::inertia(matrix, &centroids),
        assignment: nearest.into(),
        sample_rows: sample.rows(),
        sampling_excess: 0.0,
        candidates: vec![Candidate {
            origin: CandidateOrigin::Direct,
            sample_inertia,
        }],
        best_candidate: 0,
        iterations: 0,
        converged: true,
        choice: None,
        warnings: (found < k).then(warning).into_iter().collect(),
    })
}

/// Ward's merging by chains of nearest neighbours (Murtagh 1983) with the update of Lance and Williams (1967) on squared
/// distances. Chains find the mergers out of order, so all are found, sorted by height, and the lowest applied.
fn ward(matrix: &Matrix<'_>, k: usize) -> Vec<usize> {
    let rows = matrix.rows();
    let mut distances = Distances::new(matrix);
    let mut sizes = vec![1.0; rows];
    let mut alive: Vec<usize> = (0..rows).collect();
    let mut mergers: Vec<(f64, usize, usize)> = Vec::with_capacity(rows.saturating_sub(1));
    let mut chain: Vec<usize> = Vec::new();
    while alive.len() > 1 {
        let tip = chain.last().copied().unwrap_or(alive[0]);
        if chain.is_empty() {
            chain.push(tip);
        }
        let previous = chain.len().checked_sub(2).map(|place| chain[place]);
        let (nearest, height) = nearest_to(tip, previous, &alive, &distances);
        if previous != Some(nearest) {
            chain.push(nearest);
            continue;
        }
        chain.truncate(chain.len() - 2);
        let (kept, gone) = (tip.min(nearest), tip.max(nearest));
        mergers.push((height, kept, gone));
        alive.retain(|&cluster| cluster != gone);
        for &other in alive.iter().filter(|&&other| other != kept) {
            let (a, b, c) = (sizes[kept], sizes[gone], sizes[other]);
            let sum = (a + c) * distances.get(kept, other) + (b + c) * distances.get(gone, other)
                - c * height;
            distances.set(kept, other, sum / (a + b + c));
        }
        sizes[kept] += sizes[gone];
    }
    mergers.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut parents: Vec<usize> = (0..rows).collect();
    for &(_, kept, gone) in mergers.iter().take(rows - k) {
        let (a, b) = (root(&mut parents, kept), root(&mut parents, gone));
        parents[a.max(b)] = a.min(b);
    }
    (0..rows).map(|row| root(&mut parents, row)).collect()
}

/// The nearest other cluster; the previous one of the chain where it is as near, so that chains end.
fn nearest_to(
    tip: usize,
    previous: Option<usize>,
    alive: &[usize],
    distances: &Distances,
) -> (usize, f64) {
    let first = previous.map_or((tip, f64::INFINITY), |previous| {
        (previous, distances.get(tip, previous))
    });
    let others = alive.iter().filter(|&&other| other != tip);
    others.fold(first, |best, &other| {
        let distance = distances.get(tip, other);
        if distance < best.1 {
            (other, distance)
        } else {
            best
        }
    })
}

fn root(parents: &mut [usize], mut row: usize) -> usize {
    while parents[row] != row {
        parents[row] = parents[parents[row]];
        row = parents[row];
    }
    row
}

/// Squared distances of pairs, each stored once.
struct Distances {
    values: Vec<f64>,
}

impl Distances {
    fn new(matrix: &Matrix<'_>) -> Self {
        let columns = matrix.columns();
        let apart = |a: usize, b: usize| {
            columns
                .iter()
                .map(|column| (column[a] - column[b]).powi(2))
                .sum()
        };
        Self {
            values: (1..matrix.rows())
                .flat_map(|a| (0..a).map(move |b| (a, b)))
                .map(|(a, b)| apart(a, b))
                .collect(),
        }
    }

    fn place(a: usize, b: usize) -> usize {
        let (low, high) = (a.min(b), a.max(b));
        high * (high - 1) / 2 + low
    }

    fn get(&self, a: usize, b: usize) -> f64 {
        self.values[Self::place(a, b)]
    }

    fn set(&mut self, a: usize, b: usize, value: f64) {
        self.values[Self::place(a, b)] = value;
    }
}
