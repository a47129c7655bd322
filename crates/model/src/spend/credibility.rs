//! The credibility mean (Bühlmann): a customer's own mean, shrunk towards the population's.

use serde::{Deserialize, Serialize};

use super::history::SpendHistory;
use crate::lifetime_error::LifetimeError;

/// E[M | x, m] = (x m + kappa mu) / (x + kappa): makes no assumption on the shape of spend.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CredibilityMean {
    /// Population mean mu, in the currency of the history.
    pub mean: f64,
    /// Weight of the population mean, in occasions: the variance within customers divided by the variance between them.
    pub kappa: f64,
    /// Customers it was estimated from.
    pub customers: f64,
}

/// Weight of the population mean, in occasions, where the data shows no difference between customers: their own history has
/// almost no weight.
const NO_DIFFERENCE: f64 = 1e6;

impl CredibilityMean {
    /// Estimates both by moments: (m - mu)² is on average between + within / x. Where the first occasions are known
    /// ([`SpendHistory::with_first_spend`]), their covariance with the later ones is the variance between; else it is regressed
    /// on 1/x over customers.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when there is no repeat customer with positive spend.
    pub fn fit(history: &SpendHistory) -> Result<Self, LifetimeError> {
        let customers = history.customers();
        if history.rows.is_empty() {
            let what = "repeat customers with positive spend";
            return Err(LifetimeError::TooLittleData {
                model: "credibility_mean",
                what,
                found: 0,
                needed: 1,
            });
        }
        let mean = history.mean_of_means();
        let (mut u, mut d) = (0.0, 0.0);
        for s in &history.rows {
            u += s.weight / f64::from(s.x) / customers;
            d += s.weight * (s.total / f64::from(s.x) - mean).powi(2) / customers;
        }
        let within = match history.between() {
            Some(between) => (d - between.clamp(0.0, d)) / u,
            None => regressed(history, mean, (u, d)),
        };
        let between = d - within * u;
        let kappa = if between > within / NO_DIFFERENCE {
            within / between
        } else {
            NO_DIFFERENCE
        };
        Ok(Self {
            mean,
            kappa,
            customers,
        })
    }

    pub(crate) fn line(&self, x: u32) -> (f64, f64) {
        let x = f64::from(x);
        if x == 0.0 {
            (self.mean, 0.0)
        } else {
            (
                self.kappa * self.mean / (x + self.kappa),
                x / (x + self.kappa),
            )
        }
    }
}

/// The variance within customers: the slope of (m - mu)² over 1/x, whose means are `d` and `u`.
fn regressed(history: &SpendHistory, mean: f64, (u, d): (f64, f64)) -> f64 {
    let (mut uu, mut ud) = (0.0, 0.0);
    for s in &history.rows {
        let (du, deviation) = (
            1.0 / f64::from(s.x) - u,
            (s.total / f64::from(s.x) - mean).powi(2),
        );
        uu += s.weight * du * du;
        ud += s.weight * du * (deviation - d);
    }
    // All customers have the same count, but for rounding: the two variances cannot be separated, and each gets half.
    if uu > 1e-12 * u * u * history.customers() {
        (ud / uu).clamp(0.0, d / u)
    } else {
        0.5 * d / u
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinks_the_more_the_less_is_known() {
        let x: Vec<u32> = (0..4000).map(|i| 1 + i % 8).collect();
        // Customer means 80 or 120 with noise of variance 900 / x, as +-1 deviations that average out.
        let mean: Vec<f64> = (0..4000)
            .map(|i| {
                let level = if (i / 8) % 2 == 0 { 80.0 } else { 120.0 };
                let noise = (900.0 / f64::from(x[i])).sqrt();
                level + if (i / 16) % 2 == 0 { noise } else { -noise }
            })
            .collect();
        let fit =
            CredibilityMean::fit(&SpendHistory::from_columns(&x, &mean, None).unwrap()).unwrap();
        assert!((fit.mean - 100.0).abs() < 0.5, "{fit:?}");
        // Within 900, between 400: kappa 2.25.
        assert!((fit.kappa - 2.25).abs() < 0.1, "{fit:?}");
        let at = |x: u32| fit.line(x).0 + fit.line(x).1 * 120.0;
        assert!(fit.mean < at(1) && at(1) < at(8) && at(8) < 120.0);
    }

    /// All customers bought as often, so that means and counts do not tell how much is chance; the first purchases do.
    #[test]
    fn first_purchases_tell_how_much_customers_differ() {
        let n = 200_000u64;
        // Sums of twelve uniform numbers less six: nearly normal, of variance 1.
        let mut state = 7u64;
        let mut normal = || {
            let mut uniform = || {
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut z = state;
                z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
            };
            (0..12).map(|_| uniform()).sum::<f64>() - 6.0
        };
        // Between customers 400, within them 900: the mean of 16 purchases has 56.25 of chance.
        let (mut first, mut later) = (Vec::new(), Vec::new());
        for _ in 0..n {
            let level = 200.0 + 20.0 * normal();
            // First purchases are smaller for everyone.
            first.push(level - 30.0 + 30.0 * normal());
            later.push(level + 7.5 * normal());
        }
        let x = vec![16; n as usize];
        let fit = |history: SpendHistory| CredibilityMean::fit(&history).unwrap().kappa;
        let history = || SpendHistory::from_columns(&x, &later, None).unwrap();
        let kappa = fit(history().with_first_spend(&x, &later, &first).unwrap());
        // The covariance 400 has the standard error sqrt((1300 * 456.25 + 400²) / n) = 1.94, the variance of the means
        // sqrt(2 / n) * 456.25 = 1.44; 16 (456.25 - 400) / 400 is off by 4 of both, 16 * 4 * (1.94 + 1.44) / 400, at most.
        assert!((kappa - 2.25).abs() < 0.55, "{kappa}");
        assert!((fit(history()) - 16.0).abs() < 1e-9);
        // First purchases of ten times the money say the same.
        let tenfold: Vec<f64> = first.iter().map(|first| 10.0 * (first + 30.0)).collect();
        let kappa = fit(history().with_first_spend(&x, &later, &tenfold).unwrap());
        assert!((kappa - 2.25).abs() < 0.55, "{kappa}");
        // Of first purchases that say nothing of the later ones there is no difference.
        first.rotate_left(1);
        let kappa = fit(history().with_first_spend(&x, &later, &first).unwrap());
        assert!(kappa > 100.0, "{kappa}");
        // A trial at one price says nothing of what customers spend later: the counts decide, as without it.
        let trial = vec![1.0; later.len()];
        let history_of_trials = history().with_first_spend(&x, &later, &trial).unwrap();
        assert!((fit(history_of_trials) - 16.0).abs() < 1e-9);
        assert!(history().with_first_spend(&x, &later, &first[1..]).is_err());
    }

    #[test]
    fn no_customer_is_an_error_and_equal_customers_are_not() {
        let none = SpendHistory::from_columns(&[0], &[f64::NAN], None).unwrap();
        assert!(CredibilityMean::fit(&none).is_err());
        let equal = SpendHistory::from_columns(&[2, 2, 2], &[5.0, 5.0, 5.0], None).unwrap();
        let fit = CredibilityMean::fit(&equal).unwrap();
        assert_eq!(fit.line(2).0 + fit.line(2).1 * 5.0, 5.0);
    }
}
