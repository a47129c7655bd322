//! What lies in the lake, and which of its rows take part.
//!
//! The types that matter: [`Inventory`] (files, columns and fingerprints of a source), [`Planned`] (its rows as a plan),
//! [`IngestError`]. Nothing here computes a row: plans are run by an engine.
//!
//! Where to look: `files` lists, `footer` reads Parquet's own description, `text` the files of formats that have none, `columns`
//! holds the contract against it, `plan` makes the checks.

mod columns;
mod digest;
mod error;
mod files;
mod footer;
mod inventory;
mod plan;
mod text;

pub use columns::expression_type;
pub use error::IngestError;
pub use inventory::{Inventory, LakeColumn, LakeFile, take};
pub use plan::{Planned, plan};
