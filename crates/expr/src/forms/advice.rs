//! Which setting would convert texts that did not convert. Only for advice in messages. A setting is advised only if it also reads all
//! texts that are read without it, with the same values; a setting of numbers or dates also if it reads every text, as other values,
//! which is said.
//!
//! Where to look: `observed` (texts and what they are read as), `times` (forms of dates and times).

mod observed;
mod times;

use tessera_spec::pipeline::{ColumnForm, DecimalSign, ThousandsSign};

use super::{is_null, read_integer};
use crate::Type;
use crate::decimal::MAX_DIGITS;
use observed::{value, with_ones};

pub use observed::Observed;

/// What programs write for a missing value.
const MISSING: [&str; 22] = [
    "NA",
    "N/A",
    "#N/A",
    "n/a",
    "na",
    "<NA>",
    "NaN",
    "nan",
    "NaT",
    "NULL",
    "null",
    "Null",
    "(null)",
    "nil",
    "None",
    "none",
    "\\N",
    "-",
    "--",
    "?",
    "0000-00-00",
    "0000-00-00 00:00:00",
];

/// Ends advice of two settings that give different values.
const AS_MEANT: &str = ", as it is meant";

/// Ends advice of a setting of numbers that changes what is read.
const READS_ALL: &str = ", which reads all values; those that are read now become other numbers";

/// Significant digits that a float holds of every number.
const FLOAT_DIGITS: usize = 15;

/// Texts of a column and how they are read.
#[derive(Debug)]
pub struct Texts<'a> {
    /// Those that are read, one for each form.
    pub read: &'a [Observed],
    /// Those that are not.
    pub broken: &'a [Observed],
    /// The type of the column.
    pub ty: Type,
    /// Smallest and largest integer of the type.
    pub bounds: Option<(i64, i64)>,
    /// The settings by which they are read.
    pub form: &'a ColumnForm,
}

/// The settings that would read most of the texts that are not read, and all that are, in TOML; none where no usual ones would.
pub fn advice(texts: &Texts<'_>) -> Option<String> {
    let is_word = |seen: &&Observed| {
        MISSING.contains(&seen.text.as_str()) && !is_null(&seen.text, texts.form)
    };
    let (words, broken): (Vec<&Observed>, Vec<&Observed>) = texts.broken.iter().partition(is_word);
    let broken: Vec<Observed> = broken.into_iter().cloned().collect();
    let settings = match texts.ty {
        Type::Int | Type::Float | Type::Decimal { .. } => {
            numbers(texts, &broken).or_else(|| numbers_of_all(texts, &broken))
        }
        Type::Date => dates(texts, &broken),
        Type::Timestamp => times::times(texts.read, &broken, texts.ty, texts.form, AS_MEANT),
        Type::Bool | Type::String | Type::Null => None,
    };
    let settings = settings.map(|(words, _)| words);
    let nulls = nulls(&words, texts.form);
    match (settings, nulls) {
        (Some(settings), None) => Some(settings),
        (None, nulls) => nulls,
        (Some(settings), Some(nulls))
            if [AS_MEANT, times::READS_ALL, READS_ALL]
                .iter()
                .any(|end| settings.ends_with(end)) =>
        {
            Some(format!("{settings}; and {nulls}"))
        }
        (Some(settings), Some(nulls)) => Some(format!("{settings}, {nulls}")),
    }
}

/// The setting by which the words stand for missing values, with those that already do.
fn nulls(words: &[&Observed], form: &ColumnForm) -> Option<String> {
    if words.is_empty() {
        return None;
    }
    let known = form.nulls.iter().flatten().map(String::as_str);
    let all = known.chain(words.iter().map(|seen| seen.text.as_str()));
    let quoted: Vec<String> = all.map(|word| format!("{word:?}")).collect();
    Some(format!("nulls = [{}]", quoted.join(", ")))
}

/// A setting of numbers that is tried.
struct Tried {
    words: String,
    ty: Type,
    form: ColumnForm,
    /// The bounds of the type hold for it too.
    bounded: bool,
}

/// The settings of numbers that read all that was read, and most of the rest; how many of the latter.
fn numbers(texts: &Texts<'_>, broken: &[Observed]) -> Option<(String, u64)> {
    let candidates = candidates(texts);
    let counted = candidates
        .iter()
        .filter_map(|tried| Some((gained(tried, texts, broken)?, tried)));
    // Of equal ones the first.
    let (count, best) = counted.clone().rev().max_by_key(|(count, _)| *count)?;
    if count == 0 {
        return None;
    }
    // `1,234` is two numbers.
    let differs = |other: &Tried| {
        let both = broken.iter().filter_map(|seen| {
            Some((
                value(&seen.text, best.ty, &best.form)?,
                value(&seen.text, other.ty, &other.form)?,
            ))
        });
        both.into_iter().any(|(one, other)| one != other)
    };
    let mut others = counted.filter(|(found, _)| *found == count);
    let other = others.find(|(_, tried)| differs(tried));
    let words = match other {
        Some((_, other)) => format!("{} or {}{AS_MEANT}", best.words, other.words),
        None => best.words.clone(),
    };
    Some((words, count))
}

/// The setting that reads every number, where what was read has been read as other numbers, and more numbers were not read than those:
/// `1.000` beside many like `12,5` is a thousand.
fn numbers_of_all(texts: &Texts<'_>, broken: &[Observed]) -> Option<(String, u64)> {
    let candidates = candidates(texts);
    let reads = |tried: &&Tried| {
        let bounds = texts.bounds.filter(|_| tried.bounded);
        let inside = |text: &str, (least, most)| {
            read_integer(text, &tried.form).is_some_and(|found| (least..=most).contains(&found))
        };
        let mut all = texts
            .read
            .iter()
            .chain(broken)
            .map(|seen| seen.text.as_str());
        tried.ty == texts.ty
            && all.all(|text| {
                value(text, tried.ty, &tried.form).is_some()
                    && bounds.is_none_or(|bounds| inside(text, bounds))
            })
    };
    let found = candidates.iter().find(reads)?;
    let count = |seen: &Observed| seen.count;
    let changes = |seen: &&Observed| {
        let text = with_ones(&seen.text);
        value(&text, found.ty, &found.form) != value(&text, texts.ty, texts.form)
    };
    let changed: u64 = texts.read.iter().filter(changes).map(count).sum();
    let gained: u64 = broken.iter().map(count).sum();
    (gained > changed).then(|| (format!("{}{READS_ALL}", found.words), gained))
}

/// The settings of dates, or those of times where they read more: then the column holds times of day.
fn dates(texts: &Texts<'_>, broken: &[Observed]) -> Option<(String, u64)> {
    let found = times::times(texts.read, broken, Type::Date, texts.form, AS_MEANT);
    let known = found.as_ref().map_or(0, |(_, count)| *count);
    let reads = |seen: &&Observed| value(&seen.text, Type::Timestamp, texts.form).is_some();
    let of_time = match texts.read.iter().all(|seen| reads(&seen)) {
        true => broken.iter().filter(reads).map(|seen| seen.count).sum(),
        false => 0,
    };
    if of_time > known {
        return Some(("type = \"timestamp\"".to_owned(), of_time));
    }
    let with_form = times::times(texts.read, broken, Type::Timestamp, texts.form, AS_MEANT);
    match with_form {
        Some((words, count)) if count > known => {
            Some((format!("type = \"timestamp\", {words}"), count))
        }
        _ => found,
    }
}

/// How many of the broken texts the setting reads; none where it does not read one that was read, or reads it as another number.
fn gained(tried: &Tried, texts: &Texts<'_>, broken: &[Observed]) -> Option<u64> {
    let rounds = texts.ty != Type::Float && tried.ty == Type::Float;
    let read = |text: &str| {
        let found = value(text, tried.ty, &tried.form)?;
        let bounds = texts.bounds.filter(|_| tried.bounded);
        let inside = |(least, most)| {
            read_integer(text, &tried.form).is_some_and(|found| (least..=most).contains(&found))
        };
        let held = !rounds || digits(text) <= FLOAT_DIGITS;
        (held && bounds.is_none_or(inside)).then_some(found)
    };
    let same = |text: &str| {
        let known = value(text, texts.ty, texts.form);
        known.is_none_or(|known| value(text, tried.ty, &tried.form) == Some(known))
    };
    let kept = |seen: &Observed| {
        read(&seen.text).is_some() && same(&seen.text) && same(&with_ones(&seen.text))
    };
    if !texts.read.iter().all(kept) {
        return None;
    }
    let fits = broken.iter().filter(|seen| read(&seen.text).is_some());
    Some(fits.map(|seen| seen.count).sum())
}

fn digits(text: &str) -> usize {
    let digits = text.chars().filter(char::is_ascii_digit);
    let significant: String = digits.skip_while(|c| *c == '0').collect();
    significant.trim_end_matches('0').len()
}

/// The settings that are tried: those that change least first.
fn candidates(texts: &Texts<'_>) -> Vec<Tried> {
    use DecimalSign::{Comma, Point};
    let form = texts.form;
    let point = match form.decimal {
        Some(Comma) => "decimal = \".\", ",
        Some(Point) | None => "",
    };
    let signs = [
        (Comma, None, "decimal = \",\"".to_owned()),
        (
            Comma,
            Some(ThousandsSign::Point),
            "decimal = \",\", thousands = \".\"".to_owned(),
        ),
        (
            Comma,
            Some(ThousandsSign::Space),
            "decimal = \",\", thousands = \" \"".to_owned(),
        ),
        (
            Point,
            Some(ThousandsSign::Comma),
            format!("{point}thousands = \",\""),
        ),
        (
            Point,
            Some(ThousandsSign::Space),
            format!("{point}thousands = \" \""),
        ),
        (
            Point,
            Some(ThousandsSign::Apostrophe),
            format!("{point}thousands = \"'\""),
        ),
        (Point, None, "decimal = \".\"".to_owned()),
    ];
    let signed = |decimal, thousands| ColumnForm {
        decimal: Some(decimal),
        thousands,
        ..form.clone()
    };
    let mut found = other_types(texts);
    found.extend(signs.iter().map(|(decimal, thousands, words)| Tried {
        words: words.clone(),
        ty: texts.ty,
        form: signed(*decimal, *thousands),
        bounded: true,
    }));
    if form.money {
        return found;
    }
    let money = |form: ColumnForm, words: String| Tried {
        words,
        ty: Type::Float,
        form: ColumnForm {
            money: true,
            ..form
        },
        bounded: false,
    };
    found.push(money(form.clone(), "type = \"money\"".to_owned()));
    found.extend(signs.iter().map(|(decimal, thousands, words)| {
        let words = format!("type = \"money\", {words}");
        money(signed(*decimal, *thousands), words)
    }));
    found
}

/// Wider types for numbers of the same form.
fn other_types(texts: &Texts<'_>) -> Vec<Tried> {
    let wider = |words: String, ty: Type| Tried {
        words: format!("type = \"{words}\""),
        ty,
        form: texts.form.clone(),
        bounded: false,
    };
    let decimal = |scale: u8| {
        let words = format!("decimal({MAX_DIGITS}, {scale})");
        wider(words, Type::Decimal { scale })
    };
    match texts.ty {
        Type::Int if texts.bounds.is_some() => vec![
            wider("i64".to_owned(), Type::Int),
            wider("f64".to_owned(), Type::Float),
        ],
        Type::Int => vec![decimal(0), wider("f64".to_owned(), Type::Float)],
        Type::Decimal { scale } => (scale + 1..=scale + 6).map(decimal).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_spec::pipeline::TimeFormat;

    fn seen(texts: &[&str]) -> Vec<Observed> {
        let seen = |text: &&str| Observed {
            text: (*text).to_owned(),
            count: 1,
        };
        texts.iter().map(seen).collect()
    }

    fn advised(read: &[&str], broken: &[&str], ty: Type, form: &ColumnForm) -> Option<String> {
        let texts = Texts {
            read: &seen(read),
            broken: &seen(broken),
            ty,
            bounds: None,
            form,
        };
        advice(&texts)
    }

    #[test]
    fn a_setting_that_reads_every_number_otherwise_is_named_and_says_so() {
        let none = ColumnForm::default();
        let named = |read: &[&str], broken: &[&str], ty| advised(read, broken, ty, &none);
        let comma = "decimal = \",\", thousands = \".\"";
        assert_eq!(
            named(&["1.000", "7"], &["1.234,50", "12,5", "-3,2"], Type::Float).unwrap(),
            format!("{comma}{READS_ALL}")
        );
        assert_eq!(
            named(&["1.000"], &["12,5", "1.234,50", "NA"], Type::Float).unwrap(),
            format!("{comma}{READS_ALL}; and nulls = [\"NA\"]")
        );
        assert_eq!(
            named(&["1.000"], &["12,50", "7,5"], Type::Decimal { scale: 3 }).unwrap(),
            format!("{comma}{READS_ALL}")
        );
        // Where no number is read otherwise, nothing is said of it; where one would not be read, nothing is named.
        assert_eq!(
            named(&["7"], &["12,5"], Type::Float).unwrap(),
            "decimal = \",\""
        );
        assert_eq!(named(&["1.5"], &["12,5"], Type::Float), None);
        assert_eq!(named(&["1.000"], &["12,5", "many"], Type::Float), None);
    }

    #[test]
    fn dates_with_a_time_of_day_are_timestamps() {
        let none = ColumnForm::default();
        let named = |read: &[&str], broken: &[&str]| advised(read, broken, Type::Date, &none);
        assert_eq!(
            named(&["2026-01-01 00:00:00"], &["2026-01-02 10:00:00"]).as_deref(),
            Some("type = \"timestamp\"")
        );
        assert_eq!(
            named(&[], &["31.10.2026 09:05"]).as_deref(),
            Some("type = \"timestamp\", format = \"%d.%m.%Y %H:%M\"")
        );
        assert_eq!(
            named(&["2026-01-01"], &["0000-00-00", "NaT"]).as_deref(),
            Some("nulls = [\"0000-00-00\", \"NaT\"]")
        );
    }

    #[test]
    fn the_setting_that_would_read_a_text_is_named() {
        let none = ColumnForm::default();
        for (text, ty, expected) in [
            ("31.10.2026", Type::Date, Some("format = \"%d.%m.%Y\"")),
            ("31/10/2026", Type::Date, Some("format = \"%d/%m/%Y\"")),
            ("10/31/2026", Type::Date, Some("format = \"%m/%d/%Y\"")),
            (
                "01/10/2026",
                Type::Date,
                Some("format = \"%d/%m/%Y\" or format = \"%m/%d/%Y\", as it is meant"),
            ),
            (
                "31.10.2026 09:05",
                Type::Timestamp,
                Some("format = \"%d.%m.%Y %H:%M\""),
            ),
            ("1793444400123", Type::Timestamp, Some("epoch = \"ms\"")),
            (
                "1.299,99",
                Type::Float,
                Some("decimal = \",\", thousands = \".\""),
            ),
            ("12,50", Type::Float, Some("decimal = \",\"")),
            (
                "1,234",
                Type::Float,
                Some("decimal = \",\" or thousands = \",\", as it is meant"),
            ),
            (
                "$1,234.50",
                Type::Float,
                Some("type = \"money\", thousands = \",\""),
            ),
            ("(20.00)", Type::Float, Some("type = \"money\"")),
            ("NA", Type::Float, Some("nulls = [\"NA\"]")),
            ("\\N", Type::Date, Some("nulls = [\"\\\\N\"]")),
            ("yesterday", Type::Timestamp, None),
            ("many", Type::Int, None),
            ("4.5", Type::Int, Some("type = \"f64\"")),
            (
                "12345678901234567891",
                Type::Int,
                Some("type = \"decimal(38, 0)\""),
            ),
            (
                "1.2345",
                Type::Decimal { scale: 2 },
                Some("type = \"decimal(38, 4)\""),
            ),
        ] {
            assert_eq!(
                advised(&[], &[text], ty, &none).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    type Case<'t> = (
        Vec<&'t str>,
        Vec<&'t str>,
        Type,
        &'t ColumnForm,
        Option<&'t str>,
    );

    /// Texts that are read, texts that are not, and what is advised.
    #[track_caller]
    fn check(cases: &[Case<'_>]) {
        for (read, broken, ty, form, expected) in cases {
            let found = advised(read, broken, *ty, form);
            assert_eq!(found.as_deref(), *expected, "{read:?} {broken:?}");
        }
    }

    #[test]
    fn a_setting_reads_what_is_read_without_it_and_as_the_same_number() {
        let none = ColumnForm::default();
        check(&[
            (vec!["1.459"], vec!["1.234,50"], Type::Float, &none, None),
            (vec!["0.000"], vec!["1.234,50"], Type::Float, &none, None),
            (vec!["12.50"], vec!["1.234,50"], Type::Float, &none, None),
            (
                vec!["1234"],
                vec!["1.234,50", "NA"],
                Type::Float,
                &none,
                Some("decimal = \",\", thousands = \".\", nulls = [\"NA\"]"),
            ),
            (
                vec!["5"],
                vec!["12345678901234567891"],
                Type::Int,
                &none,
                Some("type = \"decimal(38, 0)\""),
            ),
            // A float would round the longer ones.
            (
                vec!["1234567890123456789"],
                vec!["4.5"],
                Type::Int,
                &none,
                None,
            ),
            (
                vec!["5"],
                vec!["$7"],
                Type::Int,
                &none,
                Some("type = \"money\""),
            ),
        ]);
    }

    #[test]
    fn a_setting_reads_what_is_read_without_it_and_as_the_same_time() {
        let none = ColumnForm::default();
        let german = ColumnForm {
            formats: vec![TimeFormat::parse("%d.%m.%Y").unwrap()],
            nulls: Some(vec!["x".to_owned()]),
            ..ColumnForm::default()
        };
        let months = ColumnForm {
            formats: vec![TimeFormat::parse("%m.%d.%Y").unwrap()],
            ..ColumnForm::default()
        };
        check(&[
            (
                vec!["2025-01-02"],
                vec!["03.04.2025"],
                Type::Date,
                &none,
                Some("format = [\"%Y-%m-%d\", \"%d.%m.%Y\"]"),
            ),
            (
                vec!["2025-01-02T10:00:00Z"],
                vec!["03.04.2025 10:00"],
                Type::Timestamp,
                &none,
                Some("format = [\"%Y-%m-%dT%H:%M:%S%z\", \"%d.%m.%Y %H:%M\"]"),
            ),
            (
                vec!["03.04.2025"],
                vec!["2025-01-02", "-"],
                Type::Date,
                &german,
                Some("format = [\"%d.%m.%Y\", \"%Y-%m-%d\"], nulls = [\"x\", \"-\"]"),
            ),
            (
                vec![],
                vec!["03/04/2025", "03/14/2025"],
                Type::Date,
                &none,
                Some("format = \"%m/%d/%Y\""),
            ),
            (
                vec!["03.04.2025", "05.06.2025"],
                vec!["2025/01/02"],
                Type::Date,
                &months,
                Some("format = [\"%m.%d.%Y\", \"%Y/%m/%d\"]"),
            ),
            (
                vec!["03.04.2025"],
                vec!["14.04.2025"],
                Type::Date,
                &months,
                Some(
                    "format = \"%d.%m.%Y\", which reads all values; those that are read now become other times",
                ),
            ),
        ]);
    }

    #[test]
    fn an_integer_out_of_bounds_has_a_wider_type() {
        let form = ColumnForm::default();
        let texts = Texts {
            read: &seen(&["5"]),
            broken: &seen(&["300"]),
            ty: Type::Int,
            bounds: Some((0, 255)),
            form: &form,
        };
        assert_eq!(advice(&texts).as_deref(), Some("type = \"i64\""));
    }
}
