//! Any model of how often customers buy: with dropout ([`BtydModel`]) or without ([`NbdFit`]).

use serde::{Deserialize, Serialize};

use super::bg_family::Dropout;
use super::fit::{BtydFit, ClosedForms};
use super::history::{PurchaseHistory, TimeUnit};
use super::models::BtydModel;
use super::nbd::NbdFit;
use super::shared_dropout::{SharedDropout, SharedDropoutFit};
use crate::interrupt::Interrupt;
use crate::lifetime_error::LifetimeError;

/// A model of how often customers buy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseModel {
    /// Customers buy till they drop out.
    Btyd(BtydModel),
    /// Nobody leaves.
    Nbd,
}

impl PurchaseModel {
    /// The name used in pipeline files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Btyd(model) => model.name(),
            Self::Nbd => NbdFit::NAME,
        }
    }

    /// Fits the model by maximum likelihood. Where BG/NBD or MBG/NBD has no optimum, they are fitted with one dropout
    /// probability for all customers, unless the first search reached a higher likelihood than that.
    ///
    /// # Errors
    /// As [`BtydFit::fit`] and [`NbdFit::fit`].
    pub fn fit(
        self,
        history: &PurchaseHistory,
        interrupt: Interrupt<'_>,
    ) -> Result<PurchaseFit, LifetimeError> {
        Ok(match self {
            Self::Btyd(model) => fit_with_dropout(model, history, interrupt)?,
            Self::Nbd => PurchaseFit::Nbd(NbdFit::fit(history, interrupt)?),
        })
    }
}

/// Log-likelihoods that differ by less than this count as equal: no data can distinguish such fits.
const SAME_LIKELIHOOD: f64 = 1e-3;

fn fit_with_dropout(
    model: BtydModel,
    history: &PurchaseHistory,
    interrupt: Interrupt<'_>,
) -> Result<PurchaseFit, LifetimeError> {
    let failure = match BtydFit::fit_unless(model, history, interrupt) {
        Ok(fit) => return Ok(PurchaseFit::Btyd(fit)),
        Err(failure) => failure,
    };
    let reached = match failure {
        LifetimeError::NotFitted {
            reached: Some(reached),
            ..
        } if model.dropout().is_some() => reached,
        failure => return Err(failure),
    };
    match SharedDropoutFit::fit(model, history, interrupt) {
        Ok(fit) if fit.log_likelihood >= reached - SAME_LIKELIHOOD => {
            Ok(PurchaseFit::SharedDropout(fit))
        }
        Err(LifetimeError::Interrupted) => Err(LifetimeError::Interrupted),
        Ok(_) | Err(_) => Err(failure),
    }
}

/// A fitted model of how often customers buy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseFit {
    /// With dropout.
    Btyd(BtydFit),
    /// With dropout whose probability is the same for all customers: a limit of BG/NBD or MBG/NBD.
    SharedDropout(SharedDropoutFit),
    /// Without.
    Nbd(NbdFit),
}

impl PurchaseFit {
    /// Which model it is.
    pub fn model(&self) -> PurchaseModel {
        match self {
            Self::Btyd(fit) => PurchaseModel::Btyd(fit.model),
            Self::SharedDropout(fit) => PurchaseModel::Btyd(fit.model),
            Self::Nbd(_) => PurchaseModel::Nbd,
        }
    }

    /// The name used in pipeline files and tables.
    pub fn name(&self) -> &'static str {
        self.model().name()
    }

    /// Name, estimate and standard error of every parameter.
    pub fn parameters(&self) -> Vec<(&'static str, f64, f64)> {
        let row = |((&name, &value), &error): ((&&'static str, &f64), &f64)| (name, value, error);
        match self {
            Self::Btyd(fit) => {
                let named = fit.model.parameter_names();
                let values = named.iter().zip(&fit.parameters);
                values.zip(&fit.standard_errors).map(row).collect()
            }
            Self::SharedDropout(fit) => {
                let values = SharedDropoutFit::PARAMETER_NAMES
                    .iter()
                    .zip(&fit.parameters);
                values.zip(&fit.standard_errors).map(row).collect()
            }
            Self::Nbd(fit) => {
                let values = NbdFit::PARAMETER_NAMES.iter().zip(&fit.parameters);
                values.zip(&fit.standard_errors).map(row).collect()
            }
        }
    }

    /// Unit of its times and rates.
    pub fn unit(&self) -> TimeUnit {
        match self {
            Self::Btyd(fit) => fit.unit,
            Self::SharedDropout(fit) => fit.unit,
            Self::Nbd(fit) => fit.unit,
        }
    }

    /// Maximised log-likelihood.
    pub fn log_likelihood(&self) -> f64 {
        match self {
            Self::Btyd(fit) => fit.log_likelihood,
            Self::SharedDropout(fit) => fit.log_likelihood,
            Self::Nbd(fit) => fit.log_likelihood,
        }
    }

    /// Customers used by the fit.
    pub fn customers(&self) -> f64 {
        match self {
            Self::Btyd(fit) => fit.customers,
            Self::SharedDropout(fit) => fit.customers,
            Self::Nbd(fit) => fit.customers,
        }
    }

    /// Distinct histories among them.
    pub fn distinct_histories(&self) -> usize {
        match self {
            Self::Btyd(fit) => fit.distinct_histories,
            Self::SharedDropout(fit) => fit.distinct_histories,
            Self::Nbd(fit) => fit.distinct_histories,
        }
    }

    /// Largest component of the gradient of the mean log-likelihood at the estimate.
    pub fn gradient_norm(&self) -> f64 {
        match self {
            Self::Btyd(fit) => fit.gradient_norm,
            Self::SharedDropout(fit) => fit.gradient_norm,
            Self::Nbd(fit) => fit.gradient_norm,
        }
    }

    /// The free parameters, which take any value and are drawn from a normal distribution, and their covariance by rows: the
    /// logarithms of the parameters; of a shared dropout probability, the logarithm of its odds.
    pub(super) fn free_normal(&self) -> (Vec<f64>, Vec<Vec<f64>>) {
        let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect();
        match self {
            Self::Btyd(fit) => (
                logs(&fit.parameters),
                fit.log_covariance.iter().map(|row| row.to_vec()).collect(),
            ),
            Self::SharedDropout(fit) => (
                fit.free_parameters().to_vec(),
                fit.free_covariance.iter().map(|row| row.to_vec()).collect(),
            ),
            Self::Nbd(fit) => (
                logs(&fit.parameters),
                fit.log_covariance.iter().map(|row| row.to_vec()).collect(),
            ),
        }
    }

    /// The model at other parameters, given by the free ones.
    pub(super) fn forms_at(&self, free: &[f64]) -> ClosedForms {
        let of = |k: usize| free.get(k).map_or(f64::NAN, |log| log.exp());
        match self {
            Self::Btyd(fit) => ClosedForms::new(fit.model, [of(0), of(1), of(2), of(3)]),
            Self::SharedDropout(fit) => ClosedForms::SharedDropout(SharedDropout {
                r: of(0),
                alpha: of(1),
                logit: free.get(2).copied().unwrap_or(f64::NAN),
                // Only models with a coin after a purchase are fitted in this form.
                dropout: fit.model.dropout().unwrap_or(Dropout::AfterEvery),
            }),
            Self::Nbd(_) => ClosedForms::Nbd(super::nbd::Nbd {
                r: of(0),
                alpha: of(1),
            }),
        }
    }
}

impl From<&BtydFit> for PurchaseFit {
    fn from(fit: &BtydFit) -> Self {
        Self::Btyd(fit.clone())
    }
}

impl From<&SharedDropoutFit> for PurchaseFit {
    fn from(fit: &SharedDropoutFit) -> Self {
        Self::SharedDropout(fit.clone())
    }
}

impl From<&NbdFit> for PurchaseFit {
    fn from(fit: &NbdFit) -> Self {
        Self::Nbd(fit.clone())
    }
}

impl From<&Self> for PurchaseFit {
    fn from(fit: &Self) -> Self {
        fit.clone()
    }
}
