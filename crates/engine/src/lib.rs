//! How a relational plan is run.
//!
//! The types that matter: [`Engine`] (what an engine can do), [`PolarsEngine`] (the one that is built in), [`TableRef`] (a
//! stage file, the boundary between stages).
//!
//! Where to look: `scan` reads files, `aggregate` makes one row per customer, `assemble` puts tables side by side, `project`
//! computes columns, `rejects` fetches rows that were set aside, `lower` translates expressions.

mod aggregate;
mod assemble;
mod bridge;
mod duplicates;
mod error;
mod lower;
mod polars_engine;
mod project;
mod rejects;
mod scan;
mod table;

use std::path::Path;

use tessera_expr::rel::{Rel, RowCounts, SourceRows};

pub use error::EngineError;
pub use polars_engine::{PolarsEngine, set_threads};
pub use rejects::Reject;
pub use table::TableRef;

/// What a plan made.
#[derive(Debug, Clone)]
pub struct Materialized {
    /// The stage file.
    pub table: TableRef,
    /// What became of the rows that were read; for plans that read a source.
    pub counts: Option<RowCounts>,
    /// For plans that put tables side by side: what each of them holds of keys that are no customers.
    pub outside: Vec<Outside>,
}

/// Keys of a table that the base of customers lacks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outside {
    /// Keys of the table.
    pub keys: u64,
    /// Keys that are no customers; 0 for tables of the base.
    pub keys_outside: u64,
    /// Used rows of these keys, where the table counts them ([`tessera_expr::rel::KeyedTable::rows`]).
    pub rows_outside: Option<u64>,
}

/// Runs relational plans. An engine reads what the plan names and writes one Parquet file.
pub trait Engine {
    /// Name shown to users.
    fn name(&self) -> &'static str;

    /// The plan as this engine would run it, in words.
    fn explain(&self, plan: &Rel) -> Result<String, EngineError>;

    /// Runs the plan and writes its table to `to`.
    fn materialize(&self, plan: &Rel, to: &Path) -> Result<Materialized, EngineError>;

    /// Hands over the rows that a source's checks set aside, in file and row order.
    fn rejects(&self, rows: &SourceRows, take: &mut dyn FnMut(Reject)) -> Result<(), EngineError>;

    /// Names of a source's checks, in the order of [`RowCounts::by_check`].
    fn check_names(&self, rows: &SourceRows) -> Vec<String>;
}
