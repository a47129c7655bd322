//! The list of a playbook's customers for other systems: whole, or as changes since another version.
//!
//! Published tables are all that is read, so that any old version can be exported again. The types that matter: [`Playbook`] (as a
//! version has it), [`List`] (whom the version lists), [`Changes`] (between two lists), [`ExportError`].
//!
//! *Where to look*: `list` reads `actions` with further columns of `customers`, `changes` compares two lists, `reasons` finds why a
//! customer is no longer listed, `format` writes rows as CSV, NDJSON or Parquet: each format is one of its files.

mod changes;
mod error;
mod format;
mod list;
mod reasons;

pub use changes::{CHANGE, CHANGE_REASON, Changes, changes};
pub use error::ExportError;
pub use format::{Style, write};
pub use list::{List, Members, list, list_before};
pub use reasons::Reason;

/// A playbook as a version has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The scheme of its segment.
    pub scheme: String,
    /// Its segment.
    pub segment: String,
    /// Columns of `customers` with the variant of an experiment that keeps its control out, each with the name of the control.
    pub controls: Vec<(String, String)>,
}
