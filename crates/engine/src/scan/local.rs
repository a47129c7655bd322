//! Times of the files as local wall-clock times of the pipeline's zone.

use polars::prelude::*;
use tessera_expr::rel::Scan;

use crate::lower::wall_clock;

/// The local time of an instant (`zoned`) or of a naive time, in microseconds.
pub(super) fn local_time(scan: &Scan, time: Expr, zoned: bool) -> Expr {
    let micros = time.dt().cast_time_unit(TimeUnit::Microseconds);
    if zoned {
        return wall_clock(micros, scan.timezone);
    }
    match scan.naive_zone {
        Some(zone) if zone != scan.timezone => {
            let zone = Some(polars_zone(zone));
            let instants = micros
                .dt()
                .replace_time_zone(zone, lit("earliest"), NonExistent::Null);
            wall_clock(instants, scan.timezone)
        }
        _ => micros,
    }
}

pub(super) fn polars_zone(zone: chrono_tz::Tz) -> polars::prelude::TimeZone {
    polars::prelude::TimeZone::from_chrono(&zone)
}
