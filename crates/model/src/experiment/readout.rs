//! The means of the groups, and each group against control.

use super::adjustment::Adjustment;
use super::arm::{Arm, ExperimentError, check};
use super::uplift::{Moments, NotComputed, Uplift};

/// What the groups show.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// One of each group, in the order given.
    pub arms: Vec<ArmReadout>,
    /// Whether the comparisons use means that are adjusted by the metric before enrolment (CUPED).
    pub adjusted: bool,
    /// The correlation of the metric with itself before enrolment, within the groups; none where too few have it.
    pub correlation: Option<f64>,
}

/// One group.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmReadout {
    /// Customers with the metric.
    pub customers: u64,
    /// Their mean, as it was measured; none without customers.
    pub mean: Option<f64>,
    /// Their mean if the group had had the mean of all before; none where nothing is adjusted.
    pub adjusted_mean: Option<f64>,
    /// Their standard deviation, as it was measured; none below two customers.
    pub std: Option<f64>,
    /// Against control; none of control itself, and where it cannot be computed.
    pub uplift: Option<Uplift>,
    /// Why there is no uplift; none of control.
    pub reason: Option<NotComputed>,
}

/// Compares each group with the first one, control.
///
/// Where each group has the metric before enrolment of at least half of its customers, and of at least
/// 30, the means are adjusted by it, which narrows the intervals as far as both correlate and
/// favours no group. A customer without it then has the mean of all before.
pub fn readout(arms: &[Arm<'_>]) -> Result<Readout, ExperimentError> {
    check(arms)?;
    let measured: Vec<Moments> = arms.iter().map(|arm| Moments::of(arm.values)).collect();
    let adjustment = Adjustment::of(arms);
    let adjusted = adjustment.as_ref().and_then(|found| found.apply(arms));
    let compared = adjusted.as_ref().unwrap_or(&measured);
    let arms = measured.iter().enumerate().map(|(place, moments)| {
        let compared_with =
            (place > 0).then(|| Uplift::of(&compared[0], &compared[place], arms.len() - 1));
        ArmReadout {
            customers: moments.count,
            mean: (moments.count > 0).then_some(moments.mean),
            adjusted_mean: adjusted.as_ref().map(|arms| arms[place].mean),
            std: (moments.count > 1).then(|| moments.variance.sqrt()),
            reason: compared_with.and_then(Result::err),
            uplift: compared_with.and_then(Result::ok),
        }
    });
    Ok(Readout {
        arms: arms.collect(),
        adjusted: adjusted.is_some(),
        correlation: adjustment.map(|found| found.correlation),
    })
}
