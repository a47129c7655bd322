//! Buy-till-you-die models: customers who buy repeatedly and leave without notice.
//!
//! The noun is a purchase history: how many repeat occasions (x), when the last (t_x), observed how long (T). Three types
//! matter: [`PurchaseHistory`] groups customers with equal histories and states the time unit, [`BtydFit`] is a fitted
//! BG/NBD, MBG/NBD or Pareto/NBD with its standard errors, and [`Summary`] is one history.
//!
//! Where to look:
//! - likelihoods and closed forms: `btyd/bg_family.rs`, `btyd/pareto.rs`, `btyd/expectation.rs`
//! - intervals and lifetime value for many customers: `btyd/score.rs`, `btyd/scorer.rs`
//! - purchases without dropout, and the fallback models where a model cannot be fitted: `btyd/nbd.rs`, `btyd/fallback.rs`
//! - one dropout probability for all customers, where a and b are not identified: `btyd/shared_dropout.rs`
//! - convergence, starting points, standard errors: `btyd/fit.rs` and [`crate::optimise`]

mod backtest;
mod bg_family;
mod errors;
mod expectation;
mod fallback;
mod fit;
mod history;
mod interpolation;
mod models;
mod nbd;
mod pareto;
mod purchase;
mod score;
mod scorer;
mod shared_dropout;
mod simulation;

pub use backtest::{Backtest, CalibrationBin, naive_purchases, tracking_curve};
pub use errors::SharedErrors;
pub use fallback::{DropoutTest, FailedModel, Fallback, RateHeuristic, Served};
pub use fit::BtydFit;
pub use history::{PurchaseHistory, Summary, TimeUnit};
pub use models::BtydModel;
pub use nbd::NbdFit;
pub use purchase::{PurchaseFit, PurchaseModel};
pub use score::{Forecast, ForecastPlan, Forecaster, LifetimeValue};
pub use scorer::Scorer;
pub use shared_dropout::SharedDropoutFit;
pub use simulation::{SimulatedCustomer, Simulator};
