//! k-means over all customers: fitted on a sample, refined and assigned on everyone.
//!
//! smartcore's k-means runs on a sample from several seeds; k-means++ adds as many candidates; Lloyd's passes refine each on
//! the sample until it converges, the one of lowest inertia is refined over all rows, and every row is assigned.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tessera_spec::pipeline::KChoice;

use super::choice::{self, ChoiceParams, ChoiceTable, KRange};
use super::error::{ClusterError, go_on, refuse, require_finite};
use super::lloyd::{self, Centroids, Nearest, Stop};
use super::moments;
use super::sample::ContentOrder;
use super::starts::{Candidate, Starts, lowest, sorted, starts};
use super::warning::ClusterWarning;
use crate::Matrix;

/// The parameters of k-means, not yet checked.
#[derive(Debug, Clone, PartialEq)]
pub struct KmeansParams {
    /// Number of clusters, or the range to choose it from.
    pub k: KChoice,
    /// Starts of each kind (smartcore, own k-means++), at least 1; 10 by default.
    pub restarts: u32,
    /// Largest number of rows that the starts use, at least 1; 20,000 by default.
    pub sample: usize,
    /// Seed of every random step.
    pub seed: u64,
    /// Largest number of passes, at least 1; 300 by default.
    pub max_iterations: usize,
    /// Squared movement of all centres at which passes stop, relative to the mean variance of the columns; 0.0001 by default.
    pub tolerance: f64,
    /// How k is chosen from a range.
    pub choice: ChoiceParams,
}

impl KmeansParams {
    /// The defaults for a number of clusters or a range.
    pub fn new(k: KChoice) -> Self {
        Self {
            k,
            restarts: 10,
            sample: 20_000,
            seed: 0,
            max_iterations: 300,
            tolerance: 1e-4,
            choice: ChoiceParams::default(),
        }
    }

    /// Checks every parameter.
    ///
    /// # Errors
    /// [`ClusterError::Parameter`] names the first that is out of its range.
    pub fn check(self) -> Result<KmeansConfig, ClusterError> {
        match self.k {
            KChoice::Fixed(0) => return refuse("k", 0.0, "at least 1"),
            KChoice::Range(from, to) => {
                KRange::new(from, to)?;
            }
            KChoice::Fixed(_) => {}
        }
        if self.restarts == 0 {
            return refuse("restarts", 0.0, "at least 1");
        }
        if self.sample == 0 {
            return refuse("sample", 0.0, "at least 1");
        }
        if self.max_iterations == 0 {
            return refuse("max_iterations", 0.0, "at least 1");
        }
        if !(self.tolerance >= 0.0 && self.tolerance.is_finite()) {
            return refuse("tolerance", self.tolerance, "a finite number of at least 0");
        }
        self.choice.check()?;
        Ok(KmeansConfig { params: self })
    }
}

/// Checked parameters of k-means; made by [`KmeansParams::check`].
#[derive(Debug, Clone, PartialEq)]
pub struct KmeansConfig {
    params: KmeansParams,
}

impl KmeansConfig {
    /// The parameters.
    pub fn params(&self) -> &KmeansParams {
        &self.params
    }
}

/// The part of a fit that is stored: enough to assign any customer, and no row of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KmeansModel {
    /// Names of the (prepared) columns, in the order of the coordinates.
    pub columns: Vec<String>,
    /// One centre per cluster, in the units of the (prepared) columns.
    pub centroids: Vec<Vec<f64>>,
}

impl KmeansModel {
    /// Assigns rows to their nearest centres.
    ///
    /// # Errors
    /// Other columns than the model's, no rows, or a value that is not finite.
    pub fn assign(&self, matrix: &Matrix<'_>) -> Result<Assignment, ClusterError> {
        if matrix.names() != self.columns {
            return Err(ClusterError::Columns {
                expected: self.columns.clone(),
                found: matrix.names().to_vec(),
            });
        }
        require_finite(matrix)?;
        Ok(Assignment::from(lloyd::nearest(matrix, &self.centres())))
    }

    /// Number of clusters.
    pub fn clusters(&self) -> usize {
        self.centroids.len()
    }

    pub(super) fn new(columns: &[String], centroids: &Centroids) -> Self {
        Self {
            columns: columns.to_vec(),
            centroids: centroids.iter().map(<[f64]>::to_vec).collect(),
        }
    }

    fn centres(&self) -> Centroids {
        Centroids {
            width: self.columns.len(),
            values: self.centroids.concat(),
        }
    }
}

/// Which cluster each row belongs to, and how clearly. All vectors have one entry per row.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// The nearest cluster, from 0; in a tie the first.
    pub cluster: Vec<u32>,
    /// Euclidean distance to its centre, at least 0.
    pub distance: Vec<f64>,
    /// The second-nearest cluster; the same as `cluster` where there is only one.
    pub runner_up: Vec<u32>,
    /// Euclidean distance to its centre; infinite where there is only one cluster.
    pub runner_up_distance: Vec<f64>,
}

impl Assignment {
    /// How clearly a row belongs to its cluster: 1 - distance / distance to the second-nearest centre. 0 on the border between
    /// the two, 1 at the centre.
    pub fn margin(&self, row: usize) -> f64 {
        let (own, other) = (self.distance[row], self.runner_up_distance[row]);
        if other > 0.0 { 1.0 - own / other } else { 0.0 }
    }

    /// Renumbers the clusters: cluster c becomes `to[c]`.
    fn renumber(&mut self, to: &[u32]) {
        let columns = [&mut self.cluster, &mut self.runner_up];
        columns.into_iter().for_each(|labels| {
            labels
                .par_iter_mut()
                .for_each(|label| *label = to[*label as usize])
        });
    }
}

impl From<Nearest> for Assignment {
    fn from(nearest: Nearest) -> Self {
        let root = |mut squared: Vec<f64>| {
            squared.par_iter_mut().for_each(|d| *d = d.sqrt());
            squared
        };
        Self {
            cluster: nearest.label,
            distance: root(nearest.squared),
            runner_up: nearest.second,
            runner_up_distance: root(nearest.second_squared),
        }
    }
}

/// Clusters, and how they were found.
#[derive(Debug, Clone)]
pub struct KmeansFit {
    /// The centres, by falling first coordinate (then second, and so on).
    pub model: KmeansModel,
    /// The cluster of every row.
    pub assignment: Assignment,
    /// Rows of each cluster; never 0.
    pub sizes: Vec<usize>,
    /// Sum over all rows of the squared distance to their centre.
    pub inertia: f64,
    /// Rows that the starts used.
    pub sample_rows: usize,
    /// Inertia over all rows of the centres fitted on the sample, divided by `inertia`, minus 1: the error of sampling, which
    /// the passes over all rows remove.
    pub sampling_excess: f64,
    /// Every start, in order.
    pub candidates: Vec<Candidate>,
    /// Position of the start that was used.
    pub best_candidate: usize,
    /// Passes over all rows.
    pub iterations: usize,
    /// Whether the passes converged.
    pub converged: bool,
    /// How k was chosen; `None` where it was given.
    pub choice: Option<ChoiceTable>,
    /// What may limit how far the clusters can be trusted.
    pub warnings: Vec<ClusterWarning>,
}

impl KmeansFit {
    /// Renumbers the clusters by the descending mean of a column over their rows, such as the raw values of the first
    /// feature, so that cluster 0 is the highest. NaN values are left out; a cluster without any value comes last.
    ///
    /// # Errors
    /// The column has another number of rows.
    pub fn order_by(&mut self, column: &[f64]) -> Result<(), ClusterError> {
        let clusters = self.model.clusters();
        if column.len() != self.assignment.cluster.len() {
            return Err(ClusterError::LabelCount {
                labels: column.len(),
                rows: self.assignment.cluster.len(),
            });
        }
        let (mut sums, mut counts) = (vec![0.0; clusters], vec![0usize; clusters]);
        for (&cluster, &x) in self
            .assignment
            .cluster
            .iter()
            .zip(column)
            .filter(|(_, x)| !x.is_nan())
        {
            sums[cluster as usize] += x;
            counts[cluster as usize] += 1;
        }
        let mean = |c: usize| {
            if counts[c] > 0 {
                sums[c] / counts[c] as f64
            } else {
                f64::NEG_INFINITY
            }
        };
        let mut order: Vec<usize> = (0..clusters).collect();
        order.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)));
        let mut to = vec![0u32; clusters];
        order
            .iter()
            .enumerate()
            .for_each(|(place, &cluster)| to[cluster] = place as u32);
        self.assignment.renumber(&to);
        self.sizes = order.iter().map(|&c| self.sizes[c]).collect();
        self.model.centroids = order
            .iter()
            .map(|&c| self.model.centroids[c].clone())
            .collect();
        Ok(())
    }
}

/// Finds clusters in rows of comparable columns (see [`super::Preparation`]) and assigns every row.
///
/// The same rows, columns and parameters give the same result for any number of threads; another order of the rows gives
/// the same clusters up to rounding. Where there are fewer distinct rows than clusters asked for, each distinct row is a
/// cluster, with a warning.
///
/// # Errors
/// No rows, a value that is not finite (missing values must have been replaced), or data that smartcore rejects.
pub fn fit(matrix: &Matrix<'_>, config: &KmeansConfig) -> Result<KmeansFit, ClusterError> {
    fit_ordered(&ContentOrder::new(matrix, config.params.seed), config)
}

/// As [`fit`], for rows that are in order already; the seed of that order also affects the result.
///
/// # Errors
/// As [`fit`].
pub fn fit_ordered(
    order: &ContentOrder<'_>,
    config: &KmeansConfig,
) -> Result<KmeansFit, ClusterError> {
    let matrix = order.matrix();
    require_finite(matrix)?;
    let params = &config.params;
    let sample = matrix.gather(&order.take(params.sample));
    let (asked, choice) = match params.k {
        KChoice::Fixed(k) => (k as usize, None),
        KChoice::Range(from, to) => {
            let table =
                choice::choose_k(&sample, KRange::new(from, to)?, &params.choice, params.seed)?;
            (table.chosen(params.choice.criterion), Some(table))
        }
    };
    let mut warnings = Vec::new();
    let distinct = order.distinct();
    let k = asked.min(distinct);
    let how = Starts {
        restarts: params.restarts,
        seed: params.seed,
        stop: stop(params),
    };
    let candidates = starts(matrix, &sample, order, k, &how)?;
    let Some(best_candidate) = lowest(&candidates) else {
        return Err(ClusterError::NoRows);
    };
    let best = &candidates[best_candidate].1;

    go_on()?;
    let refined = lloyd::refine(matrix, completed(matrix, best.clone(), k), stop(params));
    go_on()?;
    let mut centroids = sorted(&refined.centroids);
    let mut nearest = lloyd::nearest(matrix, &centroids);
    let mut sizes = sizes(&nearest.label, centroids.count());
    if sizes.contains(&0) {
        centroids = occupied(&centroids, &sizes);
        nearest = lloyd::nearest(matrix, &centroids);
        sizes.retain(|&size| size > 0);
    }
    if centroids.count() < asked {
        let distinct_rows = (distinct < asked).then_some(distinct);
        warnings.push(ClusterWarning::FewerClusters {
            asked,
            found: centroids.count(),
            distinct_rows,
        });
    }
    if !refined.converged {
        warnings.push(ClusterWarning::NotConverged {
            iterations: refined.iterations,
        });
    }
    let inertia = chunked_sum(&nearest.squared);
    Ok(KmeansFit {
        model: KmeansModel::new(matrix.names(), &centroids),
        assignment: nearest.into(),
        sizes,
        inertia,
        sample_rows: sample.rows(),
        sampling_excess: if inertia > 0.0 {
            refined.first_inertia / inertia - 1.0
        } else {
            0.0
        },
        candidates: candidates
            .into_iter()
            .map(|(candidate, _)| candidate)
            .collect(),
        best_candidate,
        iterations: refined.iterations,
        converged: refined.converged,
        choice,
        warnings,
    })
}

fn stop(params: &KmeansParams) -> Stop {
    Stop {
        max_iterations: params.max_iterations,
        tolerance: params.tolerance,
    }
}

/// Adds the rows farthest from all centres until there are `k`: the sample may have had too few distinct rows for that.
fn completed(matrix: &Matrix<'_>, mut centroids: Centroids, k: usize) -> Centroids {
    while centroids.count() < k {
        let squared = lloyd::nearest(matrix, &centroids).squared;
        let farther = |best: usize, row: usize| {
            if squared[row] > squared[best] {
                row
            } else {
                best
            }
        };
        let row = (1..squared.len()).fold(0, farther);
        centroids.push(&matrix.row(row));
    }
    centroids
}

fn occupied(centroids: &Centroids, sizes: &[usize]) -> Centroids {
    let kept = centroids
        .iter()
        .zip(sizes)
        .filter(|(_, size)| **size > 0)
        .map(|(centre, _)| centre);
    Centroids {
        width: centroids.width,
        values: kept.flatten().copied().collect(),
    }
}

fn sizes(labels: &[u32], clusters: usize) -> Vec<usize> {
    let mut sizes = vec![0; clusters];
    labels.iter().for_each(|&label| sizes[label as usize] += 1);
    sizes
}

fn chunked_sum(values: &[f64]) -> f64 {
    let sums: Vec<f64> = values
        .par_chunks(moments::CHUNK)
        .map(|chunk| chunk.iter().sum())
        .collect();
    sums.iter().sum()
}
