//! Keys of customers: compared between versions, and hashed where they are personal data.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use sha2::{Digest, Sha256};

use crate::ReportError;
use crate::column::Table;

/// Number of bytes of the hash that is shown in place of a key.
const HASH_BYTES: usize = 6;

/// Share of the keys that must look like names or addresses for all of them to be hashed.
const PERSONAL_SHARE: f64 = 0.05;

/// Words in the name of a key column that show that it holds personal data.
const PERSONAL_WORDS: [&str; 5] = ["name", "mail", "phone", "mobile", "iban"];

/// A key, as the table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key<'a> {
    Whole(i64),
    Text(&'a str),
}

impl Key<'_> {
    /// As text, which is what DuckDB's `cast(key as varchar)` gives.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Whole(key) => key.to_string(),
            Self::Text(key) => key.to_owned(),
        }
    }
}

/// The keys of a table; rows without one, of which a published table has none, are `None`.
pub(crate) fn keys<'a>(
    table: Table<'a>,
    column: &str,
) -> Result<Vec<Option<Key<'a>>>, ReportError> {
    if table.is_text(column) {
        let texts = table.text(column)?;
        return Ok(texts.into_iter().map(|key| key.map(Key::Text)).collect());
    }
    let whole = table.integers(column)?;
    Ok(whole.into_iter().map(|key| key.map(Key::Whole)).collect())
}

/// The keys of a column of published keys, of which none is missing; `None` for a column of another type.
pub(crate) fn of_column(column: &ArrayRef) -> Option<Vec<Key<'_>>> {
    match column.data_type() {
        DataType::Int64 => {
            let keys = column.as_primitive::<Int64Type>().values().iter();
            Some(keys.map(|&key| Key::Whole(key)).collect())
        }
        DataType::Utf8 => {
            let keys = column.as_string::<i32>();
            let keys = (0..keys.len()).map(|row| Key::Text(keys.value(row)));
            Some(keys.collect())
        }
        _ => None,
    }
}

/// Whether keys of that column are personal data: its name says so, or some of the keys look like addresses or names.
pub(crate) fn is_personal(column: &str, keys: &[Option<Key<'_>>]) -> bool {
    let lower = column.to_lowercase();
    if PERSONAL_WORDS.iter().any(|word| lower.contains(word)) {
        return true;
    }
    let personal = keys.iter().flatten().filter(|key| looks_personal(**key));
    personal.count() as f64 > PERSONAL_SHARE * keys.len() as f64
}

/// An address has an @; a name has two words of letters.
fn looks_personal(key: Key<'_>) -> bool {
    let Key::Text(text) = key else { return false };
    let words = text.split_whitespace().filter(|word| {
        word.chars().count() > 1
            && word
                .chars()
                .all(|c| c.is_alphabetic() || "'-.’".contains(c))
    });
    text.contains('@') || words.count() >= 2
}

/// The beginning of the key's SHA-256, as DuckDB's `left(sha256(cast(key as varchar)), 12)`.
pub(crate) fn hashed(key: Key<'_>) -> String {
    let digest = Sha256::digest(key.text().as_bytes());
    digest[..HASH_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_personal_and_numbers_are_not() {
        let texts = |texts: &[&'static str]| -> Vec<Option<Key<'static>>> {
            texts.iter().map(|text| Some(Key::Text(text))).collect()
        };
        assert!(!is_personal(
            "customer_id",
            &texts(&["C000001", "12 345", "A-7 B"])
        ));
        assert!(is_personal(
            "customer_id",
            &texts(&["Abbey O'Reilly DVM", "C1"])
        ));
        assert!(is_personal("customer_id", &texts(&["a@example.org"])));
        assert!(is_personal("user_email", &texts(&["x"])));
        assert!(!is_personal("customer_id", &[Some(Key::Whole(7))]));
    }

    #[test]
    fn the_hash_is_the_beginning_of_sha256() {
        // printf '7' | sha256sum
        assert_eq!(hashed(Key::Whole(7)), "7902699be42c");
        assert_eq!(hashed(Key::Text("7")), hashed(Key::Whole(7)));
    }
}
