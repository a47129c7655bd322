//! The buy-till-you-die models for purchases at any time, and what every fit of them asks of the data.

use serde::{Deserialize, Serialize};

use super::bg_family::Dropout;
use crate::lifetime_error::LifetimeError;

/// Largest time after scaling: keeps log-parameters near zero whatever the unit.
pub(super) const SCALED_SPAN: f64 = 10.0;

/// A buy-till-you-die model for purchases at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BtydModel {
    /// Beta-geometric/NBD (Fader, Hardie & Lee 2005): every one-time buyer counts as alive.
    BgNbd,
    /// Modified BG/NBD (Batislam et al. 2007): one-time buyers may have dropped out at once.
    MbgNbd,
    /// Pareto/NBD (Schmittlein, Morrison & Colombo 1987): dropout at any time.
    ParetoNbd,
}

impl BtydModel {
    /// Every model of this kind, in the order of publication in tables.
    pub const ALL: [Self; 3] = [Self::BgNbd, Self::MbgNbd, Self::ParetoNbd];

    /// The name used in pipeline files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::BgNbd => "bg_nbd",
            Self::MbgNbd => "mbg_nbd",
            Self::ParetoNbd => "pareto_nbd",
        }
    }

    /// The literature's names of its four parameters, in the order of [`super::BtydFit::parameters`].
    pub fn parameter_names(self) -> [&'static str; 4] {
        match self {
            Self::BgNbd | Self::MbgNbd => ["r", "alpha", "a", "b"],
            Self::ParetoNbd => ["r", "alpha", "s", "beta"],
        }
    }

    /// When a customer of BG/NBD or MBG/NBD may drop out; `None` for Pareto/NBD, where it may at any time.
    pub(super) fn dropout(self) -> Option<Dropout> {
        match self {
            Self::BgNbd => Some(Dropout::AfterRepeat),
            Self::MbgNbd => Some(Dropout::AfterEvery),
            Self::ParetoNbd => None,
        }
    }

    /// Which parameters are times and scale with the unit.
    pub(super) fn is_time(self) -> [bool; 4] {
        match self {
            Self::BgNbd | Self::MbgNbd => [false, true, false, false],
            Self::ParetoNbd => [false, true, false, true],
        }
    }
}

/// Fails where a model needs more of something than there is.
pub(super) fn require(
    model: &'static str,
    what: &'static str,
    found: f64,
    needed: u64,
) -> Result<(), LifetimeError> {
    if found >= needed as f64 {
        Ok(())
    } else {
        Err(LifetimeError::TooLittleData {
            model,
            what,
            found: found.max(0.0) as u64,
            needed,
        })
    }
}
