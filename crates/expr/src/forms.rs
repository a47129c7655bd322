//! Converts texts of a lake to values by the settings of their column. A text that does not have the stated form does not convert:
//! nothing is guessed, and nothing is lost (an integer is never converted through a float).
//!
//! White space around a text does not matter. Where to look: `number` (integers, floats, money), `time` (dates, instants),
//! `advice` (which setting would read a text that was not read).

mod advice;
mod number;
mod time;

use tessera_spec::pipeline::ColumnForm;

use crate::Type;

pub use advice::{Observed, Texts, advice};
pub use number::{exact_decimal, plain_number, read_float, read_integer, read_money};
pub use time::{Moment, read_date, read_epoch, read_epoch_number, read_moment, read_with};

/// A text without the white space around it.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Whether a trimmed text stands for a missing value.
pub fn is_null(text: &str, form: &ColumnForm) -> bool {
    text.is_empty()
        || form
            .nulls
            .as_ref()
            .is_some_and(|nulls| nulls.iter().any(|null| trimmed(null) == text))
}

/// Words for true and false, in capitals or not: true, t, yes, y, 1, and 1.0 as a program writes that keeps them as floats.
pub fn read_bool(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "t", "yes", "y", "1", "1.0"]) {
        Some(true)
    } else if is(&["false", "f", "no", "n", "0", "0.0"]) {
        Some(false)
    } else {
        None
    }
}

/// Whether a trimmed text that is not missing is a value of the type.
pub fn reads(text: &str, ty: Type, form: &ColumnForm) -> bool {
    match ty {
        Type::Bool => read_bool(text).is_some(),
        Type::Int => read_integer(text, form).is_some(),
        Type::Float if form.money => read_money(text, form).is_some(),
        Type::Float => read_float(text, form).is_some(),
        Type::Decimal { scale } => exact_decimal(text, scale, form).is_some(),
        Type::Date | Type::Timestamp if form.epoch.is_some() => form
            .epoch
            .is_some_and(|unit| read_epoch(text, unit).is_some()),
        Type::Date => read_date(text, form).is_some(),
        Type::Timestamp => read_moment(text, form).is_some(),
        Type::String | Type::Null => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_true_and_false() {
        for (text, expected) in [
            ("True", Some(true)),
            ("NO", Some(false)),
            ("1.0", Some(true)),
            ("0", Some(false)),
            ("2", None),
            ("on", None),
            ("", None),
        ] {
            assert_eq!(read_bool(text), expected, "{text}");
        }
    }

    #[test]
    fn only_listed_texts_and_the_empty_one_are_missing() {
        let none = ColumnForm::default();
        let listed = ColumnForm {
            nulls: Some(vec!["NA".to_owned(), "-".to_owned()]),
            ..ColumnForm::default()
        };
        assert!(is_null("", &none) && !is_null("NA", &none));
        assert!(is_null("", &listed) && is_null("NA", &listed) && is_null("-", &listed));
        assert!(!is_null("na", &listed));
    }
}
