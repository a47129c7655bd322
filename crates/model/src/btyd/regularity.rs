//! Whether customers buy at random times: the regularity k of Wheat & Morrison (1990).
//!
//! The models of this module assume Poisson purchases: k = 1. Customers who buy at regular intervals have k > 1, and then a
//! long time without a purchase is stronger evidence of dropout than the models assume.

use serde::{Deserialize, Serialize};

use crate::lifetime_error::LifetimeError;

/// The estimate, and what it was estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Regularity {
    /// Shape of the gamma distribution of gaps between purchases: 1 random, above 1 regular, below 1 clumped.
    pub k: f64,
    /// Standard error of k, by the delta method from the sampling variance of the variance.
    pub standard_error: f64,
    /// Customers with at least two gaps.
    pub customers: u64,
}

impl Regularity {
    /// Above this, buying is regular enough that the Poisson models under-use recency.
    pub const ALARM: f64 = 1.5;

    /// From the last two gaps between occasions of each customer with at least three occasions: with
    /// M = first / (first + second), k = (1 - 4 Var M) / (8 Var M). Gaps in any one unit.
    ///
    /// # Errors
    /// [`LifetimeError::OutOfRange`] for a gap that is not positive and finite, or when all customers are perfectly regular
    /// (k infinite); [`LifetimeError::TooLittleData`] with fewer than thirty customers.
    pub fn from_gaps(gaps: &[(f64, f64)]) -> Result<Self, LifetimeError> {
        let model = "regularity";
        if gaps.len() < 30 {
            let what = "customers with three occasions";
            return Err(LifetimeError::TooLittleData {
                model,
                what,
                found: gaps.len() as u64,
                needed: 30,
            });
        }
        let n = gaps.len() as f64;
        let (mut second, mut fourth) = (0.0, 0.0);
        for &(a, b) in gaps {
            if let Some(value) = [a, b].into_iter().find(|g| !(*g > 0.0 && g.is_finite())) {
                return Err(LifetimeError::OutOfRange {
                    model,
                    what: "a gap",
                    value,
                    range: "positive and finite",
                });
            }
            // M is symmetric about one half whatever k: its variance is taken about that, not about the sample mean.
            let deviation = (a / (a + b) - 0.5).powi(2);
            second += deviation / n;
            fourth += deviation * deviation / n;
        }
        if second < 1e-12 {
            return Err(LifetimeError::OutOfRange {
                model,
                what: "the variance of gap shares",
                value: second,
                range: "> 0",
            });
        }
        let k = (1.0 - 4.0 * second) / (8.0 * second);
        let variance_error = ((fourth - second * second).max(0.0) / n).sqrt();
        Ok(Self {
            k,
            standard_error: variance_error / (8.0 * second * second),
            customers: gaps.len() as u64,
        })
    }

    /// Whether buying is clearly regular: k above [`Self::ALARM`].
    pub fn is_alarming(&self) -> bool {
        self.k > Self::ALARM
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use rand_distr::{Distribution, Gamma};

    #[test]
    fn recovers_the_shape_of_simulated_gaps() {
        for k in [0.6, 1.0, 3.0] {
            let gamma = Gamma::new(k, 4.0).unwrap();
            let mut random = ChaCha8Rng::seed_from_u64(11);
            let gaps: Vec<(f64, f64)> = (0..20_000)
                .map(|_| (gamma.sample(&mut random), gamma.sample(&mut random)))
                .collect();
            let found = Regularity::from_gaps(&gaps).unwrap();
            assert!(
                (found.k - k).abs() < 3.0 * found.standard_error,
                "{k}: {found:?}"
            );
            assert!(found.standard_error < 0.05 * k.max(1.0));
            assert_eq!(found.is_alarming(), k > 1.5);
        }
    }

    #[test]
    fn few_perfect_or_impossible_gaps_are_refused() {
        assert!(Regularity::from_gaps(&[(1.0, 1.0); 29]).is_err());
        assert!(Regularity::from_gaps(&[(1.0, 1.0); 40]).is_err());
        assert!(Regularity::from_gaps(&[(0.0, 1.0); 40]).is_err());
        assert!(Regularity::from_gaps(&[(f64::NAN, 1.0); 40]).is_err());
    }
}
