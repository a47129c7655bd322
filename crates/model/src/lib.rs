//! model

pub mod btyd;
pub mod churn;
pub mod cluster;
pub mod contractual;
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
