//! Uncertainty of expected values: draws of the parameters from their asymptotic distribution, and intervals over them.
//!
//! [`draws`] samples log-parameters from the normal distribution that the Hessian of the log-likelihood gives (Laplace's
//! approximation), seeded; [`Estimate`] is a value with its 80% and 95% interval. The intervals are of
//! *expected* values: how well the mean for such a customer is known, not how far one customer may stray from it.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use statrs::function::erf::erf_inv;
use std::f64::consts::SQRT_2;

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

    /// A value whose uncertainty is not known: the ends of its intervals are NaN.
    pub fn without_interval(value: f64) -> Self {
        let unknown = Self::exact(f64::NAN);
        Self { value, ..unknown }
    }

    /// `value` with quantiles of `draws` (Hazen's: the i-th of n draws is the (i - 1/2)/n quantile). Reorders `draws`. With
    /// fewer than two draws the result is [`Estimate::exact`].
    pub fn from_draws(value: f64, draws: &mut [f64]) -> Self {
        if draws.len() < 2 {
            return Self::exact(value);
        }
        let last = draws.len() - 1;
        // The order statistic below each level, and how far the quantile lies towards the next.
        let [low_95, low_80, high_80, high_95] = [0.025, 0.1, 0.9, 0.975].map(|level| {
            let position = (level * draws.len() as f64 - 0.5).clamp(0.0, last as f64);
            let place = (position as usize).min(last - 1);
            (place, position - place as f64)
        });
        if draws.len() < FEW_DRAWS {
            draws.sort_unstable_by(f64::total_cmp);
        } else {
            // The draws are partitioned at the ends of the 80% interval; only the tails, a tenth each, are sorted.
            let order = f64::total_cmp;
            draws.select_nth_unstable_by(high_80.0, order);
            draws[high_80.0 + 1..].sort_unstable_by(order);
            draws[..high_80.0].select_nth_unstable_by(low_80.0 + 1, order);
            draws[..=low_80.0].sort_unstable_by(order);
        }
        let quantile =
            |(place, share): (usize, f64)| draws[place] + share * (draws[place + 1] - draws[place]);
        Self {
            value,
            low_80: quantile(low_80),
            high_80: quantile(high_80),
            low_95: quantile(low_95),
            high_95: quantile(high_95),
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

/// Below this many draws all of them are sorted.
const FEW_DRAWS: usize = 100;

/// `count` draws of a normal vector with the given mean and covariance (by rows). `None` when the covariance is not positive
/// definite.
///
/// The draws are evenly spread rather than independent, so that a few hundred give quantiles for which thousands of independent
/// draws would be needed: a Kronecker sequence shifted by the seed, mapped to normals, mirrored (draw 2k+1 mirrors draw 2k),
/// and scaled so that mean and covariance of the draws are exactly those asked for.
pub fn draws(
    mean: &[f64],
    covariance: &[Vec<f64>],
    count: usize,
    seed: u64,
) -> Option<Vec<Vec<f64>>> {
    let factor = Cholesky::new(covariance)?;
    let standard = standard_normals(mean.len(), count.div_ceil(2), seed);
    // Mirrored draws have mean zero; dividing by the Cholesky factor of their covariance makes it the identity.
    let spread = Cholesky::new(&second_moments(mean.len(), &standard));
    let mut all = Vec::with_capacity(count + 1);
    for z in &standard {
        let shift = factor.colour(
            &spread
                .as_ref()
                .map_or_else(|| z.clone(), |root| root.whiten(z)),
        );
        for sign in [1.0, -1.0] {
            all.push(mean.iter().zip(&shift).map(|(m, s)| m + sign * s).collect());
        }
    }
    all.truncate(count);
    Some(all)
}

/// `count` evenly spread standard normal vectors: the additive recurrence of the generalised golden ratio (Roberts 2018),
/// randomly shifted.
fn standard_normals(dimension: usize, count: usize, seed: u64) -> Vec<Vec<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // The root of x^(d+1) = x + 1 by its contracting iteration.
    let power = 1.0 / (dimension as f64 + 1.0);
    let golden = (0..64).fold(2.0_f64, |x, _| (1.0 + x).powf(power));
    let shifts: Vec<f64> = (0..dimension)
        .map(|_| (random.next_u64() >> 11) as f64 * 2f64.powi(-53))
        .collect();
    let point =
        |k: usize, j: usize| (shifts[j] + (k + 1) as f64 * golden.powi(-(j as i32 + 1))).fract();
    let normal = |u: f64| SQRT_2 * erf_inv(2.0 * u.clamp(1e-12, 1.0 - 1e-12) - 1.0);
    (0..count)
        .map(|k| (0..dimension).map(|j| normal(point(k, j))).collect())
        .collect()
}

fn second_moments(dimension: usize, draws: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let moment =
        |i: usize, j: usize| draws.iter().map(|z| z[i] * z[j]).sum::<f64>() / draws.len() as f64;
    (0..dimension)
        .map(|i| (0..dimension).map(|j| moment(i, j)).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_numpy_hazen() {
        // numpy.quantile(range(101), [.025, .1, .9, .975], method="hazen"); the order of the input does not matter.
        let mut values: Vec<f64> = (0..101).map(|i| f64::from((i * 37) % 101)).collect();
        let e = Estimate::from_draws(50.0, &mut values);
        for (got, want) in [e.low_95, e.low_80, e.high_80, e.high_95]
            .iter()
            .zip([2.025, 9.6, 90.4, 97.975])
        {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
        // Compared with sorting, for numbers of draws around the change of method.
        for count in [2, 3, 50, 99, 100, 101, 200, 400, 1001] {
            let mut values: Vec<f64> = (0..count)
                .map(|i| f64::from(i * 7919 % 1009).sin())
                .collect();
            let e = Estimate::from_draws(0.0, &mut values.clone());
            values.sort_by(f64::total_cmp);
            let want = [0.025, 0.1, 0.9, 0.975].map(|level| {
                let last = (values.len() - 1) as f64;
                let position = (level * values.len() as f64 - 0.5).clamp(0.0, last);
                let (low, high) = (position.floor(), position.ceil());
                values[low as usize]
                    + (position - low) * (values[high as usize] - values[low as usize])
            });
            for (got, want) in [e.low_95, e.low_80, e.high_80, e.high_95].iter().zip(want) {
                assert!((got - want).abs() < 1e-14, "{count}: {got} {want}");
            }
        }
        let two = Estimate::from_draws(0.5, &mut [1.0, 0.0]);
        assert_eq!((two.low_95, two.high_95), (0.0, 1.0));
    }

    #[test]
    fn draws_have_exactly_the_moments_asked_for_and_repeat() {
        let covariance = vec![vec![0.04, 0.01], vec![0.01, 0.09]];
        let all = draws(&[1.0, -1.0], &covariance, 200, 7).unwrap();
        assert_eq!(all, draws(&[1.0, -1.0], &covariance, 200, 7).unwrap());
        assert_ne!(all, draws(&[1.0, -1.0], &covariance, 200, 8).unwrap());
        let centred: Vec<Vec<f64>> = all.iter().map(|d| vec![d[0] - 1.0, d[1] + 1.0]).collect();
        for (got, want) in second_moments(2, &centred)
            .iter()
            .flatten()
            .zip(covariance.iter().flatten())
        {
            assert!((got - want).abs() < 1e-14, "{got} {want}");
        }
        assert!(draws(&[0.0], &[vec![-1.0]], 2, 0).is_none());
    }
}
