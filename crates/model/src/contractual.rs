//! Contractual customers, whose departure is observed: who renews, how long a current customer will stay, and what that is
//! worth.
//!
//! Three types matter: [`RenewalFit`] is the shifted-beta-geometric model (Fader & Hardie 2007) or its Weibull extension
//! ([`RenewalModel`]), fitted on [`RenewalHistory`]; [`SurvivalCurve`] is Kaplan and Meier's non-parametric estimate; and
//! [`HazardFit`] is the discrete-time hazard with covariates, fitted on [`Spell`]s.
//!
//! Where to look: `contractual/renewal.rs`, `contractual/kaplan_meier.rs`, `contractual/hazard.rs`.

mod hazard;
mod kaplan_meier;
mod renewal;

pub use hazard::{HazardFit, HazardLink, Spell};
pub use kaplan_meier::{CurveStep, Lifetime, SurvivalCurve};
pub use renewal::{RenewalFit, RenewalHistory, RenewalModel};
