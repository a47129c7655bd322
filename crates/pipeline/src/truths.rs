//! What conditions say of each row of a table.

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use chrono::NaiveDate;
use chrono_tz::Tz;
use tessera_engine::Engine;
use tessera_expr::Expr;
use tessera_expr::rel::Project;

use crate::error::PipelineError;

/// Beginning of the names of columns that say where a condition is true.
const CONDITION: &str = "__rule_";

/// Evaluates conditions over a table at the close of a day of a zone: one column of truths for each, null where it is.
pub(crate) fn evaluate(
    engine: &dyn Engine,
    table: &RecordBatch,
    (as_of, timezone): (NaiveDate, Tz),
    conditions: &[Expr],
) -> Result<Vec<BooleanArray>, PipelineError> {
    let columns = table.num_columns();
    let named = conditions.iter().enumerate();
    let plan = Project {
        as_of,
        timezone,
        columns: named
            .map(|(number, condition)| (format!("{CONDITION}{number}"), condition.clone()))
            .collect(),
    };
    let made = engine.project(&plan, table)?;
    let truth = |column: &ArrayRef| {
        // A condition that is always null is never true.
        let nowhere = || BooleanArray::from(vec![false; made.num_rows()]);
        column.as_boolean_opt().cloned().unwrap_or_else(nowhere)
    };
    Ok(made.columns()[columns..].iter().map(truth).collect())
}
