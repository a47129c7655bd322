//! Keys of rows for which a lookup has no row, and would have one if both were written in one way.

use std::collections::HashSet;

use arrow::array::{Array, StringArray};
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::SourceRows;

use super::{held, hold};
use crate::column::col;
use crate::error::EngineError;
use crate::lower::lower;
use crate::per_key::Passing;
use crate::written::{Meeting, meeting};

const KEY: &str = "__key";

/// Share of the keys without a row that must meet before it is said: fewer are keys that happen to be alike.
const FEWEST_MEETING: f64 = 0.01;

/// Looks for differences without which keys that a join finds no row for would be those of its lookup. The tables of the result
/// are 0 for the rows and 1 for the lookup. Only texts are written in several ways; of several key columns none is compared.
pub(crate) fn nearly_joined(rows: &SourceRows, name: &str) -> Result<Option<Meeting>, EngineError> {
    let join = rows.scan.joins.iter().find(|join| join.name == name);
    let Some((join, [(own, _)])) = join.map(|join| (join, join.on.as_slice())) else {
        return Ok(None);
    };
    if own.ty != Type::String {
        return Ok(None);
    }
    let _lookups = hold(rows)?;
    let lookup = held(join)?;
    let known: StringArray = lookup.texts().map(Some).collect();
    let missing = Passing {
        rows,
        columns: &[lower(own, rows).alias(KEY)],
        kept: Some(col(join.matched()).not()),
        files: 0..rows.scan.files.len(),
        numbered: false,
    };
    let unique = |frame: LazyFrame| frame.unique_generic(None, UniqueKeepStrategy::Any);
    let missing = missing.collect(&unique)?;
    let missing = missing.column(KEY)?.as_materialized_series().unique()?;
    let missing = missing.drop_nulls().sort(SortOptions::default())?;
    // A lookup may have rows of the key that are not valid yet.
    let is_known: HashSet<&str> = lookup.texts().collect();
    let missing = missing.str()?.iter().flatten();
    let missing: StringArray = missing
        .filter(|key| !is_known.contains(key))
        .map(Some)
        .collect();
    let keys = missing.len();
    let found = meeting((0, &missing), &[(1, &known)]);
    Ok(found.filter(|found| found.keys as f64 >= FEWEST_MEETING * keys as f64))
}
