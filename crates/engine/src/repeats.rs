//! Long texts that many rows repeat: what is computed of a text is computed once for all rows that hold it.
//!
//! The dictionary of a Parquet file holds a text once, and a decoded column points to it from every row. A file of a few kB can so
//! stand for a text of 1 MB in each of a million rows.

use std::collections::HashMap;

use polars::prelude::{IdxSize, StringChunked};
use polars_arrow::array::{Array, Utf8ViewArray};
use xxhash_rust::xxh3::xxh3_128;

/// Bytes of a text, in the mean, from which looking for repeated ones costs nothing beside what is saved.
const LONG_BYTES: usize = 1 << 10;

/// Bytes of texts from which it is worth while.
const LEAST_BYTES: usize = 1 << 20;

/// Stands for the place of a text in memory where there is none.
const NO_TEXT: u128 = u128::MAX;

/// The rows of some columns whose texts are not at the same places in memory as those of a row before them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repeats {
    /// The first row of each kind.
    pub(crate) firsts: Vec<IdxSize>,
    /// The kind of each row: a place in `firsts`.
    pub(crate) kinds: Vec<IdxSize>,
}

impl Repeats {
    /// The kinds of rows of columns of equal length. None where texts are short, or too few are repeated.
    pub(crate) fn of(columns: &[&Utf8ViewArray]) -> Option<Self> {
        let is_long = |column: &&&Utf8ViewArray| {
            // Texts without a place in memory of their own are short: nothing has to be added up.
            if column.total_buffer_len() == 0 {
                return false;
            }
            let bytes = column.total_bytes_len();
            bytes >= LEAST_BYTES && bytes / LONG_BYTES >= column.len()
        };
        columns.iter().find(is_long)?;
        let rows = columns.first()?.len();
        let mut kinds = vec![0; rows];
        let mut firsts = Vec::new();
        for column in columns {
            firsts.clear();
            let mut known: HashMap<(IdxSize, u128), IdxSize> = HashMap::new();
            let validity = column.validity();
            for (row, kind) in kinds.iter_mut().enumerate() {
                let is_text = validity.is_none_or(|bits| bits.get_bit(row));
                let place = if is_text {
                    column.views()[row].as_u128()
                } else {
                    NO_TEXT
                };
                let next = known.len() as IdxSize;
                let found = *known.entry((*kind, place)).or_insert(next);
                if found == next {
                    firsts.push(row as IdxSize);
                }
                *kind = found;
            }
        }
        (firsts.len() <= rows / 2).then_some(Self { firsts, kinds })
    }
}

/// A hash of each text, any number where there is none; none where each may as well be made when it is needed.
pub(crate) fn digests(texts: &Utf8ViewArray) -> Option<Vec<u128>> {
    let repeats = Repeats::of(&[texts])?;
    let digest = |row: &IdxSize| xxh3_128(texts.value(*row as usize).as_bytes());
    let firsts: Vec<u128> = repeats.firsts.iter().map(digest).collect();
    let kinds = repeats.kinds.iter();
    Some(kinds.map(|kind| firsts[*kind as usize]).collect())
}

/// The only array of a column that has been put into one.
pub(crate) fn array(texts: &StringChunked) -> Option<&Utf8ViewArray> {
    let mut arrays = texts.downcast_iter();
    arrays.next().filter(|_| arrays.next().is_none())
}

#[cfg(test)]
mod tests {
    use polars::prelude::*;

    use super::*;

    /// Rows that hold these of two long texts, or none.
    fn column(of: &[Option<u32>]) -> StringChunked {
        let texts = ["a".repeat(1 << 20), "b".repeat(1 << 20)];
        let texts = StringChunked::from_slice("x".into(), &texts);
        let places: IdxCa = of.iter().copied().collect();
        texts.take(&places).unwrap().rechunk().into_owned()
    }

    #[test]
    fn rows_with_the_same_texts_are_of_one_kind() {
        let a = column(&[
            Some(1),
            Some(0),
            Some(1),
            None,
            Some(0),
            None,
            Some(1),
            Some(1),
        ]);
        let b = column(&[
            Some(0),
            Some(0),
            Some(0),
            None,
            Some(1),
            None,
            Some(0),
            Some(0),
        ]);
        let (a, b) = (array(&a).unwrap(), array(&b).unwrap());
        let one = Repeats::of(&[a]).unwrap();
        assert_eq!(one.firsts, [0, 1, 3]);
        assert_eq!(one.kinds, [0, 1, 0, 2, 1, 2, 0, 0]);
        let both = Repeats::of(&[a, b]).unwrap();
        assert_eq!(both.firsts, [0, 1, 3, 4]);
        assert_eq!(both.kinds, [0, 1, 0, 2, 3, 2, 0, 0]);
        let digests = digests(a).unwrap();
        assert_eq!(digests[0], xxh3_128("b".repeat(1 << 20).as_bytes()));
        assert_eq!((digests[0], digests[1]), (digests[7], digests[4]));
    }

    #[test]
    fn short_texts_and_texts_that_differ_are_left_alone() {
        let short = StringChunked::from_slice("x".into(), &["a text of some length"; 100]);
        assert_eq!(Repeats::of(&[array(&short).unwrap()]), None);
        assert_eq!(
            Repeats::of(&[array(&column(&[Some(0), Some(1)])).unwrap()]),
            None
        );
    }
}
