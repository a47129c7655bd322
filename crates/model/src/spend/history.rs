//! Repeat counts and mean spends, grouped for fitting.

use rayon::prelude::*;

use crate::lifetime_error::LifetimeError;

/// A customer's spend: `x` occasions worth `total` together, standing for `weight` customers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spend {
    pub x: u32,
    pub total: f64,
    pub weight: f64,
}

/// The customers a spend model learns from: those with a repeat occasion and a positive mean spend, sorted by x, then total.
#[derive(Debug, Clone, PartialEq)]
pub struct SpendHistory {
    pub(crate) rows: Vec<Spend>,
    customers: f64,
    without_repeat: f64,
    without_spend: f64,
    first: Vec<First>,
}

/// What a customer spent on the first occasion and, on average, on the `x` later ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct First {
    pub x: u32,
    pub first: f64,
    pub mean: f64,
}

impl SpendHistory {
    /// One row per customer: `x` repeat occasions of mean value `mean_spend` (the first occasion not counted, any currency).
    /// `mean_spend` is ignored, and may be NaN, where `x` is 0; customers whose mean is 0 are left out and counted.
    /// `weights`: customers each row stands for, one each when `None`.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`]; [`LifetimeError::OutOfRange`] for a repeat customer whose mean spend is negative or
    /// not finite, or for a weight that is not positive.
    pub fn from_columns(
        x: &[u32],
        mean_spend: &[f64],
        weights: Option<&[f64]>,
    ) -> Result<Self, LifetimeError> {
        let lengths = [
            ("mean_spend", mean_spend.len()),
            ("weights", weights.map_or(x.len(), <[f64]>::len)),
        ];
        LifetimeError::check_lengths(("x", x.len()), lengths)?;
        let mut history = Self {
            rows: Vec::new(),
            customers: 0.0,
            without_repeat: 0.0,
            without_spend: 0.0,
            first: Vec::new(),
        };
        for (i, (&x, &mean)) in x.iter().zip(mean_spend).enumerate() {
            let weight = weights.map_or(1.0, |w| w[i]);
            let bad = |what, value, range| LifetimeError::OutOfRange {
                model: "gamma_gamma",
                what,
                value,
                range,
            };
            if !(weight > 0.0 && weight.is_finite()) {
                return Err(bad(
                    "the weight of a customer",
                    weight,
                    "positive and finite",
                ));
            }
            history.customers += weight;
            if x == 0 {
                history.without_repeat += weight;
            } else if !(mean >= 0.0 && mean.is_finite()) {
                return Err(bad(
                    "the mean spend of a repeat customer",
                    mean,
                    ">= 0 and finite",
                ));
            } else if mean == 0.0 {
                history.without_spend += weight;
            } else {
                history.rows.push(Spend {
                    x,
                    total: f64::from(x) * mean,
                    weight,
                });
            }
        }
        history.rows.par_sort_unstable_by(|a, b| {
            a.x.cmp(&b.x)
                .then(a.total.total_cmp(&b.total))
                .then(a.weight.total_cmp(&b.weight))
        });
        history.rows.dedup_by(|later, kept| {
            let same = later.x == kept.x && later.total == kept.total;
            if same {
                kept.weight += later.weight;
            }
            same
        });
        Ok(history)
    }

    /// With the money of each customer's first occasion, NaN where it is not known, beside the same `x` and `mean_spend` as before;
    /// each row is one customer.
    /// What customers spend first and what they spend later vary together only as far as customers differ, which means and counts
    /// alone tell apart from chance only where the counts differ much. Where first occasions are larger, they are scaled down to the
    /// later ones. Those that vary less than means of later ones even so, such as a trial at one price, are not like these and say
    /// nothing: they are left out.
    ///
    /// # Errors
    /// [`LifetimeError::LengthMismatch`].
    pub fn with_first_spend(
        mut self,
        x: &[u32],
        mean_spend: &[f64],
        first: &[f64],
    ) -> Result<Self, LifetimeError> {
        LifetimeError::check_lengths(
            ("x", x.len()),
            [("mean_spend", mean_spend.len()), ("first", first.len())],
        )?;
        let rows = x.iter().zip(mean_spend).zip(first);
        let rows = rows.map(|((&x, &mean), &first)| First { x, first, mean });
        let learned_from = |row: &First| row.x > 0 && row.mean > 0.0 && row.first.is_finite();
        let mut rows: Vec<First> = rows.filter(learned_from).collect();
        // Sums do not depend on the order of the customers.
        rows.par_sort_unstable_by(|a, b| {
            a.x.cmp(&b.x)
                .then(a.mean.total_cmp(&b.mean))
                .then(a.first.total_cmp(&b.first))
        });
        let sum = |of: fn(&First) -> f64| rows.iter().map(of).sum::<f64>();
        let larger = (sum(|row| row.first) / sum(|row| row.mean)).max(1.0);
        for row in &mut rows {
            row.first /= larger;
        }
        let of_first = covariance(rows.iter().map(|row| (row.first, row.first)));
        let of_later = covariance(rows.iter().map(|row| (row.mean, row.mean)));
        if of_first.is_some_and(|first| of_later.is_some_and(|later| first >= later)) {
            self.first = rows;
        }
        Ok(self)
    }

    /// The variance between customers, where first occasions tell it.
    pub(crate) fn between(&self) -> Option<f64> {
        covariance(self.first.iter().map(|row| (row.first, row.mean)))
    }

    /// The customers whose first occasion is known; none where first occasions are not like later ones.
    pub(crate) fn first(&self) -> &[First] {
        &self.first
    }

    /// Customers that a fit uses.
    pub fn customers(&self) -> f64 {
        self.rows.iter().map(|s| s.weight).sum()
    }

    /// Repeat customers left out because their mean spend is zero.
    pub fn without_spend(&self) -> f64 {
        self.without_spend
    }

    /// Customers without a repeat occasion.
    pub fn without_repeat(&self) -> f64 {
        self.without_repeat
    }

    /// Mean of the customers' mean spends, each customer counted once.
    pub(crate) fn mean_of_means(&self) -> f64 {
        let sum: f64 = self
            .rows
            .iter()
            .map(|s| s.weight * s.total / f64::from(s.x))
            .sum();
        sum / self.customers()
    }

    /// Pearson correlation of repeat count and mean spend, in [-1, 1]; `None` when either is constant. Gamma-Gamma assumes
    /// that they are independent; a magnitude above 0.3 is a warning.
    pub fn correlation(&self) -> Option<f64> {
        let n = self.customers();
        let (mut mx, mut mm) = (0.0, 0.0);
        for s in &self.rows {
            mx += s.weight * f64::from(s.x) / n;
            mm += s.weight * s.total / f64::from(s.x) / n;
        }
        let (mut xx, mut mm2, mut xm) = (0.0, 0.0, 0.0);
        for s in &self.rows {
            let (dx, dm) = (f64::from(s.x) - mx, s.total / f64::from(s.x) - mm);
            xx += s.weight * dx * dx;
            mm2 += s.weight * dm * dm;
            xm += s.weight * dx * dm;
        }
        let product = xx * mm2;
        (product > 0.0).then(|| xm / product.sqrt())
    }
}

/// The covariance of pairs; `None` of fewer than two.
fn covariance(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    let n = pairs.clone().count() as f64;
    let (a, b) = pairs
        .clone()
        .fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let sum: f64 = pairs.map(|(x, y)| (x - a) * (y - b)).sum();
    (n >= 2.0).then(|| sum / (n - 1.0))
}
