//! Clusters of mixed numbers and labels: k-prototypes (Huang 1998).
//!
//! The distance of a row to a centre is the squared Euclidean distance of its numbers plus gamma for every label that
//! differs; a centre has the means of the numbers and the most common label of each label column.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{ClusterError, refuse, require_finite, require_labels};
use super::lloyd::CHUNK;
use super::moments;
use super::sample::{ContentOrder, generator};
use super::warning::ClusterWarning;
use crate::Matrix;

/// A column of labels as codes. A missing label is a label of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelColumn {
    /// Name of the column.
    pub name: String,
    /// The code of each row, below `labels.len()`.
    pub codes: Vec<u32>,
    /// The labels, by code.
    pub labels: Vec<String>,
}

/// The parameters of k-prototypes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrototypesParams {
    /// Number of clusters, at least 1.
    pub k: u32,
    /// Starts, at least 1; 10 by default.
    pub restarts: u32,
    /// Largest number of rows that the starts use, at least 1; 20,000 by default.
    pub sample: usize,
    /// What a differing label costs, above 0; by default half the mean standard deviation of the numbers
    /// (Huang 1998, section 4), or 1 where they do not vary.
    pub gamma: Option<f64>,
    /// Largest number of passes, at least 1; 100 by default.
    pub max_iterations: usize,
    /// Seed of the starts.
    pub seed: u64,
}

impl PrototypesParams {
    /// The defaults for a number of clusters.
    pub fn new(k: u32) -> Self {
        Self {
            k,
            restarts: 10,
            sample: 20_000,
            gamma: None,
            max_iterations: 100,
            seed: 0,
        }
    }

    fn check(&self) -> Result<(), ClusterError> {
        match self {
            Self { k: 0, .. } => refuse("k", 0.0, "at least 1"),
            Self { restarts: 0, .. } => refuse("restarts", 0.0, "at least 1"),
            Self { sample: 0, .. } => refuse("sample", 0.0, "at least 1"),
            Self {
                max_iterations: 0, ..
            } => refuse("max_iterations", 0.0, "at least 1"),
            Self {
                gamma: Some(gamma), ..
            } if !(*gamma > 0.0 && gamma.is_finite()) => {
                refuse("gamma", *gamma, "a finite number above 0")
            }
            _ => Ok(()),
        }
    }
}

/// One centre.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prototype {
    /// Means of the numbers, in the units of the (prepared) columns.
    pub means: Vec<f64>,
    /// Codes of the most common labels; in a tie the lowest code.
    pub modes: Vec<u32>,
}

/// Clusters of mixed rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PrototypesFit {
    /// The centres, by falling first mean.
    pub prototypes: Vec<Prototype>,
    /// What a differing label costs.
    pub gamma: f64,
    /// The cluster of every row, from 0; in a tie the first.
    pub cluster: Vec<u32>,
    /// Rows of each cluster.
    pub sizes: Vec<usize>,
    /// Sum over all rows of the distance to their centre.
    pub cost: f64,
    /// Passes over all rows.
    pub iterations: usize,
    /// What may limit how far the clusters can be trusted.
    pub warnings: Vec<ClusterWarning>,
}

/// Finds clusters in rows of comparable numbers and labels. The result does not depend on threads, nor, up to rounding, on
/// the order of rows.
///
/// # Errors
/// No rows, a value that is not finite, labels that do not cover the rows, or parameters outside their ranges.
pub fn fit_prototypes(
    numbers: &Matrix<'_>,
    labels: &[LabelColumn],
    params: &PrototypesParams,
) -> Result<PrototypesFit, ClusterError> {
    params.check()?;
    require_finite(numbers)?;
    labels
        .iter()
        .try_for_each(|column| require_labels(numbers, &column.codes))?;
    let rows = Mixed::new(numbers, labels, params.gamma);
    // Codes enter as numbers, so that rows that differ in a label only are different rows.
    let coded = with_codes(numbers, labels);
    let order = ContentOrder::new(&coded, params.seed);
    let drawn = order.take(params.sample);
    let sampled_numbers = numbers.gather(&drawn);
    let sampled_labels: Vec<LabelColumn> =
        labels.iter().map(|column| column.gather(&drawn)).collect();
    let sample = Mixed {
        gamma: rows.gamma,
        ..Mixed::new(&sampled_numbers, &sampled_labels, params.gamma)
    };

    let distinct = order.distinct();
    let k = (params.k as usize).min(distinct);
    let start = |start: u32| {
        let seeded = sample.seed(k, &mut generator(params.seed, u64::from(start)));
        let refined = sample.refine(seeded, params.max_iterations).0;
        let cost = sample.pass(&refined).cost;
        (refined, cost)
    };
    let starts: Vec<(Vec<Prototype>, f64)> =
        (0..params.restarts).into_par_iter().map(start).collect();
    let best = starts
        .into_iter()
        .min_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.1.total_cmp(&b.1)));
    let Some((best, _)) = best else {
        return Err(ClusterError::NoRows);
    };

    let (mut prototypes, iterations, converged) = rows.refine(best, params.max_iterations);
    prototypes.sort_by(|a, b| {
        let differing = b
            .means
            .iter()
            .zip(&a.means)
            .map(|(x, y)| x.total_cmp(y))
            .find(|order| order.is_ne());
        differing.unwrap_or_else(|| a.modes.cmp(&b.modes))
    });
    let mut last = rows.pass(&prototypes);
    if last.sizes.contains(&0) {
        let occupied = |(prototype, &size): (Prototype, &usize)| (size > 0).then_some(prototype);
        prototypes = prototypes
            .into_iter()
            .zip(&last.sizes)
            .filter_map(occupied)
            .collect();
        last = rows.pass(&prototypes);
    }
    let mut warnings = Vec::new();
    let (asked, found) = (params.k as usize, prototypes.len());
    if found < asked {
        let distinct_rows = (distinct < asked).then_some(distinct);
        warnings.push(ClusterWarning::FewerClusters {
            asked,
            found,
            distinct_rows,
        });
    }
    if !converged {
        warnings.push(ClusterWarning::NotConverged { iterations });
    }
    let (cluster, sizes, cost) = (last.cluster, last.sizes, last.cost);
    Ok(PrototypesFit {
        prototypes,
        gamma: rows.gamma,
        cluster,
        sizes,
        cost,
        iterations,
        warnings,
    })
}

impl LabelColumn {
    fn gather(&self, rows: &[usize]) -> Self {
        let codes = rows.iter().map(|&row| self.codes[row]).collect();
        Self {
            name: self.name.clone(),
            codes,
            labels: self.labels.clone(),
        }
    }

    /// Number of codes, even where `labels` names fewer.
    fn kinds(&self) -> usize {
        self.codes
            .iter()
            .max()
            .map_or(0, |&code| code as usize + 1)
            .max(self.labels.len())
    }
}

fn with_codes(numbers: &Matrix<'_>, labels: &[LabelColumn]) -> Matrix<'static> {
    let codes = labels
        .iter()
        .map(|column| column.codes.iter().map(|&code| f64::from(code)).collect());
    let columns: Vec<Vec<f64>> = numbers
        .columns()
        .into_iter()
        .map(<[f64]>::to_vec)
        .chain(codes)
        .collect();
    let names = (0..columns.len()).map(|place| place.to_string()).collect();
    Matrix::of_equal_columns(
        names,
        columns.into_iter().map(std::borrow::Cow::Owned).collect(),
        numbers.rows(),
    )
}

/// The rows to cluster.
struct Mixed<'a> {
    numbers: Vec<&'a [f64]>,
    labels: &'a [LabelColumn],
    kinds: Vec<usize>,
    gamma: f64,
    rows: usize,
}

/// What one pass over the rows finds.
struct Pass {
    cluster: Vec<u32>,
    sizes: Vec<usize>,
    cost: f64,
    sums: Vec<Vec<f64>>,
    /// By cluster and label column, rows of each code.
    counts: Vec<Vec<Vec<usize>>>,
}

impl<'a> Mixed<'a> {
    fn new(numbers: &'a Matrix<'_>, labels: &'a [LabelColumn], gamma: Option<f64>) -> Self {
        let columns = numbers.columns();
        let spread = columns
            .iter()
            .map(|column| moments::mean_sd(column).1)
            .sum::<f64>()
            / columns.len() as f64;
        let usual = if spread > 0.0 { spread / 2.0 } else { 1.0 };
        let kinds = labels.iter().map(LabelColumn::kinds).collect();
        Self {
            numbers: columns,
            labels,
            kinds,
            gamma: gamma.unwrap_or(usual),
            rows: numbers.rows(),
        }
    }

    fn prototype(&self, row: usize) -> Prototype {
        let means = self.numbers.iter().map(|column| column[row]).collect();
        Prototype {
            means,
            modes: self.labels.iter().map(|column| column.codes[row]).collect(),
        }
    }

    fn distance(&self, row: usize, to: &Prototype) -> f64 {
        let apart: f64 = self
            .numbers
            .iter()
            .zip(&to.means)
            .map(|(column, mean)| (column[row] - mean).powi(2))
            .sum();
        let differing = self
            .labels
            .iter()
            .zip(&to.modes)
            .filter(|(column, mode)| column.codes[row] != **mode)
            .count();
        apart + self.gamma * differing as f64
    }

    /// k-means++ by the mixed distance; fewer than `k` where there are fewer distinct rows.
    fn seed(&self, k: usize, random: &mut ChaCha8Rng) -> Vec<Prototype> {
        let mut prototypes = vec![self.prototype(random.random_range(0..self.rows))];
        let mut nearest: Vec<f64> = (0..self.rows)
            .map(|row| self.distance(row, &prototypes[0]))
            .collect();
        while prototypes.len() < k {
            let total: f64 = nearest.iter().sum();
            if total <= 0.0 {
                break;
            }
            let cutoff = random.random::<f64>() * total;
            let mut sum = 0.0;
            let passes = nearest.iter().position(|&d| {
                sum += d;
                d > 0.0 && sum >= cutoff
            });
            let Some(row) = passes.or_else(|| nearest.iter().rposition(|&d| d > 0.0)) else {
                break;
            };
            let prototype = self.prototype(row);
            nearest
                .iter_mut()
                .enumerate()
                .for_each(|(row, d)| *d = d.min(self.distance(row, &prototype)));
            prototypes.push(prototype);
        }
        prototypes
    }

    /// Passes until no row changes its cluster: the centres, the passes made, and whether they converged.
    fn refine(
        &self,
        mut prototypes: Vec<Prototype>,
        max_iterations: usize,
    ) -> (Vec<Prototype>, usize, bool) {
        let mut before: Option<Vec<u32>> = None;
        for iteration in 1..=max_iterations {
            let pass = self.pass(&prototypes);
            pass.update(&mut prototypes);
            if before.as_ref() == Some(&pass.cluster) {
                return (prototypes, iteration, true);
            }
            before = Some(pass.cluster);
        }
        (prototypes, max_iterations, false)
    }

    fn pass(&self, prototypes: &[Prototype]) -> Pass {
        let mut cluster = vec![0u32; self.rows];
        let chunks = cluster.par_chunks_mut(CHUNK).enumerate();
        let parts: Vec<Pass> = chunks
            .map(|(chunk, cluster)| {
                let mut part = self.empty(prototypes.len());
                for (offset, label) in cluster.iter_mut().enumerate() {
                    let row = chunk * CHUNK + offset;
                    let distances = prototypes
                        .iter()
                        .map(|prototype| self.distance(row, prototype));
                    let nearest =
                        distances
                            .enumerate()
                            .fold((0, f64::INFINITY), |best, (place, d)| {
                                if d < best.1 { (place, d) } else { best }
                            });
                    *label = nearest.0 as u32;
                    part.add_row(self, row, nearest);
                }
                part
            })
            .collect();
        let mut all = parts.iter().fold(self.empty(prototypes.len()), Pass::add);
        all.cluster = cluster;
        all
    }

    fn empty(&self, clusters: usize) -> Pass {
        let counts: Vec<Vec<usize>> = self.kinds.iter().map(|&kinds| vec![0; kinds]).collect();
        Pass {
            cluster: Vec::new(),
            sizes: vec![0; clusters],
            cost: 0.0,
            sums: vec![vec![0.0; self.numbers.len()]; clusters],
            counts: vec![counts; clusters],
        }
    }
}

impl Pass {
    fn add_row(&mut self, rows: &Mixed<'_>, row: usize, (cluster, distance): (usize, f64)) {
        self.sizes[cluster] += 1;
        self.cost += distance;
        self.sums[cluster]
            .iter_mut()
            .zip(&rows.numbers)
            .for_each(|(sum, column)| *sum += column[row]);
        let counts = self.counts[cluster].iter_mut().zip(rows.labels);
        counts.for_each(|(counts, column)| counts[column.codes[row] as usize] += 1);
    }

    fn add(mut self, other: &Self) -> Self {
        self.cost += other.cost;
        self.sizes
            .iter_mut()
            .zip(&other.sizes)
            .for_each(|(a, b)| *a += b);
        self.sums
            .iter_mut()
            .flatten()
            .zip(other.sums.iter().flatten())
            .for_each(|(a, b)| *a += b);
        let counts = self.counts.iter_mut().flatten().flatten();
        counts
            .zip(other.counts.iter().flatten().flatten())
            .for_each(|(a, b)| *a += b);
        self
    }

    /// Moves each centre that has rows to their means and most common labels.
    fn update(&self, prototypes: &mut [Prototype]) {
        for (place, prototype) in prototypes
            .iter_mut()
            .enumerate()
            .filter(|(place, _)| self.sizes[*place] > 0)
        {
            prototype.means = self.sums[place]
                .iter()
                .map(|sum| sum / self.sizes[place] as f64)
                .collect();
            let commonest = |counts: &Vec<usize>| {
                let better = |best: usize, code: usize| {
                    if counts[code] > counts[best] {
                        code
                    } else {
                        best
                    }
                };
                (1..counts.len()).fold(0, better) as u32
            };
            prototype.modes = self.counts[place].iter().map(commonest).collect();
        }
    }
}
