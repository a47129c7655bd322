//! Forms of dates and times as `strptime` writes them, such as `%d.%m.%Y`.
//!
//! Only forms with a year, a month and a day are accepted, so that no part of a date is guessed; a time of day that is missing is
//! midnight.

/// A checked form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeFormat {
    text: String,
    parts: Vec<Part>,
}

/// A piece of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// This character.
    Literal(char),
    /// White space, at least one character.
    Space,
    /// `%Y`: four digits.
    Year,
    /// `%y`: two digits; 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068 (POSIX).
    ShortYear,
    /// `%m`: one or two digits.
    Month,
    /// `%b`, `%B`, `%h`: an English name or its first three letters.
    MonthName,
    /// `%d`, `%e`: one or two digits.
    Day,
    /// `%j`: one to three digits, the day of the year.
    DayOfYear,
    /// `%a`, `%A`: an English name or its first three letters, which must be that of the date.
    WeekdayName,
    /// `%H`: one or two digits, 0 to 23.
    Hour,
    /// `%I`: one or two digits, 1 to 12, with `%p`.
    HalfDayHour,
    /// `%p`: AM or PM.
    HalfDay,
    /// `%M`: one or two digits.
    Minute,
    /// `%S`: one or two digits, 0 to 59.
    Second,
    /// `%f`: one to nine digits, the fraction of a second; what is below a microsecond is cut off.
    Fraction,
    /// `%z`: Z, UTC, +02, +0200 or +02:00.
    Offset,
}

impl TimeFormat {
    /// Reads a form. The error is a sentence about it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            if c.is_whitespace() {
                if parts.last() != Some(&Part::Space) {
                    parts.push(Part::Space);
                }
            } else if c != '%' {
                parts.push(Part::Literal(c));
            } else {
                // A padding flag (`%-d`, `%_d`) has no effect: numbers without leading zeros are accepted anyway.
                rest.next_if(|c| matches!(c, '-' | '_'));
                let Some(code) = rest.next() else {
                    return Err("it ends with a single `%`".to_owned());
                };
                directive(code, &mut parts)?;
            }
        }
        let form = Self {
            text: text.to_owned(),
            parts,
        };
        form.check()?;
        Ok(form)
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its pieces.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether it has an hour.
    pub fn has_time(&self) -> bool {
        self.has(Part::Hour) || self.has(Part::HalfDayHour)
    }

    /// Whether it has an offset from UTC.
    pub fn has_offset(&self) -> bool {
        self.has(Part::Offset)
    }

    fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }

    fn check(&self) -> Result<(), String> {
        let numbers = |parts: &[Part]| {
            let stated = parts.iter().filter(|part| self.has(**part));
            stated.count()
        };
        for part in &self.parts {
            let plain = !matches!(part, Part::Literal(_) | Part::Space);
            if plain && self.parts.iter().filter(|other| *other == part).count() > 1 {
                return Err("it has the same part twice".to_owned());
            }
        }
        if numbers(&[Part::Year, Part::ShortYear]) != 1 {
            return Err("it needs one year, `%Y` or `%y`".to_owned());
        }
        let of_year = self.has(Part::DayOfYear);
        let month = numbers(&[Part::Month, Part::MonthName]);
        if of_year && (month > 0 || self.has(Part::Day)) {
            return Err("`%j` is the day of the year; remove month and day".to_owned());
        }
        if !of_year && (month != 1 || !self.has(Part::Day)) {
            return Err("it needs one month, `%m` or `%b`, and a day, `%d`".to_owned());
        }
        if self.has(Part::Hour) && self.has(Part::HalfDayHour) {
            return Err("it has two hours, `%H` and `%I`".to_owned());
        }
        if self.has(Part::HalfDayHour) != self.has(Part::HalfDay) {
            return Err(
                "`%I` (hours 1 to 12) and `%p` (AM or PM) must be used together".to_owned(),
            );
        }
        if self.has(Part::Minute) && !self.has_time() {
            return Err("it has minutes but no hour".to_owned());
        }
        if self.has(Part::Second) && !self.has(Part::Minute) {
            return Err("it has seconds but no minutes".to_owned());
        }
        if self.has(Part::Fraction) && !self.has(Part::Second) {
            return Err("it has a fraction but no seconds".to_owned());
        }
        if self.has(Part::Offset) && !self.has_time() {
            return Err("it has an offset from UTC but no hour".to_owned());
        }
        Ok(())
    }
}

fn directive(code: char, parts: &mut Vec<Part>) -> Result<(), String> {
    let colon = Part::Literal(':');
    let dash = Part::Literal('-');
    match code {
        'Y' => parts.push(Part::Year),
        'y' => parts.push(Part::ShortYear),
        'm' => parts.push(Part::Month),
        'b' | 'B' | 'h' => parts.push(Part::MonthName),
        'd' | 'e' => parts.push(Part::Day),
        'j' => parts.push(Part::DayOfYear),
        'a' | 'A' => parts.push(Part::WeekdayName),
        'H' => parts.push(Part::Hour),
        'I' => parts.push(Part::HalfDayHour),
        'p' => parts.push(Part::HalfDay),
        'M' => parts.push(Part::Minute),
        'S' => parts.push(Part::Second),
        'f' => parts.push(Part::Fraction),
        'z' => parts.push(Part::Offset),
        'F' => parts.extend([Part::Year, dash, Part::Month, dash, Part::Day]),
        'T' => parts.extend([Part::Hour, colon, Part::Minute, colon, Part::Second]),
        'R' => parts.extend([Part::Hour, colon, Part::Minute]),
        '%' => parts.push(Part::Literal('%')),
        other => {
            return Err(format!(
                "`%{other}` is not supported; available: %Y %y %m %b %d %j %a %H %I %p %M %S %f %z %F %T %R %%"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_name_no_moment_are_refused() {
        for (text, said) in [
            ("%d.%m", "it needs one year"),
            ("%Y-%m", "a day"),
            ("%d.%m.%Y %I:%M", "`%p`"),
            ("%d.%m.%Y %M", "no hour"),
            ("%d.%m.%Y %H:%S", "no minutes"),
            ("%d.%d.%m.%Y", "twice"),
            ("%Y-%j-%d", "`%j`"),
            ("%d.%m.%Y %", "single `%`"),
            ("%d.%m.%Y %Q", "`%Q` is not supported"),
            ("%d.%m.%Y %z", "an offset from UTC"),
            ("", "year"),
        ] {
            let found = TimeFormat::parse(text).unwrap_err();
            assert!(found.contains(said), "{text}: {found}");
        }
    }

    #[test]
    fn short_forms_stand_for_their_parts() {
        let short = TimeFormat::parse("%FT%T").unwrap();
        let long = TimeFormat::parse("%Y-%m-%dT%H:%M:%S").unwrap();
        assert_eq!(short.parts(), long.parts());
        let unpadded = TimeFormat::parse("%-d.%-m.%Y").unwrap();
        let padded = TimeFormat::parse("%d.%m.%Y").unwrap();
        assert_eq!(unpadded.parts(), padded.parts());
    }
}
