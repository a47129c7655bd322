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
    /// A credibility mean, since Gamma-Gamma could not be fitted.
    CredibilityMean {
        /// The fitted means.
        fit: CredibilityMean,
        /// Why Gamma-Gamma could not be used, as a text.
        reason: String,
    },
}

impl SpendFit {
    /// Fits Gamma-Gamma, and falls back to a credibility mean where the data does not identify it (q <= 1 included).
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
            Ok(fit) => Ok(Self::GammaGamma(fit)),
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
