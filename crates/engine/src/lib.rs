//! How a relational plan is run.
//!
//! The types that matter: [`Engine`] (what an engine can do), [`Budget`] (how much memory a run may take), [`PolarsEngine`] (the one that is built in), [`TableRef`] (a
//! stage file, the boundary between stages).
//!
//! Where to look: `lake` reads files, `scan` makes rows of them, `join` finds rows of lookups, `aggregate` makes one row per
//! customer, `assemble` puts tables side by side, `written` compares how they write their keys, `project` computes columns,
//! `glimpse` looks at a few rows, `rejects` fetches rows that rules took out, `per_key` compares the rows of a key, `narrow` finds the files that have such rows, `lower` translates expressions, `sorter`
//! orders entries in memory or by files.

mod aggregate;
mod assemble;
mod bridge;
mod budget;
mod column;
mod drawn;
mod duplicates;
mod error;
mod glimpse;
mod join;
mod lake;
mod lower;
mod narrow;
mod per_key;
mod polars_engine;
mod project;
mod rejects;
mod repeats;
mod scan;
mod sorter;
mod successions;
mod table;
mod types;
mod written;

use std::path::Path;

use arrow::array::RecordBatch;
use tessera_expr::Expr;
use tessera_expr::rel::{Aggregate, Assemble, Project, RowCounts, SourceRows, Unseen};

pub use budget::Budget;
pub use error::EngineError;
pub use per_key::Several;
pub use polars_engine::{PolarsEngine, set_threads};
pub use rejects::{Found, Reject, rule_names};
pub use successions::Successions;
pub use table::TableRef;
pub use written::{Apart, Difference, Meeting, Twins, Written};

/// What a pass over a source made.
#[derive(Debug, Clone)]
pub struct Materialized {
    /// The stage file.
    pub table: TableRef,
    /// What became of the rows that were read.
    pub counts: RowCounts,
    /// For passes that keep the customers with the lowest hashes ([`tessera_expr::rel::Drawn::Lowest`]): the lowest hash that was
    /// left out. The table has every customer with a lower one. `None` where none was left out.
    pub left_out: Option<u64>,
    /// Places of the files that may have rows which bounds on their columns keep out, in order; of all files where `None`.
    pub hiding: Option<Vec<usize>>,
}

/// Keys of a table that the base of customers lacks, and the customers with most of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outside {
    /// Keys of the table.
    pub keys: u64,
    /// Keys that are no customers; 0 for tables of the base.
    pub keys_outside: u64,
    /// Used rows of these keys, where the table counts them ([`tessera_expr::rel::KeyedTable::rows`]).
    pub rows_outside: Option<u64>,
    /// The customers with most used rows, and these, most first: all with one row in a hundred, and no fewer than 128, if there are
    /// so many. Nothing where the plan does not compare keys.
    pub leading: Vec<(String, u64)>,
    /// How its keys are written in comparison with those of the others, where the plan asks for that.
    pub written: Written,
}

/// Runs relational plans. What an engine makes of a source is a Parquet file; other tables are in memory.
pub trait Engine {
    /// Name shown to users.
    fn name(&self) -> &'static str;

    /// Runs a pass over a source and writes its table to `to`.
    fn materialize(&self, plan: &Aggregate, to: &Path) -> Result<Materialized, EngineError>;

    /// Puts tables side by side; also says what each of them holds of keys that are no customers.
    fn assemble(&self, plan: &Assemble) -> Result<(RecordBatch, Vec<Outside>), EngineError>;

    /// A table with the columns of the plan behind its own.
    fn project(&self, plan: &Project, table: &RecordBatch) -> Result<RecordBatch, EngineError>;

    /// Runs passes over sources, each with the file for its table: what each would make alone. Passes that read the same files in the
    /// same way, as those of several dates do, may read them once. The first of these has the memory of the run before the others.
    fn materialize_all(
        &self,
        passes: &[(&Aggregate, &Path)],
    ) -> Result<Vec<Materialized>, EngineError>;

    /// Counts the rows of a source that bounds on the files' own columns keep out of [`Engine::materialize`], which does not
    /// read them: with its counts, every row of the files is counted once. `hiding` are the files to look at, in order
    /// ([`Materialized::hiding`]).
    fn unseen(&self, rows: &SourceRows, hiding: Option<&[usize]>) -> Result<Unseen, EngineError>;

    /// Names the first file of a source of which not every row is counted, since it contradicts itself. `held` are the rows of
    /// each file, in their order. It reads the source again: for sources whose rows do not add up.
    fn contradiction(&self, rows: &SourceRows, held: &[u64]) -> Result<(), EngineError>;

    /// Hands over the first rows that each rule of a source took out, in file and row order: `wanted` says how many, in the
    /// order of [`Engine::check_names`]. It reads no further than to the last of them.
    fn rejects(
        &self,
        rows: &SourceRows,
        wanted: &[u64],
        take: &mut dyn FnMut(Reject),
    ) -> Result<(), EngineError>;

    /// Finds keys with several rows that pass the checks and for which `valid` holds, and compares those in these columns.
    fn several(
        &self,
        rows: &SourceRows,
        valid: Option<&Expr>,
        columns: &[String],
    ) -> Result<Several, EngineError>;

    /// The keys that a chained join replaces in these rows ([`tessera_expr::rel::Join::is_chained`]), each with the last one that it
    /// leads to: columns `key` and `customer`, by key. `None` without such a join.
    fn replaced(&self, rows: &SourceRows) -> Result<Option<RecordBatch>, EngineError>;

    /// Looks for differences without which keys of these rows for which a join finds no row would be those of its lookup. It reads
    /// the source again. The tables of the result are 0 for the rows and 1 for the lookup.
    fn nearly_joined(&self, rows: &SourceRows, join: &str) -> Result<Option<Meeting>, EngineError>;

    /// Counts how used rows, of which there are so many, follow on the row before them of the same key, by this column with their ends.
    fn successions(
        &self,
        rows: &SourceRows,
        until: &str,
        used: u64,
    ) -> Result<Successions, EngineError>;

    /// Counts the keys whose newest used row has a negative amount while no other row of that day or later has none.
    fn newest_negative(&self, rows: &SourceRows, amount: &Expr) -> Result<u64, EngineError>;

    /// The first rows of a file, by its place among those of the scan: a text for each value, column by column, null where there is
    /// none. For a look at files of which nothing is known yet.
    fn first_rows(
        &self,
        rows: &SourceRows,
        columns: &[String],
        file: usize,
        most: usize,
    ) -> Result<Vec<Vec<Option<String>>>, EngineError>;

    /// The smallest and the largest value of a date or timestamp over all rows, as texts in ISO 8601; `None` where it has none.
    fn limits(
        &self,
        rows: &SourceRows,
        column: &str,
    ) -> Result<Option<(String, String)>, EngineError>;

    /// Names of a source's rules, in the order of [`RowCounts::by_check`]; where repeated rows are looked for, theirs is the
    /// last.
    fn check_names(&self, rows: &SourceRows) -> Vec<String>;
}
