//! The numbers of the columns that changes are made in, and how far they are spread.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use tessera_expr::exact::{Squares, Sum};

use crate::history::numbers;

/// The numbers of the columns of a table, and how far they are spread over all customers.
pub(crate) struct Columns {
    known: BTreeMap<String, (Vec<f64>, Spread)>,
}

/// How far the numbers of a column are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// Their standard deviation; none where all are the same.
    pub(crate) deviation: Option<f64>,
    /// The smallest number; above the largest where there is none.
    pub(super) least: f64,
    /// The largest number.
    pub(super) most: f64,
}

impl Columns {
    /// The numbers of columns of a table; `spread` are all the values by which the spread of a column is measured.
    pub(crate) fn new<E>(
        names: &BTreeSet<String>,
        table: &RecordBatch,
        spread: impl Fn(&str, &[f64]) -> Result<Spread, E>,
    ) -> Result<Self, E> {
        let mut known = BTreeMap::new();
        for name in names {
            let numbers = table.column_by_name(name).map(numbers).unwrap_or_default();
            let spread = spread(name, &numbers)?;
            known.insert(name.clone(), (numbers, spread));
        }
        Ok(Self { known })
    }

    pub(super) fn of(&self, name: &str) -> (&[f64], Spread) {
        let known = self.known.get(name);
        known.map_or((&[], Spread::NONE), |(numbers, spread)| (numbers, *spread))
    }
}

impl Spread {
    const NONE: Self = Self {
        deviation: None,
        least: f64::INFINITY,
        most: f64::NEG_INFINITY,
    };

    /// A difference in standard deviations; infinite where all numbers are the same.
    pub(super) fn in_deviations(&self, difference: f64) -> f64 {
        self.deviation.map_or(f64::INFINITY, |one| difference / one)
    }

    /// The spread of the finite ones among numbers. The sums are exact, so that their order is of no account.
    pub(crate) fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let (mut sum, mut squares, mut count) = (Sum::default(), Squares::default(), 0);
        let mut found = Self::NONE;
        for number in numbers.filter(|number| number.is_finite()) {
            sum.add(number);
            squares.add(number);
            count += 1;
            found.least = found.least.min(number);
            found.most = found.most.max(number);
        }
        let deviation = (squares.deviations(count, &sum) / count.max(1) as f64).sqrt();
        found.deviation = (deviation > 0.0).then_some(deviation);
        found
    }
}
