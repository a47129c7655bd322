//! Maximum likelihood: smooth minimisation with checks of convergence.
//!
//! [`minimise`] takes an [`Objective`] (the mean negative log-likelihood in unconstrained parameters, with its exact
//! gradient), runs argmin's L-BFGS from several starts, refines the best with Newton steps, and accepts the result only
//! if the gradient is small *and* the Hessian is positive definite. [`Optimum`] has the Hessian's inverse, from which
//! standard errors follow; [`Cholesky`] is the small dense factorisation used for both.

use std::cell::RefCell;

use argmin::core::{CostFunction, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use crate::interrupt::Interrupt;

/// Parameters are searched within [-`BOUND`, `BOUND`]; a fit that ends there is not identified by the data.
pub const BOUND: f64 = 12.0;
/// A fit is accepted when no component of the gradient of the mean log-likelihood exceeds this.
pub const GRADIENT_TOLERANCE: f64 = 1e-5;
/// Newton steps stop here: well below the tolerance, so that equal data in another order or unit give equal parameters.
const GRADIENT_TARGET: f64 = 1e-10;

/// Largest number of evaluations from one start.
const MOST_EVALUATIONS: usize = 1000;

/// A smooth function to minimise: the *mean* negative log-likelihood, so that tolerances do not depend on the sample size.
pub trait Objective {
    /// Value and gradient at `theta`. May return a non-finite value; the search then turns back.
    fn evaluate(&self, theta: &[f64]) -> (f64, Vec<f64>);
}

/// Compares a gradient with fourth-order differences of the value.
#[cfg(test)]
#[allow(clippy::panic)] // how a test fails
pub(crate) fn assert_gradient(objective: &dyn Objective, theta: &[f64], tolerance: f64) {
    const STEP: f64 = 1e-3;
    let gradient = objective.evaluate(theta).1;
    for (i, component) in gradient.iter().enumerate() {
        let shifted = |steps: f64| {
            let mut place = theta.to_vec();
            place[i] += steps * STEP;
            objective.evaluate(&place).0
        };
        let slope =
            (8.0 * (shifted(1.0) - shifted(-1.0)) - shifted(2.0) + shifted(-2.0)) / (12.0 * STEP);
        assert!(
            (slope - component).abs() < tolerance,
            "at {theta:?}, component {i}: {slope} {component}"
        );
    }
}

/// An accepted minimum.
#[derive(Debug, Clone)]
pub struct Optimum {
    /// Where it lies.
    pub theta: Vec<f64>,
    /// The objective there.
    pub value: f64,
    /// Largest absolute component of the gradient there.
    pub gradient_norm: f64,
    /// Inverse of the Hessian of the objective, row by row; divide by the number of customers for a covariance.
    pub inverse_hessian: Vec<Vec<f64>>,
    /// How often the objective was evaluated.
    pub evaluations: usize,
}

/// Why no minimum was accepted.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum OptimiseFailure {
    /// The objective was not finite at any start.
    #[error("the likelihood is not finite at any start")]
    NotFinite,
    /// The gradient did not become small.
    #[error(
        "the search for the most likely parameters ended on a slope ({norm:.1e} in the log-likelihood of a customer per step of a parameter, \
         where {GRADIENT_TOLERANCE:.0e} counts as flat), so it did not find them"
    )]
    Gradient {
        /// Largest absolute component reached.
        norm: f64,
    },
    /// A parameter ran to the edge of the search box.
    #[error("parameter {index} reached the limit of the search (log value {value})")]
    Edge {
        /// Which parameter, in the model's order.
        index: usize,
        /// Its unconstrained value.
        value: f64,
    },
    /// The Hessian is not positive definite: some direction is flat.
    #[error(
        "the curvature is not positive definite: a combination of parameters is not identified"
    )]
    Curvature,
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// The objective as argmin sees it: clamped to the box, each evaluation kept so that cost and gradient cost one call.
struct Problem<'a> {
    objective: &'a dyn Objective,
    memo: &'a RefCell<Memo>,
    interrupt: Interrupt<'a>,
}

#[derive(Default)]
struct Memo {
    last: Option<(Vec<f64>, f64, Vec<f64>)>,
    best: Option<(Vec<f64>, f64)>,
    evaluations: usize,
}

impl Problem<'_> {
    /// Ends the search with an error when it was interrupted or has reached [`MOST_EVALUATIONS`].
    fn spent(&self) -> Result<(), argmin::core::Error> {
        if self.interrupt.requested() || self.memo.borrow().evaluations >= MOST_EVALUATIONS {
            return Err(argmin::core::Error::msg("stopped"));
        }
        Ok(())
    }

    fn at(&self, theta: &[f64]) -> (f64, Vec<f64>) {
        let mut memo = self.memo.borrow_mut();
        if let Some((place, value, gradient)) = &memo.last
            && place == theta
        {
            return (*value, gradient.clone());
        }
        let (value, gradient) = evaluate_in_box(self.objective, theta);
        memo.evaluations += 1;
        if value.is_finite() && memo.best.as_ref().is_none_or(|(_, best)| value < *best) {
            let clamped = theta.iter().map(|t| t.clamp(-BOUND, BOUND)).collect();
            memo.best = Some((clamped, value));
        }
        memo.last = Some((theta.to_vec(), value, gradient.clone()));
        (value, gradient)
    }
}

/// The objective at the nearest point of the box; outside it is constant, so its gradient there is zero (projected).
fn evaluate_in_box(objective: &dyn Objective, theta: &[f64]) -> (f64, Vec<f64>) {
    let clamped: Vec<f64> = theta.iter().map(|t| t.clamp(-BOUND, BOUND)).collect();
    let (value, mut gradient) = objective.evaluate(&clamped);
    for (g, (t, c)) in gradient.iter_mut().zip(theta.iter().zip(&clamped)) {
        if t != c {
            *g = 0.0;
        }
    }
    if value.is_finite() && gradient.iter().all(|g| g.is_finite()) {
        (value, gradient)
    } else {
        // A large finite value makes the line search shorten its step; with an infinite one its interpolation would fail.
        (1e12, vec![0.0; theta.len()])
    }
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    fn cost(&self, theta: &Self::Param) -> Result<f64, argmin::core::Error> {
        self.spent()?;
        Ok(self.at(theta).0)
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;
    fn gradient(&self, theta: &Self::Param) -> Result<Vec<f64>, argmin::core::Error> {
        self.spent()?;
        Ok(self.at(theta).1)
    }
}

/// The best point that L-BFGS reaches from any of `starts`, with its value and the number of evaluations. Convergence is not
/// checked.
pub fn search(
    objective: &dyn Objective,
    starts: &[Vec<f64>],
    interrupt: Interrupt<'_>,
) -> Result<(Vec<f64>, f64, usize), OptimiseFailure> {
    let mut best: Option<(Vec<f64>, f64)> = None;
    let mut evaluations = 0;
    for start in starts {
        if interrupt.requested() {
            return Err(OptimiseFailure::Interrupted);
        }
        let memo = RefCell::new(Memo::default());
        let problem = Problem {
            objective,
            memo: &memo,
            interrupt,
        };
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), 7).with_tolerance_grad(1e-6);
        if let Ok(solver) = solver {
            // Near the optimum the line search may stop on rounding noise and report an error; the memo has the best point.
            let _ended = Executor::new(problem, solver)
                .configure(|state| state.param(start.clone()).max_iters(200))
                .timer(false)
                .run();
        }
        let memo = memo.into_inner();
        evaluations += memo.evaluations;
        if let Some((theta, value)) = memo.best
            && best.as_ref().is_none_or(|(_, least)| value < *least)
        {
            best = Some((theta, value));
        }
    }
    best.map(|(theta, value)| (theta, value, evaluations))
        .ok_or(OptimiseFailure::NotFinite)
}

/// Minimises `objective` from `starts` and checks that the result is a minimum.
///
/// # Errors
/// [`OptimiseFailure`] when gradient, curvature or the search box show that no minimum is identified.
pub fn minimise(
    objective: &dyn Objective,
    starts: &[Vec<f64>],
    interrupt: Interrupt<'_>,
) -> Result<Optimum, OptimiseFailure> {
    let (theta, _, evaluations) = search(objective, starts, interrupt)?;
    polish(objective, theta, evaluations, interrupt)
}

/// Newton steps from `theta`, where a search ended after so many evaluations, then the three checks.
///
/// # Errors
/// As [`minimise`].
pub fn polish(
    objective: &dyn Objective,
    mut theta: Vec<f64>,
    mut evaluations: usize,
    interrupt: Interrupt<'_>,
) -> Result<Optimum, OptimiseFailure> {
    let (mut value, mut gradient) = evaluate_in_box(objective, &theta);
    evaluations += 1;
    let mut hessian = difference_hessian(objective, &theta);
    evaluations += 2 * theta.len();
    for _ in 0..30 {
        if interrupt.requested() {
            return Err(OptimiseFailure::Interrupted);
        }
        if largest(&gradient) < GRADIENT_TARGET {
            break;
        }
        let Some(step) = damped_step(&hessian, &gradient) else {
            break;
        };
        let Some((next, next_value, next_gradient, spent)) =
            line(objective, &theta, value, &gradient, &step)
        else {
            break;
        };
        evaluations += spent;
        let moved = largest(&step);
        theta = next;
        value = next_value;
        gradient = next_gradient;
        // A tiny step leaves the curvature as it was: the Hessian at the end differs by less than its own error.
        if moved > 1e-4 {
            hessian = difference_hessian(objective, &theta);
            evaluations += 2 * theta.len();
        }
    }
    accept(theta, value, &gradient, &hessian, evaluations)
}

fn accept(
    theta: Vec<f64>,
    value: f64,
    gradient: &[f64],
    hessian: &[Vec<f64>],
    evaluations: usize,
) -> Result<Optimum, OptimiseFailure> {
    if let Some((index, &value)) = theta
        .iter()
        .enumerate()
        .find(|(_, t)| t.abs() >= BOUND - 1e-6)
    {
        return Err(OptimiseFailure::Edge { index, value });
    }
    let gradient_norm = largest(gradient);
    if gradient_norm.is_nan() || gradient_norm >= GRADIENT_TOLERANCE {
        return Err(OptimiseFailure::Gradient {
            norm: gradient_norm,
        });
    }
    let factor = Cholesky::new(hessian).ok_or(OptimiseFailure::Curvature)?;
    // A flat direction leaves a pivot of pure rounding error; such a Hessian is positive definite only by accident.
    let scale = (0..theta.len()).map(|i| hessian[i][i]).fold(0.0, f64::max);
    if factor.smallest_pivot() < 1e-9 * scale {
        return Err(OptimiseFailure::Curvature);
    }
    Ok(Optimum {
        theta,
        value,
        gradient_norm,
        inverse_hessian: factor.inverse(),
        evaluations,
    })
}

/// The Newton step, with enough of the identity added that it goes downhill.
fn damped_step(hessian: &[Vec<f64>], gradient: &[f64]) -> Option<Vec<f64>> {
    let scale = (0..gradient.len())
        .map(|i| hessian[i][i].abs())
        .fold(1e-12, f64::max);
    let mut ridge = 0.0;
    for _ in 0..40 {
        let mut shifted = hessian.to_vec();
        for (i, row) in shifted.iter_mut().enumerate() {
            row[i] += ridge;
        }
        if let Some(factor) = Cholesky::new(&shifted) {
            let mut step = factor.solve(gradient);
            let size = largest(&step);
            let shrink = if size > 2.0 { 2.0 / size } else { 1.0 };
            for s in &mut step {
                *s *= -shrink;
            }
            return Some(step);
        }
        ridge = if ridge == 0.0 {
            1e-8 * scale
        } else {
            ridge * 4.0
        };
    }
    None
}

type Step = (Vec<f64>, f64, Vec<f64>, usize);

/// Halves the step until value or gradient improves; `None` when neither does.
fn line(
    objective: &dyn Objective,
    theta: &[f64],
    value: f64,
    gradient: &[f64],
    step: &[f64],
) -> Option<Step> {
    let mut share = 1.0;
    for tried in 1..=30 {
        let next: Vec<f64> = theta
            .iter()
            .zip(step)
            .map(|(t, s)| (t + share * s).clamp(-BOUND, BOUND))
            .collect();
        let (next_value, next_gradient) = evaluate_in_box(objective, &next);
        let lower = next_value < value;
        // At rounding level the value no longer tells; the gradient does.
        let level = (next_value - value).abs() <= 1e-12 * (1.0 + value.abs());
        if lower && !level || level && largest(&next_gradient) < largest(gradient) {
            return Some((next, next_value, next_gradient, tried));
        }
        share *= 0.5;
    }
    None
}

/// The Hessian by central differences of the exact gradient, symmetrised; error about 1e-8 of its scale.
fn difference_hessian(objective: &dyn Objective, theta: &[f64]) -> Vec<Vec<f64>> {
    let n = theta.len();
    let mut hessian = vec![vec![0.0; n]; n];
    for i in 0..n {
        let h = 1e-4;
        let mut place = theta.to_vec();
        place[i] = theta[i] + h;
        let above = evaluate_in_box(objective, &place).1;
        place[i] = theta[i] - h;
        let below = evaluate_in_box(objective, &place).1;
        for j in 0..n {
            let slope = (above[j] - below[j]) / (2.0 * h);
            hessian[i][j] += 0.5 * slope;
            hessian[j][i] += 0.5 * slope;
        }
    }
    hessian
}

fn largest(values: &[f64]) -> f64 {
    // `f64::max` would drop a NaN; a NaN must survive to fail the acceptance test.
    values.iter().fold(0.0, |most: f64, v| {
        if v.is_nan() || v.abs() > most {
            v.abs()
        } else {
            most
        }
    })
}

/// The lower triangular factor L of a positive definite matrix A = L Lᵀ.
#[derive(Debug, Clone)]
pub struct Cholesky {
    lower: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factorises a symmetric matrix given by rows; `None` when it is not positive definite.
    pub fn new(matrix: &[Vec<f64>]) -> Option<Self> {
        let n = matrix.len();
        let mut lower = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..=i {
                let dot: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
                let rest = matrix[i][j] - dot;
                if i == j {
                    if rest.is_nan() || rest <= 0.0 {
                        return None;
                    }
                    lower[i][i] = rest.sqrt();
                } else {
                    lower[i][j] = rest / lower[j][j];
                }
            }
        }
        Some(Self { lower })
    }

    /// Solves A x = b.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let n = b.len();
        let mut x = self.whiten(b);
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| self.lower[k][i] * x[k]).sum();
            x[i] = (x[i] - dot) / self.lower[i][i];
        }
        x
    }

    /// L z: turns independent standard normals into a draw with covariance A.
    pub fn colour(&self, z: &[f64]) -> Vec<f64> {
        self.lower
            .iter()
            .map(|row| row.iter().zip(z).map(|(l, z)| l * z).sum())
            .collect()
    }

    /// The inverse of [`Self::colour`]: solves L z = b.
    pub fn whiten(&self, b: &[f64]) -> Vec<f64> {
        let mut z = b.to_vec();
        for i in 0..b.len() {
            let dot: f64 = (0..i).map(|k| self.lower[i][k] * z[k]).sum();
            z[i] = (z[i] - dot) / self.lower[i][i];
        }
        z
    }

    /// The inverse of A, by rows.
    pub fn inverse(&self) -> Vec<Vec<f64>> {
        let n = self.lower.len();
        (0..n)
            .map(|i| {
                let unit: Vec<f64> = (0..n).map(|j| f64::from(u8::from(i == j))).collect();
                self.solve(&unit)
            })
            .collect()
    }

    fn smallest_pivot(&self) -> f64 {
        (0..self.lower.len())
            .map(|i| self.lower[i][i] * self.lower[i][i])
            .fold(f64::INFINITY, f64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rosenbrock;
    impl Objective for Rosenbrock {
        fn evaluate(&self, p: &[f64]) -> (f64, Vec<f64>) {
            let (x, y) = (p[0], p[1]);
            let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
            (
                value,
                vec![
                    -2.0 * (1.0 - x) - 400.0 * x * (y - x * x),
                    200.0 * (y - x * x),
                ],
            )
        }
    }

    struct Flat;
    impl Objective for Flat {
        fn evaluate(&self, p: &[f64]) -> (f64, Vec<f64>) {
            let d = p[0] + p[1] - 1.0;
            (d * d, vec![2.0 * d, 2.0 * d])
        }
    }

    struct Slope;
    impl Objective for Slope {
        fn evaluate(&self, p: &[f64]) -> (f64, Vec<f64>) {
            (-p[0], vec![-1.0])
        }
    }

    struct NeverFinite;
    impl Objective for NeverFinite {
        fn evaluate(&self, p: &[f64]) -> (f64, Vec<f64>) {
            (f64::NAN, vec![f64::NAN; p.len()])
        }
    }

    #[test]
    fn rosenbrock_is_minimised_with_its_analytic_inverse_hessian() {
        let found = minimise(
            &Rosenbrock,
            &[vec![-1.2, 1.0], vec![2.0, 2.0]],
            Interrupt::NEVER,
        )
        .unwrap();
        assert!((found.theta[0] - 1.0).abs() < 1e-8 && (found.theta[1] - 1.0).abs() < 1e-8);
        // At (1, 1) the Hessian is [[802, -400], [-400, 200]], whose inverse is [[0.5, 1], [1, 2.005]].
        assert!((found.inverse_hessian[0][0] - 0.5).abs() < 1e-3);
        assert!((found.inverse_hessian[1][1] - 2.005).abs() < 4e-3);
    }

    #[test]
    fn unidentified_unbounded_and_undefined_objectives_are_refused() {
        assert!(matches!(
            minimise(&Flat, &[vec![0.0, 0.0]], Interrupt::NEVER),
            Err(OptimiseFailure::Curvature)
        ));
        assert!(minimise(&Slope, &[vec![0.0]], Interrupt::NEVER).is_err());
        assert!(minimise(&NeverFinite, &[vec![0.0]], Interrupt::NEVER).is_err());
    }

    #[test]
    fn cholesky_solves_and_inverts() {
        let a = vec![vec![4.0, 2.0], vec![2.0, 3.0]];
        let factor = Cholesky::new(&a).unwrap();
        let x = factor.solve(&[2.0, 5.0]);
        assert!(
            (4.0 * x[0] + 2.0 * x[1] - 2.0).abs() < 1e-14
                && (2.0 * x[0] + 3.0 * x[1] - 5.0).abs() < 1e-14
        );
        assert!((factor.inverse()[0][1] + 0.25).abs() < 1e-15);
        assert!(Cholesky::new(&[vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    }
}
