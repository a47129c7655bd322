//! A short rule that approximates a cluster: "recency_days <= 45 and order_count > 3.5".
//!
//! A small decision tree over the raw features separates the cluster from all others; its leaves become the rule. How well the
//! rule agrees with the cluster is measured on rows that the tree was not trained on. The tree is implemented here, since
//! smartcore does not expose the splits of its trees.

mod tree;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::{ClusterError, refuse, require_labels};
use super::quality::compact;
use super::sample::ContentOrder;
use crate::Matrix;

/// Least number of rows sampled from each cluster, where it has that many.
const LEAST_ROWS: usize = 200;

/// How rules are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurrogateParams {
    /// Largest depth of the tree, 1 to 6; 3 by default.
    pub depth: u32,
    /// About how many rows are used, half for training and half for the test, at least 4; 20,000 by default.
    pub sample: usize,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for SurrogateParams {
    fn default() -> Self {
        Self {
            depth: 3,
            sample: 20_000,
            seed: 0,
        }
    }
}

/// A range of one feature, in its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// The feature.
    pub column: String,
    /// The value lies above this.
    pub above: Option<f64>,
    /// The value is at most this.
    pub at_most: Option<f64>,
    /// Whether a missing value also meets the condition.
    pub or_missing: bool,
}

impl Condition {
    /// Whether a value (NaN = missing) meets the condition.
    pub fn holds(&self, value: f64) -> bool {
        if value.is_nan() {
            return self.or_missing;
        }
        self.above.is_none_or(|limit| value > limit)
            && self.at_most.is_none_or(|limit| value <= limit)
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let column = &self.column;
        match (self.above, self.at_most, self.or_missing) {
            (Some(above), Some(at_most), _) => {
                write!(f, "{column} > {above} and {column} <= {at_most}")
            }
            (Some(above), None, true) => write!(f, "({column} > {above} or {column} is null)"),
            (Some(above), None, false) => write!(f, "{column} > {above}"),
            (None, Some(at_most), _) => write!(f, "{column} <= {at_most}"),
            (None, None, _) => write!(f, "true"),
        }
    }
}

/// A rule for one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SurrogateRule {
    /// The label.
    pub cluster: u32,
    /// The rule holds where all conditions of one alternative hold. Without alternatives: no rule separates the cluster.
    pub alternatives: Vec<Vec<Condition>>,
    /// Fidelity on held-out rows: the mean of the shares of rows inside and outside the cluster that the rule gets right; 0.5
    /// is chance, 1 agreement. `None` where there is no held-out row on either side.
    pub balanced_accuracy: Option<f64>,
    /// Rows the fidelity was measured on.
    pub held_out: usize,
}

impl SurrogateRule {
    /// Whether the rule holds for a row of the columns it was trained on.
    pub fn holds(&self, columns: &Matrix<'_>, row: usize) -> bool {
        let met = |condition: &Condition| {
            columns
                .column_named(&condition.column)
                .is_ok_and(|c| condition.holds(c[row]))
        };
        self.alternatives
            .iter()
            .any(|conditions| conditions.iter().all(met))
    }
}

impl std::fmt::Display for SurrogateRule {
    /// The rule in the expression language of pipeline files; `false` where no rule separates the cluster.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.alternatives.is_empty() {
            return write!(f, "false");
        }
        let several = self.alternatives.len() > 1;
        for (position, conditions) in self.alternatives.iter().enumerate() {
            let text = conditions
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" and ");
            let or = if position > 0 { " or " } else { "" };
            if several && conditions.len() > 1 {
                write!(f, "{or}({text})")?
            } else {
                write!(f, "{or}{text}")?
            }
        }
        Ok(())
    }
}

/// One rule per label that has rows, by ascending label, over raw features (NaN = missing, treated as larger than all values).
/// No rules where there are fewer than two labels.
///
/// # Errors
/// No rows, an infinite value, labels that do not cover the rows, or parameters outside their ranges.
pub fn surrogate_rules(
    raw: &Matrix<'_>,
    labels: &[u32],
    params: &SurrogateParams,
) -> Result<Vec<SurrogateRule>, ClusterError> {
    if !(1..=6).contains(&params.depth) {
        return refuse("surrogate.depth", f64::from(params.depth), "within 1 to 6");
    }
    if params.sample < 4 {
        return refuse("surrogate.sample", params.sample as f64, "at least 4");
    }
    require_labels(raw, labels)?;
    if raw.rows() == 0 {
        return Err(ClusterError::NoRows);
    }
    for (name, column) in raw.names().iter().zip(raw.columns()) {
        if let Some(row) = column.iter().position(|x| x.is_infinite()) {
            return Err(ClusterError::Infinite {
                column: name.clone(),
                row,
                value: column[row],
            });
        }
    }
    let (compacted, clusters) = compact(labels);
    if clusters < 2 {
        return Ok(Vec::new());
    }
    let mut kinds = labels.to_vec();
    kinds.sort_unstable();
    kinds.dedup();
    // Drawn cluster by cluster in random order, so that every second row halves each cluster.
    let drawn =
        ContentOrder::new(raw, params.seed).take_stratified(&compacted, params.sample, LEAST_ROWS);
    let learn: Vec<usize> = drawn.iter().copied().step_by(2).collect();
    let judge: Vec<usize> = drawn.iter().copied().skip(1).step_by(2).collect();
    let binned = tree::Binned::new(&raw.gather(&learn));
    let held_out = raw.gather(&judge);
    let rule = |(place, &cluster): (usize, &u32)| {
        let inside: Vec<bool> = learn
            .iter()
            .map(|&row| compacted[row] == place as u32)
            .collect();
        let alternatives = binned.rule(&inside, params.depth);
        let mut rule = SurrogateRule {
            cluster,
            alternatives,
            balanced_accuracy: None,
            held_out: judge.len(),
        };
        let truth: Vec<bool> = judge
            .iter()
            .map(|&row| compacted[row] == place as u32)
            .collect();
        rule.balanced_accuracy = balanced_accuracy(&rule, &held_out, &truth);
        rule
    };
    Ok(kinds.par_iter().enumerate().map(rule).collect())
}

fn balanced_accuracy(rule: &SurrogateRule, rows: &Matrix<'_>, truth: &[bool]) -> Option<f64> {
    let right = |side: bool| {
        let of_side = || {
            truth
                .iter()
                .enumerate()
                .filter(move |(_, inside)| **inside == side)
        };
        let right = of_side()
            .filter(|(row, _)| rule.holds(rows, *row) == side)
            .count();
        let all = of_side().count();
        (all > 0).then(|| right as f64 / all as f64)
    };
    Some((right(true)? + right(false)?) / 2.0)
}
