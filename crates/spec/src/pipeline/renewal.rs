//! Periods of contracts.

use std::fmt;

use chrono::{Months, NaiveDate};
use serde::Serialize;

/// Days of a year of the Gregorian calendar, on average.
const DAYS_OF_A_YEAR: f64 = 365.242_5;

/// A period that follows on itself, counted from the first day of each contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RenewalPeriod {
    /// So many days.
    #[serde(rename = "period_days")]
    Days(u32),
    /// So many calendar months: each ends on the day of the month on which the contract began, or on the last of a shorter month.
    #[serde(rename = "period_months")]
    Months(u32),
}

impl RenewalPeriod {
    /// Whole periods from the first day until another; 0 where that is not later.
    pub fn whole(self, first: NaiveDate, until: NaiveDate) -> u32 {
        let days = u32::try_from((until - first).num_days()).unwrap_or(0);
        match self {
            Self::Days(period) => days / period.max(1),
            Self::Months(period) => {
                let period = period.max(1);
                let mut months = (f64::from(days) / DAYS_OF_A_YEAR * 12.0).ceil() as u32 + 1;
                let ends = |months: u32| first.checked_add_months(Months::new(months));
                while months > 0 && ends(months).is_none_or(|end| end > until) {
                    months -= 1;
                }
                months / period
            }
        }
    }

    /// Periods from the first day until another, of which the last may be cut.
    pub fn begun(self, first: NaiveDate, until: NaiveDate) -> u32 {
        let whole = self.whole(first, until);
        whole + u32::from(self.end(first, whole).is_some_and(|end| end < until))
    }

    /// The day on which so many periods end.
    pub fn end(self, first: NaiveDate, periods: u32) -> Option<NaiveDate> {
        match self {
            Self::Days(period) => {
                let days = u64::from(period.max(1)) * u64::from(periods);
                first.checked_add_days(chrono::Days::new(days))
            }
            Self::Months(period) => {
                first.checked_add_months(Months::new(period.max(1).checked_mul(periods)?))
            }
        }
    }

    /// Its days, on average.
    pub fn mean_days(self) -> f64 {
        match self {
            Self::Days(days) => f64::from(days.max(1)),
            Self::Months(months) => DAYS_OF_A_YEAR / 12.0 * f64::from(months.max(1)),
        }
    }
}

impl fmt::Display for RenewalPeriod {
    /// As the pipeline file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Self::Months(months) => write!(f, "{months}mo"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(period: RenewalPeriod, first: &str, until: &str) -> (u32, u32) {
        let [first, until] = [first, until].map(|text| text.parse().unwrap());
        (period.whole(first, until), period.begun(first, until))
    }

    #[test]
    fn months_end_on_the_day_of_the_month_or_on_its_last() {
        let month = RenewalPeriod::Months(1);
        for (first, until, wanted) in [
            ("2025-01-31", "2025-02-27", (0, 1)),
            ("2025-01-31", "2025-02-28", (1, 1)),
            ("2025-01-31", "2025-03-01", (1, 2)),
            ("2025-01-31", "2025-03-31", (2, 2)),
            ("2024-02-29", "2025-02-28", (12, 12)),
            ("2025-03-15", "2025-03-15", (0, 0)),
            ("2025-03-15", "2025-03-14", (0, 0)),
            ("1999-12-01", "2030-01-01", (361, 361)),
        ] {
            assert_eq!(counted(month, first, until), wanted, "{first} {until}");
        }
    }

    /// Three years of which one has a day more, and contracts that are written with their last day.
    #[test]
    fn years_are_counted_where_they_have_366_days_and_where_the_last_day_is_written() {
        let year = RenewalPeriod::Months(12);
        for (first, until, wanted) in [
            ("2023-06-01", "2024-06-01", (1, 1)),
            ("2023-06-01", "2024-05-31", (0, 1)),
            ("2023-06-01", "2026-06-01", (3, 3)),
            ("2023-06-01", "2026-06-02", (3, 4)),
        ] {
            assert_eq!(counted(year, first, until), wanted, "{first} {until}");
        }
        assert_eq!(
            counted(RenewalPeriod::Days(365), "2023-06-01", "2024-06-01"),
            (1, 2)
        );
    }

    #[test]
    fn periods_are_between_the_days_on_which_they_end() {
        let first: NaiveDate = "2024-01-31".parse().unwrap();
        for period in [
            RenewalPeriod::Days(7),
            RenewalPeriod::Months(1),
            RenewalPeriod::Months(3),
        ] {
            for days in 0..1_500 {
                let until = first + chrono::Days::new(days);
                let (whole, begun) = (period.whole(first, until), period.begun(first, until));
                assert!(period.end(first, whole).unwrap() <= until);
                assert!(period.end(first, whole + 1).unwrap() > until);
                assert!(period.end(first, begun).unwrap() >= until);
                assert!(begun - whole <= 1);
            }
        }
    }

    #[test]
    fn periods_are_written_as_in_the_file() {
        let written = [
            RenewalPeriod::Days(28),
            RenewalPeriod::Months(3),
            RenewalPeriod::Months(24),
        ];
        assert_eq!(
            written.map(|period| period.to_string()),
            ["28d", "3mo", "2y"]
        );
    }
}
