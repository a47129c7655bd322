//! What is known against numbers: the KPI, values and schemes that are made from a score with something against it. The tables
//! hold the answer (`kpi_status` of `segments`, `made from scores` in `quality`); every picture and sentence takes it from here.

use crate::column::Table;
use crate::{ReportError, ReportInput, record};

/// The criterion under which `quality` names values and schemes that are made from a score with something against it.
const MADE_FROM_SCORES: &str = "made from scores";

/// Something that is known against a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The KPI, value or scheme.
    pub(crate) name: String,
    /// `not validated`, `flagged`, `base rate` or `not computed`.
    pub(crate) status: String,
    /// Of which score, and why.
    pub(crate) reason: String,
}

/// Everything that is marked: the KPI first.
pub(crate) fn marks(input: &ReportInput) -> Result<Vec<Mark>, ReportError> {
    let mut marks = Vec::new();
    if let (Some(table), Some(goal)) = (Table::open(input, "segments"), &input.meta.goal) {
        let (status, reason) = (table.text("kpi_status")?, table.text("kpi_reason")?);
        let said = status
            .first()
            .copied()
            .flatten()
            .filter(|status| *status != "ok");
        marks.extend(said.map(|status| {
            Mark {
                name: goal.kpi.clone(),
                status: status.to_owned(),
                reason: reason
                    .first()
                    .copied()
                    .flatten()
                    .unwrap_or_default()
                    .to_owned(),
            }
        }));
    }
    let quality = Table::open(input, "quality")
        .map(record::quality)
        .transpose()?;
    let made = quality
        .into_iter()
        .flatten()
        .filter(|row| row.criterion == MADE_FROM_SCORES);
    marks.extend(made.map(|row| Mark {
        name: row.scheme,
        status: row.metric,
        reason: row.reason.unwrap_or_default(),
    }));
    Ok(marks)
}
