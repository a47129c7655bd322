//! Principal axes of the rows, and rows drawn uniformly from the box along these axes: a reference without clusters but with
//! the same extent and orientation (Tibshirani, Walther, Hastie 2001, reference (b)).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::moments;
use crate::Matrix;

/// Rotations stop when the off-diagonal share of the matrix is below this.
const DIAGONAL: f64 = 1e-22;

/// More sweeps than Jacobi's method takes on any symmetric matrix of moderate size.
const MOST_SWEEPS: usize = 64;

/// Orthogonal axes of the rows' covariance, with the range of the rows along each.
pub(super) struct PrincipalBox {
    names: Vec<String>,
    means: Vec<f64>,
    /// Unit vectors.
    axes: Vec<Vec<f64>>,
    /// Least and greatest projection on each axis.
    ranges: Vec<(f64, f64)>,
    rows: usize,
}

impl PrincipalBox {
    /// The box of a matrix with at least one row and finite values.
    pub(super) fn new(matrix: &Matrix<'_>) -> Self {
        let columns = matrix.columns();
        let means: Vec<f64> = columns.iter().map(|column| moments::mean(column)).collect();
        let centred: Vec<Vec<f64>> = columns
            .iter()
            .zip(&means)
            .map(|(column, mean)| column.iter().map(|x| x - mean).collect())
            .collect();
        let covariance = centred
            .iter()
            .map(|a| {
                centred
                    .iter()
                    .map(|b| moments::mean_product(a, b))
                    .collect()
            })
            .collect();
        let axes = eigenvectors(covariance);
        let range = |axis: &Vec<f64>| {
            let project = |row: usize| {
                axis.iter()
                    .zip(&centred)
                    .map(|(weight, column)| weight * column[row])
                    .sum::<f64>()
            };
            (0..matrix.rows())
                .map(project)
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                    (low.min(x), high.max(x))
                })
        };
        let ranges = axes.iter().map(range).collect();
        Self {
            names: matrix.names().to_vec(),
            means,
            axes,
            ranges,
            rows: matrix.rows(),
        }
    }

    /// As many rows as the box was made from, drawn uniformly from it.
    pub(super) fn strew(&self, random: &mut ChaCha8Rng) -> Matrix<'static> {
        let mut columns: Vec<Vec<f64>> = self
            .means
            .iter()
            .map(|&mean| vec![mean; self.rows])
            .collect();
        for row in 0..self.rows {
            for (axis, &(low, high)) in self.axes.iter().zip(&self.ranges) {
                let along = low + (high - low) * random.random::<f64>();
                columns
                    .iter_mut()
                    .zip(axis)
                    .for_each(|(column, weight)| column[row] += along * weight);
            }
        }
        let columns = columns.into_iter().map(std::borrow::Cow::Owned).collect();
        Matrix::of_equal_columns(self.names.clone(), columns, self.rows)
    }
}

/// Eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, 8.5.3).
pub(super) fn eigenvectors(mut a: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let size = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..size)
        .map(|i| (0..size).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let total: f64 = a.iter().flatten().map(|x| x * x).sum();
    for _ in 0..MOST_SWEEPS {
        let off: f64 = (0..size)
            .flat_map(|i| (0..size).map(move |j| (i, j)))
            .filter(|(i, j)| i != j)
            .map(|(i, j)| a[i][j] * a[i][j])
            .sum();
        if off <= DIAGONAL * total {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut a, &mut vectors, p, q);
            }
        }
    }
    vectors
}

/// One rotation that makes `a[p][q]` zero; `vectors` holds the axes as rows.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let tau = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let tangent = tau.signum() / (tau.abs() + (1.0 + tau * tau).sqrt());
    let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
    let sine = tangent * cosine;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = cosine * x - sine * y;
        row[q] = sine * x + cosine * y;
    }
    for matrix in [a, vectors] {
        for j in 0..matrix[p].len() {
            let (x, y) = (matrix[p][j], matrix[q][j]);
            matrix[p][j] = cosine * x - sine * y;
            matrix[q][j] = sine * x + cosine * y;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvectors_are_orthonormal_and_diagonalise() {
        let a = vec![
            vec![4.0, 1.0, 0.5],
            vec![1.0, 3.0, -0.2],
            vec![0.5, -0.2, 1.0],
        ];
        let axes = eigenvectors(a.clone());
        for (i, u) in axes.iter().enumerate() {
            for (j, v) in axes.iter().enumerate() {
                let dot: f64 = u.iter().zip(v).map(|(x, y)| x * y).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
                let image: f64 = (0..3)
                    .map(|r| u[r] * (0..3).map(|c| a[r][c] * v[c]).sum::<f64>())
                    .sum();
                assert!(i == j || image.abs() < 1e-9, "{i} {j} {image}");
            }
        }
    }
}
