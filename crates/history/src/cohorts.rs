//! Customers by the month of their first order, and what each later month saw of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::Decimal128Type;
use chrono::{Datelike, NaiveDate};

use crate::columns::Columns;
use crate::error::HistoryError;
use crate::tables::{dates, money, table, texts};

const COHORTS: &str = "cohorts";

/// Status of a cell whose month is over.
const OBSERVED: &str = "observed";

/// A calendar month, counted from January of the year 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(i32);

/// Days between 0001-01-01, from which chrono counts, and 1970-01-01.
const EPOCH: i32 = 719_163;

impl Month {
    /// The month of a day, in days since 1970-01-01; none beyond the calendar.
    pub fn of(day: i32) -> Option<Self> {
        let date = NaiveDate::from_num_days_from_ce_opt(day.checked_add(EPOCH)?)?;
        Some(Self(date.year() * 12 + date.month0() as i32))
    }

    /// Its first day, in days since 1970-01-01.
    pub fn first_day(self) -> i32 {
        let month0 = self.0.rem_euclid(12) as u32;
        let date = NaiveDate::from_ymd_opt(self.0.div_euclid(12), month0 + 1, 1);
        date.map_or(0, |date| date.num_days_from_ce() - EPOCH)
    }

    /// Its last day.
    pub fn last_day(self) -> i32 {
        self.later(1).first_day() - 1
    }

    /// The month so many months later.
    #[must_use]
    pub fn later(self, months: i32) -> Self {
        Self(self.0 + months)
    }

    /// Months from another one to this.
    pub fn since(self, other: Self) -> i32 {
        self.0 - other.0
    }
}

/// What a month saw of the customers of a cohort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    /// Those who ordered.
    pub active: u64,
    /// Money of the month in hundredths; none where rows have none, or the table has too few digits for it.
    pub revenue_cents: Option<i128>,
}

/// A month without orders of a cohort.
const NOBODY: Cell = Cell {
    active: 0,
    revenue_cents: Some(0),
};

/// The customers by cohort, and the cells by cohort and month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cohorts {
    /// Customers whose first order is in the month.
    pub sizes: BTreeMap<Month, u64>,
    /// What the month behind it saw of them; where there is none, nobody ordered.
    pub cells: BTreeMap<(Month, Month), Cell>,
}

impl Cohorts {
    /// The cells of months that were over at the version's day, of the table `cohorts` of that version.
    ///
    /// # Errors
    /// A column is missing.
    pub fn observed(
        batches: &[RecordBatch],
    ) -> Result<BTreeMap<(Month, Month), Cell>, HistoryError> {
        let mut cells = BTreeMap::new();
        for batch in batches {
            let columns = Columns {
                table: COHORTS,
                batch,
            };
            let (cohorts, months) = (columns.days("cohort")?, columns.days("month")?);
            let (status, active) = (columns.texts("status")?, columns.integers("active")?);
            let revenue = columns.any("revenue", "revenue")?;
            let revenue = revenue
                .as_primitive_opt::<Decimal128Type>()
                .ok_or_else(|| columns.missing("revenue"))?;
            for row in (0..batch.num_rows()).filter(|&row| status.value(row) == OBSERVED) {
                let pair = Month::of(cohorts.value(row)).zip(Month::of(months.value(row)));
                let cents = (!revenue.is_null(row)).then(|| revenue.value(row));
                let cell = Cell {
                    active: u64::try_from(active.value(row)).unwrap_or(0),
                    revenue_cents: cents,
                };
                cells.extend(pair.map(|pair| (pair, cell)));
            }
        }
        Ok(cells)
    }
}

/// The table `cohorts`: every cohort with customers by its age in months, up to the age of the oldest. `has_money` says whether rows
/// have an amount.
///
/// # Errors
/// A sum has more digits than the table holds, or Arrow refuses the columns.
pub fn cohorts_table(
    as_of: i32,
    cohorts: &Cohorts,
    has_money: bool,
) -> Result<RecordBatch, HistoryError> {
    let last = Month::of(as_of).unwrap_or(Month(0));
    let oldest = cohorts.sizes.keys().next().copied().unwrap_or(last);
    let rows: Vec<(Month, i32, u64)> = cohorts
        .sizes
        .iter()
        .flat_map(|(&cohort, &size)| (0..=last.since(oldest)).map(move |age| (cohort, age, size)))
        .collect();
    let month = |row: &(Month, i32, u64)| row.0.later(row.1);
    let cell = |row: &(Month, i32, u64)| {
        let found = cohorts.cells.get(&(row.0, month(row))).copied();
        (month(row) <= last).then(|| found.unwrap_or(NOBODY))
    };
    let status = |row: &(Month, i32, u64)| match month(row) {
        month if month > last => "unobserved",
        month if month == last && month.last_day() > as_of => "partial",
        _ => OBSERVED,
    };
    let retention = |row: &(Month, i32, u64)| Some(cell(row)?.active as f64 / row.2 as f64);
    let revenue = |row: &(Month, i32, u64)| cell(row)?.revenue_cents.filter(|_| has_money);
    let active = rows.iter().map(|row| Some(cell(row)?.active as i64));
    let customers = rows.iter().map(|row| row.2 as i64);
    table(
        COHORTS,
        vec![
            ("as_of", false, dates(rows.iter().map(|_| as_of))),
            (
                "cohort",
                false,
                dates(rows.iter().map(|row| row.0.first_day())),
            ),
            (
                "age",
                false,
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|row| i64::from(row.1)),
                )),
            ),
            (
                "month",
                false,
                dates(rows.iter().map(|row| month(row).first_day())),
            ),
            (
                "customers",
                false,
                Arc::new(Int64Array::from_iter_values(customers)),
            ),
            ("active", true, Arc::new(active.collect::<Int64Array>())),
            (
                "retention",
                true,
                Arc::new(rows.iter().map(retention).collect::<Float64Array>()),
            ),
            (
                "revenue",
                true,
                money(
                    COHORTS,
                    rows.iter().map(revenue).collect::<Decimal128Array>(),
                )?,
            ),
            ("status", false, texts(rows.iter().map(status))),
        ],
    )
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;

    fn day(text: &str) -> i32 {
        let date: NaiveDate = text.parse().unwrap();
        date.num_days_from_ce() - EPOCH
    }

    #[test]
    fn months_begin_and_end() {
        assert_eq!(day("1970-01-01"), 0);
        let month = Month::of(day("2024-02-29")).unwrap();
        assert_eq!(month.first_day(), day("2024-02-01"));
        assert_eq!(month.last_day(), day("2024-02-29"));
        assert_eq!(month.later(-2).first_day(), day("2023-12-01"));
        assert_eq!(Month::of(day("2025-01-31")).unwrap().since(month), 11);
    }

    #[test]
    fn cells_of_months_to_come_are_null_and_a_month_that_runs_is_marked() {
        let (january, march) = (
            Month::of(day("2026-01-05")).unwrap(),
            Month::of(day("2026-03-01")).unwrap(),
        );
        let cell = |active, cents| Cell {
            active,
            revenue_cents: Some(cents),
        };
        let cohorts = Cohorts {
            sizes: [(january, 4), (march, 1)].into(),
            cells: [
                ((january, january), cell(4, 1_000)),
                ((january, march), cell(1, -250)),
                ((march, march), cell(1, 700)),
            ]
            .into(),
        };
        let table = cohorts_table(day("2026-03-10"), &cohorts, true).unwrap();
        let text = |name: &str| -> Vec<String> {
            let column = table.column_by_name(name).unwrap();
            (0..column.len())
                .map(|row| arrow::util::display::array_value_to_string(column, row).unwrap())
                .collect()
        };
        assert_eq!(text("age"), ["0", "1", "2", "0", "1", "2"]);
        assert_eq!(text("active"), ["4", "0", "1", "1", "", ""]);
        assert_eq!(text("retention"), ["1.0", "0.0", "0.25", "1.0", "", ""]);
        assert_eq!(text("revenue"), ["10.00", "0.00", "-2.50", "7.00", "", ""]);
        let wanted = [
            "observed",
            "observed",
            "partial",
            "partial",
            "unobserved",
            "unobserved",
        ];
        assert_eq!(text("status"), wanted);
        let observed = Cohorts::observed(&[table]).unwrap();
        assert_eq!(observed.len(), 2);
        assert_eq!(observed[&(january, january)], cell(4, 1_000));
        let whole = cohorts_table(day("2026-03-31"), &cohorts, false).unwrap();
        let statuses: &StringArray = whole.column_by_name("status").unwrap().as_string();
        assert_eq!(statuses.value(2), OBSERVED);
        assert_eq!(whole.column_by_name("revenue").unwrap().null_count(), 6);
    }
}
