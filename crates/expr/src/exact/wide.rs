//! A whole number of any size times a power of two.

use super::words;

/// A sum of floats, or of products of them, without any rounding: as many words as it needs, in two's complement.
#[derive(Debug, Clone, Default)]
pub struct Wide {
    /// Weight of the first word: 2^(64 · low).
    low: i32,
    /// Least first; the last one holds the sign.
    words: Vec<u64>,
}

impl Wide {
    /// Adds a finite float.
    pub fn add(&mut self, value: f64) {
        let (mantissa, exponent) = super::parts(value);
        let whole = i128::from(mantissa);
        let signed = if value.is_sign_negative() {
            -whole
        } else {
            whole
        };
        self.add_whole(signed, exponent);
    }

    /// Adds the square of a finite float.
    pub fn add_square(&mut self, value: f64) {
        let (mantissa, exponent) = super::parts(value);
        let whole = i128::from(mantissa);
        self.add_whole(whole * whole, 2 * exponent);
    }

    /// Adds `whole` times 2^`exponent`.
    pub fn add_whole(&mut self, whole: i128, exponent: i32) {
        let shift = exponent.rem_euclid(64) as u32;
        let sign = (whole >> 127) as u64;
        let (low, high) = (whole as u64, (whole >> 64) as u64);
        let three = if shift == 0 {
            [low, high, sign]
        } else {
            let back = 64 - shift;
            [
                low << shift,
                high << shift | low >> back,
                sign << shift | high >> back,
            ]
        };
        self.add_words(&three, exponent.div_euclid(64), whole < 0);
    }

    /// Adds a number in words, the first of which has the weight 2^(64 · `low`); a negative one is in two's complement.
    pub(super) fn add_words(&mut self, more: &[u64], low: i32, negative: bool) {
        if self.words.is_empty() {
            self.low = low;
            self.words.push(0);
        }
        if low < self.low {
            let missing = (self.low - low) as usize;
            self.words.splice(0..0, std::iter::repeat_n(0, missing));
            self.low = low;
        }
        let start = (low - self.low) as usize;
        // One word more than either has, so that no carry is lost.
        let length = self.words.len().max(start + more.len()) + 1;
        self.words.resize(length, self.sign());
        let beyond = if negative { u64::MAX } else { 0 };
        let mut carry = false;
        for (i, word) in self.words.iter_mut().enumerate().skip(start) {
            let next = more.get(i - start).copied().unwrap_or(beyond);
            let (sum, first) = word.overflowing_add(next);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            *word = sum;
            carry = first || second;
        }
        while let [.., before, last] = self.words[..]
            && last == ((before as i64) >> 63) as u64
        {
            self.words.pop();
        }
    }

    /// Adds another.
    pub fn merge(&mut self, other: &Self) {
        if !other.words.is_empty() {
            self.add_words(&other.words, other.low, other.sign() != 0);
        }
    }

    /// All ones where it is negative.
    fn sign(&self) -> u64 {
        self.words
            .last()
            .map_or(0, |last| ((*last as i64) >> 63) as u64)
    }

    /// The number without its sign.
    fn magnitude(&self) -> Vec<u64> {
        if self.sign() == 0 {
            return self.words.clone();
        }
        let mut words: Vec<u64> = self.words.iter().map(|word| !word).collect();
        // The smallest number has no positive counterpart of its length.
        words.push(0);
        words::add(&mut words, &[1], 0);
        words
    }

    /// A non-negative number times a factor.
    pub(super) fn times(&self, factor: u64) -> Self {
        let magnitude = self.magnitude();
        let mut words = vec![0; magnitude.len() + 1];
        words::multiply(&magnitude, &[factor], &mut words);
        words.push(0);
        Self {
            low: self.low,
            words,
        }
    }

    /// Its square.
    pub(super) fn squared(&self) -> Self {
        let magnitude = self.magnitude();
        let mut words = vec![0; 2 * magnitude.len()];
        words::multiply(&magnitude, &magnitude, &mut words);
        words.push(0);
        Self {
            low: 2 * self.low,
            words,
        }
    }

    /// The number times 2^`exponent`.
    pub(super) fn shifted(&self, exponent: i32) -> Self {
        let shift = exponent.rem_euclid(64) as u32;
        let mut shifted = Vec::with_capacity(self.words.len() + 1);
        let mut before = 0;
        for &word in self.words.iter().chain(&[self.sign()]) {
            shifted.push(if shift == 0 {
                word
            } else {
                word << shift | before >> (64 - shift)
            });
            before = word;
        }
        Self {
            low: self.low + exponent.div_euclid(64),
            words: shifted,
        }
    }

    /// The number, where it is one of 64 bits.
    pub(super) fn to_integer(&self) -> Option<i64> {
        match (self.low, &self.words[..]) {
            (_, []) => Some(0),
            (0, [word]) => Some(*word as i64),
            _ => None,
        }
    }

    /// Takes a non-negative number away.
    pub(super) fn minus(mut self, other: &Self) -> Self {
        let mut negative: Vec<u64> = other.words.iter().map(|word| !word).collect();
        if negative.is_empty() {
            return self;
        }
        let carry = words::add(&mut negative, &[1], 0);
        self.add_words(&negative, other.low, !carry);
        self
    }

    /// The nearest float, ties to even; infinite beyond the range of floats.
    pub fn to_float(&self) -> f64 {
        self.quotient(&[])
    }

    /// The float nearest to the number divided by these, none of which is 0.
    pub fn quotient(&self, divisors: &[u64]) -> f64 {
        // Room for digits behind the point: each divisor takes at most one word away, and a float needs one.
        let room = if divisors.is_empty() {
            0
        } else {
            divisors.len() + 1
        };
        let mut words = vec![0; room];
        words.extend(self.magnitude());
        let mut more = false;
        for &divisor in divisors {
            more |= words::divide(&mut words, divisor.max(1)) != 0;
        }
        let size = words::nearest(&words, 64 * (self.low - room as i32), more);
        if self.sign() == 0 { size } else { -size }
    }
}
