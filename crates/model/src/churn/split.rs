//! The split into training and test rows: by date, and by customer, so that no customer is predicted by a model trained on it.
//!
//! The newest observation date is the test date; training dates lie at least the horizon before it, so that no outcome in
//! training lies after the test date. A hash of the customer assigns it to one of [`FOLDS`] folds, the same at every date:
//! each fold is predicted by models trained on the others, so every customer is tested on.

use rayon::prelude::*;

use super::error::ChurnError;
use super::inputs::Panel;
use super::plan::ChurnPlan;
use crate::cluster::mix;

/// Least number of rows of each outcome, churned and stayed, to train on.
pub(super) const LEAST_TRAINING: usize = 50;

/// Least number of rows of each outcome to test on.
pub(super) const LEAST_HELD_OUT: usize = 10;

/// Number of folds of the customers; each is held out once.
pub const FOLDS: usize = 3;

/// The fold of a customer, below [`FOLDS`]. Depends only on the customer and the seed: the top 53 bits of h =
/// mix(customer xor mix(seed)) as a share of 1, where mix is splitmix64's finaliser.
pub fn fold_of(customer: u64, seed: u64) -> usize {
    let share = (scattered(customer, seed) >> 11) as f64 / (1u64 << 53) as f64;
    ((share * FOLDS as f64) as usize).min(FOLDS - 1)
}

fn scattered(customer: u64, seed: u64) -> u64 {
    mix(customer ^ mix(seed))
}

/// Training and test rows of a panel, each in an order that is random by seed and does not depend on the panel's.
pub(super) struct Split {
    /// Rows at the training dates.
    pub(super) early: Panel,
    /// Rows at the test date.
    pub(super) test: Panel,
    /// First and last training date, days since 1970-01-01.
    pub(super) learnt_from: (i32, i32),
    /// The test date, days since 1970-01-01.
    pub(super) tested_on: i32,
}

/// Whether training and test rows differ by date and customer, or by customer only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitKind {
    Time,
    Customers,
}

impl Split {
    pub(super) fn new(
        panel: &Panel,
        plan: &ChurnPlan,
        kind: SplitKind,
    ) -> Result<Self, ChurnError> {
        let newest = panel.observed_on.iter().copied().max();
        let newest = newest.ok_or(ChurnError::TooLittleData {
            what: "churned",
            slice: "training",
            found: 0,
            needed: LEAST_TRAINING,
        })?;
        let until = match kind {
            SplitKind::Time => i64::from(newest) - i64::from(plan.horizon_days),
            SplitKind::Customers => i64::from(newest),
        };
        let early = |row: usize| i64::from(panel.observed_on[row]) <= until;
        let tested = |row: usize| kind == SplitKind::Customers || panel.observed_on[row] == newest;
        let dates = (0..panel.rows()).filter(|&row| early(row));
        let dates = dates.map(|row| panel.observed_on[row]);
        let Some(learnt_from) = dates.fold(None, |range: Option<(i32, i32)>, date| {
            Some(range.map_or((date, date), |(a, b)| (a.min(date), b.max(date))))
        }) else {
            return Err(ChurnError::Dates {
                found: 1,
                needed: 2,
                horizon_days: plan.horizon_days,
            });
        };
        let split = Self {
            early: sample(panel, plan, &early),
            test: sample(panel, plan, &tested),
            learnt_from,
            tested_on: newest,
        };
        require(&split.early, "training", LEAST_TRAINING)?;
        require(&split.test, "test", LEAST_HELD_OUT)?;
        Ok(split)
    }
}

/// At most `max_rows` of the rows that are wanted, in an order that is random by seed and the same for every order of the
/// panel: by hash of customer and date, then by content.
pub(super) fn sample(
    panel: &Panel,
    plan: &ChurnPlan,
    wanted: &(dyn Fn(usize) -> bool + Sync),
) -> Panel {
    let rows = 0..panel.rows();
    let mut keyed: Vec<(u64, usize)> = rows
        .into_par_iter()
        .filter(|&row| wanted(row))
        .map(|row| {
            let date = panel.observed_on[row] as u32;
            let customer = scattered(panel.customer[row], plan.seed);
            (mix(customer ^ u64::from(date)), row)
        })
        .collect();
    keyed.par_sort_unstable_by(|&(a_key, a), &(b_key, b)| {
        let by_key = a_key.cmp(&b_key);
        let by_outcome = panel.churned[a].cmp(&panel.churned[b]);
        by_key
            .then(by_outcome)
            .then_with(|| panel.inputs.compare_rows(a, b))
    });
    keyed.truncate(plan.max_rows);
    panel.gather(&keyed.into_iter().map(|(_, row)| row).collect::<Vec<_>>())
}

fn require(panel: &Panel, slice: &'static str, needed: usize) -> Result<(), ChurnError> {
    let churned = panel.churners();
    for (what, found) in [("churned", churned), ("stayed", panel.rows() - churned)] {
        if found < needed {
            return Err(ChurnError::TooLittleData {
                what,
                slice,
                found,
                needed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::churn::Inputs;

    /// Customers at dates 30 days apart, each with its own number as input.
    fn panel(customers: u64, dates: i32) -> Panel {
        let rows: Vec<(u64, i32)> = (0..dates)
            .flat_map(|date| (0..customers).map(move |customer| (customer, 30 * date)))
            .collect();
        let inputs = Inputs::new(rows.len())
            .number("x", rows.iter().map(|row| row.0 as f64).collect())
            .unwrap();
        let churned = rows.iter().map(|row| row.0 % 3 == 0).collect();
        let (customer, observed_on) = rows.into_iter().unzip();
        Panel::new(inputs, churned, customer, observed_on).unwrap()
    }

    #[test]
    fn outcomes_end_before_the_test_and_parts_are_of_equal_size() {
        let plan = ChurnPlan::new(75);
        let split = Split::new(&panel(2_000, 8), &plan, SplitKind::Time).unwrap();
        let customers = |panel: &Panel| panel.customer.iter().copied().collect::<BTreeSet<u64>>();
        assert_eq!(customers(&split.test).len(), 2_000);
        assert_eq!(customers(&split.early).len(), 2_000);
        let mut sizes = [0; FOLDS];
        (0..2_000).for_each(|customer| sizes[fold_of(customer, plan.seed)] += 1);
        assert!(
            sizes.iter().all(|size| (600..740).contains(size)),
            "{sizes:?}"
        );
        assert!(split.test.observed_on.iter().all(|&date| date == 210));
        // Dates up to 120: the outcome of date 150 would end at 225, after the test date 210.
        assert_eq!(split.early.observed_on.iter().copied().max(), Some(120));
        assert_eq!((split.learnt_from, split.tested_on), ((0, 120), 210));
    }

    #[test]
    fn a_sample_is_of_the_asked_size_and_by_seed() {
        let panel = panel(3_000, 2);
        let taken = |seed| {
            let plan = ChurnPlan {
                seed,
                max_rows: 1_000,
                ..ChurnPlan::new(30)
            };
            sample(&panel, &plan, &|_| true)
        };
        assert_eq!(taken(1).rows(), 1_000);
        assert_eq!(taken(1), taken(1));
        assert_ne!(taken(1), taken(2));
        let share = taken(1).churners() as f64 / 1_000.0;
        assert!((share - 1.0 / 3.0).abs() < 0.06, "{share}");
    }
}
