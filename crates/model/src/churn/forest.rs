//! A random forest (Breiman 2001), grown by smartcore; its trees are stored and evaluated here.
//!
//! smartcore's regression forest grows on outcomes 0 and 1: its squared error is then half of Gini's impurity, so the trees
//! are classification trees (Malley et al. 2012). Its classification forest is not used: it skips a threshold whose
//! neighbouring rows happen to have the same outcome even where other rows tied with them differ, and so misses most splits
//! of 0/1 columns. smartcore does not expose its nodes, so they are read from its serialised form; the probability of a node
//! is the share that churned of all training rows passing it, smoothed to the base rate.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use super::encoding::Design;
use super::error::{ChurnError, go_on};
use crate::cluster::mix;

/// Forests grown in parallel, whatever the number of threads.
const FORESTS: u64 = 8;

/// Trees of each.
const TREES: usize = 16;

/// Levels of a tree, the root included.
const LEVELS: u16 = 16;

/// Least number of rows in a leaf, bootstrap repeats counted; with many rows [`LEAF_SHARE`] is more.
const LEAST_LEAF: usize = 10;

/// Least share of the rows in a leaf.
const LEAF_SHARE: f64 = 0.002;

/// A node's share is smoothed with this many additional rows at the base rate.
const PRIOR_ROWS: f64 = 2.0;

/// Time between two checks for an interrupt while smartcore works.
const LOOK: Duration = Duration::from_millis(20);

/// The child index that marks a node as a leaf.
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
    /// The design column compared with `threshold`; 0 in leaves.
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
        let growing = Growing::new(design, targets, seed)?;
        Ok(Self {
            trees: unless_interrupted(move || growing.trees())?,
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

    /// Row after row, for each group of design columns: the probability when the columns of the group are replaced by those of
    /// a typical row. `groups` holds the group of each column, below `count`.
    pub(super) fn exchanged(
        &self,
        design: &Design,
        typical: &[f64],
        groups: &[usize],
        count: usize,
    ) -> Vec<f64> {
        let rows = RowMajor::new(design);
        let blocks = rows.values.par_chunks(BLOCK * rows.width);
        let sums = blocks.flat_map_iter(|block| {
            let mut sums = vec![0.0; block.len() / rows.width * count];
            let mut others = Vec::new();
            for tree in &self.trees {
                let cells = sums.chunks_exact_mut(count);
                for (sums, row) in cells.zip(block.chunks_exact(rows.width)) {
                    let own = tree.exchange(row, typical, groups, &mut others);
                    sums.iter_mut().for_each(|sum| *sum += own);
                    for &(group, other) in &others {
                        sums[group] += other - own;
                    }
                }
            }
            sums
        });
        sums.map(|sum| sum / self.trees.len() as f64).collect()
    }

    pub(super) fn trees(&self) -> usize {
        self.trees.len()
    }
}

/// The training data and settings of a forest.
struct Growing {
    dense: DenseMatrix<f64>,
    rows: RowMajor,
    targets: Vec<f64>,
    seed: u64,
}

impl Growing {
    fn new(design: &Design, targets: &[f64], seed: u64) -> Result<Self, ChurnError> {
        let (rows, width) = (design.rows, design.columns.len());
        let dense = DenseMatrix::new(rows, width, design.columns.concat(), true);
        Ok(Self {
            dense: dense.map_err(|reason| failed(reason.to_string()))?,
            rows: RowMajor::new(design),
            targets: targets.to_vec(),
            seed,
        })
    }

    fn trees(&self) -> Result<Vec<Tree>, ChurnError> {
        let batches: Vec<Vec<Tree>> = (0..FORESTS)
            .into_par_iter()
            .map(|batch| self.batch(batch))
            .collect::<Result<_, _>>()?;
        Ok(batches.into_iter().flatten().collect())
    }

    fn batch(&self, batch: u64) -> Result<Vec<Tree>, ChurnError> {
        go_on()?;
        let (rows, width) = (self.targets.len(), self.rows.width);
        let leaf = LEAST_LEAF.max((rows as f64 * LEAF_SHARE) as usize);
        let parameters = RandomForestRegressorParameters {
            max_depth: Some(LEVELS),
            min_samples_leaf: leaf,
            min_samples_split: 2 * leaf,
            n_trees: TREES,
            m: Some(((width as f64).sqrt().ceil() as usize).clamp(1, width)),
            keep_samples: false,
            seed: mix(self.seed ^ mix(batch + 1)),
        };
        let grown = RandomForestRegressor::<f64, f64, DenseMatrix<f64>, Vec<f64>>::fit(
            &self.dense,
            &self.targets,
            parameters,
        )
        .map_err(|reason| failed(reason.to_string()))?;
        let base = self.targets.iter().sum::<f64>() / rows as f64;
        let mut trees = read(&grown)?;
        for tree in &mut trees {
            tree.learn_probabilities(&self.rows, &self.targets, base);
        }
        Ok(trees)
    }
}

/// Runs `work` on its own thread and abandons it on an interrupt: smartcore does not check for interrupts, and the caller
/// must return soon to remove its files.
fn unless_interrupted<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ChurnError> + Send + 'static,
) -> Result<T, ChurnError> {
    let (sender, done) = sync_channel(1);
    let worker = std::thread::spawn(move || {
        // After an interrupt nobody receives the result.
        let _ = sender.send(work());
    });
    loop {
        match done.recv_timeout(LOOK) {
            Ok(made) => return made,
            Err(RecvTimeoutError::Timeout) => go_on()?,
            Err(RecvTimeoutError::Disconnected) => {
                return match worker.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => Err(failed("its thread ended".to_owned())),
                };
            }
        }
    }
}

impl Tree {
    /// Follows a row to its leaf, calling `step` with each node and child on the way; returns the leaf.
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

    /// The probability of a row's leaf; in `others` the groups of columns whose typical values lead to another leaf, with its
    /// probability.
    fn exchange(
        &self,
        row: &[f64],
        typical: &[f64],
        groups: &[usize],
        others: &mut Vec<(usize, f64)>,
    ) -> f64 {
        others.clear();
        let mut at = 0;
        loop {
            let node = &self.nodes[at];
            if node.low == LEAF {
                return node.probability;
            }
            let column = node.column as usize;
            let (group, low) = (groups[column], row[column] <= node.threshold);
            let (next, turn) = if low {
                (node.low, node.high)
            } else {
                (node.high, node.low)
            };
            // Before the first node where a group's typical value takes the other branch, both paths are the same.
            let turns = (typical[column] <= node.threshold) != low;
            if turns && !others.iter().any(|(other, _)| *other == group) {
                let value = |column: usize| {
                    let from = if groups[column] == group {
                        typical
                    } else {
                        row
                    };
                    from[column]
                };
                others.push((group, self.leaf_below(turn as usize, value).probability));
            }
            at = next as usize;
        }
    }

    fn leaf_below(&self, mut at: usize, value: impl Fn(usize) -> f64) -> &Node {
        loop {
            let node = &self.nodes[at];
            if node.low == LEAF {
                return node;
            }
            let low = value(node.column as usize) <= node.threshold;
            at = if low { node.low } else { node.high } as usize;
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
        // Why the regression forest is used; once this fails, smartcore's classification trees find every split.
        assert!(
            missed > 0,
            "smartcore's classification tree found every split"
        );
    }

    #[test]
    fn exchanged_probabilities_are_those_of_rows_with_typical_columns() {
        let a: Vec<f64> = (0..600).map(|i| f64::from(i % 24)).collect();
        let b: Vec<f64> = (0..600).map(|i| f64::from(i % 7)).collect();
        let c: Vec<f64> = (0..600).map(|i| f64::from(i * 37 % 11)).collect();
        let y: Vec<f64> = (0..600)
            .map(|i| f64::from(u8::from(a[i] + b[i] - c[i] > 10.0)))
            .collect();
        let design = Design {
            columns: vec![a.clone(), b.clone(), c.clone()],
            rows: 600,
        };
        let forest = Forest::fit(&design, &y, 1).unwrap();
        let typical = [12.0, 3.0, 5.0];
        // The first and the last column are one group.
        let groups = [1, 0, 1];
        let exchanged = forest.exchanged(&design, &typical, &groups, 2);
        let with = |columns: [Vec<f64>; 3]| {
            let columns = columns.to_vec();
            forest.probabilities(&Design { columns, rows: 600 })
        };
        let expected = [
            with([a.clone(), vec![3.0; 600], c.clone()]),
            with([vec![12.0; 600], b, vec![5.0; 600]]),
        ];
        for row in 0..600 {
            for (group, expected) in expected.iter().enumerate() {
                let found = exchanged[2 * row + group];
                assert!((found - expected[row]).abs() < 1e-12, "{row} {group}");
            }
        }
    }
}
