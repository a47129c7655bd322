//! CUPED: means adjusted by what was known before enrolment (Deng, Xu, Kohavi & Walker 2013).

use super::arm::Arm;
use super::uplift::{Moments, mean_of};

/// Fewest customers of each group with the metric before: below, the slope is too uncertain to pass for known.
const FEWEST: usize = 30;

/// Where the metric before explains all but so much of the variance, what remains is rounding, and nothing is adjusted.
const EXPLAINED: f64 = 1e-9;

/// The line of the metric over the metric before, with one slope for all groups.
pub(super) struct Adjustment {
    /// Units of the metric for one of the metric before.
    slope: f64,
    /// Mean of the metric before over the customers of all groups who have it.
    centre: f64,
    /// Correlation of both within the groups.
    pub(super) correlation: f64,
}

impl Adjustment {
    /// The slope from the sums within the groups, so that the effect of the experiment takes no part in it. None where a group has
    /// the metric before of fewer than half or [`FEWEST`] of its customers, and where one of both does not vary.
    pub(super) fn of(arms: &[Arm<'_>]) -> Option<Self> {
        let enough = arms.iter().all(|arm| {
            let known = arm.before.iter().filter(|before| !before.is_nan()).count();
            known >= FEWEST && 2 * known >= arm.before.len()
        });
        if !enough {
            return None;
        }
        let known = arms.iter().flat_map(|arm| arm.before).copied();
        let known: Vec<f64> = known.filter(|before| !before.is_nan()).collect();
        let centre = mean_of(&known);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for arm in arms {
            let before: Vec<f64> = arm.before.iter().map(|x| known_or(*x, centre)).collect();
            let (mean_x, mean_y) = (mean_of(&before), mean_of(arm.values));
            for (x, y) in before.iter().zip(arm.values) {
                let (x, y) = (x - mean_x, y - mean_y);
                xx += x * x;
                xy += x * y;
                yy += y * y;
            }
        }
        let correlation = xy / (xx.sqrt() * yy.sqrt());
        (xx > 0.0 && correlation.is_finite()).then_some(Self {
            slope: xy / xx,
            centre,
            correlation: correlation.clamp(-1.0, 1.0),
        })
    }

    /// Mean and variance of each group's adjusted metric. The variance is that around a line whose slope was estimated, so it has
    /// one degree of freedom fewer. None where nothing but rounding is left.
    pub(super) fn apply(&self, arms: &[Arm<'_>]) -> Option<Vec<Moments>> {
        if 1.0 - self.correlation * self.correlation < EXPLAINED {
            return None;
        }
        let customers: usize = arms.iter().map(|arm| arm.values.len()).sum();
        let freedom = (customers - arms.len()) as f64;
        let moments = arms.iter().map(|arm| {
            let adjusted = arm.values.iter().zip(arm.before);
            let adjusted: Vec<f64> = adjusted
                .map(|(y, x)| y - self.slope * (known_or(*x, self.centre) - self.centre))
                .collect();
            let mut moments = Moments::of(&adjusted);
            moments.variance *= freedom / (freedom - 1.0);
            moments
        });
        Some(moments.collect())
    }
}

fn known_or(before: f64, centre: f64) -> f64 {
    if before.is_nan() { centre } else { before }
}
