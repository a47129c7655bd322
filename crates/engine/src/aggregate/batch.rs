//! One batch of scanned rows, as flat columns that workers can index without knowing polars.

use polars::prelude::*;
use polars_arrow::array::{Array, BinaryViewArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::bitmap::Bitmap;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::drawn::{hash_of_bytes, hash_of_integer};
use crate::error::EngineError;
use crate::repeats::digests;

/// Longest text that a view holds within itself.
const INLINE_BYTES: u32 = 12;

/// Key of a row: either complete in 16 bytes (an integer, or a text of at most 12 bytes), or a longer text beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyWords {
    /// Integer; or length and first bytes; for a long text its length and hash.
    pub(crate) words: u128,
    /// The text does not fit into `words`.
    pub(crate) long: bool,
}

/// What stands for a value where only equality counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code {
    /// The value itself.
    Exact(u64),
    /// A hash of the value: among n different values some two have the same one with a probability of about n² / 2^129, which
    /// is below 1e-20 for a thousand million.
    Hash(u128),
}

impl Code {
    /// The 128 bits by which values of one column are distinguished.
    #[inline]
    pub(crate) fn bits(self) -> u128 {
        match self {
            Self::Exact(value) => u128::from(value),
            Self::Hash(hash) => hash,
        }
    }
}

/// Values of one column.
pub(crate) enum Values {
    /// Integers, dates as days, booleans as 0 and 1.
    Int(PrimitiveArray<i64>),
    /// Decimals, as whole numbers of their last digit.
    Wide(PrimitiveArray<i128>),
    /// Floats.
    Float(PrimitiveArray<f64>),
    /// Texts, with a hash of each where many rows repeat long ones.
    Text(Utf8ViewArray, Option<Vec<u128>>),
}

/// A column of values with its nulls.
pub(crate) struct Column {
    pub(crate) values: Values,
    pub(crate) validity: Option<Bitmap>,
}

impl Column {
    /// Whether row `row` has a value.
    #[inline]
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.validity.as_ref().is_none_or(|bits| bits.get_bit(row))
    }

    /// A number that stands for the value, equal for equal values. Numbers are their 64 bits; texts, and decimals that need
    /// more, have a hash of 128.
    #[inline]
    pub(crate) fn code(&self, row: usize) -> Code {
        match &self.values {
            Values::Int(values) => Code::Exact(values.value(row) as u64),
            Values::Wide(values) => {
                let whole = values.value(row);
                match i64::try_from(whole) {
                    Ok(short) => Code::Exact(short as u64),
                    Err(_) => Code::Hash(xxh3_128(&whole.to_le_bytes())),
                }
            }
            // Both zeros are one value.
            Values::Float(values) => Code::Exact((values.value(row) + 0.0).to_bits()),
            Values::Text(_, Some(digests)) => Code::Hash(digests[row]),
            Values::Text(texts, None) => Code::Hash(xxh3_128(texts.value(row).as_bytes())),
        }
    }

    /// The value as a whole number of its last digit; none for floats and texts.
    #[inline]
    pub(crate) fn whole(&self, row: usize) -> Option<i128> {
        match &self.values {
            Values::Int(values) => Some(i128::from(values.value(row))),
            Values::Wide(values) => Some(values.value(row)),
            Values::Float(_) | Values::Text(..) => None,
        }
    }

    fn new(series: &Series) -> Result<Self, EngineError> {
        let series = series.rechunk();
        let validity = series
            .chunks()
            .first()
            .and_then(|chunk| chunk.validity().cloned());
        let values = match series.dtype() {
            DataType::Int64 => Values::Int(first_chunk(series.i64()?.downcast_iter())?.clone()),
            DataType::Decimal(_, _) => {
                let wholes = series.decimal()?.physical();
                Values::Wide(first_chunk(wholes.downcast_iter())?.clone())
            }
            DataType::Float64 => Values::Float(first_chunk(series.f64()?.downcast_iter())?.clone()),
            DataType::String => {
                let texts = first_chunk(series.str()?.downcast_iter())?.clone();
                let digests = digests(&texts);
                Values::Text(texts, digests)
            }
            other => {
                return Err(EngineError::internal(format!(
                    "a value column of type {other}"
                )));
            }
        };
        Ok(Self { values, validity })
    }
}

/// Keys of a batch.
pub(crate) enum Keys {
    /// Integers.
    Int(PrimitiveArray<i64>),
    /// Texts.
    Text(BinaryViewArray),
}

/// A batch of rows on its way to the workers.
pub(crate) struct Batch {
    pub(crate) keys: Keys,
    /// Hash of each key; what it is worth is decided by the tables alone.
    pub(crate) hashes: Vec<u64>,
    /// Used rows, in order.
    pub(crate) used: Vec<u32>,
    /// Local time in microseconds; empty where the source has no time.
    pub(crate) micros: Vec<i64>,
    /// Days from the row's local date to `as_of`; 0 where the source has no time.
    pub(crate) age_days: Vec<i32>,
    pub(crate) values: Vec<Column>,
    /// Filters; null counts as false.
    pub(crate) filters: Vec<Vec<bool>>,
}

/// Names of the columns that a scan hands to the aggregation.
pub(crate) mod names {
    pub(crate) const KEY: &str = "__key";
    pub(crate) const MICROS: &str = "__micros";
    pub(crate) const STATUS: &str = "__status";
    pub(crate) const AMOUNT: &str = "__amount";

    pub(crate) fn nulled(index: usize) -> String {
        format!("__nulled_{index}")
    }

    pub(crate) fn value(index: usize) -> String {
        format!("__value_{index}")
    }

    pub(crate) fn skipped(index: usize) -> String {
        format!("__skipped_{index}")
    }

    pub(crate) fn unmatched(index: usize) -> String {
        format!("__unmatched_{index}")
    }

    pub(crate) fn overflow(index: usize) -> String {
        format!("__overflow_{index}")
    }

    pub(crate) fn filter(index: usize) -> String {
        format!("__filter_{index}")
    }
}

impl Batch {
    /// Takes the columns of `frame` apart. `used` says which rows are used.
    pub(crate) fn new(
        frame: &DataFrame,
        as_of_day: i32,
        value_count: usize,
        filter_count: usize,
        used: Vec<u32>,
    ) -> Result<Self, EngineError> {
        let series = |name: &str| -> Result<Series, EngineError> {
            Ok(frame.column(name)?.as_materialized_series().rechunk())
        };
        let keys = match series(names::KEY)? {
            text if text.dtype() == &DataType::String => {
                Keys::Text(first_chunk(text.str()?.downcast_iter())?.to_binview())
            }
            int => Keys::Int(first_chunk(int.i64()?.downcast_iter())?.clone()),
        };
        let mut hashes = vec![0; frame.height()];
        for &row in &used {
            hashes[row as usize] = hash_of(&keys, row as usize);
        }
        let (micros, age_days) = if frame.column(names::MICROS).is_ok() {
            times(&series(names::MICROS)?, as_of_day)?
        } else {
            (Vec::new(), vec![0; frame.height()])
        };
        let values = (0..value_count)
            .map(|i| Column::new(&series(&names::value(i))?))
            .collect::<Result<_, _>>()?;
        let filters = (0..filter_count)
            .map(|i| {
                let flags = series(&names::filter(i))?;
                Ok(flags
                    .bool()?
                    .iter()
                    .map(|flag| flag == Some(true))
                    .collect())
            })
            .collect::<Result<_, EngineError>>()?;
        Ok(Self {
            keys,
            hashes,
            used,
            micros,
            age_days,
            values,
            filters,
        })
    }

    /// The hash of a row's key that decides whether its customer is drawn.
    pub(crate) fn drawn_by(&self, row: usize) -> u64 {
        match &self.keys {
            Keys::Int(values) => hash_of_integer(values.value(row)),
            Keys::Text(texts) => hash_of_bytes(texts.value(row)),
        }
    }

    /// The key of a row as 16 bytes, and the text where it does not fit.
    #[inline]
    pub(crate) fn key(&self, row: usize) -> (KeyWords, &[u8]) {
        match &self.keys {
            Keys::Int(values) => (
                KeyWords {
                    words: values.value(row) as u64 as u128,
                    long: false,
                },
                &[],
            ),
            Keys::Text(texts) => {
                let view = texts.views()[row];
                if view.length <= INLINE_BYTES {
                    (
                        KeyWords {
                            words: view.as_u128(),
                            long: false,
                        },
                        &[],
                    )
                } else {
                    let bytes = texts.value(row);
                    let words = (u128::from(self.hashes[row]) << 64) | u128::from(view.length);
                    (KeyWords { words, long: true }, bytes)
                }
            }
        }
    }
}

/// Microseconds, the smallest number where there is none, and whole days before `as_of`.
fn times(series: &Series, as_of_day: i32) -> Result<(Vec<i64>, Vec<i32>), EngineError> {
    const MICROS_PER_DAY: i64 = 86_400_000_000;
    let physical = series.to_physical_repr();
    let chunk = first_chunk(physical.i64()?.downcast_iter())?;
    let mut micros: Vec<i64> = chunk.values().as_slice().to_vec();
    if let Some(validity) = chunk.validity() {
        for (time, valid) in micros.iter_mut().zip(validity.iter()) {
            *time = if valid { *time } else { i64::MIN };
        }
    }
    let age = |time: &i64| as_of_day.wrapping_sub(time.div_euclid(MICROS_PER_DAY) as i32);
    let age_days = micros.iter().map(age).collect();
    Ok((micros, age_days))
}

#[inline]
fn hash_of(keys: &Keys, row: usize) -> u64 {
    match keys {
        Keys::Int(values) => mix(values.value(row) as u64 as u128),
        Keys::Text(texts) => {
            let view = texts.views()[row];
            if view.length <= INLINE_BYTES {
                mix(view.as_u128())
            } else {
                xxh3_64(texts.value(row))
            }
        }
    }
}

/// A 64-bit hash of 16 bytes by folded multiplications. Every bit counts: keys tend to differ in one digit only.
#[inline]
pub(crate) fn mix(words: u128) -> u64 {
    let folded = fold(
        (words as u64) ^ 0x9e37_79b9_7f4a_7c15,
        ((words >> 64) as u64) ^ 0xd1b5_4a32_d192_ed03,
    );
    fold(folded ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db)
}

/// Both halves of the product in one.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

fn first_chunk<'a, A: Array + 'a>(
    mut chunks: impl Iterator<Item = &'a A>,
) -> Result<&'a A, EngineError> {
    chunks
        .next()
        .ok_or_else(|| EngineError::internal("a column without chunks".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_that_differ_in_one_digit_have_different_hashes() {
        let view = |text: String| {
            let mut bytes = [0u8; 16];
            bytes[0] = text.len() as u8;
            bytes[4..4 + text.len()].copy_from_slice(text.as_bytes());
            u128::from_le_bytes(bytes)
        };
        let texts = (0..200_000u64).map(|i| mix(view(format!("C{:09}", i * 37))));
        let numbers = (0..200_000u64).map(|i| mix(u128::from(i * 37)));
        assert_eq!(texts.collect::<HashSet<_>>().len(), 200_000);
        assert_eq!(numbers.collect::<HashSet<_>>().len(), 200_000);
    }
}
