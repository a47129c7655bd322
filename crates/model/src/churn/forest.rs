//! A random forest (Breiman 2001), grown by smartcore, kept and read by us.
//!
//! smartcore's regression forest grows on outcomes 0 and 1: its squared error is then half of Gini's impurity, so the trees
//! are classification trees (Malley et al. 2012). Its classification forest is not used: it skips a threshold whose
//! neighbouring rows happen to have the same outcome even where other rows tied with them differ, and so misses most splits
//! of 0/1 columns. It keeps its nodes to itself, so they are read from its serialised form; the probability of a node is the
//! share of all training rows passing it that churned, smoothed to the base rate.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::encoding::Design;
use super::error::ChurnError;
use crate::cluster::mix;

/// Forests grown side by side, whatever the number of threads.
const FORESTS: u64 = 16;

/// Trees of each.
const TREES: usize = 12;

/// Levels of a tree, the root included.
const LEVELS: u16 = 16;

/// Rows (bootstrap repeats counted) that a leaf must keep, at least; of many rows a share.
const LEAST_LEAF: usize = 10;

/// Share of the rows that a leaf must keep.
const LEAF_SHARE: f64 = 0.002;

/// Weight, in rows at the base rate, that a node's share is smoothed with.
const PRIOR_ROWS: f64 = 2.0;

/// Where a node that is a leaf says its children are.
const LEAF: u32 = u32::MAX;

/// The trees; every vector of a tree has one entry per node, the root first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forest {
    trees: Vec<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree {
    /// The design column that is asked; 0 in leaves.
    column: Vec<u32>,
    /// Rows at or below it go to `low`, others to `high`.
    threshold: Vec<f64>,
    low: Vec<u32>,
    high: Vec<u32>,
    /// Smoothed share of the training rows passing here that churned.
    probability: Vec<f64>,
}

impl Forest {
    pub(super) fn fit(design: &Design, targets: &[f64], seed: u64) -> Result<Self, ChurnError> {
        if design.columns.is_empty() {
            return Err(failed("no column varies".to_owned()));
        }
        let (rows, width) = (design.rows, design.columns.len());
        let dense = DenseMatrix::new(rows, width, design.columns.concat(), true);
        let dense = dense.map_err(|reason| failed(reason.to_string()))?;
        let outcomes = targets.to_vec();
        let base = targets.iter().sum::<f64>() / rows as f64;
        let leaf = LEAST_LEAF.max((rows as f64 * LEAF_SHARE) as usize);
        let grow = |batch: u64| -> Result<Vec<Tree>, ChurnError> {
            let parameters = RandomForestRegressorParameters {
                max_depth: Some(LEVELS),
                min_samples_leaf: leaf,
                min_samples_split: 2 * leaf,
                n_trees: TREES,
                m: Some(((width as f64).sqrt().ceil() as usize).clamp(1, width)),
                keep_samples: false,
                seed: mix(seed ^ mix(batch + 1)),
            };
            let grown = RandomForestRegressor::<f64, f64, DenseMatrix<f64>, Vec<f64>>::fit(
                &dense, &outcomes, parameters,
            )
            .map_err(|reason| failed(reason.to_string()))?;
            let mut trees = read(&grown)?;
            for tree in &mut trees {
                tree.learn_probabilities(design, targets, base);
            }
            Ok(trees)
        };
        let batches: Vec<Vec<Tree>> = (0..FORESTS)
            .into_par_iter()
            .map(grow)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            trees: batches.into_iter().flatten().collect(),
        })
    }

    /// Means over trees of the probability of the leaf that each row falls in.
    pub(super) fn probabilities(&self, design: &Design) -> Vec<f64> {
        let rows = (0..design.rows).into_par_iter();
        rows.map(|row| {
            let leaves = self.trees.iter().map(|tree| {
                let leaf = tree.path(design, row).last().unwrap_or(0);
                tree.probability[leaf]
            });
            leaves.sum::<f64>() / self.trees.len() as f64
        })
        .collect()
    }

    /// By how much each design column moved a row's probability on its way down, meaned over trees (Saabas 2014): the
    /// sum over columns is the probability less the mean of the roots.
    pub(super) fn contributions(&self, design: &Design, row: usize) -> Vec<f64> {
        let mut moved = vec![0.0; design.columns.len()];
        for tree in &self.trees {
            let path: Vec<usize> = tree.path(design, row).collect();
            for step in path.windows(2) {
                let gain = tree.probability[step[1]] - tree.probability[step[0]];
                moved[tree.column[step[0]] as usize] += gain / self.trees.len() as f64;
            }
        }
        moved
    }

    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }
}

impl Tree {
    /// The nodes from the root to the leaf of a row.
    fn path<'a>(&'a self, design: &'a Design, row: usize) -> impl Iterator<Item = usize> + 'a {
        std::iter::successors(Some(0usize), move |&node| {
            if self.low[node] == LEAF {
                return None;
            }
            let value = design.columns[self.column[node] as usize][row];
            let next = if value <= self.threshold[node] {
                self.low[node]
            } else {
                self.high[node]
            };
            Some(next as usize)
        })
    }

    fn learn_probabilities(&mut self, design: &Design, targets: &[f64], base: f64) {
        let mut passed = vec![0.0; self.low.len()];
        let mut churned = vec![0.0; self.low.len()];
        for (row, target) in targets.iter().enumerate() {
            for node in self.path(design, row) {
                passed[node] += 1.0;
                churned[node] += target;
            }
        }
        let smoothed = passed
            .iter()
            .zip(&churned)
            .map(|(rows, churned)| (churned + PRIOR_ROWS * base) / (rows + PRIOR_ROWS));
        self.probability = smoothed.collect();
    }
}

/// The nodes of smartcore's trees, without probabilities yet.
fn read(
    grown: &RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>,
) -> Result<Vec<Tree>, ChurnError> {
    let value = serde_json::to_value(grown).map_err(|reason| failed(reason.to_string()))?;
    let trees: Vec<StoredTree> = value
        .pointer("/forest_regressor/trees")
        .cloned()
        .map_or_else(
            || Err(failed("it holds no trees".to_owned())),
            |trees| serde_json::from_value(trees).map_err(|reason| failed(reason.to_string())),
        )?;
    Ok(trees.iter().map(Tree::from).collect())
}

fn failed(reason: String) -> ChurnError {
    ChurnError::Fit {
        model: "random forest",
        reason,
    }
}

/// smartcore's serialised tree, as far as it is needed.
#[derive(Deserialize)]
struct StoredTree {
    nodes: Vec<StoredNode>,
}

#[derive(Deserialize)]
struct StoredNode {
    split_feature: u32,
    split_value: Option<f64>,
    true_child: Option<u32>,
    false_child: Option<u32>,
}

impl From<&StoredTree> for Tree {
    fn from(stored: &StoredTree) -> Self {
        let split = |node: &StoredNode| match (node.split_value, node.true_child, node.false_child)
        {
            (Some(threshold), Some(low), Some(high)) => (node.split_feature, threshold, low, high),
            _ => (0, 0.0, LEAF, LEAF),
        };
        let nodes: Vec<(u32, f64, u32, u32)> = stored.nodes.iter().map(split).collect();
        Self {
            column: nodes.iter().map(|node| node.0).collect(),
            threshold: nodes.iter().map(|node| node.1).collect(),
            low: nodes.iter().map(|node| node.2).collect(),
            high: nodes.iter().map(|node| node.3).collect(),
            probability: Vec::new(),
        }
    }
}
