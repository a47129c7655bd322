//! The table `drift` as an Arrow record batch, sorted as it is published.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};

use crate::drift::{Drift, Shape};
use crate::error::HistoryError;
use crate::tables::{dates, table, texts};

/// What was compared, and how it came out.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftRow {
    /// `feature`, `score`, `value` or `scheme`.
    pub kind: &'static str,
    /// Name of the column or the scheme.
    pub name: String,
    /// How it came out.
    pub drift: Drift,
}

/// The table `drift`, sorted by kind and name.
///
/// # Errors
/// Arrow refuses the columns.
pub fn drift_table(
    as_of: i32,
    previous: Option<i32>,
    mut rows: Vec<DriftRow>,
) -> Result<RecordBatch, HistoryError> {
    rows.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    let floats = |of: &dyn Fn(&Drift) -> Option<f64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| of(&row.drift))
                .collect::<Float64Array>(),
        )
    };
    let shapes = |of: fn(&Shape) -> Option<f64>| floats(&|drift| drift.shape.as_ref().and_then(of));
    let counts = |of: fn(&Drift) -> Option<i64>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| of(&row.drift))
                .collect::<Int64Array>(),
        )
    };
    let day = |day: i32| dates(std::iter::repeat_n(day, rows.len()));
    let reasons = rows.iter().map(|row| row.drift.reason.as_deref());
    let columns = vec![
        ("as_of", false, day(as_of)),
        ("previous_as_of", false, day(previous.unwrap_or(as_of))),
        ("kind", false, texts(rows.iter().map(|row| row.kind))),
        (
            "name",
            false,
            texts(rows.iter().map(|row| row.name.as_str())),
        ),
        (
            "customers_before",
            false,
            counts(|drift| Some(drift.before as i64)),
        ),
        ("customers", false, counts(|drift| Some(drift.now as i64))),
        (
            "bins",
            true,
            counts(|drift| Some(drift.shape.as_ref()?.bins as i64)),
        ),
        ("psi", true, shapes(|shape| Some(shape.psi))),
        ("psi_critical", true, shapes(|shape| shape.psi_critical)),
        ("ks", true, shapes(|shape| shape.ks)),
        ("ks_critical", true, shapes(|shape| shape.ks_critical)),
        ("chi_squared", true, shapes(|shape| shape.chi_squared)),
        (
            "chi_squared_critical",
            true,
            shapes(|shape| shape.chi_squared_critical),
        ),
        (
            "missing_share_before",
            true,
            floats(&|drift| drift.missing_before),
        ),
        ("missing_share", true, floats(&|drift| drift.missing)),
        ("missing_change", true, floats(&Drift::missing_change)),
        (
            "status",
            false,
            texts(rows.iter().map(|row| row.drift.status.as_str())),
        ),
        ("reason", true, Arc::new(reasons.collect::<StringArray>())),
    ];
    table("drift", columns)
}
