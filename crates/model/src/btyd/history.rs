//! Purchase histories as weighted sufficient statistics: what every buy-till-you-die model is fitted on.
//!
//! [`PurchaseHistory`] groups customers with equal (x, t_x, T), sorts the groups, and keeps a dictionary of the distinct
//! times: millions of customers become rows of sixteen bytes and a weight, logarithms are taken once per distinct time, and
//! nothing that is computed from it depends on the order of the input.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::{Deserialize, Serialize};

use crate::lifetime_error::LifetimeError;

/// The unit in which a model's times and rates are expressed. Stated by the model, never guessed from the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Whole or fractional days.
    Days,
    /// Weeks: days / 7.
    Weeks,
}

impl TimeUnit {
    /// Days in one unit.
    pub fn days(self) -> f64 {
        match self {
            Self::Days => 1.0,
            Self::Weeks => 7.0,
        }
    }

    /// The unit's name as published: `days` or `weeks`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Weeks => "weeks",
        }
    }
}

/// One purchase history, standing for `weight` customers. Times in the unit of the [`PurchaseHistory`] it goes into.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Repeat occasions: occasions without the first (the literature's x).
    pub x: u32,
    /// Time from the first to the last occasion (t_x); 0 exactly when `x` is 0.
    pub t_x: f64,
    /// Time from the first occasion to the end of observation (T).
    pub tenure: f64,
    /// Number of customers with this history, > 0.
    pub weight: f64,
}

/// One group of customers with the same history; times are places in [`PurchaseHistory::times`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Place of x among [`PurchaseHistory::xs`].
    pub x_place: u32,
    /// Place of T.
    pub tenure_place: u32,
    /// Place of t_x.
    pub t_x_place: u32,
}

/// Customers grouped by (x, t_x, T): rows sorted by x, then T, then t_x.
#[derive(Debug, Clone)]
pub struct PurchaseHistory {
    unit: TimeUnit,
    pub(crate) rows: Vec<Row>,
    pub(crate) weights: Vec<f64>,
    /// Distinct x, ascending.
    pub(crate) xs: Vec<u32>,
    /// Distinct times (t_x and T together), ascending.
    pub(crate) times: Vec<f64>,
    row_of: Vec<u32>,
}

/// A multiplicative hash of the three words of a history. The map it serves is never iterated, so it only has to be fast.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }
    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

type Groups = HashMap<(u32, u64, u64), u32, BuildHasherDefault<WordHasher>>;

impl PurchaseHistory {
    /// Groups one row per customer. `x`, `t_x`, `tenure` are columns of the same length, times in `unit`.
    ///
    /// Customers with T = 0 are kept, since they can be scored; a fit learns nothing from them.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`], or [`LifetimeError::BadHistory`] naming the first customer whose history
    /// contradicts itself.
    pub fn from_columns(
        unit: TimeUnit,
        x: &[u32],
        t_x: &[f64],
        tenure: &[f64],
    ) -> Result<Self, LifetimeError> {
        LifetimeError::check_lengths(
            ("x", x.len()),
            [("t_x", t_x.len()), ("tenure", tenure.len())],
        )?;
        let rows = x.iter().zip(t_x).zip(tenure);
        Self::group(
            unit,
            rows.map(|((&x, &t_x), &tenure)| Summary {
                x,
                t_x,
                tenure,
                weight: 1.0,
            }),
        )
    }

    /// Groups one row per customer whose times are in days, converting to `unit`.
    ///
    /// # Errors
    /// As [`PurchaseHistory::from_columns`].
    pub fn from_days(
        unit: TimeUnit,
        x: &[u32],
        t_x_days: &[f64],
        tenure_days: &[f64],
    ) -> Result<Self, LifetimeError> {
        let scale = unit.days();
        let convert = |days: &[f64]| -> Vec<f64> { days.iter().map(|d| d / scale).collect() };
        Self::from_columns(unit, x, &convert(t_x_days), &convert(tenure_days))
    }

    /// Groups rows that already carry weights, times in `unit`. Weights of equal histories add up in the order given.
    ///
    /// # Errors
    /// [`LifetimeError::BadHistory`] naming the first row that contradicts itself.
    pub fn from_summaries(unit: TimeUnit, rows: &[Summary]) -> Result<Self, LifetimeError> {
        Self::group(unit, rows.iter().copied())
    }

    fn group(
        unit: TimeUnit,
        customers: impl Iterator<Item = Summary>,
    ) -> Result<Self, LifetimeError> {
        let mut places = Groups::default();
        let mut found: Vec<Summary> = Vec::new();
        let mut row_of = Vec::with_capacity(customers.size_hint().0);
        for (index, customer) in customers.enumerate() {
            check(index, &customer)?;
            // Adding zero turns -0.0 into 0.0, so that equal times have equal bits.
            let key = (
                customer.x,
                (customer.t_x + 0.0).to_bits(),
                (customer.tenure + 0.0).to_bits(),
            );
            let next = found.len() as u32;
            let place = *places.entry(key).or_insert(next);
            if place == next {
                found.push(customer);
            } else {
                found[place as usize].weight += customer.weight;
            }
            row_of.push(place);
        }
        drop(places);
        Ok(Self::sorted(unit, &found, row_of))
    }

    fn sorted(unit: TimeUnit, found: &[Summary], mut row_of: Vec<u32>) -> Self {
        let mut order: Vec<u32> = (0..found.len() as u32).collect();
        order.sort_unstable_by(|&a, &b| {
            let (a, b) = (&found[a as usize], &found[b as usize]);
            a.x.cmp(&b.x)
                .then(a.tenure.total_cmp(&b.tenure))
                .then(a.t_x.total_cmp(&b.t_x))
        });
        let mut xs: Vec<u32> = order.iter().map(|&i| found[i as usize].x).collect();
        xs.dedup();
        let mut times: Vec<f64> = found
            .iter()
            .flat_map(|s| [s.t_x + 0.0, s.tenure + 0.0])
            .collect();
        times.sort_unstable_by(f64::total_cmp);
        times.dedup();
        let time_place = |time: f64| times.partition_point(|t| *t < time) as u32;
        let mut rank = vec![0_u32; found.len()];
        let mut rows = Vec::with_capacity(found.len());
        let mut weights = Vec::with_capacity(found.len());
        for (place, &from) in order.iter().enumerate() {
            let summary = &found[from as usize];
            rank[from as usize] = place as u32;
            rows.push(Row {
                x_place: xs.partition_point(|x| *x < summary.x) as u32,
                tenure_place: time_place(summary.tenure),
                t_x_place: time_place(summary.t_x),
            });
            weights.push(summary.weight);
        }
        for place in &mut row_of {
            *place = rank[*place as usize];
        }
        Self {
            unit,
            rows,
            weights,
            xs,
            times,
            row_of,
        }
    }

    /// The unit of all times.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Number of distinct histories.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no customer at all.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The distinct history in place `row` of the sorted order.
    pub fn summary(&self, row: usize) -> Summary {
        let places = &self.rows[row];
        Summary {
            x: self.xs[places.x_place as usize],
            t_x: self.times[places.t_x_place as usize],
            tenure: self.times[places.tenure_place as usize],
            weight: self.weights[row],
        }
    }

    /// All distinct histories in sorted order.
    pub fn summaries(&self) -> impl Iterator<Item = Summary> + '_ {
        (0..self.len()).map(|row| self.summary(row))
    }

    /// For every input row, in input order, the place of its distinct history.
    pub fn row_of(&self) -> &[u32] {
        &self.row_of
    }

    /// Sum of weights: the number of customers.
    pub fn customers(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// Customers whose observation has lasted (T > 0): those a fit learns from.
    pub fn observed_customers(&self) -> f64 {
        self.summaries()
            .filter(|s| s.tenure > 0.0)
            .map(|s| s.weight)
            .sum()
    }

    /// Customers who have bought again.
    pub fn repeat_customers(&self) -> f64 {
        self.summaries().filter(|s| s.x > 0).map(|s| s.weight).sum()
    }

    /// Sum of repeat occasions over customers.
    pub fn repeat_occasions(&self) -> f64 {
        self.summaries().map(|s| s.weight * f64::from(s.x)).sum()
    }

    /// Every `stride`-th distinct history, for a first search on large data. Sorted rows make it representative.
    pub(crate) fn thinned(&self, stride: usize) -> Self {
        let found: Vec<Summary> = self.summaries().step_by(stride.max(1)).collect();
        Self::sorted(self.unit, &found, Vec::new())
    }
}

fn check(index: usize, s: &Summary) -> Result<(), LifetimeError> {
    let ordered = s.t_x >= 0.0 && s.t_x <= s.tenure && s.tenure.is_finite();
    let weighted = s.weight > 0.0 && s.weight.is_finite();
    if ordered && weighted && (s.x == 0) == (s.t_x == 0.0) {
        Ok(())
    } else {
        Err(LifetimeError::BadHistory {
            index,
            x: s.x,
            t_x: s.t_x,
            tenure: s.tenure,
            weight: s.weight,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_equal_histories_and_finds_each_customer_again() {
        let history = PurchaseHistory::from_columns(
            TimeUnit::Days,
            &[2, 0, 2, 1],
            &[5.0, 0.0, 5.0, 3.0],
            &[9.0, 4.0, 9.0, 9.0],
        )
        .unwrap();
        assert_eq!(history.len(), 3);
        assert_eq!(history.customers(), 4.0);
        assert_eq!(history.repeat_occasions(), 5.0);
        let found = history.summary(history.row_of()[2] as usize);
        assert_eq!(
            found,
            Summary {
                x: 2,
                t_x: 5.0,
                tenure: 9.0,
                weight: 2.0
            }
        );
        assert_eq!(history.row_of()[0], history.row_of()[2]);
    }

    #[test]
    fn histories_that_contradict_themselves_are_named() {
        let bad = [
            (0, 1.0, 2.0, 1.0),
            (1, 0.0, 2.0, 1.0),
            (1, 3.0, 2.0, 1.0),
            (1, f64::NAN, 2.0, 1.0),
            (1, 1.0, f64::INFINITY, 1.0),
            (1, 1.0, 2.0, 0.0),
            (1, 1.0, 2.0, f64::NAN),
            (1, -1.0, 2.0, 1.0),
        ];
        for (x, t_x, tenure, weight) in bad {
            let good = Summary {
                x: 1,
                t_x: 1.0,
                tenure: 2.0,
                weight: 1.0,
            };
            let rows = [
                good,
                Summary {
                    x,
                    t_x,
                    tenure,
                    weight,
                },
            ];
            let error = PurchaseHistory::from_summaries(TimeUnit::Days, &rows).unwrap_err();
            assert!(
                matches!(error, LifetimeError::BadHistory { index: 1, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn columns_of_different_length_are_refused() {
        let error =
            PurchaseHistory::from_columns(TimeUnit::Days, &[1], &[1.0, 2.0], &[3.0]).unwrap_err();
        assert!(matches!(
            error,
            LifetimeError::LengthMismatch { column: "t_x", .. }
        ));
    }

    #[test]
    fn days_become_weeks() {
        let history = PurchaseHistory::from_days(TimeUnit::Weeks, &[1], &[7.0], &[21.0]).unwrap();
        assert_eq!(
            history.summary(0),
            Summary {
                x: 1,
                t_x: 1.0,
                tenure: 3.0,
                weight: 1.0
            }
        );
    }
}
