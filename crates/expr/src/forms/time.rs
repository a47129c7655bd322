//! Dates and times as texts.

use chrono::{Datelike, NaiveDate, Weekday};
use tessera_spec::pipeline::{ColumnForm, EpochUnit, TimeFormat};
use tessera_spec::time_format::Part;

use crate::temporal::{DAY_MICROS, FIRST_DAY, LAST_DAY};

/// A point in time as a text states it, in microseconds since 1970-01-01T00:00:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A day without a time, the same in every zone: its midnight.
    Day(i64),
    /// A local time, in a zone that the text does not state.
    Local(i64),
    /// An instant, counted in UTC.
    Instant(i64),
}

/// A date: by the stated forms, otherwise ISO 8601 (`2026-10-31`, `20261031`). A time of day is none but midnight, which loses
/// nothing.
pub fn read_date(text: &str, form: &ColumnForm) -> Option<i32> {
    if form.formats.is_empty() {
        return iso_date(text);
    }
    // Forms that disagree about the time of day disagree.
    day_of(by_formats(text, &form.formats)?)
}

/// The day of a moment that states no time of it, or midnight.
fn day_of(moment: Moment) -> Option<i32> {
    match moment {
        Moment::Day(micros) | Moment::Local(micros) if micros.rem_euclid(DAY_MICROS) == 0 => {
            i32::try_from(micros.div_euclid(DAY_MICROS)).ok()
        }
        Moment::Day(_) | Moment::Local(_) | Moment::Instant(_) => None,
    }
}

/// A time: by the stated forms, otherwise ISO 8601 with a `T` or a blank, seconds and a fraction or none, and an offset or none.
pub fn read_moment(text: &str, form: &ColumnForm) -> Option<Moment> {
    if form.formats.is_empty() {
        return iso_moment(text);
    }
    by_formats(text, &form.formats)
}

/// The moment by the one form that fits; none where two fit and disagree.
fn by_formats(text: &str, formats: &[TimeFormat]) -> Option<Moment> {
    let mut found = None;
    for format in formats {
        let Some(read) = read_with(text, format) else {
            continue;
        };
        match &found {
            Some(before) if *before != read => return None,
            _ => found = Some(read),
        }
    }
    found
}

/// A number of units since 1970-01-01T00:00:00Z as microseconds, decimals included; what is below a microsecond is cut off.
pub fn read_epoch(text: &str, unit: EpochUnit) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 25 || !number(whole) || !number(decimals) {
        return None;
    }
    // In units of 10^-9 of the stated one.
    let billionths: i128 = format!("{whole}{decimals:0<9.9}").parse().ok()?;
    let signed = if negative { -billionths } else { billionths };
    let lost = negative && decimals.len() > 9 && decimals[9..].bytes().any(|b| b != b'0');
    micros_of(signed - i128::from(lost), unit, 1_000_000_000)
}

/// [`read_epoch`] of an integer.
pub fn read_epoch_number(number: i64, unit: EpochUnit) -> Option<i64> {
    micros_of(i128::from(number), unit, 1)
}

fn micros_of(number: i128, unit: EpochUnit, parts: i128) -> Option<i64> {
    let nanos = match unit {
        EpochUnit::S => 1_000_000_000,
        EpochUnit::Ms => 1_000_000,
        EpochUnit::Us => 1_000,
        EpochUnit::Ns => 1,
    };
    let micros = number.checked_mul(nanos)?.div_euclid(parts * 1_000);
    in_range(i64::try_from(micros).ok()?)
}

/// Within the years 1 to 9999.
fn in_range(micros: i64) -> Option<i64> {
    let day = micros.div_euclid(DAY_MICROS);
    (i64::from(FIRST_DAY)..=i64::from(LAST_DAY))
        .contains(&day)
        .then_some(micros)
}

/// Bytes of a text that is read from the left.
struct Cursor<'t> {
    rest: &'t str,
}

impl<'t> Cursor<'t> {
    fn digits(&mut self, least: usize, most: usize) -> Option<&'t str> {
        let digits = self.rest.bytes().take(most);
        let count = digits.take_while(u8::is_ascii_digit).count();
        if count < least {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(digits)
    }

    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        self.digits(least, most)?.parse().ok()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest.strip_prefix(c);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// One of these words, or its first three letters; its position.
    fn word(&mut self, words: &[&str]) -> Option<u32> {
        for (position, word) in (0..).zip(words) {
            for length in [word.len(), 3] {
                if let Some(head) = self.rest.get(..length)
                    && head.eq_ignore_ascii_case(&word[..length])
                {
                    self.rest = &self.rest[length..];
                    return Some(position);
                }
            }
        }
        None
    }

    /// Microseconds of a fraction of one to nine digits.
    fn fraction(&mut self) -> Option<i64> {
        let digits = self.digits(1, 9)?;
        format!("{digits:0<6.6}").parse().ok()
    }

    /// Seconds ahead of UTC: Z, UTC, GMT, or hours and minutes.
    fn offset(&mut self) -> Option<i64> {
        for zero in ["UTC", "GMT", "Z", "z"] {
            if let Some(rest) = self.rest.strip_prefix(zero) {
                self.rest = rest;
                return Some(0);
            }
        }
        let sign = if self.take('+') {
            1
        } else if self.take('-') || self.take('\u{2212}') {
            -1
        } else {
            return None;
        };
        let hours = self.number(2, 2)?;
        let minutes = if self.take(':') || self.rest.starts_with(|c: char| c.is_ascii_digit()) {
            self.number(2, 2)?
        } else {
            0
        };
        (hours <= 18 && minutes <= 59)
            .then(|| sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
    }
}

/// Hours, minutes and seconds as microseconds since midnight.
fn of_day(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour <= 23 && minute <= 59 && second <= 59)
        .then(|| (i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second)) * 1_000_000)
}

fn day(year: u32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    (year >= 1).then(|| i64::from(date.to_epoch_days()))
}

/// `2026-10-31` or `20261031` from the left.
fn iso_day(text: &mut Cursor<'_>) -> Option<i64> {
    let year = text.number(4, 4)?;
    let dashes = text.take('-');
    let month = text.number(2, 2)?;
    if dashes && !text.take('-') {
        return None;
    }
    day(year, month, text.number(2, 2)?)
}

/// Time of day after an ISO date.
fn iso_time(text: &mut Cursor<'_>) -> Option<i64> {
    let hour = text.number(2, 2)?;
    let colons = text.take(':');
    let minute = text.number(2, 2)?;
    let seconds = if colons {
        text.take(':')
    } else {
        text.rest.starts_with(|c: char| c.is_ascii_digit())
    };
    if !seconds {
        return of_day(hour, minute, 0);
    }
    let micros = of_day(hour, minute, text.number(2, 2)?)?;
    if text.rest.starts_with(['.', ',']) {
        text.rest = &text.rest[1..];
        return Some(micros + text.fraction()?);
    }
    Some(micros)
}

fn iso_moment(text: &str) -> Option<Moment> {
    let mut text = Cursor { rest: text };
    let midnight = iso_day(&mut text)? * DAY_MICROS;
    if text.rest.is_empty() {
        return Some(Moment::Day(midnight));
    }
    if !(text.take('T') || text.take('t') || text.take(' ')) {
        return None;
    }
    let local = midnight + iso_time(&mut text)?;
    if text.rest.is_empty() {
        return Some(Moment::Local(local));
    }
    text.take(' ');
    let offset = text.offset()?;
    let instant = local - offset * 1_000_000;
    text.rest
        .is_empty()
        .then(|| in_range(instant))?
        .map(Moment::Instant)
}

fn iso_date(text: &str) -> Option<i32> {
    day_of(iso_moment(text)?)
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// What the parts of a form stand for in one text.
#[derive(Default)]
struct Read {
    year: u32,
    month: u32,
    day: u32,
    day_of_year: Option<u32>,
    weekday: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    micros: i64,
    offset: Option<i64>,
}

/// The time that a text states in this form; none if a part of the text is left over.
pub fn read_with(text: &str, format: &TimeFormat) -> Option<Moment> {
    let mut text = Cursor { rest: text };
    let mut read = Read::default();
    for part in format.parts() {
        match part {
            Part::Literal(c) => text.take(*c).then_some(())?,
            Part::Space => {
                let rest = text.rest.trim_start();
                (rest.len() < text.rest.len()).then_some(())?;
                text.rest = rest;
            }
            Part::Year => read.year = text.number(4, 4)?,
            Part::ShortYear => {
                let short = text.number(2, 2)?;
                read.year = short + if short < 69 { 2_000 } else { 1_900 };
            }
            Part::Month => read.month = text.number(1, 2)?,
            Part::MonthName => read.month = text.word(&MONTHS)? + 1,
            Part::Day => read.day = text.number(1, 2)?,
            Part::DayOfYear => read.day_of_year = Some(text.number(1, 3)?),
            Part::WeekdayName => read.weekday = Some(text.word(&WEEKDAYS)?),
            Part::Hour => read.hour = text.number(1, 2)?,
            Part::HalfDayHour => {
                let hour = text.number(1, 2).filter(|hour| (1..=12).contains(hour))?;
                read.hour = hour % 12;
            }
            Part::HalfDay => {
                let half = text.rest.get(..2)?;
                let afternoon = half.eq_ignore_ascii_case("pm");
                (afternoon || half.eq_ignore_ascii_case("am")).then_some(())?;
                read.afternoon = Some(afternoon);
                text.rest = &text.rest[2..];
            }
            Part::Minute => read.minute = text.number(1, 2)?,
            Part::Second => read.second = text.number(1, 2)?,
            Part::Fraction => read.micros = text.fraction()?,
            Part::Offset => read.offset = Some(text.offset()?),
        }
    }
    text.rest.is_empty().then_some(())?;
    read.moment().map(|moment| match moment {
        Moment::Local(midnight) if !format.has_time() => Moment::Day(midnight),
        moment => moment,
    })
}

impl Read {
    fn moment(&self) -> Option<Moment> {
        let day = match self.day_of_year {
            Some(number) => {
                let date = NaiveDate::from_yo_opt(i32::try_from(self.year).ok()?, number)?;
                (self.year >= 1).then(|| i64::from(date.to_epoch_days()))?
            }
            None => day(self.year, self.month, self.day)?,
        };
        if let Some(weekday) = self.weekday {
            let date = NaiveDate::from_epoch_days(i32::try_from(day).ok()?)?;
            let of_date: Weekday = date.weekday();
            (of_date.num_days_from_monday() == weekday).then_some(())?;
        }
        let hour = self.hour + if self.afternoon == Some(true) { 12 } else { 0 };
        let local = day * DAY_MICROS + of_day(hour, self.minute, self.second)? + self.micros;
        match self.offset {
            Some(offset) => in_range(local - offset * 1_000_000).map(Moment::Instant),
            None => Some(Moment::Local(local)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveDateTime};
    use proptest::prelude::*;

    use super::*;

    fn form(formats: &[&str]) -> ColumnForm {
        ColumnForm {
            formats: formats
                .iter()
                .map(|f| TimeFormat::parse(f).unwrap())
                .collect(),
            ..ColumnForm::default()
        }
    }

    fn micros(text: &str) -> i64 {
        let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").unwrap();
        time.and_utc().timestamp_micros()
    }

    #[test]
    fn iso_times_with_and_without_an_offset() {
        let iso = ColumnForm::default();
        let read = |text: &str| read_moment(text, &iso);
        let local = |text: &str| Some(Moment::Local(micros(text)));
        let instant = |text: &str| Some(Moment::Instant(micros(text)));
        let day = Some(Moment::Day(micros("2026-10-31T00:00:00")));
        assert_eq!(read("2026-10-31"), day);
        assert_eq!(read("2026-10-31 09:05"), local("2026-10-31T09:05:00"));
        assert_eq!(
            read("2026-10-31T09:05:06.1234567"),
            local("2026-10-31T09:05:06.123456")
        );
        assert_eq!(
            read("2026-10-31T09:05:06,5"),
            local("2026-10-31T09:05:06.5")
        );
        assert_eq!(read("20261031T090506"), local("2026-10-31T09:05:06"));
        for offset in ["+02:00", "+0200", "+02", " +02:00"] {
            let text = format!("2026-10-31T09:05:06{offset}");
            assert_eq!(read(&text), instant("2026-10-31T07:05:06"), "{text}");
        }
        for zero in ["Z", "z", " UTC", "+00:00", "-00:00"] {
            let text = format!("2026-10-31 09:05:06.25{zero}");
            assert_eq!(read(&text), instant("2026-10-31T09:05:06.25"), "{text}");
        }
        for none in [
            "31.10.2026",
            "2026-02-30",
            "2026-10-31T24:00",
            "2026-10-31T23:59:60",
            "2026-10-31T9:05",
            "2026-10-31T09:05:06.",
            "2026-10-31T09:05:06+2",
            "2026-10-31T09:05:06+-02",
            "2026-10-31T09:05:06+25:00",
            "2026-10-31 09:05 x",
            "2026-10-31T",
            "0000-01-01",
            "2026-1031",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "",
            "2026-10-31T09:05:06+02:00:00",
            "٢٠٢٦-10-31",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn dates_lose_no_time_of_day() {
        let iso = ColumnForm::default();
        let day = Some(20_757);
        assert_eq!(read_date("2026-10-31", &iso), day);
        assert_eq!(read_date("20261031", &iso), day);
        assert_eq!(read_date("2026-10-31 00:00:00", &iso), day);
        assert_eq!(read_date("2026-10-31 00:00:01", &iso), None);
        assert_eq!(read_date("2026-10-31T00:00:00Z", &iso), None);
        assert_eq!(read_date("31.10.2026", &iso), None);
        assert_eq!(read_date("31.10.2026", &form(&["%d.%m.%Y"])), day);
        assert_eq!(read_date("2026-10-31", &form(&["%d.%m.%Y"])), None);
        let with_time = form(&["%d.%m.%Y %H:%M"]);
        assert_eq!(read_date("31.10.2026 00:00", &with_time), day);
        assert_eq!(read_date("31.10.2026 23:30", &with_time), None);
    }

    #[test]
    fn two_forms_that_disagree_about_a_text_read_none() {
        let both = form(&["%d/%m/%Y", "%m/%d/%Y"]);
        assert_eq!(read_date("31/10/2026", &both), Some(20_757));
        assert_eq!(read_date("10/31/2026", &both), Some(20_757));
        assert_eq!(read_date("03/04/2026", &both), None);
        assert_eq!(read_date("04/04/2026", &both), Some(20_547));
    }

    #[test]
    fn forms_of_many_countries() {
        for (text, format, expected) in [
            (
                "10/31/26 1:05 PM",
                "%m/%d/%y %I:%M %p",
                "2026-10-31T13:05:00",
            ),
            (
                "12:00 AM, 1 Jan 2026",
                "%I:%M %p, %d %b %Y",
                "2026-01-01T00:00:00",
            ),
            (
                "Sat, 31 October 2026",
                "%a, %d %B %Y",
                "2026-10-31T00:00:00",
            ),
            ("2026-304", "%Y-%j", "2026-10-31T00:00:00"),
            (
                "31.10.2026 09:05:06.5",
                "%d.%m.%Y %H:%M:%S.%f",
                "2026-10-31T09:05:06.5",
            ),
            ("1.2.2026", "%d.%m.%Y", "2026-02-01T00:00:00"),
            ("may 5 1969", "%b %d %Y", "1969-05-05T00:00:00"),
        ] {
            let of = match TimeFormat::parse(format).unwrap().has_time() {
                true => Moment::Local,
                false => Moment::Day,
            };
            let expected = Some(of(micros(expected)));
            assert_eq!(read_moment(text, &form(&[format])), expected, "{text}");
        }
        let zoned = form(&["%d/%b/%Y:%H:%M:%S %z"]);
        let expected = Some(Moment::Instant(micros("2026-10-31T07:05:06")));
        assert_eq!(read_moment("31/Oct/2026:09:05:06 +0200", &zoned), expected);
        for (text, format) in [
            ("Sun, 31 October 2026", "%a, %d %B %Y"),
            ("31.10.2026 x", "%d.%m.%Y"),
            ("31.10.26", "%d.%m.%Y"),
            ("29.02.2026", "%d.%m.%Y"),
            ("13:05 PM 1.1.2026", "%I:%M %p %d.%m.%Y"),
            ("2026-366", "%Y-%j"),
        ] {
            assert_eq!(read_moment(text, &form(&[format])), None, "{text}");
        }
    }

    #[test]
    fn epochs_are_exact_and_in_range() {
        assert_eq!(
            read_epoch("1793444400", EpochUnit::S),
            Some(1_793_444_400_000_000)
        );
        assert_eq!(
            read_epoch("1793444400.123456", EpochUnit::S),
            Some(1_793_444_400_123_456)
        );
        assert_eq!(
            read_epoch("1793444400123.0", EpochUnit::Ms),
            Some(1_793_444_400_123_000)
        );
        assert_eq!(read_epoch("-1", EpochUnit::Ns), Some(-1));
        assert_eq!(read_epoch("-1999", EpochUnit::Ns), Some(-2));
        assert_eq!(
            read_epoch("1793444400123456789", EpochUnit::Ns),
            Some(1_793_444_400_123_456)
        );
        assert_eq!(read_epoch_number(-1, EpochUnit::S), Some(-1_000_000));
        assert_eq!(read_epoch_number(i64::MAX, EpochUnit::S), None);
        for none in ["", "-", "1e9", "99999999999999", ".5", "0x1", "12:00"] {
            assert_eq!(read_epoch(none, EpochUnit::S), None, "{none}");
        }
    }

    proptest! {
        /// Against chrono's own RFC 3339 reader.
        #[test]
        fn offsets_are_those_of_chrono(seconds in -62_000_000_000_i64..253_000_000_000, nanos in 0_u32..1_000_000_000, minutes in -1_080_i32..=1_080) {
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let time = DateTime::from_timestamp(seconds, nanos).unwrap().with_timezone(&zone);
            let text = time.to_rfc3339();
            let expected = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_micros();
            prop_assert_eq!(iso_moment(&text), Some(Moment::Instant(expected)), "{}", text);
            let written = time.format("%d/%b/%Y %I:%M:%S.%f %p %z").to_string();
            let form = TimeFormat::parse("%d/%b/%Y %I:%M:%S.%f %p %z").unwrap();
            prop_assert_eq!(read_with(&written, &form), Some(Moment::Instant(expected)), "{}", written);
        }

        #[test]
        fn no_text_stops_the_reader(text in "\\PC{0,24}|[0-9T:.+Zz -]{0,30}") {
            let _ = (iso_moment(&text), read_epoch(&text, EpochUnit::Ns));
            for format in ["%a %b %d %Y %I %p", "%d.%m.%y %H:%M:%S.%f %z"] {
                let _ = read_with(&text, &TimeFormat::parse(format).unwrap());
            }
        }
    }
}
