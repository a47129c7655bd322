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
const FORESTS: u64 = 8;

/// Trees of each.
const TREES: usize = 16;

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

/// Rows that go down a tree together: their values and the tree's nodes stay in the processor's cache.
const BLOCK: usize = 256;

/// The trees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Forest {
    trees: Vec<Tree>,
}

/// The nodes of a tree, the root first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Tree {
    nodes: Vec<Node>,
}

/// A node; stored as a list in this order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredFields", into = "StoredFields")]
struct Node {
    /// The design column that is asked; 0 in leaves.
    column: u32,
    /// Rows at or below it go to `low`, others to `high`.
    threshold: f64,
    low: u32,
    high: u32,
    /// Smoothed share of the training rows passing here that churned.
    probability: f64,
}

type StoredFields = (u32, f64, u32, u32, f64);

impl From<StoredFields> for Node {
    fn from((column, threshold, low, high, probability): StoredFields) -> Self {
        Self {
            column,
            threshold,
            low,
            high,
            probability,
        }
    }
}

impl From<Node> for StoredFields {
    fn from(node: Node) -> Self {
        let Node {
            column,
            threshold,
            low,
            high,
            probability,
        } = node;
        (column, threshold, low, high, probability)
    }
}

/// Encoded rows one after the other, as trees read them.
struct RowMajor {
    width: usize,
    values: Vec<f64>,
}

impl RowMajor {
    fn new(design: &Design) -> Self {
        let width = design.columns.len();
        let mut values = vec![0.0; width * design.rows];
        for (place, column) in design.columns.iter().enumerate() {
            let cells = values.iter_mut().skip(place).step_by(width);
            cells.zip(column).for_each(|(cell, z)| *cell = *z);
        }
        Self { width, values }
    }

    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }
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
        let row_major = RowMajor::new(design);
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
                tree.learn_probabilities(&row_major, targets, base);
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
        let rows = RowMajor::new(design);
        let blocks = rows.values.par_chunks(BLOCK * rows.width);
        let sums = blocks.flat_map_iter(|block| {
            let mut sums = vec![0.0; block.len() / rows.width];
            for tree in &self.trees {
                for (sum, row) in sums.iter_mut().zip(block.chunks_exact(rows.width)) {
                    *sum += tree.leaf(row).probability;
                }
            }
            sums
        });
        sums.map(|sum| sum / self.trees.len() as f64).collect()
    }

    /// By how much each design column moved each row's probability on its way down, meaned over trees (Saabas 2014): the
    /// sum over columns is the probability less the mean of the roots. Row after row, one number per column.
    pub(super) fn contributions(&self, design: &Design) -> Vec<f64> {
        let rows = RowMajor::new(design);
        let blocks = rows.values.par_chunks(BLOCK * rows.width);
        let moved = blocks.flat_map_iter(|block| {
            let mut moved = vec![0.0; block.len()];
            for tree in &self.trees {
                let cells = moved.chunks_exact_mut(rows.width);
                for (moved, row) in cells.zip(block.chunks_exact(rows.width)) {
                    tree.follow(row, |from, to| {
                        let (from, to) = (&tree.nodes[from], &tree.nodes[to]);
                        moved[from.column as usize] += to.probability - from.probability;
                    });
                }
            }
            moved
        });
        moved.map(|sum| sum / self.trees.len() as f64).collect()
    }

    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }
}

impl Tree {
    /// Takes a row down, telling every step from a node to its child; the leaf.
    fn follow(&self, row: &[f64], mut step: impl FnMut(usize, usize)) -> usize {
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.low == LEAF {
                return at;
            }
            let low = row[node.column as usize] <= node.threshold;
            let next = if low { node.low } else { node.high } as usize;
            step(at, next);
            at = next;
        }
    }

    fn leaf(&self, row: &[f64]) -> &Node {
        &self.nodes[self.follow(row, |_, _| {})]
    }

    fn learn_probabilities(&mut self, rows: &RowMajor, targets: &[f64], base: f64) {
        // Rows passing a node, and how many of them churned.
        let mut passed = vec![(0.0, 0.0); self.nodes.len()];
        let mut count = |node: usize, target: f64| {
            passed[node].0 += 1.0;
            passed[node].1 += target;
        };
        for (row, &target) in rows.rows().zip(targets) {
            count(0, target);
            self.follow(row, |_, to| count(to, target));
        }
        for (node, (rows, churned)) in self.nodes.iter_mut().zip(passed) {
            node.probability = (churned + PRIOR_ROWS * base) / (rows + PRIOR_ROWS);
        }
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
        let node = |node: &StoredNode| {
            let (column, threshold, low, high) =
                match (node.split_value, node.true_child, node.false_child) {
                    (Some(threshold), Some(low), Some(high)) => {
                        (node.split_feature, threshold, low, high)
                    }
                    _ => (0, 0.0, LEAF, LEAF),
                };
            Node {
                column,
                threshold,
                low,
                high,
                probability: 0.0,
            }
        };
        Self {
            nodes: stored.nodes.iter().map(node).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use smartcore::tree::decision_tree_classifier::DecisionTreeClassifier;

    use super::*;

    /// 200 rows of one 0/1 column; 80% of its ones and 20% of its zeros are positive.
    fn rows(turn: usize) -> (Vec<f64>, Vec<f64>) {
        let row = |i: usize| (f64::from(u8::from(i.is_multiple_of(2))), i % 5);
        let rows = (0..200).map(|i| row((i + turn) % 200));
        rows.map(|(x, fifth)| {
            let unusual = fifth == 0;
            (x, if unusual { 1.0 - x } else { x })
        })
        .unzip()
    }

    #[test]
    fn a_split_of_a_0_1_column_is_found_whatever_the_order_of_rows() {
        let mut missed = 0;
        for turn in 0..10 {
            let (x, y) = rows(turn);
            let labels: Vec<u32> = y.iter().map(|&y| y as u32).collect();
            let dense = DenseMatrix::new(200, 1, x.clone(), true).unwrap();
            let tree = DecisionTreeClassifier::fit(&dense, &labels, Default::default()).unwrap();
            missed += usize::from(tree.depth() == 0);
            let design = Design {
                columns: vec![x.clone()],
                rows: 200,
            };
            let p = Forest::fit(&design, &y, 5).unwrap().probabilities(&design);
            for (x, p) in x.iter().zip(p) {
                assert!((p - (0.2 + 0.6 * x)).abs() < 0.02, "{x}: {p}");
            }
        }
        // Why the regression forest is used; once this fails, smartcore's classification trees are mended.
        assert!(
            missed > 0,
            "smartcore's classification tree found every split"
        );
    }

    #[test]
    fn contributions_sum_to_the_probability() {
        let a: Vec<f64> = (0..600).map(|i| f64::from(i % 24)).collect();
        let b: Vec<f64> = (0..600).map(|i| f64::from(i % 7)).collect();
        let y: Vec<f64> = a
            .iter()
            .zip(&b)
            .map(|(a, b)| f64::from(u8::from(a + b > 15.0)))
            .collect();
        let base = y.iter().sum::<f64>() / 600.0;
        let design = Design {
            columns: vec![a, b],
            rows: 600,
        };
        let forest = Forest::fit(&design, &y, 1).unwrap();
        let p = forest.probabilities(&design);
        let contributions = forest.contributions(&design);
        for row in [0, 17, 313] {
            let moved: f64 = contributions[2 * row..2 * row + 2].iter().sum();
            assert!((base + moved - p[row]).abs() < 1e-9);
        }
    }
}
