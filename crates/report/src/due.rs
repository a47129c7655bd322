//! When something is due, in words.

use chrono::NaiveDate;

use crate::number::count;

/// When something is due, seen from another day.
pub(crate) fn due(on: NaiveDate, seen_from: NaiveDate) -> (String, bool) {
    match (on - seen_from).num_days() {
        0 => ("due today".to_owned(), false),
        1 => ("due in 1 day".to_owned(), false),
        days if days > 0 => (format!("due in {} days", count(days)), false),
        -1 => ("overdue by 1 day".to_owned(), true),
        days => (format!("overdue by {} days", count(-days)), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_dates_count_from_the_day_of_the_version() {
        let day = |d| NaiveDate::from_ymd_opt(2026, 11, d).unwrap();
        assert_eq!(due(day(22), day(22)), ("due today".into(), false));
        assert_eq!(due(day(23), day(22)), ("due in 1 day".into(), false));
        assert_eq!(due(day(1), day(22)), ("overdue by 21 days".into(), true));
    }
}
