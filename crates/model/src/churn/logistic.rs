//! Logistic regression: p = 1 / (1 + e^-(b + w z)), least log loss plus half the squared length of w.
//!
//! smartcore's L-BFGS gives the starting point. It stops when the value of the loss no longer changes, which may be before
//! the gradient is small, so Newton's method continues from there until it is.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use super::encoding::Design;
use super::error::{ChurnError, go_on};
use crate::optimise::Cholesky;
use crate::special::logistic;

/// Weight of half the squared length of the coefficients against the sum of the rows' log losses; scikit-learn's `C` = 1.
const PENALTY: f64 = 1.0;

/// Largest number of rows given to smartcore: it is single-threaded, takes a thousand steps where columns say nearly the same, and only
/// provides a starting point.
const SMARTCORE_ROWS: usize = 500;

/// Newton's steps end when no component of the gradient of the mean loss exceeds this.
const GRADIENT_TARGET: f64 = 1e-10;

/// A fit is rejected when a component of the gradient of the mean loss exceeds this.
const GRADIENT_TOLERANCE: f64 = 1e-6;

const NEWTON_STEPS: usize = 50;

/// Rows summed at a time: sums do not depend on the number of threads.
const CHUNK: usize = 2_048;

/// A fitted logistic regression over design columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct LogisticModel {
    pub(super) intercept: f64,
    /// Change of the log-odds per standard deviation of each design column.
    pub(super) weights: Vec<f64>,
    /// Standard errors of the intercept, then of the weights, from the penalised curvature.
    pub(super) standard_errors: Vec<f64>,
    /// Largest component of the gradient of the mean loss where smartcore stopped, on the rows it saw.
    pub(super) smartcore_gradient: f64,
    /// The same at the end, on all rows.
    pub(super) gradient: f64,
    /// Newton's steps taken.
    pub(super) newton_steps: u32,
}

impl LogisticModel {
    /// Fits to rows with both outcomes among the targets (0 or 1).
    pub(super) fn fit(design: &Design, targets: &[f64]) -> Result<Self, ChurnError> {
        let seen = design.rows.min(SMARTCORE_ROWS);
        let start = smartcore_start(design, &targets[..seen])?;
        let loss_seen = Loss {
            columns: &design.columns,
            targets: &targets[..seen],
            penalty: PENALTY * seen as f64 / design.rows as f64,
        };
        let smartcore_gradient = largest(&loss_seen.evaluate(&start, false).gradient);
        let loss = Loss {
            columns: &design.columns,
            targets,
            penalty: PENALTY,
        };
        let newton = loss.newton(start)?;
        let inverse = newton.curvature.inverse();
        let rows = design.rows as f64;
        Ok(Self {
            intercept: newton.theta[0],
            weights: newton.theta[1..].to_vec(),
            standard_errors: (0..newton.theta.len())
                .map(|i| (inverse[i][i] / rows).sqrt())
                .collect(),
            smartcore_gradient,
            gradient: newton.gradient,
            newton_steps: newton.steps,
        })
    }

    pub(super) fn probabilities(&self, design: &Design) -> Vec<f64> {
        let mut eta = vec![self.intercept; design.rows];
        for (column, weight) in design.columns.iter().zip(&self.weights) {
            for (eta, z) in eta.iter_mut().zip(column) {
                *eta += weight * z;
            }
        }
        eta.into_iter().map(logistic).collect()
    }
}

/// Where smartcore stops on the first rows (which are in random order): intercept, then weights; 0 where it finds nothing finite.
fn smartcore_start(design: &Design, targets: &[f64]) -> Result<Vec<f64>, ChurnError> {
    let width = design.columns.len();
    let rows = targets.len();
    let outcomes: Vec<u32> = targets.iter().map(|&t| u32::from(t > 0.5)).collect();
    let origin = vec![0.0; width + 1];
    if width == 0 || outcomes.iter().all(|&y| y == outcomes[0]) {
        return Ok(origin);
    }
    let refused = |reason: smartcore::error::Failed| ChurnError::Fit {
        model: "logistic regression",
        reason: reason.to_string(),
    };
    let values = design.columns.iter().flat_map(|column| &column[..rows]);
    let dense = DenseMatrix::new(rows, width, values.copied().collect(), true).map_err(refused)?;
    let penalty = PENALTY * rows as f64 / design.rows as f64;
    let parameters = LogisticRegressionParameters::default().with_alpha(penalty);
    let fitted = LogisticRegression::<f64, u32, DenseMatrix<f64>, Vec<u32>>::fit(
        &dense, &outcomes, parameters,
    )
    .map_err(refused)?;
    let mut theta = vec![*fitted.intercept().get((0, 0))];
    theta.extend((0..width).map(|column| *fitted.coefficients().get((0, column))));
    let usable = theta.iter().all(|t| t.is_finite());
    Ok(if usable { theta } else { origin })
}

/// The mean penalised log loss of the first `targets.len()` rows.
struct Loss<'a> {
    columns: &'a [Vec<f64>],
    targets: &'a [f64],
    penalty: f64,
}

struct Evaluation {
    value: f64,
    gradient: Vec<f64>,
    /// Second derivatives by rows; empty where not asked for.
    curvature: Vec<Vec<f64>>,
}

struct Newton {
    theta: Vec<f64>,
    gradient: f64,
    curvature: Cholesky,
    steps: u32,
}

impl Loss<'_> {
    fn newton(&self, start: Vec<f64>) -> Result<Newton, ChurnError> {
        let failed = |reason: String| ChurnError::Fit {
            model: "logistic regression",
            reason,
        };
        let flat = || failed("a combination of columns is not identified by the data".to_owned());
        let mut theta = start;
        let mut now = self.evaluate(&theta, true);
        let origin = vec![0.0; theta.len()];
        let from_origin = self.evaluate(&origin, true);
        if now.value.is_nan() || from_origin.value < now.value {
            (theta, now) = (origin, from_origin);
        }
        let mut steps = 0;
        for _ in 0..NEWTON_STEPS {
            go_on()?;
            if largest(&now.gradient) < GRADIENT_TARGET {
                break;
            }
            let step = Cholesky::new(&now.curvature).ok_or_else(flat)?;
            let step = step.solve(&now.gradient);
            let Some((next, evaluated)) = self.downhill(&theta, &now, &step) else {
                break;
            };
            (theta, now) = (next, evaluated);
            steps += 1;
        }
        let gradient = largest(&now.gradient);
        if gradient.is_nan() || gradient > GRADIENT_TOLERANCE {
            return Err(failed(format!(
                "the gradient of the mean loss is {gradient:e} after {steps} Newton steps, above {GRADIENT_TOLERANCE:e}"
            )));
        }
        Ok(Newton {
            curvature: Cholesky::new(&now.curvature).ok_or_else(flat)?,
            theta,
            gradient,
            steps,
        })
    }

    /// The largest of step, half of it, and so on, that lowers the loss, or at rounding level the gradient.
    fn downhill(
        &self,
        theta: &[f64],
        now: &Evaluation,
        step: &[f64],
    ) -> Option<(Vec<f64>, Evaluation)> {
        let mut share = 1.0;
        for _ in 0..30 {
            let next: Vec<f64> = theta.iter().zip(step).map(|(t, s)| t - share * s).collect();
            let evaluated = self.evaluate(&next, true);
            let level = (evaluated.value - now.value).abs() <= 1e-13 * (1.0 + now.value);
            let lower = evaluated.value < now.value && !level;
            if lower || level && largest(&evaluated.gradient) < largest(&now.gradient) {
                return Some((next, evaluated));
            }
            share *= 0.5;
        }
        None
    }

    fn evaluate(&self, theta: &[f64], curved: bool) -> Evaluation {
        let rows = self.targets.len();
        let starts: Vec<usize> = (0..rows).step_by(CHUNK).collect();
        let parts: Vec<Evaluation> = starts
            .into_par_iter()
            .map(|from| self.chunk(theta, from, (from + CHUNK).min(rows), curved))
            .collect();
        let width = theta.len();
        let mut total = Evaluation {
            value: 0.0,
            gradient: vec![0.0; width],
            curvature: vec![vec![0.0; width]; if curved { width } else { 0 }],
        };
        for part in parts {
            total.value += part.value;
            add(&mut total.gradient, &part.gradient);
            let rows = total.curvature.iter_mut().zip(&part.curvature);
            rows.for_each(|(row, more)| add(row, more));
        }
        let n = rows as f64;
        for (place, weight) in theta.iter().enumerate().skip(1) {
            total.value += 0.5 * self.penalty * weight * weight;
            total.gradient[place] += self.penalty * weight;
            if curved {
                total.curvature[place][place] += self.penalty;
            }
        }
        total.value /= n;
        total.gradient.iter_mut().for_each(|g| *g /= n);
        for i in 0..total.curvature.len() {
            for j in 0..=i {
                let mean = total.curvature[i][j] / n;
                total.curvature[i][j] = mean;
                total.curvature[j][i] = mean;
            }
        }
        total
    }

    /// Sums over some rows; of the curvature the lower triangle.
    fn chunk(&self, theta: &[f64], from: usize, to: usize, curved: bool) -> Evaluation {
        let columns: Vec<&[f64]> = self
            .columns
            .iter()
            .map(|column| &column[from..to])
            .collect();
        let mut eta = vec![theta[0]; to - from];
        for (column, weight) in columns.iter().zip(&theta[1..]) {
            for (eta, z) in eta.iter_mut().zip(*column) {
                *eta += weight * z;
            }
        }
        let mut value = 0.0;
        let (mut residuals, mut weights) = (Vec::new(), Vec::new());
        for (&eta, &target) in eta.iter().zip(&self.targets[from..to]) {
            // ln(1 + e^eta) - target eta, without overflow.
            value += eta.max(0.0) + (-eta.abs()).exp().ln_1p() - target * eta;
            let p = logistic(eta);
            residuals.push(p - target);
            weights.push(p * (1.0 - p));
        }
        let mut gradient = vec![residuals.iter().sum::<f64>()];
        gradient.extend(columns.iter().map(|column| dot(column, &residuals)));
        let mut curvature = Vec::new();
        if curved {
            curvature.push(padded(vec![weights.iter().sum()], theta.len()));
            for (place, column) in columns.iter().enumerate() {
                let weighted: Vec<f64> = column.iter().zip(&weights).map(|(z, w)| z * w).collect();
                let mut row = vec![weighted.iter().sum::<f64>()];
                row.extend(columns[..=place].iter().map(|other| dot(other, &weighted)));
                curvature.push(padded(row, theta.len()));
            }
        }
        Evaluation {
            value,
            gradient,
            curvature,
        }
    }
}

fn padded(mut row: Vec<f64>, width: usize) -> Vec<f64> {
    row.resize(width, 0.0);
    row
}

/// The sum of products, in four lanes so that it vectorises.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a_blocks, b_blocks) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a_blocks
        .remainder()
        .iter()
        .zip(b_blocks.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a_blocks.zip(b_blocks) {
        for lane in 0..4 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    lanes.iter().sum::<f64>() + rest
}

fn add(total: &mut [f64], more: &[f64]) {
    total.iter_mut().zip(more).for_each(|(t, m)| *t += m);
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most: f64, v| {
        // `f64::max` would drop a NaN, which must survive to fail the test.
        if v.is_nan() || v.abs() > most {
            v.abs()
        } else {
            most
        }
    })
}
