//! Times of the files as local wall-clock times of the pipeline's zone.

use chrono_tz::Tz;
use polars::prelude::*;
use tessera_expr::rel::Scan;

use crate::lower::{local_of, micros_in_range, wall_clock};

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
