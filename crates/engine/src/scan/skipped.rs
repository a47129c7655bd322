//! Times that the clocks of a source's zone skipped.

use chrono_tz::Tz;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{SourceRows, Stored};

use super::parquet::stored_type;
use super::texts::naive_times;
use super::{RAW, code_name, raw_name};
use crate::column::col;
use crate::lower::{micros_in_range, reads_skipped, skipped};

/// Columns of used times that may state a time which the clocks of the source's zone skipped, and where they do.
pub(crate) fn skipped_times(rows: &SourceRows) -> Vec<(String, Expr)> {
    let scan = &rows.scan;
    let Some(zone) = scan.naive_zone.filter(|zone| *zone != Tz::UTC) else {
        return Vec::new();
    };
    let used = scan
        .columns
        .iter()
        .filter(|c| rows.in_range.contains(&c.name));
    let of_files = used.filter_map(|column| {
        let name = column.name.as_str();
        let skips = match (&column.stored, column.ty) {
            (Stored::Timestamp { zone: None, .. }, _) => {
                let times = col(code_name(name)).cast(stored_type(&column.stored));
                skipped(micros_in_range(times), zone)
            }
            (Stored::Text, Type::Timestamp) if column.form.epoch.is_none() => {
                skipped(naive_times(col(raw_name(name)), &column.form), zone)
            }
            _ => return None,
        };
        Some((name.to_owned(), skips))
    });
    let derived = scan.derive.iter();
    let derived = derived.filter(|(_, expr)| reads_skipped(expr, rows.into()).is_some());
    let derived = derived.map(|(name, _)| (name.clone(), col(skipped_name(name))));
    of_files.chain(derived).collect()
}

/// Name of the column that is true where a derived time is read from one that the clocks skipped.
pub(super) fn skipped_name(name: &str) -> String {
    format!("{RAW}skipped_{name}")
}
