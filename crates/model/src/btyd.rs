//! Buy till you die: customers who buy again and again and leave without saying so.
//!
//! The noun is a purchase history: how many repeat occasions (x), when the last (t_x), observed how long (T). Three types
//! matter: [`PurchaseHistory`] groups customers with equal histories and states the time unit, [`BtydFit`] is a fitted
//! BG/NBD, MBG/NBD or Pareto/NBD with its standard errors, and [`Summary`] is one history.
//!
//! Where to look:
//! - likelihoods and closed forms: `btyd/bg_family.rs`, `btyd/pareto.rs`, `btyd/expectation.rs`
//! - convergence, starts, standard errors: `btyd/fit.rs` and [`crate::optimise`]

mod bg_family;
mod expectation;
mod fit;
mod history;
mod pareto;

pub use fit::{BtydFit, BtydModel};
pub use history::{PurchaseHistory, Summary, TimeUnit};
