//! What a pipeline file says: TOML -> checked [`Pipeline`], with every mistake at its place.
//!
//! The types that matter: [`Pipeline`] (the meaning), [`Loaded`] (a file that can run), [`diagnostic::Diagnostics`] (all that
//! is wrong with one). Nothing here touches data.
//!
//! Where to look: `file` and `file/` (one file a table of the pipeline file), `reader` (keys, types, variables),
//! `diagnostic` (how mistakes are told), `pipeline` (the meaning).

pub mod diagnostic;
mod duration;
mod file;
pub mod pipeline;
mod reader;

pub use file::{Loaded, load, parse};
pub use pipeline::Pipeline;

/// interim
pub fn json_schema() -> serde_json::Value { serde_json::Value::Null }
