//! What a pipeline file says: TOML -> checked [`Pipeline`].

pub mod pipeline;

pub use pipeline::Pipeline;
