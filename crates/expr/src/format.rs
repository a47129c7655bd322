//! Formats of dates and times in text, as `strptime` takes them.

use chrono::NaiveDate;

use crate::temporal::{self, DAY_MICROS, Stated};

/// A checked format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    items: Vec<Item>,
}

/// A piece of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    /// This character.
    Exactly(char),
    /// White space, also none.
    Blank,
    /// `%Y`: up to four digits
    Year,
    /// `%y`: two digits, 69 to 99 of the century before
    ShortYear,
    /// `%m`
    Month,
    /// `%b`, `%B`: the English name, whole or its first three letters
    MonthName,
    /// `%d`
    Day,
    /// `%j`
    DayOfYear,
    /// `%a`, `%A`: the English name, whole or its first three letters; it says nothing
    Weekday,
    /// `%H`
    Hour,
    /// `%I`
    Hour12,
    /// `%p`
    Half,
    /// `%M`
    Minute,
    /// `%S`
    Second,
    /// `%f`: up to nine decimals of a second
    Decimals,
    /// `%z`: distance from UTC
    Offset,
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// What a text has said so far.
#[derive(Debug, Default)]
struct Found {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: i64,
    afternoon: Option<bool>,
    minute: i64,
    second: i64,
    micros: i64,
    offset_seconds: Option<i64>,
}

impl TimeFormat {
    /// Checks a format.
    ///
    /// # Errors
    /// What it lacks or what of it is not known, in words.
    pub fn new(text: &str) -> Result<Self, String> {
        let format = Self {
            items: items(text)?,
        };
        let has = |item| format.items.contains(&item);
        let year = has(Item::Year) || has(Item::ShortYear);
        let month = has(Item::Month) || has(Item::MonthName);
        if !(year && (has(Item::DayOfYear) || month && has(Item::Day))) {
            return Err(
                "it needs a year, a month and a day, such as `%Y`, `%m` and `%d`".to_owned(),
            );
        }
        if has(Item::Hour12) != has(Item::Half) {
            return Err("`%I` and `%p` go together".to_owned());
        }
        Ok(format)
    }

    /// Whether texts of this format state a time of the day.
    pub fn has_time(&self) -> bool {
        self.items.iter().any(|item| {
            matches!(
                item,
                Item::Hour | Item::Hour12 | Item::Minute | Item::Second | Item::Decimals
            )
        })
    }

    /// The time that a text states; white space around it does not matter.
    pub fn read(&self, text: &str) -> Option<Stated> {
        let mut rest = text.trim();
        let mut found = Found::default();
        for item in &self.items {
            rest = take(*item, rest, &mut found)?;
        }
        if !rest.is_empty() {
            return None;
        }
        found.stated(self.has_time())
    }
}

fn items(format: &str) -> Result<Vec<Item>, String> {
    let mut found = Vec::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c.is_whitespace() {
            found.push(Item::Blank);
            continue;
        }
        if c != '%' {
            found.push(Item::Exactly(c));
            continue;
        }
        let letter = match chars.next() {
            Some('-') => chars.next(),
            letter => letter,
        };
        match letter {
            Some('F') => found.extend(items("%Y-%m-%d")?),
            Some('T') => found.extend(items("%H:%M:%S")?),
            Some(letter) => found.push(item(letter)?),
            None => return Err("it ends with `%`".to_owned()),
        }
    }
    Ok(found)
}

/// The piece of a letter behind `%`.
fn item(letter: char) -> Result<Item, String> {
    Ok(match letter {
        'Y' => Item::Year,
        'y' => Item::ShortYear,
        'm' => Item::Month,
        'b' | 'B' | 'h' => Item::MonthName,
        'd' | 'e' => Item::Day,
        'j' => Item::DayOfYear,
        'a' | 'A' => Item::Weekday,
        'H' => Item::Hour,
        'I' => Item::Hour12,
        'p' => Item::Half,
        'M' => Item::Minute,
        'S' => Item::Second,
        'f' => Item::Decimals,
        'z' => Item::Offset,
        '%' => Item::Exactly('%'),
        other => {
            return Err(format!(
                "`%{other}` is not known; there are %Y %y %m %b %d %j %a %H %I %p %M %S %f %z %F %T and %%"
            ));
        }
    })
}

/// Takes what the piece asks for from the text; gives what is left of it.
fn take<'a>(item: Item, text: &'a str, found: &mut Found) -> Option<&'a str> {
    let (value, rest) = match item {
        Item::Exactly(c) => return text.strip_prefix(c),
        Item::Blank => return Some(text.trim_start()),
        Item::MonthName => {
            let (number, rest) = name(text, &MONTHS)?;
            found.month = Some(number + 1);
            return Some(rest);
        }
        Item::Weekday => return name(text, &WEEKDAYS).map(|(_, rest)| rest),
        Item::Half => {
            let half = text.get(..2)?;
            found.afternoon = Some(match half.to_ascii_lowercase().as_str() {
                "am" => false,
                "pm" => true,
                _ => return None,
            });
            return Some(&text[2..]);
        }
        Item::Offset => return offset(text, found),
        Item::Decimals => return decimals(text, found),
        Item::Year => digits(text, 4)?,
        Item::DayOfYear => digits(text, 3)?,
        Item::ShortYear
        | Item::Month
        | Item::Day
        | Item::Hour
        | Item::Hour12
        | Item::Minute
        | Item::Second => digits(text, 2)?,
    };
    let unsigned = u32::try_from(value).ok();
    match item {
        Item::Year => found.year = i32::try_from(value).ok(),
        Item::ShortYear => {
            found.year = i32::try_from(value + if value < 69 { 2_000 } else { 1_900 }).ok();
        }
        Item::Month => found.month = unsigned,
        Item::Day => found.day = unsigned,
        Item::DayOfYear => found.day_of_year = unsigned,
        Item::Hour => found.hour = (value < 24).then_some(value)?,
        Item::Hour12 => found.hour = (1..=12).contains(&value).then_some(value % 12)?,
        Item::Minute => found.minute = (value < 60).then_some(value)?,
        _ => found.second = (value < 60).then_some(value)?,
    }
    Some(rest)
}

/// One to `most` digits, and what follows.
fn digits(text: &str, most: usize) -> Option<(i64, &str)> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    let value = text.get(..count)?.parse().ok()?;
    Some((value, &text[count..]))
}

/// Up to nine decimals of a second; those beyond six are dropped.
fn decimals<'a>(text: &'a str, found: &mut Found) -> Option<&'a str> {
    let count = text.bytes().take(9).take_while(u8::is_ascii_digit).count();
    let shown = text.get(..count).filter(|shown| !shown.is_empty())?;
    found.micros = format!("{shown:0<6}").get(..6)?.parse().ok()?;
    Some(&text[count..])
}

/// `Z`, `+02`, `+02:00` or `+0200`.
fn offset<'a>(text: &'a str, found: &mut Found) -> Option<&'a str> {
    let shaped = |c: char| c.is_ascii_digit() || c == ':';
    let end = match text.chars().next()? {
        'Z' | 'z' => 1,
        _ => text
            .get(1..)?
            .find(|c| !shaped(c))
            .map_or(text.len(), |end| end + 1),
    };
    found.offset_seconds = Some(temporal::parse_offset(text.get(..end)?)?);
    Some(&text[end..])
}

/// The place of the name that the text begins with, in any case, whole or by three letters.
fn name<'a>(text: &'a str, names: &[&str]) -> Option<(u32, &'a str)> {
    let starts = |length: usize, name: &str| {
        text.get(..length)
            .is_some_and(|start| start.eq_ignore_ascii_case(&name[..length]))
    };
    let (number, name) = (0..).zip(names).find(|(_, name)| starts(3, name))?;
    let length = if starts(name.len(), name) {
        name.len()
    } else {
        3
    };
    Some((number, &text[length..]))
}

impl Found {
    fn stated(&self, with_time: bool) -> Option<Stated> {
        let year = self.year?;
        let date = match self.day_of_year {
            Some(day) => NaiveDate::from_yo_opt(year, day)?,
            None => NaiveDate::from_ymd_opt(year, self.month?, self.day?)?,
        };
        let day = temporal::day_in_range(i64::from(date.to_epoch_days()))?;
        if !with_time {
            return Some(Stated::Day(day));
        }
        let hour = self.hour + if self.afternoon == Some(true) { 12 } else { 0 };
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        let micros = i64::from(day) * DAY_MICROS + seconds * 1_000_000 + self.micros;
        match self.offset_seconds {
            Some(offset) => temporal::in_range(micros - offset * 1_000_000).map(Stated::Instant),
            None => Some(Stated::Local(micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Option<Stated> {
        TimeFormat::new(format).unwrap().read(text)
    }

    fn time(text: &str) -> Option<Stated> {
        temporal::parse_timestamp(text).map(Stated::Local)
    }

    fn day(text: &str) -> Option<Stated> {
        temporal::parse_date(text).map(Stated::Day)
    }

    #[test]
    fn dates_of_many_countries_are_read() {
        assert_eq!(read("%d.%m.%Y", "31.10.2026"), day("2026-10-31"));
        assert_eq!(read("%d.%m.%Y", " 1.2.2026 "), day("2026-02-01"));
        assert_eq!(read("%m/%d/%y", "10/31/26"), day("2026-10-31"));
        assert_eq!(read("%y%m%d", "691231"), day("1969-12-31"));
        assert_eq!(read("%Y%m%d", "20261031"), day("2026-10-31"));
        assert_eq!(read("%a, %d %b %Y", "Sat, 31 OCT 2026"), day("2026-10-31"));
        assert_eq!(read("%B %d, %Y", "May 3, 2026"), day("2026-05-03"));
        assert_eq!(read("%Y-%j", "2024-366"), day("2024-12-31"));
        assert_eq!(read("%-d.%-m.%Y", "3.4.2026"), day("2026-04-03"));
    }

    #[test]
    fn times_are_read_with_halves_of_the_day_decimals_and_distances() {
        let afternoon = time("2026-10-31 14:05:00");
        assert_eq!(read("%d/%m/%Y %I:%M %p", "31/10/2026 2:05 PM"), afternoon);
        let noon = time("2026-10-31 12:00");
        assert_eq!(read("%F %I %p", "2026-10-31 12 pm"), noon);
        assert_eq!(read("%F %I %p", "2026-10-31 12am"), time("2026-10-31"));
        let decimals = time("2026-10-31 14:05:06.123456");
        assert_eq!(read("%FT%T.%f", "2026-10-31T14:05:06.123456789"), decimals);
        let instant = temporal::parse_timestamp("2026-10-31 12:05:06").map(Stated::Instant);
        assert_eq!(read("%F %T %z", "2026-10-31 14:05:06 +02:00"), instant);
        assert_eq!(read("%FT%T%z", "2026-10-31T12:05:06Z"), instant);
    }

    #[test]
    fn what_does_not_fit_is_nothing() {
        for (format, text) in [
            ("%d.%m.%Y", "31.9.2026"),
            ("%d.%m.%Y", "2026-10-31"),
            ("%d.%m.%Y", "31.10.2026 10:00"),
            ("%d.%m.%Y", ""),
            ("%d.%m.%Y", "31.10.0"),
            ("%F %H:%M", "2026-10-31 24:00"),
            ("%F %I %p", "2026-10-31 13 pm"),
            ("%F %T.%f", "2026-10-31 10:00:00."),
            ("%F %T%z", "2026-10-31 10:00:00"),
            ("%d %b %Y", "31 Okt 2026"),
            ("%Y-%j", "2026-366"),
            ("%d.%m.%Y", "é1.10.2026"),
        ] {
            assert_eq!(read(format, text), None, "{format} {text}");
        }
    }

    #[test]
    fn formats_say_what_they_lack() {
        for (format, wrong) in [
            ("%d.%m.", "year"),
            ("%Y %H", "month"),
            ("%Q", "`%Q`"),
            ("%Y-%m-%d %I", "`%p`"),
            ("%F %", "ends"),
        ] {
            let error = TimeFormat::new(format).unwrap_err();
            assert!(error.contains(wrong), "{format}: {error}");
        }
    }
}
