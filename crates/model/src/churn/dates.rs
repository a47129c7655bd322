//! Days since 1970-01-01 as ISO dates.

/// The ISO date of a day (Hinnant, "chrono-compatible low-level date algorithms": civil_from_days).
pub(super) fn iso(day: i32) -> String {
    let shifted = i64::from(day) + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March, so that the leap day is the last of the year.
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn dates_of_the_calendar() {
        let known = [
            (0, "1970-01-01"),
            (15_318, "2011-12-10"),
            (11_016, "2000-02-29"),
            (-1, "1969-12-31"),
        ];
        known
            .into_iter()
            .for_each(|(day, date)| assert_eq!(iso(day), date));
    }
}
