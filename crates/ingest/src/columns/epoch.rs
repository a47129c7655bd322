//! Which times the integers of a Parquet file stand for, by the largest that its footer states.

use chrono::{DateTime, NaiveDate};
use parquet::file::statistics::Statistics;
use tessera_expr::rel::Stored;

use crate::footer::{self, Found};
use crate::inventory::Inventory;

/// The first and the last year that times of customers are likely to be in.
const YEARS: (i32, i32) = (1990, 2100);

/// Days from 1899-12-30 to 1970-01-01.
const BEFORE_1970: i64 = 25_569;

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
    /// Days since 1899-12-30, as sheets hold dates.
    Sheet(NaiveDate),
}

/// The last year in which days since 1970 are likely to be: a later one is a day of a sheet of 1979 or later.
const LAST_OF_DAYS: i32 = 2050;

/// How to derive the date of a column that holds the days of a sheet.
pub(crate) fn of_sheet(name: &str, is_float: bool) -> String {
    let (ty, days) = match is_float {
        true => ("f64", format!("cast({name} as bigint)")),
        false => ("i64", name.to_owned()),
    };
    derived(
        name,
        ty,
        &format!("date '1899-12-30' + {days}"),
        "where it is dates of a sheet, which count days since 1899-12-30, ",
    )
}

fn derived(name: &str, ty: &str, expression: &str, when: &str) -> String {
    format!(
        "{when}declare it as \"{ty}\" and derive the date: `derive = {{ {name}_day = \"{expression}\" }}`, with `{name}_day` in place of `{name}`"
    )
}

/// How to declare a column of integers that holds dates or times.
pub(super) fn help(inventory: &Inventory, name: &str, is_date: bool) -> String {
    let ty = if is_date { "date" } else { "timestamp" };
    let Some(largest) = largest(inventory, name) else {
        return format!(
            "if these are times since 1970, declare it as {{ type = \"{ty}\", epoch = \"s\" }} where they are seconds; there are also \"ms\", \"us\" and \"ns\""
        );
    };
    let derived = |expression: &str| derived(name, "i64", expression, "");
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
        Some(Meaning::Sheet(day)) => format!(
            "these look like days since 1899-12-30, as sheets hold dates, the largest being {largest} for {day}: {}",
            derived(&format!("date '1899-12-30' + {name}"))
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
    let of_days = |number: i64| since(number.checked_mul(86_400)?).filter(likely);
    let is_soon = |day: &NaiveDate| chrono::Datelike::year(day) <= LAST_OF_DAYS;
    let day = || of_days(number).filter(is_soon).map(Meaning::Days);
    let of_sheet = || of_days(number - BEFORE_1970).map(Meaning::Sheet);
    units.next().or_else(day).or_else(of_sheet)
}

/// Whether a number is a likely date of a sheet, the time of day being its fraction.
pub(crate) fn is_day_of_sheet(number: f64) -> bool {
    (0.0..1e9).contains(&number) && matches!(meaning(number as i64), Some(Meaning::Sheet(_)))
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
        // Excel shows 46023 as 2026-01-01, and 32874 as 1990-01-01.
        assert_eq!(meaning(46_023), Some(Meaning::Sheet(first)));
        assert_eq!(meaning(32_874), Some(Meaning::Sheet(day("1990-01-01"))));
        assert!(is_day_of_sheet(46_023.75) && !is_day_of_sheet(20_454.0));
        assert!(!is_day_of_sheet(f64::NAN) && !is_day_of_sheet(1e300));
        assert_eq!(meaning(3), None);
    }
}
