//! Whether a scheme and its segments can be relied on: one criterion a row of the `quality` table.

use serde::{Deserialize, Serialize};

use crate::wording::percent;

/// One criterion applied to one scheme or segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Quality {
    /// Name of the segment; empty for the scheme as a whole.
    pub segment: String,
    /// The criterion, such as `stable`.
    pub criterion: &'static str,
    /// What was measured, such as `mean_jaccard`; no two rows of a segment and criterion share it.
    pub metric: String,
    /// The measure.
    pub value: Option<f64>,
    /// What it is compared with.
    pub threshold: Option<Threshold>,
    /// The result.
    pub status: QualityStatus,
    /// What would make it pass, or why it was not computed; `None` where it passes.
    pub reason: Option<String>,
}

/// What a measure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// On which side of it a measure passes.
    pub side: Side,
    /// The number.
    pub limit: f64,
}

/// On which side of a limit a measure passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What is not smaller.
    AtLeast,
    /// What is not larger.
    AtMost,
    /// What is near, on either side: how near is stated by the criterion.
    About,
}

impl Threshold {
    /// Passes what is not smaller.
    pub fn at_least(limit: f64) -> Self {
        let side = Side::AtLeast;
        Self { side, limit }
    }

    /// Passes what is not larger.
    pub fn at_most(limit: f64) -> Self {
        let side = Side::AtMost;
        Self { side, limit }
    }

    /// Passes what is near.
    pub fn about(limit: f64) -> Self {
        let side = Side::About;
        Self { side, limit }
    }
}

impl Side {
    /// The value in the `quality` table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtLeast => "at least",
            Self::AtMost => "at most",
            Self::About => "about",
        }
    }
}

/// The result of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityStatus {
    /// It holds.
    Ok,
    /// It does not hold.
    Flagged,
    /// The data is not enough to compute it.
    NotComputed,
}

impl QualityStatus {
    /// The value in the `quality` table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Flagged => "flagged",
            Self::NotComputed => "not computed",
        }
    }
}

impl Quality {
    /// A measure that passes or is flagged, with what would make it pass.
    pub(crate) fn judged(
        segment: &str,
        criterion: &'static str,
        metric: impl Into<String>,
        (value, threshold): (f64, Threshold),
        flagged: Option<String>,
    ) -> Self {
        Self {
            segment: segment.to_owned(),
            criterion,
            metric: metric.into(),
            value: value.is_finite().then_some(value),
            threshold: Some(threshold),
            status: match flagged {
                Some(_) => QualityStatus::Flagged,
                None => QualityStatus::Ok,
            },
            reason: flagged,
        }
    }

    /// A criterion that could not be computed, and why.
    pub(crate) fn not_computed(
        segment: &str,
        criterion: &'static str,
        metric: &str,
        reason: String,
    ) -> Self {
        Self {
            segment: segment.to_owned(),
            criterion,
            metric: metric.to_owned(),
            value: None,
            threshold: None,
            status: QualityStatus::NotComputed,
            reason: Some(reason),
        }
    }
}

/// A count as a share of all, as text: `12.5% of all`.
pub(crate) fn share_of_all(part: u64, all: u64) -> String {
    format!("{} of all", percent(part as f64 / all.max(1) as f64))
}
