//! The customers of a group.

/// Customers of one group: the metric, and the same metric before enrolment, NaN where it is not known. Both have the same order.
#[derive(Debug, Clone, Copy)]
pub struct Arm<'a> {
    /// The metric of each customer, finite.
    pub values: &'a [f64],
    /// The metric of each customer before enrolment.
    pub before: &'a [f64],
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

/// That there are groups to compare, and that each customer's metric is a number.
pub(super) fn check(arms: &[Arm<'_>]) -> Result<(), ExperimentError> {
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
