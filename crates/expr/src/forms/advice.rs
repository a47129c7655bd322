//! Which setting would convert a text that did not convert. Only for advice in messages.

use tessera_spec::pipeline::{ColumnForm, DecimalSign, EpochUnit, ThousandsSign, TimeFormat};

use super::{is_null, read_epoch, read_float, read_money, read_with, trimmed};
use crate::Type;

/// What programs write for a missing value.
const MISSING: [&str; 16] = [
    "NA", "N/A", "#N/A", "n/a", "na", "NaN", "nan", "NULL", "null", "Null", "None", "none", "\\N",
    "-", "--", "?",
];

/// Forms of dates that are in wide use, each with the one it is confused with.
const DATES: [(&str, Option<&str>); 9] = [
    ("%d.%m.%Y", None),
    ("%d/%m/%Y", Some("%m/%d/%Y")),
    ("%m/%d/%Y", Some("%d/%m/%Y")),
    ("%d-%m-%Y", Some("%m-%d-%Y")),
    ("%m-%d-%Y", Some("%d-%m-%Y")),
    ("%Y/%m/%d", None),
    ("%d.%m.%y", None),
    ("%d %b %Y", None),
    ("%d-%b-%Y", None),
];

/// Times of day behind a date.
const TIMES: [&str; 6] = [
    "",
    " %H:%M",
    " %H:%M:%S",
    "T%H:%M:%S",
    " %H:%M:%S.%f",
    " %I:%M %p",
];

/// The settings that would read `text` as a value of `ty`, in TOML; none where no usual one would.
pub fn advice(text: &str, ty: Type, form: &ColumnForm) -> Option<String> {
    let text = trimmed(text);
    if is_null(text, form) {
        return None;
    }
    if MISSING.contains(&text) {
        return Some(format!("nulls = [{text:?}]"));
    }
    match ty {
        Type::Int | Type::Float | Type::Decimal { .. } => number(text, form),
        Type::Date => date(text, form, false),
        Type::Timestamp => date(text, form, true),
        _ => None,
    }
}

fn number(text: &str, form: &ColumnForm) -> Option<String> {
    use DecimalSign::{Comma, Point};
    let signs = [
        (Comma, None, "decimal = \",\""),
        (
            Comma,
            Some(ThousandsSign::Point),
            "decimal = \",\", thousands = \".\"",
        ),
        (
            Comma,
            Some(ThousandsSign::Space),
            "decimal = \",\", thousands = \" \"",
        ),
        (Point, Some(ThousandsSign::Comma), "thousands = \",\""),
        (Point, Some(ThousandsSign::Space), "thousands = \" \""),
        (Point, Some(ThousandsSign::Apostrophe), "thousands = \"'\""),
    ];
    if !form.money && read_money(text, form).is_some() {
        return Some("{ type = \"money\" }".to_owned());
    }
    for (decimal, thousands, words) in signs {
        let tried = ColumnForm {
            decimal: Some(decimal),
            thousands,
            ..form.clone()
        };
        if read_float(text, &tried).is_some() {
            return Some(words.to_owned());
        }
        if read_money(text, &tried).is_some() {
            return Some(if form.money {
                words.to_owned()
            } else {
                format!("{{ type = \"money\", {words} }}")
            });
        }
    }
    None
}

fn date(text: &str, form: &ColumnForm, times: bool) -> Option<String> {
    if form.epoch.is_none()
        && let Some(unit) = epoch(text)
    {
        return Some(format!("epoch = \"{unit}\""));
    }
    let fits = |format: &str| {
        TimeFormat::parse(format).is_ok_and(|format| read_with(text, &format).is_some())
    };
    for (date, other) in DATES {
        for time in TIMES.iter().filter(|time| times || time.is_empty()) {
            let format = format!("{date}{time}");
            if !fits(&format) {
                continue;
            }
            let other = other.map(|other| format!("{other}{time}"));
            return Some(match other.filter(|other| fits(other)) {
                Some(other) => format!("format = {format:?} or format = {other:?}, as it is meant"),
                None => format!("format = {format:?}"),
            });
        }
    }
    None
}

/// The unit in which a number is a time between 1990 and 2100.
fn epoch(text: &str) -> Option<&'static str> {
    const FROM_MICROS: i64 = 631_152_000_000_000;
    const TO_MICROS: i64 = 4_102_444_800_000_000;
    [
        ("s", EpochUnit::S),
        ("ms", EpochUnit::Ms),
        ("us", EpochUnit::Us),
        ("ns", EpochUnit::Ns),
    ]
    .into_iter()
    .find(|(_, unit)| {
        read_epoch(text, *unit).is_some_and(|micros| (FROM_MICROS..TO_MICROS).contains(&micros))
    })
    .map(|(word, _)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                "$1,234.50",
                Type::Float,
                Some("{ type = \"money\", thousands = \",\" }"),
            ),
            ("(20.00)", Type::Float, Some("{ type = \"money\" }")),
            ("NA", Type::Float, Some("nulls = [\"NA\"]")),
            ("\\N", Type::Date, Some("nulls = [\"\\\\N\"]")),
            ("yesterday", Type::Timestamp, None),
            ("many", Type::Int, None),
        ] {
            assert_eq!(advice(text, ty, &none).as_deref(), expected, "{text}");
        }
    }
}
