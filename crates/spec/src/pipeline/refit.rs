//! `refit`: how long what was learned is used before it is learned again.

use std::fmt;

use chrono::{Days, Months, NaiveDate};
use serde::{Deserialize, Serialize};

/// When something is learned again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refit {
    /// At every run.
    Always,
    /// Only where nothing is there yet, or what it depends on was edited.
    Never,
    /// So many days after it was last tried.
    Days(u32),
    /// So many months after it was last tried: on the same day of the month, or the last day of a shorter one.
    Months(u32),
}

impl Refit {
    /// The first day on which it is due after a try on that day; none where it never is.
    pub fn due(self, tried: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::Always => Some(tried),
            Self::Never => None,
            Self::Days(days) => tried.checked_add_days(Days::new(u64::from(days))),
            Self::Months(months) => tried.checked_add_months(Months::new(months)),
        }
    }
}

impl fmt::Display for Refit {
    /// As the pipeline file writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Never => f.write_str("never"),
            Self::Days(days) => write!(f, "{days}d"),
            Self::Months(months) => write!(f, "{months}mo"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_ends_on_the_same_day_of_the_next_or_on_its_last() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let due = |refit: Refit, tried: &str| refit.due(day(tried));
        assert_eq!(due(Refit::Months(1), "2026-01-31"), Some(day("2026-02-28")));
        assert_eq!(due(Refit::Months(1), "2026-02-28"), Some(day("2026-03-28")));
        assert_eq!(due(Refit::Days(30), "2026-01-31"), Some(day("2026-03-02")));
        assert_eq!(due(Refit::Always, "2026-01-31"), Some(day("2026-01-31")));
        assert_eq!(due(Refit::Never, "2026-01-31"), None);
    }
}
