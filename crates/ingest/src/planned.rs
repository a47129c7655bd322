//! What the plan of a source is.

use tessera_expr::Schema;
use tessera_expr::rel::SourceRows;

/// The rows of a source, and the names that expressions over them may use.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What is read and what is used.
    pub rows: SourceRows,
    /// Columns and derived columns.
    pub schema: Schema,
    /// Something is wrong with the source: columns with a mistake have no type, and its rows cannot be read.
    pub is_wrong: bool,
}
