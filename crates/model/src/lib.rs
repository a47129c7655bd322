//! Statistical models over tables of customers. Nothing here reads files.
//!
//! Where to look: `btyd` and `spend` (lifetime value without contracts), `contractual` (renewals and survival), `churn`
//! (probability to leave), `health` (weighted score), `cluster` (segments by k-means), `experiment` (who is in which group, and what
//! came of it), `metrics` (how good predictions are), `optimise`, `laplace` and `special` (the numerics they share). [`Matrix`] is the table of numbers that models take.

pub mod btyd;
pub mod churn;
pub mod cluster;
pub mod contractual;
pub mod experiment;
pub mod health;
pub mod laplace;
pub mod lifetime_error;
pub mod metrics;
pub mod optimise;
pub mod special;
pub mod spend;

mod matrix;

pub use matrix::{Matrix, MatrixError};
pub use tessera_spec::interrupt;
