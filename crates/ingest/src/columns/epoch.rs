//! Which times the integers of a Parquet file stand for, by the largest that its footer states.

use chrono::{DateTime, NaiveDate};
use parquet::file::statistics::Statistics;
use tessera_expr::rel::Stored;

use crate::footer::{self, Found};
use crate::inventory::Inventory;

/// The first and the last year that times of customers are likely to be in.
const YEARS: (i32, i32) = (1990, 2100);

/// Units of time since 1970, as the pipeline file names them, and their number in a second.
const UNITS: [(&str, &str, i64); 4] = [
    ("s", "seconds", 1),
    ("ms", "milliseconds", 1_000),
    ("us", "microseconds", 1_000_000),
    ("ns", "nanoseconds", 1_000_000_000),
];

/// What an integer probably stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Units since 1970: the name of the unit, its word, and the day.
    Since(&'static str, &'static str, NaiveDate),
    /// The digits of a date: 20260131.
    Digits(NaiveDate),
    /// Days since 1970.
    Days(NaiveDate),
}

/// How to declare a column of integers that holds dates or times.
pub(super) fn help(inventory: &Inventory, name: &str, is_date: bool) -> String {
    let ty = if is_date { "date" } else { "timestamp" };
    let Some(largest) = largest(inventory, name) else {
        return format!(
            "if these are times since 1970, declare it as {{ type = \"{ty}\", epoch = \"s\" }} where they are seconds; there are also \"ms\", \"us\" and \"ns\""
        );
    };
    let derived = |expression: &str| {
        format!(
            "declare it as \"i64\" and derive the date: `derive = {{ {name}_day = \"{expression}\" }}`, with `{name}_day` in place of `{name}`"
        )
    };
    match meaning(largest) {
        Some(Meaning::Since(unit, word, day)) => format!(
            "these look like {word} since 1970, the largest being {largest} for {day}: declare it as {{ type = \"{ty}\", epoch = \"{unit}\" }}"
        ),
        Some(Meaning::Digits(day)) => format!(
            "these look like the digits of dates, the largest being {largest} for {day}: {}",
            derived(&format!("strptime(cast({name} as string), '%Y%m%d')"))
        ),
        Some(Meaning::Days(day)) => format!(
            "these look like days since 1970, the largest being {largest} for {day}: {}",
            derived(&format!("date '1970-01-01' + {name}"))
        ),
        None => format!(
            "the largest is {largest}, which is no likely time since 1970; declare it as \"i64\", and derive the time from it"
        ),
    }
}

fn meaning(number: i64) -> Option<Meaning> {
    let likely = |day: &NaiveDate| {
        let year = chrono::Datelike::year(day);
        (YEARS.0..=YEARS.1).contains(&year)
    };
    let digits = number.to_string();
    let day = NaiveDate::parse_from_str(&digits, "%Y%m%d").ok();
    if let Some(day) = day.filter(|day| digits.len() == 8 && likely(day)) {
        return Some(Meaning::Digits(day));
    }
    let since = |seconds: i64| Some(DateTime::from_timestamp(seconds, 0)?.date_naive());
    let mut units = UNITS.iter().filter_map(|&(unit, word, per_second)| {
        let day = since(number / per_second).filter(likely)?;
        Some(Meaning::Since(unit, word, day))
    });
    let day = || since(number.checked_mul(86_400)?).filter(likely);
    units.next().or_else(|| day().map(Meaning::Days))
}

/// The largest integer of the column that the footer of a file states: of the first file that holds it as integers.
fn largest(inventory: &Inventory, name: &str) -> Option<i64> {
    let is_integer = |layout: usize| {
        let held = inventory.layouts.get(layout, name);
        matches!(held, Some(Found::Flat(Stored::Int { .. })))
    };
    let mut files = inventory.files.iter();
    let file = files.find(|file| file.rows > 0 && is_integer(file.layout))?;
    let metadata = footer::read(&file.path).ok()?.metadata?;
    let schema = metadata.file_metadata().schema_descr();
    let mut columns = schema.columns().iter();
    let place = columns.position(|column| column.path().parts() == [name])?;
    let of_group = |group: &parquet::file::metadata::RowGroupMetaData| match group
        .column(place)
        .statistics()?
    {
        Statistics::Int32(values) => values.max_opt().copied().map(i64::from),
        Statistics::Int64(values) => values.max_opt().copied(),
        _ => None,
    };
    metadata.row_groups().iter().filter_map(of_group).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days are those of `date -u -d @SECONDS`.
    #[test]
    fn the_magnitude_of_an_integer_says_what_it_stands_for() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let first = day("2026-01-01");
        let since = |unit, word| Some(Meaning::Since(unit, word, first));
        assert_eq!(meaning(1_767_225_600), since("s", "seconds"));
        assert_eq!(meaning(1_767_225_600_000), since("ms", "milliseconds"));
        assert_eq!(meaning(1_767_225_600_000_000), since("us", "microseconds"));
        assert_eq!(
            meaning(1_767_225_600_000_000_000),
            since("ns", "nanoseconds")
        );
        assert_eq!(meaning(20_260_101), Some(Meaning::Digits(first)));
        assert_eq!(meaning(20_454), Some(Meaning::Days(first)));
        assert_eq!(meaning(3), None);
    }
}
