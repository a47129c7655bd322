//! A straight line in the log-odds: the one fit behind calibration slopes and Platt scaling.

use crate::special::logistic;

/// Log-odds = intercept + slope x.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LogitLine {
    /// Log-odds at x = 0.
    pub intercept: f64,
    /// Change of the log-odds per unit of x.
    pub slope: f64,
}

/// Steps allowed; Newton's method needs about eight.
const STEPS: usize = 100;

/// Largest component of the gradient of the mean log loss at which the fit is accepted.
const TOLERANCE: f64 = 1e-9;

/// Probabilities are limited to [this, 1 - this] before the log-odds of predictions are taken.
const APART: f64 = 1e-9;

/// ln(p / (1 - p)) of a probability in [0, 1], kept apart from both ends.
pub(crate) fn log_odds(probability: f64) -> f64 {
    logit(probability.clamp(APART, 1.0 - APART))
}

/// ln(p / (1 - p)) of a probability inside (0, 1).
pub(crate) fn logit(probability: f64) -> f64 {
    probability.ln() - (-probability).ln_1p()
}

/// The line of least log loss of `targets` (in [0, 1]) over `x` (finite), by Newton's method on the standardised x. `None`
/// where all x are equal, the mean target is 0 or 1, or there is no finite optimum since x separates the targets.
pub(crate) fn logit_line(x: &[f64], targets: &[f64]) -> Option<LogitLine> {
    let n = x.len() as f64;
    let center = x.iter().sum::<f64>() / n;
    let spread = (x.iter().map(|x| (x - center).powi(2)).sum::<f64>() / n).sqrt();
    let rate = targets.iter().sum::<f64>() / n;
    let usable = spread.is_finite() && spread > 1e-12 * (1.0 + center.abs());
    if !(usable && rate > 0.0 && rate < 1.0) || parted(x, targets) {
        return None;
    }
    let z: Vec<f64> = x.iter().map(|x| (x - center) / spread).collect();
    let (mut at, mut slope) = (logit(rate), 0.0);
    let mut now = evaluate(&z, targets, at, slope);
    for _ in 0..STEPS {
        if now.gradient.0.abs().max(now.gradient.1.abs()) < TOLERANCE {
            return Some(LogitLine {
                intercept: at - slope * center / spread,
                slope: slope / spread,
            });
        }
        let (a, b, d) = now.curvature;
        let determinant = a * d - b * b;
        if determinant <= 1e-14 * a * d {
            return None;
        }
        let (g, h) = now.gradient;
        let step = ((d * g - b * h) / determinant, (a * h - b * g) / determinant);
        let mut share = 1.0;
        loop {
            let next = evaluate(&z, targets, at - share * step.0, slope - share * step.1);
            // The last steps change the value by less than its rounding.
            if next.value <= now.value + 1e-14 {
                (at, slope) = (at - share * step.0, slope - share * step.1);
                now = next;
                break;
            }
            share *= 0.5;
            if share < 1e-9 {
                return None;
            }
        }
    }
    None
}

/// Whether some x separates the rows whose target is above 0 from those whose target is below 1: then a steeper line always
/// has a lower loss.
fn parted(x: &[f64], targets: &[f64]) -> bool {
    let range = |wanted: &dyn Fn(f64) -> bool| {
        let rows = x.iter().zip(targets).filter(|(_, target)| wanted(**target));
        rows.fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(low, high), (&x, _)| (low.min(x), high.max(x)),
        )
    };
    let (with, without) = (range(&|t| t > 0.0), range(&|t| t < 1.0));
    with.0 >= without.1 || with.1 <= without.0
}

/// Standard error of the slope of a line over these x, each of so many rows, for targets that are 0 or 1 and independent of each
/// other: from the inverse of the information matrix (McCullagh and Nelder 1989, 4.4). Not finite where all x are equal.
pub(crate) fn slope_error(x: impl Iterator<Item = (f64, f64)> + Clone, line: &LogitLine) -> f64 {
    slope_error_with(x, line, &[])
}

/// The same where the expected targets are estimates: `errors` are independent of each other, each as the standard deviations by which it
/// moves the sum of the expected targets and the sum of their products with x.
pub(crate) fn slope_error_with(
    x: impl Iterator<Item = (f64, f64)> + Clone,
    line: &LogitLine,
    errors: &[[f64; 2]],
) -> f64 {
    let sums = x
        .clone()
        .fold((0.0, 0.0), |(sum, rows), (x, of)| (sum + x * of, rows + of));
    let center = sums.0 / sums.1;
    let [a, b, d] = x.fold([0.0; 3], |[a, b, d], (x, rows)| {
        let p = logistic(line.intercept + line.slope * x);
        let (weight, x) = (rows * p * (1.0 - p), x - center);
        [a + weight, b + weight * x, d + weight * x * x]
    });
    let determinant = a * d - b * b;
    let moved = errors.iter().map(|[sum, product]| {
        let slope = a * (product - center * sum) - b * sum;
        (slope / determinant).powi(2)
    });
    (a / determinant + moved.sum::<f64>()).sqrt()
}

struct Evaluation {
    value: f64,
    gradient: (f64, f64),
    curvature: (f64, f64, f64),
}

/// Mean log loss, its gradient, and its second derivatives (intercept, mixed, slope).
fn evaluate(z: &[f64], targets: &[f64], at: f64, slope: f64) -> Evaluation {
    let n = z.len() as f64;
    let mut sums = [0.0; 6];
    for (&z, &target) in z.iter().zip(targets) {
        let eta = at + slope * z;
        let p = logistic(eta);
        // ln(1 + e^eta) - target eta, without overflow.
        sums[0] += eta.max(0.0) + (-eta.abs()).exp().ln_1p() - target * eta;
        sums[1] += p - target;
        sums[2] += (p - target) * z;
        let weight = p * (1.0 - p);
        sums[3] += weight;
        sums[4] += weight * z;
        sums[5] += weight * z * z;
    }
    let [value, g0, g1, a, b, d] = sums.map(|sum| sum / n);
    Evaluation {
        value,
        gradient: (g0, g1),
        curvature: (a, b, d),
    }
}
