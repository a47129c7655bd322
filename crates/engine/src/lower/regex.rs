//! Regular expressions over text.

use polars::prelude::arity::unary_elementwise;
use polars::prelude::{DataType, Expr, IntoSeries, StringChunked};

use super::kernels::unary;

/// `regexp_extract(s, pattern, group)`: what the group of the first match holds; empty where nothing matches or the group takes
/// no part in the match.
pub(super) fn extract(of: Expr, pattern: &str, group: usize) -> Expr {
    // The checker has seen the pattern.
    let regex = regex::Regex::new(pattern).ok();
    unary(of, DataType::String, move |s| {
        let found = |text: Option<&str>| {
            let held = regex.as_ref()?.captures(text?).and_then(|c| c.get(group));
            Some(held.map_or_else(String::new, |held| held.as_str().to_owned()))
        };
        let done: StringChunked = unary_elementwise(s.str()?, found);
        Ok(done.into_series())
    })
}
