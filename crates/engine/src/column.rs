//! Columns by name.

use polars::prelude::{Expr, PlSmallStr};

/// The column of this name. The function of polars reads some names as patterns: `*` and `^a.*$`.
pub(crate) fn col(name: impl Into<PlSmallStr>) -> Expr {
    Expr::Column(name.into())
}
