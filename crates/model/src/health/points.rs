//! From a component's value to its points.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::plan::HealthScale;

/// A scale with what it learnt: all that is needed to compute the points of any value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FittedScale {
    /// As declared: see [`HealthScale::Linear`].
    Linear {
        /// The value of 0 points.
        worst: f64,
        /// The value of 100 points.
        best: f64,
    },
    /// The ranks of the fit's customers.
    Percentile {
        /// Small values are good.
        small_is_good: bool,
        /// Where values stand among the customers of the fit.
        ranks: Ranks,
    },
    /// As declared: see [`HealthScale::Steps`].
    Steps(Vec<(f64, f64)>),
}

impl FittedScale {
    /// Learns what `scale` needs from a column; NaN is missing.
    pub(super) fn fit(scale: &HealthScale, column: &[f64]) -> Self {
        match scale {
            HealthScale::Linear { worst, best } => Self::Linear {
                worst: *worst,
                best: *best,
            },
            HealthScale::Percentile { small_is_good } => Self::Percentile {
                small_is_good: *small_is_good,
                ranks: Ranks::of(column),
            },
            HealthScale::Steps(steps) => Self::Steps(steps.clone()),
        }
    }

    /// Points in [0, 100]; NaN for NaN, and for any value when a percentile was fitted on nothing. Infinities lie beyond
    /// every value.
    pub fn points(&self, value: f64) -> f64 {
        if value.is_nan() {
            return f64::NAN;
        }
        match self {
            Self::Linear { worst, best } => {
                // Halved, so that a span wider than the largest number does not overflow.
                let share = (0.5 * value - 0.5 * worst) / (0.5 * best - 0.5 * worst);
                100.0 * share.clamp(0.0, 1.0)
            }
            Self::Percentile {
                small_is_good,
                ranks,
            } => {
                let share = ranks.midrank(value);
                100.0 * if *small_is_good { 1.0 - share } else { share }
            }
            Self::Steps(steps) => {
                let last = steps.len().saturating_sub(1);
                let step = steps[..last].iter().find(|(limit, _)| value < *limit);
                step.or(steps.last())
                    .map_or(f64::NAN, |(_, points)| *points)
            }
        }
    }
}

/// The distribution of a column, small enough to store: shares of the customers below each knot and up to it.
///
/// Up to [`Ranks::MOST_STEPS`] distinct values each is a knot and ranks are exact. With more, neighbouring knots are so close
/// that no rank between them is wrong by more than 1 / [`Ranks::MOST_STEPS`]; values that many customers share stay exact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranks {
    /// Knots, ascending.
    values: Vec<f64>,
    /// Share of customers below each knot, in [0, 1].
    below: Vec<f64>,
    /// Share of customers at or below each knot, in [0, 1].
    up_to: Vec<f64>,
}

impl Ranks {
    /// Largest number of distinct values kept exactly; with more, ranks are wrong by at most 1 / this.
    pub const MOST_STEPS: usize = 4096;

    /// The distribution of a column's finite values.
    pub fn of(column: &[f64]) -> Self {
        // Adding zero makes -0.0 and 0.0 the same value.
        let mut sorted: Vec<f64> = column
            .iter()
            .filter(|v| v.is_finite())
            .map(|v| v + 0.0)
            .collect();
        sorted.par_sort_unstable_by(f64::total_cmp);
        let total = sorted.len() as f64;
        let distinct = sorted.chunk_by(|a, b| a == b).count();
        let mut ranks = Self {
            values: Vec::new(),
            below: Vec::new(),
            up_to: Vec::new(),
        };
        let mut seen = 0;
        // The value before this one, if it did not become a knot.
        let mut skipped: Option<[f64; 3]> = None;
        for run in sorted.chunk_by(|a, b| a == b) {
            let knot = [
                run[0],
                seen as f64 / total,
                (seen + run.len()) as f64 / total,
            ];
            seen += run.len();
            let far = ranks
                .up_to
                .last()
                .is_none_or(|last| (knot[2] - last) * Self::MOST_STEPS as f64 >= 1.0);
            if distinct <= Self::MOST_STEPS || far || seen == sorted.len() {
                skipped.into_iter().for_each(|knot| ranks.push(knot));
                ranks.push(knot);
                skipped = None;
            } else {
                skipped = Some(knot);
            }
        }
        ranks
    }

    fn push(&mut self, [value, below, up_to]: [f64; 3]) {
        self.values.push(value);
        self.below.push(below);
        self.up_to.push(up_to);
    }

    /// Share of customers below `value` plus half of those at it, in [0, 1]; NaN for NaN or when there were no customers.
    pub fn midrank(&self, value: f64) -> f64 {
        let place = self.values.partition_point(|knot| *knot < value);
        match (place.checked_sub(1), self.values.get(place)) {
            _ if value.is_nan() || self.values.is_empty() => f64::NAN,
            (_, Some(knot)) if *knot == value => 0.5 * (self.below[place] + self.up_to[place]),
            (None, _) => 0.0,
            (_, None) => 1.0,
            (Some(before), Some(knot)) => {
                let low = self.values[before];
                // Halved, so that a gap wider than the largest number does not overflow.
                let share = (0.5 * value - 0.5 * low) / (0.5 * knot - 0.5 * low);
                self.up_to[before] + share * (self.below[place] - self.up_to[before])
            }
        }
    }

    /// Number of knots kept.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no customer had a value.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midranks_of_few_values_are_those_of_the_definition() {
        // 1, 2, 2, 5 and a missing one: (below + half of equal) / 4.
        let ranks = Ranks::of(&[2.0, 1.0, f64::NAN, 5.0, 2.0]);
        for (value, want) in [
            (1.0, 0.125),
            (2.0, 0.5),
            (5.0, 0.875),
            (3.0, 0.75),
            (1.5, 0.25),
            (0.0, 0.0),
            (9.0, 1.0),
            (f64::INFINITY, 1.0),
            (f64::NEG_INFINITY, 0.0),
        ] {
            assert_eq!(ranks.midrank(value), want, "{value}");
        }
        assert!(ranks.midrank(f64::NAN).is_nan());
        assert!(Ranks::of(&[f64::NAN]).midrank(1.0).is_nan());
    }

    #[test]
    fn many_values_keep_few_knots_and_small_errors() {
        // 100,000 values, a third of them the same; ranks by counting.
        let column: Vec<f64> = (0..100_000_u64)
            .map(|i| {
                let unit = (i.wrapping_mul(2_654_435_761) % 1_000_003) as f64 / 1_000_003.0;
                if i % 3 == 0 { 0.25 } else { unit.powi(5) }
            })
            .collect();
        let ranks = Ranks::of(&column);
        assert!(ranks.len() <= 2 * Ranks::MOST_STEPS + 2, "{}", ranks.len());
        let mut sorted = column.clone();
        sorted.sort_by(f64::total_cmp);
        for value in column.iter().step_by(997) {
            let below = sorted.partition_point(|v| v < value);
            let up_to = sorted.partition_point(|v| v <= value);
            let want = 0.5 * (below + up_to) as f64 / sorted.len() as f64;
            let error = (ranks.midrank(*value) - want).abs();
            assert!(error <= 1.0 / Ranks::MOST_STEPS as f64, "{value}: {error}");
            if *value == 0.25 {
                assert!(error < 1e-15, "a common value stays exact: {error}");
            }
        }
    }

    #[test]
    fn lines_run_both_ways_and_are_flat_outside() {
        let falling = FittedScale::Linear {
            worst: 90.0,
            best: 0.0,
        };
        for (value, want) in [
            (0.0, 100.0),
            (45.0, 50.0),
            (90.0, 0.0),
            (1e308, 0.0),
            (f64::NEG_INFINITY, 100.0),
        ] {
            assert_eq!(falling.points(value), want);
        }
        let wide = FittedScale::Linear {
            worst: -f64::MAX,
            best: f64::MAX,
        };
        assert_eq!(wide.points(0.0), 50.0);
    }

    #[test]
    fn steps_are_closed_below_and_open_above() {
        let steps = FittedScale::Steps(vec![(1.0, 10.0), (5.0, 60.0), (0.0, 100.0)]);
        for (value, want) in [(0.9, 10.0), (1.0, 60.0), (4.9, 60.0), (5.0, 100.0)] {
            assert_eq!(steps.points(value), want);
        }
        assert!(steps.points(f64::NAN).is_nan());
    }
}
