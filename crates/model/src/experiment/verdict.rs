//! What a comparison shows, in a word.

use std::cmp::Ordering;

use super::readout::ArmReadout;
use super::uplift::NotComputed;

/// Below this p value of [`super::sample_ratio_p`] the groups are not those that were drawn, and nothing is concluded.
pub const UNEVEN_BELOW: f64 = 0.001;

/// What must be known beside the numbers of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circumstances {
    /// Whether more of the metric is better; none where neither direction is.
    pub higher_is_better: Option<bool>,
    /// Whether the experiment has ended, and all its customers were measured for long enough.
    pub ended: bool,
    /// Whether customers are still to be measured: of those enrolled, or because enrolment goes on.
    pub waiting: bool,
    /// The p value of [`super::sample_ratio_p`].
    pub sample_ratio_p: Option<f64>,
}

/// The verdict on a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Control, with which the others are compared.
    Control,
    /// It differs from control, to the better.
    Better,
    /// It differs from control, to the worse.
    Worse,
    /// It is above control, in a metric without a direction.
    Higher,
    /// It is below control, in a metric without a direction.
    Lower,
    /// It may be the same as control.
    NoDifferenceShown,
    /// The groups do not have the sizes of their shares.
    UnevenGroups,
    /// Too few customers were measured, and more will be.
    TooEarly,
    /// Nothing can be computed.
    NotComputed,
}

impl Verdict {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Higher => "higher",
            Self::Lower => "lower",
            Self::NoDifferenceShown => "no difference shown",
            Self::UnevenGroups => "uneven groups",
            Self::TooEarly => "too early",
            Self::NotComputed => "not computed",
        }
    }
}

/// The verdict on a group other than control. Uneven groups outweigh everything; then see [`super::Uplift::shown`].
pub fn verdict(arm: &ArmReadout, at: &Circumstances) -> Verdict {
    if at.sample_ratio_p.is_some_and(|p| p < UNEVEN_BELOW) {
        return Verdict::UnevenGroups;
    }
    let Some(uplift) = &arm.uplift else {
        let few = matches!(arm.reason, Some(NotComputed::TooFewCustomers { .. }));
        return match few && at.waiting {
            true => Verdict::TooEarly,
            false => Verdict::NotComputed,
        };
    };
    match (uplift.shown(at.ended), at.higher_is_better) {
        (None | Some(Ordering::Equal), _) => Verdict::NoDifferenceShown,
        (Some(Ordering::Greater), None) => Verdict::Higher,
        (Some(Ordering::Less), None) => Verdict::Lower,
        (Some(found), Some(higher)) => match (found == Ordering::Greater) == higher {
            true => Verdict::Better,
            false => Verdict::Worse,
        },
    }
}
