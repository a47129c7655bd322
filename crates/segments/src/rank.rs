//! Values in ascending order: ties, ranks and type-7 quantiles.

use std::ops::Range;

/// The present values of a feature in ascending order, each with its customer's row.
///
/// Equal values are in the order of their rows; code that treats ties as a group does not depend on that order.
#[derive(Debug, Clone)]
pub(crate) struct Ranking {
    rows: Vec<u32>,
    values: Vec<f64>,
}

impl Ranking {
    /// Ranks values; NaN is missing and left out, and -0.0 is 0.0.
    pub fn new(values: &[f64]) -> Self {
        let mut pairs: Vec<Pair> = Vec::with_capacity(values.len());
        let present = values.iter().zip(0..).filter(|(value, _)| !value.is_nan());
        pairs.extend(present.map(|(&value, row)| (ordered_bits(value + 0.0), row)));
        sort(&mut pairs);
        Self {
            rows: pairs.iter().map(|pair| pair.1).collect(),
            values: pairs.iter().map(|pair| from_ordered_bits(pair.0)).collect(),
        }
    }

    /// Number of present values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// The values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The customer's row of each value.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Runs of equal values, ascending.
    pub fn ties(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let mut start = 0;
        std::iter::from_fn(move || {
            let first = *self.values.get(start)?;
            let length = self.values[start..]
                .iter()
                .take_while(|v| **v == first)
                .count();
            let tie = start..start + length;
            start += length;
            Some(tie)
        })
    }

    /// Number of distinct values.
    pub fn distinct(&self) -> usize {
        self.ties().count()
    }

    /// Type-7 quantile of the present values, see [`quantile_of`].
    pub fn quantile(&self, share: f64) -> Option<f64> {
        quantile_of(self.len(), share, |place| self.values[place])
    }
}

/// Type-7 quantile (Hyndman and Fan 1996; the default of R, NumPy and pandas) of `count` ascending values: linear between the
/// two values around position (count - 1) * share. `None` without values.
pub(crate) fn quantile_of(count: usize, share: f64, value: impl Fn(usize) -> f64) -> Option<f64> {
    let (low, high, part) = quantile_place(count, share)?;
    Some(interpolate(value(low), value(high), part))
}

/// Positions, from 0, of the two values around a type-7 quantile, and its fraction of the way between them.
pub(crate) fn quantile_place(count: usize, share: f64) -> Option<(usize, usize, f64)> {
    let last = count.checked_sub(1)?;
    let place = last as f64 * share;
    let low = (place.floor() as usize).min(last);
    Some((low, (low + 1).min(last), place - low as f64))
}

/// The point between two values; exactly the low one where they are equal or the part is 0.
pub(crate) fn interpolate(low: f64, high: f64, part: f64) -> f64 {
    if part == 0.0 {
        low
    } else {
        low + (high - low) * part
    }
}

/// Bits of a value that sort like the value, and its row.
type Pair = (u64, u32);

/// Bits of one digit of the radix sort, and how many digits make up a key.
const DIGIT: usize = 11;
const DIGITS: usize = 64usize.div_ceil(DIGIT);

/// Below this a comparison sort is faster than counting digits.
const FEW: usize = 4_096;

/// Sorts pairs, given in ascending order of rows, by key and then row: radix sort, least significant digit first, each pass
/// stable. Digits in which all keys agree are skipped; for whole numbers these are most digits.
fn sort(pairs: &mut Vec<Pair>) {
    if pairs.len() < FEW {
        pairs.sort_unstable();
        return;
    }
    let digit = |key: u64, place: usize| (key >> (place * DIGIT)) as usize & ((1 << DIGIT) - 1);
    let mut counts = vec![[0u32; 1 << DIGIT]; DIGITS];
    for pair in pairs.iter() {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[digit(pair.0, place)] += 1;
        }
    }
    // A copy is faster than zeroed memory, which the operating system provides page by page.
    let mut sorted = pairs.clone();
    for (place, counts) in counts.iter_mut().enumerate() {
        if counts[digit(pairs[0].0, place)] as usize == pairs.len() {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for pair in pairs.iter() {
            let next = &mut counts[digit(pair.0, place)];
            sorted[*next as usize] = *pair;
            *next += 1;
        }
        std::mem::swap(pairs, &mut sorted);
    }
}

/// Bits that sort as unsigned integers like the numbers do.
fn ordered_bits(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

fn from_ordered_bits(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 {
        bits & !(1 << 63)
    } else {
        !bits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn type_7_quantiles_as_r_computes_them() {
        // R: quantile(c(1, 2, 4, 8, 16), c(.1, .5, .9), type = 7) gives 1.4, 4.0, 12.8.
        let ranking = Ranking::new(&[16.0, 1.0, f64::NAN, 8.0, 2.0, 4.0]);
        assert_eq!(ranking.quantile(0.1), Some(1.4));
        assert_eq!(ranking.quantile(0.5), Some(4.0));
        assert!((ranking.quantile(0.9).unwrap() - 12.8).abs() < 1e-12);
        assert_eq!(ranking.quantile(1.0), Some(16.0));
        assert_eq!(Ranking::new(&[]).quantile(0.5), None);
        assert_eq!(Ranking::new(&[7.0]).quantile(0.5), Some(7.0));
    }

    proptest! {
        #[test]
        fn ranking_sorts_and_keeps_rows(values in proptest::collection::vec(-1e9f64..1e9, 0..200), copies in 1usize..60) {
            // Repeated values make ties, and bases large enough for the radix sort.
            let values = values.repeat(copies);
            let ranking = Ranking::new(&values);
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(ranking.values(), &sorted[..]);
            for (place, &row) in ranking.rows().iter().enumerate() {
                prop_assert_eq!(values[row as usize], sorted[place]);
            }
            for tie in ranking.ties() {
                prop_assert!(ranking.rows()[tie].is_sorted(), "ties stand in the order of their rows");
            }
            prop_assert_eq!(ranking.ties().map(|tie| tie.len()).sum::<usize>(), values.len());
        }
    }
}
