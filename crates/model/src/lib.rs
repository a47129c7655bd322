//! model

pub mod btyd;
pub mod cluster;
pub mod contractual;
pub mod laplace;
pub mod lifetime_error;
pub mod optimise;
pub mod special;
pub mod spend;

mod matrix;

pub use matrix::{Matrix, MatrixError};
