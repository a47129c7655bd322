//! The likelihood of a discrete-time hazard and its maximum by Fisher scoring.

use super::{HazardLink, Spell};
use crate::optimise::{Cholesky, GRADIENT_TOLERANCE, OptimiseFailure};

/// Exposure of one customer in one band.
pub(super) struct Cell {
    pub(super) band: usize,
    pub(super) spell: usize,
    pub(super) periods: f64,
    pub(super) left: f64,
}

/// Customers by band, with standardised covariates.
pub(super) struct Design<'a> {
    pub(super) link: HazardLink,
    pub(super) spells: &'a [Spell],
    pub(super) cells: Vec<Cell>,
    pub(super) bands: usize,
    pub(super) means: Vec<f64>,
    pub(super) spreads: Vec<f64>,
    pub(super) customers: f64,
}

/// An accepted maximum.
pub(super) struct Solved {
    pub(super) theta: Vec<f64>,
    pub(super) value: f64,
    pub(super) gradient_norm: f64,
    pub(super) information: Cholesky,
}

/// Log-likelihood, gradient and expected information.
struct Evaluation {
    value: f64,
    gradient: Vec<f64>,
    information: Vec<Vec<f64>>,
}

impl Design<'_> {
    fn evaluate(&self, theta: &[f64]) -> Evaluation {
        let size = theta.len();
        let mut e = Evaluation {
            value: 0.0,
            gradient: vec![0.0; size],
            information: vec![vec![0.0; size]; size],
        };
        let mut z = vec![0.0; self.means.len()];
        for cell in &self.cells {
            let spell = &self.spells[cell.spell];
            let mut eta = theta[cell.band];
            for (k, z) in z.iter_mut().enumerate() {
                *z = (spell.covariates[k] - self.means[k]) / self.spreads[k];
                eta += theta[self.bands + k] * *z;
            }
            let (h, slope) = self.link.hazard(eta);
            let h = h.clamp(1e-15, 1.0 - 1e-15);
            let stayed = cell.periods - cell.left;
            e.value += spell.weight * (cell.left * h.ln() + stayed * (-h).ln_1p());
            let score = spell.weight * (cell.left / h - stayed / (1.0 - h)) * slope;
            let weight = spell.weight * cell.periods * slope * slope / (h * (1.0 - h));
            e.gradient[cell.band] += score;
            e.information[cell.band][cell.band] += weight;
            for (k, zk) in z.iter().enumerate() {
                let row = self.bands + k;
                e.gradient[row] += score * zk;
                e.information[row][cell.band] += weight * zk;
                for (l, zl) in z.iter().enumerate().take(k + 1) {
                    e.information[row][self.bands + l] += weight * zk * zl;
                }
            }
        }
        for i in 0..size {
            for j in 0..i {
                e.information[j][i] = e.information[i][j];
            }
        }
        e
    }

    /// Fisher scoring with halved steps.
    pub(super) fn solve(&self) -> Result<Solved, OptimiseFailure> {
        let (periods, left) = self.cells.iter().fold((0.0, 0.0), |(periods, left), cell| {
            let weight = self.spells[cell.spell].weight;
            (periods + weight * cell.periods, left + weight * cell.left)
        });
        let mut theta = vec![0.0; self.bands + self.means.len()];
        theta[..self.bands].fill(self.link.eta((left / periods).clamp(1e-6, 1.0 - 1e-6)));
        let mut now = self.evaluate(&theta);
        for _ in 0..100 {
            let factor = Cholesky::new(&now.information).ok_or(OptimiseFailure::Curvature)?;
            if self.norm(&now.gradient) < 1e-10 {
                break;
            }
            let step = factor.solve(&now.gradient);
            let mut share = 1.0;
            let better = loop {
                let next: Vec<f64> = theta
                    .iter()
                    .zip(&step)
                    .map(|(t, s)| t + share * s)
                    .collect();
                let then = self.evaluate(&next);
                if then.value >= now.value - 1e-12 * now.value.abs() {
                    break Some((next, then));
                }
                share *= 0.5;
                if share < 1e-6 {
                    break None;
                }
            };
            let Some((next, then)) = better else { break };
            (theta, now) = (next, then);
        }
        self.accept(theta, now)
    }

    fn norm(&self, gradient: &[f64]) -> f64 {
        gradient.iter().fold(0.0, |most: f64, g| most.max(g.abs())) / self.customers
    }

    fn accept(&self, theta: Vec<f64>, at: Evaluation) -> Result<Solved, OptimiseFailure> {
        // Coefficients of covariates that separate leavers from stayers grow without bound.
        if let Some((index, &value)) = theta.iter().enumerate().find(|(_, t)| t.abs() > 20.0) {
            return Err(OptimiseFailure::Edge { index, value });
        }
        let gradient_norm = self.norm(&at.gradient);
        if gradient_norm.is_nan() || gradient_norm >= GRADIENT_TOLERANCE {
            return Err(OptimiseFailure::Gradient {
                norm: gradient_norm,
            });
        }
        let information = Cholesky::new(&at.information).ok_or(OptimiseFailure::Curvature)?;
        // Collinear covariates: the variance of a coefficient is far larger than with its column alone.
        let inverse = information.inverse();
        if (0..theta.len()).any(|i| inverse[i][i] * at.information[i][i] > 1e9) {
            return Err(OptimiseFailure::Curvature);
        }
        Ok(Solved {
            theta,
            value: at.value,
            gradient_norm,
            information,
        })
    }
}
