//! Marks on numbers that come from a doubtful score: the KPI, values and schemes. The tables hold them (`kpi_status` of
//! `segments`, `made from scores` in `quality`); all charts and sentences take them from here.

use crate::column::Table;
use crate::{ReportError, ReportInput, record};

/// The criterion under which `quality` names values and schemes that are made from a doubtful score.
const MADE_FROM_SCORES: &str = "made from scores";

/// A reason to read a number with care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The KPI, value or scheme.
    pub(crate) name: String,
    /// `not validated`, `flagged`, `base rate` or `not computed`.
    pub(crate) status: String,
    /// The score, and what is wrong with it.
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
