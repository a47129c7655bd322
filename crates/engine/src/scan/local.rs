//! Times of the files as local wall-clock times of the pipeline's zone.

use chrono_tz::Tz;
use polars::prelude::*;
use tessera_expr::Type;
use tessera_expr::rel::{Scan, SourceRows, Stored};

use super::parquet::stored_type;
use super::texts::naive_times;
use super::{RAW, code_name, raw_name};
use crate::lower::{local_of, micros_in_range, reads_skipped, skipped, wall_clock};

/// The local time of an instant (`zoned`) or of a naive time, in microseconds; null outside the years 1 to 9999. Naive times
/// that the clocks of the source's zone skipped are moved forward by the gap; of two instants the earlier is meant.
pub(super) fn local_time(scan: &Scan, time: Expr, zoned: bool) -> Expr {
    let micros = micros_in_range(time);
    match scan.naive_zone {
        _ if zoned => wall_clock(micros, scan.timezone),
        Some(from) if from != Tz::UTC || scan.timezone != Tz::UTC => {
            local_of(micros, from, scan.timezone)
        }
        _ => micros,
    }
}

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
