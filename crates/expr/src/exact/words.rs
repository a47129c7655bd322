//! Whole numbers as words of 64 bits, least first: the arithmetic that exact sums are made of.

/// Adds `more` from word `at` on; true where a carry leaves the last word.
#[inline]
pub(super) fn add(words: &mut [u64], more: &[u64], at: usize) -> bool {
    let mut carry = false;
    for (i, word) in words.iter_mut().enumerate().skip(at) {
        let next = match more.get(i - at) {
            Some(next) => *next,
            None if !carry => return false,
            None => 0,
        };
        let (sum, first) = word.overflowing_add(next);
        let (sum, second) = sum.overflowing_add(u64::from(carry));
        *word = sum;
        carry = first || second;
    }
    carry
}

/// Takes `less` away; true where it was the larger one.
pub(super) fn subtract(words: &mut [u64], less: &[u64]) -> bool {
    let mut borrow = false;
    for (i, word) in words.iter_mut().enumerate() {
        let next = less.get(i).copied().unwrap_or(0);
        let (rest, first) = word.overflowing_sub(next);
        let (rest, second) = rest.overflowing_sub(u64::from(borrow));
        *word = rest;
        borrow = first || second;
    }
    borrow || less.iter().skip(words.len()).any(|word| *word != 0)
}

/// The product; `out` has as many words as both factors together, all zero.
pub(super) fn multiply(a: &[u64], b: &[u64], out: &mut [u64]) {
    for (i, &x) in a.iter().enumerate() {
        let mut carry = 0u128;
        for (j, &y) in b.iter().enumerate() {
            let sum = u128::from(x) * u128::from(y) + u128::from(out[i + j]) + carry;
            out[i + j] = sum as u64;
            carry = sum >> 64;
        }
        out[i + b.len()] = carry as u64;
    }
}

/// Divides by `divisor`, which is not 0; the remainder is returned.
pub(super) fn divide(words: &mut [u64], divisor: u64) -> u64 {
    let mut rest = 0u64;
    for word in words.iter_mut().rev() {
        let whole = (u128::from(rest) << 64) | u128::from(*word);
        *word = (whole / u128::from(divisor)) as u64;
        rest = (whole % u128::from(divisor)) as u64;
    }
    rest
}

/// Position of the highest binary digit, counted from 1; 0 for the number 0.
fn length(words: &[u64]) -> usize {
    let top = words.iter().rposition(|word| *word != 0);
    top.map_or(0, |top| {
        top * 64 + (64 - words[top].leading_zeros() as usize)
    })
}

fn digit(words: &[u64], at: usize) -> bool {
    words
        .get(at / 64)
        .is_some_and(|word| word >> (at % 64) & 1 == 1)
}

/// The 64 binary digits from `at` on.
fn digits(words: &[u64], at: usize) -> u64 {
    let word = |i: usize| u128::from(words.get(i).copied().unwrap_or(0));
    let both = word(at / 64) | word(at / 64 + 1) << 64;
    (both >> (at % 64)) as u64
}

fn any_below(words: &[u64], at: usize) -> bool {
    let whole = (at / 64).min(words.len());
    words[..whole].iter().any(|word| *word != 0)
        || words
            .get(whole)
            .is_some_and(|word| word & ((1u64 << (at % 64)) - 1) != 0)
}

/// The float nearest to the number times 2^`exponent`, ties to even. `more` says that the number goes on behind its last
/// digit, as a quotient does.
pub(super) fn nearest(words: &[u64], exponent: i32, more: bool) -> f64 {
    /// Exponent of the last digit of the smallest float.
    const LEAST: i32 = -1074;
    let length = length(words) as i32;
    if length == 0 {
        return 0.0;
    }
    let last = (length - 53 + exponent).max(LEAST);
    let drop = last - exponent;
    if drop <= 0 {
        return power(digits(words, 0) << -drop, last);
    }
    let drop = drop as usize;
    let kept = digits(words, drop);
    let half = digit(words, drop - 1);
    let beyond = more || any_below(words, drop - 1);
    let up = half && (beyond || kept & 1 == 1);
    power(kept + u64::from(up), last)
}

/// `whole` times 2^`exponent`, where `whole` has at most 54 digits: exact, or infinite.
fn power(whole: u64, exponent: i32) -> f64 {
    let two_to = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
    // In two steps, since the power alone may lie beyond the range of floats.
    let exponent = exponent.min(1100);
    let half = exponent / 2;
    whole as f64 * two_to(half) * two_to(exponent - half)
}
