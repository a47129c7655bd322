//! How far two clusterings of the same rows agree.

use std::collections::BTreeMap;

use crate::cluster::error::ClusterError;

/// Information shared by two clusterings of the same rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Within 0 to 1: 1 where each cluster of the second lies in one cluster of the first.
    pub homogeneity: f64,
    /// Within 0 to 1: 1 where each cluster of the first lies in one cluster of the second.
    pub completeness: f64,
    /// Their harmonic mean, which is the normalised mutual information by the arithmetic mean of the entropies
    /// (Rosenberg and Hirschberg 2007).
    pub v_measure: f64,
}

/// Adjusted Rand index (Hubert and Arabie 1985, equation 5): 1 for the same clustering, 0 as expected by chance, may be
/// below 0. 1 where both have only one cluster, or only clusters of one row.
///
/// # Errors
/// [`ClusterError::LabelCount`] where the labels differ in number, [`ClusterError::NoRows`] where there are none.
pub fn adjusted_rand(first: &[u32], second: &[u32]) -> Result<f64, ClusterError> {
    let table = Contingency::new(first, second)?;
    let pairs =
        |counts: &BTreeMap<u32, f64>| counts.values().map(|n| n * (n - 1.0) / 2.0).sum::<f64>();
    let (a, b) = (pairs(&table.first), pairs(&table.second));
    let both: f64 = table.cells.values().map(|n| n * (n - 1.0) / 2.0).sum();
    let all = table.rows * (table.rows - 1.0) / 2.0;
    if both == a && both == b {
        return Ok(1.0);
    }
    let expected = a * b / all;
    Ok((both - expected) / ((a + b) / 2.0 - expected))
}

/// Homogeneity, completeness and V-measure of a second clustering against a first.
///
/// # Errors
/// As [`adjusted_rand`].
pub fn agreement(first: &[u32], second: &[u32]) -> Result<Agreement, ClusterError> {
    let table = Contingency::new(first, second)?;
    let n = table.rows;
    let entropy =
        |counts: &BTreeMap<u32, f64>| -counts.values().map(|c| c / n * (c / n).ln()).sum::<f64>();
    let (entropy_first, entropy_second) = (entropy(&table.first), entropy(&table.second));
    let shared: f64 = table
        .cells
        .iter()
        .map(|(&(a, b), &count)| {
            count / n * (count * n / (table.first[&a] * table.second[&b])).ln()
        })
        .sum();
    let share = |entropy: f64| {
        if entropy > 0.0 {
            (shared / entropy).clamp(0.0, 1.0)
        } else {
            1.0
        }
    };
    let (homogeneity, completeness) = (share(entropy_first), share(entropy_second));
    let sum = homogeneity + completeness;
    let v_measure = if sum > 0.0 {
        2.0 * homogeneity * completeness / sum
    } else {
        0.0
    };
    Ok(Agreement {
        homogeneity,
        completeness,
        v_measure,
    })
}

/// Counts of rows by both labels; counts are whole numbers below 2^53.
struct Contingency {
    rows: f64,
    first: BTreeMap<u32, f64>,
    second: BTreeMap<u32, f64>,
    cells: BTreeMap<(u32, u32), f64>,
}

impl Contingency {
    fn new(first: &[u32], second: &[u32]) -> Result<Self, ClusterError> {
        if first.len() != second.len() {
            return Err(ClusterError::LabelCount {
                labels: second.len(),
                rows: first.len(),
            });
        }
        if first.is_empty() {
            return Err(ClusterError::NoRows);
        }
        let rows = first.len() as f64;
        let mut table = Self {
            rows,
            first: BTreeMap::new(),
            second: BTreeMap::new(),
            cells: BTreeMap::new(),
        };
        for (&a, &b) in first.iter().zip(second) {
            *table.cells.entry((a, b)).or_default() += 1.0;
        }
        for (&(a, b), &count) in &table.cells {
            *table.first.entry(a).or_default() += count;
            *table.second.entry(b).or_default() += count;
        }
        Ok(table)
    }
}
