//! Joins of the rows of a source with those of a lookup.

use std::sync::Arc;

use tessera_spec::pipeline::Several;

use super::SourceRows;
use crate::tree::{Expr, Type};

/// Beside each row of a source at most one row of a lookup: the one whose key columns have the values of the row. With `as_of`, of
/// the lookup's rows with that key the newest whose time is at or before the row's.
///
/// Row order and rows: those of the source; no row is added, repeated or left out. Nulls: a null key matches nothing, on either side;
/// where no row is found, or the row has no time to ask for, every joined column is null and [`Join::matched`] is false. A row of the
/// lookup without a time is older than all others. Invariants: only rows of the lookup that are visible at its own `as_of` and that
/// pass its checks are found; of rows with one key (with `as_of`: and one time) that differ in a joined column none is chosen unless
/// `several` says which, and the plan ends with an error; keys are compared as values, never by their hashes alone.
///
/// ```text
/// in   id | currency | day      lookup   currency | day | rate      on currency, day     out  id | currency | day | rate
///      a  | USD      | 1                 USD      | 1   | 0.9                                 a  | USD      | 1   | 0.9
///      b  | USD      | 2                 USD      | 3   | 0.8                                 b  | USD      | 2   | null
///      c  | null     | 1                                                                     c  | null     | 1   | null
///
/// on currency, as of day                                                                 out  b  | USD      | 2   | 0.9
/// ```
///
/// A chained join leads from key to key: its only joined column holds keys of the lookup itself, and the row gets the last one. A key
/// that leads back to itself alone is as if the lookup did not have it; a longer circle ends the plan with an error.
///
/// ```text
/// in   id     lookup   key | to      chained, on id     out  id | to
///      a               a   | b                               a  | c
///      b               b   | c                               b  | c
///      c               d   | d                               c  | null
///      d                                                     d  | null
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Name in the pipeline file.
    pub name: String,
    /// Derived columns of the scan that are made before it; the others may read what it adds.
    pub after: usize,
    /// The rows that are searched.
    pub lookup: Arc<SourceRows>,
    /// What must be equal: of the source's row, and of the lookup's row in the same type.
    pub on: Vec<(Expr, Expr)>,
    /// The time of the search, from the source's row.
    pub as_of: Option<Expr>,
    /// Which of several rows with one key counts.
    pub several: Several,
    /// Columns that are added to the source's rows.
    pub columns: Vec<JoinedColumn>,
    /// The joined column holds keys of the lookup, which are followed to the last one. Without `as_of`, on one key.
    pub is_chained: bool,
}

/// A column of a lookup beside the columns of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedColumn {
    /// Its name there.
    pub name: String,
    /// Its name in the lookup.
    pub of: String,
    /// Type of its values.
    pub ty: Type,
}

impl Join {
    /// Name of the column that is true where a row was found, and false elsewhere.
    pub fn matched(&self) -> String {
        format!("{}matched_{}", super::OWN, self.name)
    }
}
