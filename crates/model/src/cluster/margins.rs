//! Rows that share with others the distribution of every column and how strongly columns rise together, and nothing else: a
//! reference without clusters for columns that are skewed and depend on each other, such as the number of orders and their sum.
//!
//! The normal copula of the rows (Nelsen 2006, An Introduction to Copulas, 2.3): values are replaced by normal scores of their ranks,
//! normal vectors are drawn with the correlation of these scores, and each column takes its own values in the order of theirs.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use statrs::function::erf::erf_inv;
use std::f64::consts::SQRT_2;

use super::axes::eigenvectors;
use super::moments;
use crate::Matrix;

/// Most that columns may go together.
const MOST: f64 = 0.999;

/// Columns by themselves, and the correlation of their normal scores.
pub(super) struct Margins {
    names: Vec<String>,
    /// The values of each column, ascending.
    sorted: Vec<Vec<f64>>,
    /// Orthogonal axes of the scores, as long as their standard deviation.
    axes: Vec<Vec<f64>>,
    rows: usize,
}

impl Margins {
    /// Those of a matrix with at least one row and finite values.
    pub(super) fn new(matrix: &Matrix<'_>) -> Self {
        let columns = matrix.columns();
        let mut sorted: Vec<Vec<f64>> = columns.iter().map(|column| column.to_vec()).collect();
        sorted
            .iter_mut()
            .for_each(|values| values.sort_unstable_by(f64::total_cmp));
        let scores: Vec<Vec<f64>> = columns
            .iter()
            .zip(&sorted)
            .map(|(column, sorted)| scores(column, sorted))
            .collect();
        // Equal values share a score, by which the scores of a column vary less than normal ones, and go together less than the normal
        // vectors do of which they are made: by their variance, once in each column (Olsson, Drasgow, Dorans 1982).
        let product = |i: usize, j: usize| moments::mean_product(&scores[i], &scores[j]);
        let variances: Vec<f64> = (0..scores.len())
            .map(|column| product(column, column))
            .collect();
        let correlation = |i: usize, j: usize| match variances[i] * variances[j] {
            _ if i == j => 1.0,
            both if both > 0.0 => (product(i, j) / both).clamp(-MOST, MOST),
            _ => 0.0,
        };
        let covariance: Vec<Vec<f64>> = (0..scores.len())
            .map(|i| (0..scores.len()).map(|j| correlation(i, j)).collect())
            .collect();
        let variance = |axis: &[f64]| {
            let of_column = axis.iter().zip(&covariance);
            let of_column = of_column.map(|(weight, row)| {
                let along = row.iter().zip(axis).map(|(c, w)| c * w).sum::<f64>();
                weight * along
            });
            of_column.sum::<f64>().max(0.0)
        };
        let axes = eigenvectors(covariance.clone()).into_iter().map(|axis| {
            let long = variance(&axis).sqrt();
            axis.into_iter().map(|weight| weight * long).collect()
        });
        Self {
            names: matrix.names().to_vec(),
            axes: axes.collect(),
            sorted,
            rows: matrix.rows(),
        }
    }

    /// As many rows as it was made from, with the same values in every column.
    pub(super) fn strew(&self, random: &mut ChaCha8Rng) -> Matrix<'static> {
        let mut drawn = vec![vec![0.0; self.rows]; self.sorted.len()];
        for row in 0..self.rows {
            for axis in &self.axes {
                let along = normal(random.random::<f64>());
                for (column, weight) in drawn.iter_mut().zip(axis) {
                    column[row] += along * weight;
                }
            }
        }
        let columns = drawn.iter().zip(&self.sorted).map(|(drawn, sorted)| {
            let mut order: Vec<usize> = (0..self.rows).collect();
            order.sort_unstable_by(|&a, &b| drawn[a].total_cmp(&drawn[b]).then(a.cmp(&b)));
            let mut column = vec![0.0; self.rows];
            for (row, value) in order.into_iter().zip(sorted) {
                column[row] = *value;
            }
            std::borrow::Cow::Owned(column)
        });
        Matrix::of_equal_columns(self.names.clone(), columns.collect(), self.rows)
    }
}

/// The normal score of each value: the quantile of its rank among the sorted ones; equal values share their mean rank.
fn scores(column: &[f64], sorted: &[f64]) -> Vec<f64> {
    let rows = sorted.len() as f64;
    let score = |value: &f64| {
        let below = sorted.partition_point(|known| known.total_cmp(value).is_lt());
        let upto = sorted.partition_point(|known| known.total_cmp(value).is_le());
        normal((below + upto) as f64 / 2.0 / rows)
    };
    column.iter().map(score).collect()
}

/// The standard normal quantile of a share within 0 to 1.
fn normal(share: f64) -> f64 {
    SQRT_2 * erf_inv(2.0 * share.clamp(1e-12, 1.0 - 1e-12) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::sample::generator;
    use super::*;

    /// Two skewed columns that rise together, and one by itself.
    fn skewed() -> Matrix<'static> {
        let mut random = generator(3, 0);
        let mut columns = vec![Vec::new(); 3];
        for _ in 0..4_000 {
            let mut next = || normal(random.random::<f64>());
            let (both, a, b, c) = (next(), next(), next(), next());
            columns[0].push((both + 0.5 * a).exp());
            columns[1].push((both + 0.5 * b).exp().floor());
            columns[2].push(c.exp());
        }
        let columns = columns.into_iter().map(std::borrow::Cow::Owned).collect();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Matrix::of_equal_columns(names, columns, 4_000)
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let ((x, u), (y, v)) = (moments::mean_sd(a), moments::mean_sd(b));
        let rows = a.len() as f64;
        let product: f64 = a.iter().zip(b).map(|(a, b)| (a - x) * (b - y)).sum();
        product / rows / u / v
    }

    #[test]
    fn columns_keep_their_values_and_how_they_rise_together() {
        let matrix = skewed();
        let margins = Margins::new(&matrix);
        let drawn = margins.strew(&mut generator(5, 1));
        let again = Margins::new(&drawn);
        assert_eq!(margins.sorted, again.sorted);
        let scores_of = |matrix: &Matrix<'_>| -> Vec<Vec<f64>> {
            let columns = matrix.columns();
            columns
                .iter()
                .zip(&margins.sorted)
                .map(|(column, sorted)| scores(column, sorted))
                .collect()
        };
        let (before, after) = (scores_of(&matrix), scores_of(&drawn));
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            let [was, is] = [&before, &after].map(|scores| correlation(&scores[i], &scores[j]));
            // Four standard errors of a correlation of 4,000 rows.
            assert!((was - is).abs() < 0.064, "{i} {j}: {was} {is}");
        }
        assert!(correlation(&before[0], &before[1]) > 0.7);
        // The rows themselves are others.
        assert_ne!(matrix.columns()[0].to_vec(), drawn.columns()[0].to_vec());
    }

    #[test]
    fn equal_values_share_their_score_and_a_constant_column_stays() {
        assert_eq!(
            scores(&[2.0, 1.0, 2.0, 2.0], &[1.0, 2.0, 2.0, 2.0])[0],
            normal(2.5 / 4.0)
        );
        let columns = [vec![7.0; 5], vec![1.0, 2.0, 3.0, 4.0, 5.0]];
        let columns = columns.map(std::borrow::Cow::Owned).to_vec();
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let matrix = Matrix::of_equal_columns(names, columns, 5);
        let drawn = Margins::new(&matrix).strew(&mut generator(1, 1));
        assert_eq!(drawn.columns()[0].to_vec(), vec![7.0; 5]);
    }
}
