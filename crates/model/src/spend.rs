//! How much customers spend per occasion. How often they buy is in [`crate::btyd`].
//!
//! [`SpendHistory`] holds repeat counts and mean spends; [`GammaGammaFit`] is the Gamma-Gamma model (Fader & Hardie 2013),
//! [`CredibilityMean`] its fallback, and [`SpendFit`] the one of the two that the data supports, with the reason.

mod credibility;
mod gamma_gamma;
mod history;

use serde::{Deserialize, Serialize};

pub use credibility::CredibilityMean;
pub use gamma_gamma::GammaGammaFit;
pub use history::SpendHistory;

use crate::interrupt::Interrupt;
use crate::laplace;
use crate::lifetime_error::LifetimeError;

/// The spend model that is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "snake_case")]
pub enum SpendFit {
    /// The Gamma-Gamma model.
    GammaGamma(GammaGammaFit),
    /// A credibility mean, since Gamma-Gamma could not be fitted, or sees too little of how customers differ.
    CredibilityMean {
        /// The fitted means.
        fit: CredibilityMean,
        /// Why Gamma-Gamma could not be used, as a text.
        reason: String,
    },
}

impl SpendFit {
    /// Fits Gamma-Gamma, and falls back to a credibility mean where the data does not identify it (q <= 1 included), or where
    /// first occasions show that customers differ much more than it sees.
    ///
    /// # Errors
    /// [`LifetimeError::TooLittleData`] when no customer has a repeat occasion with positive spend.
    pub fn fit(history: &SpendHistory) -> Result<Self, LifetimeError> {
        Self::fit_unless(history, Interrupt::NEVER)
    }

    /// As [`SpendFit::fit`]; stops with an error when `interrupt` is requested.
    ///
    /// # Errors
    /// As [`SpendFit::fit`]; [`LifetimeError::Interrupted`].
    pub fn fit_unless(
        history: &SpendHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<Self, LifetimeError> {
        match GammaGammaFit::fit_unless(history, interrupt) {
            Ok(fit) => match unseen(history, &fit) {
                None => Ok(Self::GammaGamma(fit)),
                Some(reason) => Ok(Self::CredibilityMean {
                    fit: CredibilityMean::fit(history)?,
                    reason,
                }),
            },
            Err(LifetimeError::Interrupted) => Err(LifetimeError::Interrupted),
            Err(reason) => Ok(Self::CredibilityMean {
                fit: CredibilityMean::fit(history)?,
                reason: reason.to_string(),
            }),
        }
    }

    /// The model's name as published: `gamma_gamma` or `credibility_mean`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GammaGamma(_) => "gamma_gamma",
            Self::CredibilityMean { .. } => "credibility_mean",
        }
    }

    /// Expected spend per occasion of a customer with `x` repeat occasions of mean `mean_spend` (ignored when `x` is 0).
    pub fn expected_spend(&self, x: u32, mean_spend: f64) -> f64 {
        let (constant, slope) = self.line(x);
        if x == 0 {
            constant
        } else {
            constant + slope * mean_spend
        }
    }

    /// For a given x the expectation is a line in the observed mean: (constant, slope).
    pub(crate) fn line(&self, x: u32) -> (f64, f64) {
        match self {
            Self::GammaGamma(fit) => fit.line(x),
            Self::CredibilityMean { fit, .. } => fit.line(x),
        }
    }

    /// `count` models with parameters drawn from their asymptotic distribution; `None` where that is not known: a credibility
    /// mean has no likelihood, and the covariance of a stored fit may not be positive definite. What is made from such a model
    /// has no interval.
    pub fn draws(&self, count: usize, seed: u64) -> Option<Vec<Self>> {
        let Self::GammaGamma(fit) = self else {
            return None;
        };
        let covariance: Vec<Vec<f64>> = fit.log_covariance.iter().map(|row| row.to_vec()).collect();
        let drawn = laplace::draws(&fit.log_parameters(), &covariance, count, seed)?;
        let drawn = drawn.iter().map(|theta| Self::GammaGamma(fit.at(theta)));
        Some(drawn.collect())
    }
}

/// How often as much as Gamma-Gamma expects customers may differ before it is not used, and by how many standard errors.
const MOST_UNSEEN: (f64, f64) = (2.0, 4.0);

/// Why Gamma-Gamma makes too little of how customers differ, if it does. It learns from the means and counts of purchases, which
/// tell customers from chance only by how the means vary less the more purchases there are. If it is right, a customer for whom it
/// expects 1 more spent 1 more on the first occasion, too, from which it has not learned.
fn unseen(history: &SpendHistory, fit: &GammaGammaFit) -> Option<String> {
    let rows = history.first();
    let n = rows.len() as f64;
    let expected = |row: &history::First| fit.expected_spend(row.x, row.mean);
    let (mut of_expected, mut of_first) = (0.0, 0.0);
    for row in rows {
        of_expected += expected(row) / n;
        of_first += row.first / n;
    }
    let (mut square, mut product) = (0.0, 0.0);
    for row in rows {
        let away = expected(row) - of_expected;
        square += away * away;
        product += away * (row.first - of_first);
    }
    if square <= 0.0 {
        return None;
    }
    let slope = product / square;
    // White's standard error: customers who spend more also vary more.
    let mut spread = 0.0;
    for row in rows {
        let away = expected(row) - of_expected;
        spread += (away * (row.first - of_first - slope * away)).powi(2);
    }
    let error = spread.sqrt() / square;
    let (most, errors) = MOST_UNSEEN;
    (slope > most && slope - 1.0 > errors * error).then(|| {
        format!(
            "gamma_gamma makes too little of how customers differ: where it expects 1 more of a purchase, first purchases were {} more",
            if slope < 1000.0 { format!("{slope:.1}") } else { "over 1000".to_owned() }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two kinds of customers, of 12 to 19 purchases each. By their means and counts alone, Gamma-Gamma takes all differences for
    /// chance; with purchases that do differ by chance alone, it is right.
    #[test]
    fn gamma_gamma_is_not_used_where_it_does_not_see_who_spends_more() {
        let mut state = 11u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut spend = |gap: f64| {
            let (mut x, mut mean, mut first) = (Vec::new(), Vec::new(), Vec::new());
            for customer in 0..2000 {
                let level = 30.0 + if customer % 2 == 0 { gap } else { 0.0 };
                let times = 12 + next(8) as u32;
                let total: f64 = (0..times).map(|_| level - 15.0 + next(61) as f64).sum();
                x.push(times);
                mean.push(total / f64::from(times));
                first.push(level - 15.0 + next(61) as f64);
            }
            let history = SpendHistory::from_columns(&x, &mean, None).unwrap();
            let history = history.with_first_spend(&x, &mean, &first).unwrap();
            (SpendFit::fit(&history).unwrap(), mean)
        };
        let (fit, means) = spend(30.0);
        let SpendFit::CredibilityMean { fit: kept, .. } = &fit else {
            panic!("{fit:?}");
        };
        // 225 between customers, (61² - 1) / 12 = 310 within them, and 1 / x of 0.066: means vary by 245.5. The covariance has the
        // standard error sqrt((535 * 245 + 225²) / 2000) = 9.5; four of them below 225 it is 187, and kappa (245.5 - 187) / 0.066 / 187 = 4.8.
        assert!(kept.kappa < 4.8, "{kept:?}");
        let (low, high) = means.iter().fold((f64::MAX, 0.0f64), |(low, high), mean| {
            (low.min(*mean), high.max(*mean))
        });
        let expected = |mean: f64| fit.expected_spend(15, mean);
        assert!(expected(high) - expected(low) > 15.0 / (15.0 + 4.8) * (high - low));
        let (fit, _) = spend(0.0);
        // Without a difference the covariance is below 4 sqrt(310 * 20.5 / 2000) = 7.1, kappa above (20.5 - 7.1) / 0.066 / 7.1 = 28.
        let apart = fit.expected_spend(15, 55.0) - fit.expected_spend(15, 35.0);
        assert!(apart < 20.0 * 15.0 / (15.0 + 28.0), "{apart} {fit:?}");
    }
}
