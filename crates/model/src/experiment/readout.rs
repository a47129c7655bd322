//! The means of the groups, and each group against control.

use super::adjustment::Adjustment;
use super::uplift::{Moments, Uplift};

/// Customers of one group: the metric, and the same metric before enrolment, NaN where it is not known. Both have the same order.
#[derive(Debug, Clone, Copy)]
pub struct Arm<'a> {
    /// The metric of each customer, finite.
    pub values: &'a [f64],
    /// The metric of each customer before enrolment.
    pub before: &'a [f64],
}

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

/// Why a group is not compared with control.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NotComputed {
    /// A group has fewer than two customers with the metric.
    #[error(
        "a comparison needs at least 2 customers with the metric in each group; control has {control}, this group {variant}"
    )]
    TooFewCustomers {
        /// Customers of control.
        control: u64,
        /// Customers of the group.
        variant: u64,
    },
    /// In both groups the metric does not differ between customers.
    #[error(
        "within each of the two groups all customers have the same value, so there is no spread to judge a difference by"
    )]
    NoSpread,
    /// A sum of squares is beyond what a float holds.
    #[error("the values are so large that their spread cannot be computed")]
    TooLarge,
}

/// Why there is no readout: the caller gave no groups.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ExperimentError {
    /// Fewer than two groups.
    #[error("an experiment compares at least 2 groups; there are {found}")]
    TooFewArms {
        /// Groups given.
        found: usize,
    },
    /// The metric and the metric before are of different customers.
    #[error(
        "group {arm} has {values} values and {before} values before enrolment; both must be of the same customers"
    )]
    LengthMismatch {
        /// 0-based place of the group.
        arm: usize,
        /// Values given.
        values: usize,
        /// Values before given.
        before: usize,
    },
    /// A metric that is not a number, or a metric before that is infinite.
    #[error(
        "customer {customer} of group {arm} has the value {value}; leave customers without the metric out"
    )]
    NotFinite {
        /// 0-based place of the group.
        arm: usize,
        /// 0-based place of the customer in it.
        customer: usize,
        /// The value.
        value: f64,
    },
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

fn check(arms: &[Arm<'_>]) -> Result<(), ExperimentError> {
    if arms.len() < 2 {
        return Err(ExperimentError::TooFewArms { found: arms.len() });
    }
    for (place, arm) in arms.iter().enumerate() {
        if arm.values.len() != arm.before.len() {
            return Err(ExperimentError::LengthMismatch {
                arm: place,
                values: arm.values.len(),
                before: arm.before.len(),
            });
        }
        let wrong = arm.values.iter().enumerate().find(|(_, v)| !v.is_finite());
        let wrong = wrong.or_else(|| arm.before.iter().enumerate().find(|(_, v)| v.is_infinite()));
        if let Some((customer, value)) = wrong {
            return Err(ExperimentError::NotFinite {
                arm: place,
                customer,
                value: *value,
            });
        }
    }
    Ok(())
}
