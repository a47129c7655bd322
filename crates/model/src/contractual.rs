//! Contractual customers, whose departure is observed: who renews, how long a current customer will stay, and what that is
//! worth.
//!
//! Two types matter: [`RenewalFit`] is the shifted-beta-geometric model (Fader & Hardie 2007) or its Weibull extension
//! ([`RenewalModel`]), fitted on [`RenewalHistory`]; and [`SurvivalCurve`] is Kaplan and Meier's non-parametric estimate.
//!
//! Where to look: `contractual/renewal.rs`, `contractual/within.rs` (contracts in the middle of a period), `contractual/kaplan_meier.rs`.

mod age;
mod kaplan_meier;
mod one_rate;
mod renewal;
mod within;

pub use age::ContractAge;
pub use kaplan_meier::{CurveStep, Lifetime, SurvivalCurve};
pub use renewal::{RenewalFit, RenewalHistory, RenewalModel};
