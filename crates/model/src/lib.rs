//! model

pub mod btyd;
pub mod cluster;
pub mod lifetime_error;
pub mod optimise;
pub mod special;

mod matrix;

pub use matrix::{Matrix, MatrixError};
