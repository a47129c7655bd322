//! A small classification tree over binned columns (CART, Breiman et al. 1984: Gini impurity), both classes weighing the same.

use super::Condition;
use crate::Matrix;

/// Thresholds tried per column.
const THRESHOLDS: usize = 128;

/// Least number of rows on each side of a split.
const LEAST_LEAF: usize = 5;

/// Least decrease of impurity (which is at most 0.5) that justifies a longer rule.
const LEAST_GAIN: f64 = 0.002;

/// Columns as codes: the code of a value is the number of its column's thresholds below it. A missing value lies above all.
pub(super) struct Binned {
    names: Vec<String>,
    thresholds: Vec<Vec<f64>>,
    codes: Vec<Vec<usize>>,
    has_missing: Vec<bool>,
    rows: usize,
}

enum Node {
    Leaf {
        inside: bool,
    },
    Split {
        column: usize,
        threshold: usize,
        at_most: Box<Node>,
        above: Box<Node>,
    },
}

struct Split {
    gain: f64,
    column: usize,
    threshold: usize,
}

impl Binned {
    pub(super) fn new(rows: &Matrix<'_>) -> Self {
        let columns = rows.columns();
        let thresholds: Vec<Vec<f64>> = columns.iter().map(|column| thresholds(column)).collect();
        let code = |x: &f64, limits: &Vec<f64>| {
            if x.is_nan() {
                limits.len()
            } else {
                limits.partition_point(|limit| limit < x)
            }
        };
        let codes = columns
            .iter()
            .zip(&thresholds)
            .map(|(column, t)| column.iter().map(|x| code(x, t)).collect())
            .collect();
        let has_missing = columns
            .iter()
            .map(|column| column.iter().any(|x| x.is_nan()))
            .collect();
        Self {
            names: rows.names().to_vec(),
            thresholds,
            codes,
            has_missing,
            rows: rows.rows(),
        }
    }

    /// Alternatives that separate the rows inside from the others.
    pub(super) fn rule(&self, inside: &[bool], depth: u32) -> Vec<Vec<Condition>> {
        let members = inside.iter().filter(|&&is| is).count();
        if members == 0 || members == inside.len() {
            return Vec::new();
        }
        let weights = [0.5 / (inside.len() - members) as f64, 0.5 / members as f64];
        let tree = self.grow(&(0..self.rows).collect::<Vec<_>>(), inside, weights, depth);
        let mut alternatives = Vec::new();
        self.collect(&tree, &mut Vec::new(), &mut alternatives);
        alternatives
    }

    fn grow(&self, rows: &[usize], inside: &[bool], weights: [f64; 2], depth: u32) -> Node {
        let mut sides = [0.0; 2];
        rows.iter()
            .for_each(|&row| sides[usize::from(inside[row])] += weights[usize::from(inside[row])]);
        let leaf = Node::Leaf {
            inside: sides[1] > sides[0],
        };
        if depth == 0 || sides[0] == 0.0 || sides[1] == 0.0 {
            return leaf;
        }
        let candidates = (0..self.names.len())
            .filter_map(|column| self.best_split(column, rows, inside, weights));
        // In a tie the first, so that columns named first are preferred.
        let best = candidates.fold(None, |best: Option<Split>, split| match best {
            Some(kept) if kept.gain >= split.gain => Some(kept),
            _ => Some(split),
        });
        let Some(Split {
            column, threshold, ..
        }) = best.filter(|split| split.gain >= LEAST_GAIN)
        else {
            return leaf;
        };
        let (low, high): (Vec<usize>, Vec<usize>) = rows
            .iter()
            .partition(|&&row| self.codes[column][row] <= threshold);
        let at_most = self.grow(&low, inside, weights, depth - 1);
        let above = self.grow(&high, inside, weights, depth - 1);
        match (&at_most, &above) {
            (Node::Leaf { inside: a }, Node::Leaf { inside: b }) if a == b => {
                Node::Leaf { inside: *a }
            }
            _ => Node::Split {
                column,
                threshold,
                at_most: Box::new(at_most),
                above: Box::new(above),
            },
        }
    }

    /// The threshold of a column that removes most impurity.
    fn best_split(
        &self,
        column: usize,
        rows: &[usize],
        inside: &[bool],
        weights: [f64; 2],
    ) -> Option<Split> {
        let limits = self.thresholds[column].len();
        let mut counts = vec![[0usize; 2]; limits + 1];
        for &row in rows {
            counts[self.codes[column][row]][usize::from(inside[row])] += 1;
        }
        let weigh =
            |count: [usize; 2]| [count[0] as f64 * weights[0], count[1] as f64 * weights[1]];
        let all = counts
            .iter()
            .fold([0; 2], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
        let mut low = [0usize; 2];
        let mut best: Option<Split> = None;
        for (threshold, count) in counts.iter().enumerate().take(limits) {
            low = [low[0] + count[0], low[1] + count[1]];
            let high = [all[0] - low[0], all[1] - low[1]];
            if low[0] + low[1] < LEAST_LEAF || high[0] + high[1] < LEAST_LEAF {
                continue;
            }
            let gain = impurity(weigh(all)) - impurity(weigh(low)) - impurity(weigh(high));
            if best.as_ref().is_none_or(|best| gain > best.gain) {
                best = Some(Split {
                    gain,
                    column,
                    threshold,
                });
            }
        }
        best
    }

    fn collect(
        &self,
        node: &Node,
        path: &mut Vec<(usize, usize, bool)>,
        alternatives: &mut Vec<Vec<Condition>>,
    ) {
        match node {
            Node::Leaf { inside: true } => alternatives.push(self.conditions(path)),
            Node::Leaf { inside: false } => {}
            Node::Split {
                column,
                threshold,
                at_most,
                above,
            } => {
                for (side, is_above) in [(at_most, false), (above, true)] {
                    path.push((*column, *threshold, is_above));
                    self.collect(side, path, alternatives);
                    path.pop();
                }
            }
        }
    }

    /// The splits of a path, one condition per column, in the order in which the columns first appear.
    fn conditions(&self, path: &[(usize, usize, bool)]) -> Vec<Condition> {
        let mut conditions: Vec<Condition> = Vec::new();
        for &(column, threshold, is_above) in path {
            let name = &self.names[column];
            let limit = self.thresholds[column][threshold];
            let place = conditions
                .iter()
                .position(|c| c.column == *name)
                .unwrap_or_else(|| {
                    let or_missing = self.has_missing[column];
                    conditions.push(Condition {
                        column: name.clone(),
                        above: None,
                        at_most: None,
                        or_missing,
                    });
                    conditions.len() - 1
                });
            let condition = &mut conditions[place];
            if is_above {
                condition.above = Some(condition.above.map_or(limit, |above| above.max(limit)));
            } else {
                condition.at_most = Some(
                    condition
                        .at_most
                        .map_or(limit, |at_most| at_most.min(limit)),
                );
                condition.or_missing = false;
            }
        }
        conditions
    }
}

/// Gini impurity times weight, 2 a b / (a + b), for the weights of two classes.
fn impurity([a, b]: [f64; 2]) -> f64 {
    if a + b > 0.0 {
        2.0 * a * b / (a + b)
    } else {
        0.0
    }
}

/// Rising limits between values, evenly spread over the rows, of three significant digits where that still separates.
fn thresholds(column: &[f64]) -> Vec<f64> {
    let mut values: Vec<f64> = column.iter().copied().filter(|x| !x.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let ranks = (1..=THRESHOLDS).map(|i| i * values.len() / (THRESHOLDS + 1));
    let limit = |rank: usize| {
        let low = *values.get(rank)?;
        let high = *values.get(values.partition_point(|&x| x <= low))?;
        let middle = low + (high - low) / 2.0;
        let short = rounded(middle);
        Some(if low <= short && short < high {
            short
        } else {
            middle
        })
    };
    let mut limits: Vec<f64> = ranks.filter_map(limit).collect();
    limits.dedup();
    limits
}

/// A value rounded to three significant digits, by way of its decimal text, so that it is printed without rounding errors.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_short_and_separate() {
        assert_eq!(thresholds(&[1.0, 2.0, 2.0, f64::NAN, 4.0]), [1.5, 3.0]);
        let close = thresholds(&[1000.1, 1000.2]);
        assert!(close.len() == 1 && close[0] > 1000.1 && close[0] < 1000.2);
        assert_eq!(rounded(0.123_456), 0.123);
        assert_eq!(rounded(98_765.0), 98_800.0);
    }

    #[test]
    fn a_path_is_one_range_per_column() {
        let x: Vec<f64> = (0..300).map(f64::from).collect();
        let matrix = Matrix::from_columns(vec!["x".into()], vec![x.clone()]).unwrap();
        let inside: Vec<bool> = x.iter().map(|&x| x > 100.0 && x <= 200.0).collect();
        let rule = Binned::new(&matrix).rule(&inside, 3);
        assert_eq!(rule.len(), 1);
        let (above, at_most) = (rule[0][0].above.unwrap(), rule[0][0].at_most.unwrap());
        assert!(
            (97.0..=103.0).contains(&above) && (197.0..=203.0).contains(&at_most),
            "{above} {at_most}"
        );
    }
}
