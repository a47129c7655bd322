//! Who is learnt from, and who is tested on: by time, and no customer by a model that learnt from it.
//!
//! The newest observation date is the test; what is learnt from lies at least the horizon before it, so that no outcome in
//! training reaches past the test's date. A hash of the customer says to which of [`FOLDS`] parts it belongs, at every date: each
//! part is predicted by models that learnt from the others, so that all customers are tested on.

use rayon::prelude::*;

use super::error::ChurnError;
use super::inputs::Panel;
use super::plan::ChurnPlan;
use crate::cluster::mix;

/// Rows of each kind, churned and stayed, without which nothing is learnt.
pub(super) const LEAST_TRAINING: usize = 50;

/// Rows of each kind without which nothing is judged.
pub(super) const LEAST_HELD_OUT: usize = 10;

/// Parts of the customers that take turns in being held out.
pub const FOLDS: usize = 3;

/// The part of a customer, below [`FOLDS`]. Depends on nothing but the customer and the seed: h = mix(customer xor mix(seed)), by
/// the top 53 bits of h as a share of 1, where mix is splitmix64's finaliser.
pub fn fold_of(customer: u64, seed: u64) -> usize {
    let share = (scattered(customer, seed) >> 11) as f64 / (1u64 << 53) as f64;
    ((share * FOLDS as f64) as usize).min(FOLDS - 1)
}

fn scattered(customer: u64, seed: u64) -> u64 {
    mix(customer ^ mix(seed))
}

/// The rows of a panel by use, each in an order that is random by seed and does not depend on the panel's.
pub(super) struct Split {
    /// At the dates that may be learnt from.
    pub(super) early: Panel,
    /// At the date tested on.
    pub(super) test: Panel,
    /// First and last date learnt from, days since 1970-01-01.
    pub(super) learnt_from: (i32, i32),
    /// The date tested on.
    pub(super) tested_on: i32,
}

/// Whether time or only customers part the test from the rest.
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
        // Dates 120 and before: 150 + 75 would reach past 210.
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
