//! The files of the lake, and which of its rows are used.
//!
//! The types that matter: [`Inventory`] (files, columns and fingerprints of a source), [`Planned`] (its rows as a plan),
//! [`IngestError`]. Nothing here computes a row: plans are run by an engine.
//!
//! Where to look: `files` lists, `open` opens, `unchanged` looks again, `twice` finds copies, `found` records what is not read,
//! `formats` has a file for each format, `footer` reads Parquet's own description, `text` the files of formats that have none,
//! `columns` checks it against the contract, `evolution` sees changing schemas as one table, `partitions` reads paths, `plan`
//! makes the checks, `filter` those of the filter.

mod agreement;
mod columns;
mod delta;
mod digest;
mod error;
mod evolution;
mod files;
mod filter;
mod footer;
mod formats;
mod found;
mod identity;
mod inventory;
mod joins;
mod keys;
mod mentioned;
mod open;
mod partitions;
mod plan;
mod planned;
mod text;
mod text_findings;
mod twice;
mod unchanged;

pub use columns::{absent_columns, expression_type, warnings as column_warnings};
pub use error::IngestError;
pub use evolution::LakeColumn;
pub use files::{Compression, TableFiles, Tables, asks_for, resolved as resolved_pattern, tables};
pub use filter::NULL_FILTER;
pub use formats::{FORMATS, SourceFormat, markdown as formats_markdown, syntax as formats};
pub use found::{Found, Names, PassedOver, Reason};
pub use inventory::{Inventory, LakeFile, take};
pub use keys::customer_of;
pub use plan::plan;
pub use planned::Planned;
pub use text_findings::text_findings;
pub use twice::delivered_twice;
pub use unchanged::unchanged;
