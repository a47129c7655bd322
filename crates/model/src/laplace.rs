//! Uncertainty of expected values: draws of the parameters from their asymptotic distribution, and intervals over them.
//!
//! [`draws`] samples log-parameters from the normal distribution that the Hessian of the log-likelihood gives (Laplace's
//! approximation), seeded and in antithetic pairs; [`Estimate`] is a value with its 80% and 95% interval. The intervals are of
//! *expected* values: how well the mean for such a customer is known, not how far one customer may stray from it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::optimise::Cholesky;

/// An estimate at the fitted parameters, with equal-tailed intervals over parameter draws.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value at the maximum likelihood estimate.
    pub value: f64,
    /// 10% quantile over draws.
    pub low_80: f64,
    /// 90% quantile over draws.
    pub high_80: f64,
    /// 2.5% quantile over draws.
    pub low_95: f64,
    /// 97.5% quantile over draws.
    pub high_95: f64,
}

impl Estimate {
    /// A value whose uncertainty is not quantified: both intervals are the value itself.
    pub fn exact(value: f64) -> Self {
        Self {
            value,
            low_80: value,
            high_80: value,
            low_95: value,
            high_95: value,
        }
    }

    /// `value` with quantiles of `draws` (type 7). Reorders `draws`; at least two are needed, else the value stands alone.
    pub fn from_draws(value: f64, draws: &mut [f64]) -> Self {
        if draws.len() < 2 {
            return Self::exact(value);
        }
        let last = draws.len() - 1;
        let (mut from, mut quantiles) = (0, [0.0; 4]);
        for (quantile, level) in quantiles.iter_mut().zip([0.025, 0.1, 0.9, 0.975]) {
            let position = level * last as f64;
            let place = (position as usize).min(last - 1);
            // Everything before `from` is already no larger than what follows it.
            let (_, low, above) =
                draws[from..].select_nth_unstable_by(place - from, f64::total_cmp);
            let low = *low;
            let next = above.iter().copied().fold(f64::INFINITY, f64::min);
            *quantile = low + (position - place as f64) * (next - low);
            from = place;
        }
        let [low_95, low_80, high_80, high_95] = quantiles;
        Self {
            value,
            low_80,
            high_80,
            low_95,
            high_95,
        }
    }

    /// The estimate times a constant >= 0.
    pub fn scaled(self, by: f64) -> Self {
        Self {
            value: self.value * by,
            low_80: self.low_80 * by,
            high_80: self.high_80 * by,
            low_95: self.low_95 * by,
            high_95: self.high_95 * by,
        }
    }
}

/// `count` draws of a normal vector with the given mean and covariance (by rows), in antithetic pairs: draw 2k+1 mirrors
/// draw 2k. `None` when the covariance is not positive definite.
pub fn draws(
    mean: &[f64],
    covariance: &[Vec<f64>],
    count: usize,
    seed: u64,
) -> Option<Vec<Vec<f64>>> {
    let factor = Cholesky::new(covariance)?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        let z: Vec<f64> = (0..mean.len())
            .map(|_| standard_normal(&mut random))
            .collect();
        let shift = factor.colour(&z);
        for sign in [1.0, -1.0] {
            all.push(mean.iter().zip(&shift).map(|(m, s)| m + sign * s).collect());
        }
    }
    all.truncate(count);
    Some(all)
}

/// A standard normal number by the Box-Muller transform.
fn standard_normal(random: &mut ChaCha8Rng) -> f64 {
    let unit = |word: u64| ((word >> 11) as f64 + 0.5) * 2f64.powi(-53);
    let (u, v) = (unit(random.next_u64()), unit(random.next_u64()));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_numpy_type_7() {
        // numpy.quantile(range(101), [.025, .1, .9, .975]) = 2.5, 10, 90, 97.5; the order of the input does not matter.
        let mut values: Vec<f64> = (0..101).map(|i| f64::from((i * 37) % 101)).collect();
        let e = Estimate::from_draws(50.0, &mut values);
        assert_eq!(
            [e.low_95, e.low_80, e.high_80, e.high_95],
            [2.5, 10.0, 90.0, 97.5]
        );
        let two = Estimate::from_draws(0.5, &mut [1.0, 0.0]);
        assert_eq!((two.low_95, two.high_95), (0.025, 0.975));
    }

    #[test]
    fn draws_have_the_covariance_asked_for_and_repeat() {
        let covariance = vec![vec![0.04, 0.01], vec![0.01, 0.09]];
        let all = draws(&[1.0, -1.0], &covariance, 20_000, 7).unwrap();
        assert_eq!(all, draws(&[1.0, -1.0], &covariance, 20_000, 7).unwrap());
        let n = all.len() as f64;
        let cross: f64 = all.iter().map(|d| (d[0] - 1.0) * (d[1] + 1.0)).sum::<f64>() / n;
        let first: f64 = all.iter().map(|d| (d[0] - 1.0).powi(2)).sum::<f64>() / n;
        assert!(
            (cross - 0.01).abs() < 0.002 && (first - 0.04).abs() < 0.002,
            "{cross} {first}"
        );
        assert!(draws(&[0.0], &[vec![-1.0]], 2, 0).is_none());
    }
}
