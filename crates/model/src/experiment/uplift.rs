//! One group against control: the difference of the means, and how far it is known.

use crate::special::{Z_95, student_t_95, student_t_beyond};

/// How often an interval may miss.
const ALPHA: f64 = 0.05;

/// The 80% point of the standard normal distribution: the power of the smallest effect.
const Z_80: f64 = 0.841_621_233_572_914_3;

/// Customers of both groups together at which the anytime interval is narrowest for its width at a fixed number.
const TUNED_FOR: f64 = 5_000.0;

/// A group against control. All differences are of means, in the unit of the metric, the group's less control's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Uplift {
    /// The difference.
    pub difference: f64,
    /// Lower end of Welch's 95% interval, for a single look at a time fixed beforehand.
    pub difference_low: f64,
    /// Its upper end.
    pub difference_high: f64,
    /// The difference as a share of control's mean. None where that mean is not above 0 by 1.96 standard errors: a share of
    /// what may be nothing has no meaning.
    pub relative: Option<f64>,
    /// Lower end of its 95% interval, by the delta method with Welch's degrees of freedom.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
    /// Lower end of the interval that holds the difference at all looks at once with 95% probability, for all groups together.
    pub anytime_low: f64,
    /// Its upper end.
    pub anytime_high: f64,
    /// Welch's p value of this comparison alone, two-sided.
    pub p: f64,
    /// The smallest difference, up or down, that groups of these sizes and spreads show with 80% probability at 5%, in a single look.
    pub smallest_effect: f64,
    /// How many groups are compared with control.
    pub comparisons: usize,
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

/// Number, mean and variance of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    /// Customers.
    pub(super) count: u64,
    /// Their mean; 0 without any.
    pub(super) mean: f64,
    /// Their variance over n - 1; 0 below two.
    pub(super) variance: f64,
}

/// The mean, exact where all values are equal; 0 of none.
pub(super) fn mean_of(values: &[f64]) -> f64 {
    let Some(first) = values.first() else {
        return 0.0;
    };
    let off: f64 = values.iter().map(|value| value - first).sum();
    first + off / values.len() as f64
}

impl Moments {
    pub(super) fn of(values: &[f64]) -> Self {
        let mean = mean_of(values);
        let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        Self {
            count: values.len() as u64,
            mean,
            variance: squares / (values.len().max(2) - 1) as f64,
        }
    }

    /// Squared standard error of the mean.
    fn error(&self) -> f64 {
        self.variance / self.count as f64
    }
}

impl Uplift {
    /// Welch 1947; the relative interval and the anytime interval as GrowthBook computes them.
    pub(super) fn of(
        control: &Moments,
        variant: &Moments,
        comparisons: usize,
    ) -> Result<Self, NotComputed> {
        if control.count < 2 || variant.count < 2 {
            return Err(NotComputed::TooFewCustomers {
                control: control.count,
                variant: variant.count,
            });
        }
        let error = control.error() + variant.error();
        let difference = variant.mean - control.mean;
        let freedom = freedom(control, variant);
        if error == 0.0 {
            return Err(NotComputed::NoSpread);
        }
        if !(difference.is_finite() && error.is_finite() && freedom.is_finite()) {
            return Err(NotComputed::TooLarge);
        }
        let t = student_t_95(freedom);
        let width = t * error.sqrt();
        let relative_error = relative_error(control, variant).sqrt();
        let relative = (control.mean > Z_95 * control.error().sqrt())
            .then_some(difference / control.mean)
            .filter(|share| share.is_finite() && relative_error.is_finite());
        let customers = (control.count + variant.count) as f64;
        let anytime = anytime_width(error, customers, TUNED_FOR, ALPHA / comparisons as f64);
        Ok(Self {
            difference,
            difference_low: difference - width,
            difference_high: difference + width,
            relative,
            low: relative.map(|share| share - t * relative_error),
            high: relative.map(|share| share + t * relative_error),
            anytime_low: difference - anytime,
            anytime_high: difference + anytime,
            p: student_t_beyond(difference / error.sqrt(), freedom),
            smallest_effect: (Z_95 + Z_80) * error.sqrt(),
            comparisons,
        })
    }

    /// The direction of the difference, if it is shown: while customers are still measured, where the anytime interval leaves 0
    /// out; afterwards, where p is below 5%, shared by the groups that are compared with control (Bonferroni).
    pub fn shown(&self, ended: bool) -> Option<std::cmp::Ordering> {
        let shown = match ended {
            true => self.p * (self.comparisons as f64) < ALPHA,
            false => self.anytime_low > 0.0 || self.anytime_high < 0.0,
        };
        shown.then(|| self.difference.total_cmp(&0.0))
    }
}

/// Welch-Satterthwaite, from shares of the squared error, so that small variances do not vanish when squared.
fn freedom(control: &Moments, variant: &Moments) -> f64 {
    let error = control.error() + variant.error();
    let of = |group: &Moments| {
        let share = group.error() / error;
        share * share / (group.count - 1) as f64
    };
    1.0 / (of(control) + of(variant))
}

/// Squared standard error of the relative difference, by the delta method.
fn relative_error(control: &Moments, variant: &Moments) -> f64 {
    let ratio = variant.mean / control.mean;
    (variant.error() + ratio * ratio * control.error()) / (control.mean * control.mean)
}

/// Half the width of the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2021), for a difference
/// with this squared standard error among so many customers.
fn anytime_width(error: f64, customers: f64, tuned_for: f64, alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    let rho_2 = (log + (log + 1.0).ln()) / tuned_for;
    let grown = customers * rho_2;
    let factor = 2.0 * (grown + 1.0) / grown * ((grown + 1.0).sqrt() / alpha).ln();
    (error * factor).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Moments of a group from what GrowthBook's tests state: number, sum, sum of squares.
    fn group(count: u64, sum: f64, squares: f64) -> Moments {
        let n = count as f64;
        Moments {
            count,
            mean: sum / n,
            variance: (squares - sum * sum / n) / (n - 1.0),
        }
    }

    /// The figures of GrowthBook are rounded to 5 decimals.
    fn rounds_to(got: f64, want: f64) {
        assert!((got - want).abs() <= 0.5e-5 + 1e-12, "{got} is not {want}");
    }

    #[test]
    fn relative_interval_is_that_of_growthbook() {
        // packages/stats/tests/frequentist/test_tests.py of growthbook/growthbook, `test_two_sided_ttest`.
        let (control, variant) = (
            Moments {
                count: 3407,
                mean: 0.41,
                variance: 3.9 * 3.9,
            },
            Moments {
                count: 3461,
                mean: 0.7,
                variance: 6.2 * 6.2,
            },
        );
        let uplift = Uplift::of(&control, &variant, 1).unwrap();
        rounds_to(uplift.relative.unwrap(), 0.70732);
        rounds_to(uplift.low.unwrap(), -0.03526);
        rounds_to(uplift.high.unwrap(), 1.44989);
        rounds_to(relative_error(&control, &variant).sqrt(), 0.37879);
        // The test of the difference in the same file, before it became relative: 0.29 (0.04538 to 0.53462), p 0.02016.
        rounds_to(uplift.difference, 0.29);
        rounds_to(uplift.difference_low, 0.04538);
        rounds_to(uplift.difference_high, 0.53462);
        rounds_to(uplift.p, 0.02016);
    }

    #[test]
    fn anytime_interval_is_that_of_growthbook() {
        // The same file, `test_sequential_test_runs` (tuned for 1,000) and `test_sequential_test_runs_prop` (its default, 5,000).
        let control = group(3000, 1396.87, 52_377.976_7);
        let variant = group(3461, 2422.7, 134_698.29);
        let error = relative_error(&control, &variant);
        rounds_to(error.sqrt(), 0.33341);
        let width = anytime_width(error, 6461.0, 1000.0, 0.05);
        let relative = variant.mean / control.mean - 1.0;
        rounds_to(relative - width, -0.55844);
        rounds_to(relative + width, 1.56516);
        let share = |count: u64, sum: f64| Moments {
            count,
            mean: sum / count as f64,
            variance: (sum / count as f64) * (1.0 - sum / count as f64),
        };
        let (control, variant) = (share(3000, 1396.0), share(3461, 2422.0));
        let width = anytime_width(relative_error(&control, &variant), 6461.0, 5000.0, 0.05);
        let relative = variant.mean / control.mean - 1.0;
        rounds_to(relative - width, 0.40098);
        rounds_to(relative + width, 0.60675);
    }

    #[test]
    fn equal_values_have_their_own_mean() {
        let moments = Moments::of(&[0.1; 7]);
        assert_eq!((moments.mean, moments.variance), (0.1, 0.0));
        assert_eq!(Moments::of(&[]).mean, 0.0);
        assert_eq!(Moments::of(&[5.0]).variance, 0.0);
    }
}
