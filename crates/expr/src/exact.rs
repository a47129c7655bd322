//! Exact sums. Whole numbers add up the same in every order, so a sum depends neither on the order of rows nor on the number
//! of threads, and it is rounded once, when it becomes a float.
//!
//! Floats are summed in fixed point, in units of 2^-60 within 128 bits: exact for amounts from 2^-8 to 2^63. Every other
//! finite float, and what no longer fits, goes to a [`Wide`] beside it, which has as many digits as it needs. Integers and
//! decimals are summed as the integers that they are. [`Unit`] says which of the two a sum is in.
//!
//! The types that matter: [`Sum`] and [`Squares`] (what is added up), [`Wide`] (what does not fit into their words).

mod wide;
mod words;

#[cfg(test)]
mod tests;

use crate::tree::Type;
pub use wide::Wide;

/// Binary digits behind the point of a sum of floats.
const FRACTION_BITS: i32 = 60;

/// Binary digits behind the point of a sum of squares of floats.
const SQUARE_BITS: i32 = 126;

/// What a sum counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Floats: units of 2^-60, squares in units of 2^-126.
    Binary,
    /// Integers and decimals: units of 10^-scale, squares in units of 10^(-2 · scale).
    Decimal {
        /// Digits behind the point.
        scale: u8,
    },
}

impl Unit {
    /// What a sum of values of this type counts in.
    pub fn of(ty: Type) -> Self {
        match ty {
            Type::Float => Self::Binary,
            Type::Decimal { scale } => Self::Decimal { scale },
            Type::Bool | Type::Int | Type::String | Type::Date | Type::Timestamp | Type::Null => {
                Self::Decimal { scale: 0 }
            }
        }
    }
}

/// Mantissa and exponent of two of a finite float, without its sign.
#[inline]
fn parts(value: f64) -> (u64, i32) {
    let bits = value.to_bits();
    let biased = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    if biased == 0 {
        (fraction, -1074)
    } else {
        (fraction | (1 << 52), biased - 1075)
    }
}

/// `value` in units of 2^-60, or `None` where that is not exact or not below 2^63 in magnitude, NaN and infinities included.
#[inline]
pub fn to_fixed(value: f64) -> Option<i128> {
    let (mantissa, exponent) = parts(value);
    let shift = exponent + FRACTION_BITS;
    let size = if shift >= 0 {
        // Below 2^63 the exponent of the mantissa's last digit is at most 10.
        if exponent > 10 {
            return None;
        }
        i128::from(mantissa) << shift
    } else if mantissa.trailing_zeros() as i32 >= -shift {
        i128::from(mantissa >> -shift)
    } else if mantissa == 0 {
        0
    } else {
        return None;
    };
    Some(if value.is_sign_negative() {
        -size
    } else {
        size
    })
}

/// Adds the square of `value` to a sum in units of 2^-126. False, and nothing is added, where the square is not exact in such
/// units, `value` is not below 2^63 in magnitude, or the sum would not fit.
#[inline]
pub fn add_square(sum: &mut [u64; 4], value: f64) -> bool {
    let (mantissa, exponent) = parts(value);
    if exponent > 10 {
        return false;
    }
    let square = u128::from(mantissa) * u128::from(mantissa);
    let shift = 2 * exponent + SQUARE_BITS;
    if shift < 0 {
        if mantissa == 0 {
            return true;
        }
        if (square.trailing_zeros() as i32) < -shift {
            return false;
        }
        let square = square >> -shift;
        return add_checked(sum, &[square as u64, (square >> 64) as u64, 0, 0]);
    }
    // 106 digits, moved by at most 146.
    let (at, within) = (shift as usize / 64, shift as u32 % 64);
    let low = square << within;
    let high = if within == 0 {
        0
    } else {
        square >> (128 - within)
    };
    let mut more = [0; 5];
    more[at] = low as u64;
    more[at + 1] = (low >> 64) as u64;
    more[at + 2] = high as u64;
    add_checked(sum, &[more[0], more[1], more[2], more[3]])
}

/// Adds the square of a whole number. False, and nothing is added, where the sum would not fit.
#[inline]
pub fn add_whole_square(sum: &mut [u64; 4], value: i128) -> bool {
    add_checked(sum, &whole_square(value))
}

#[inline]
fn add_checked(sum: &mut [u64; 4], more: &[u64; 4]) -> bool {
    let mut next = *sum;
    let carried = words::add(&mut next, more, 0);
    if !carried {
        *sum = next;
    }
    !carried
}

fn whole_square(value: i128) -> [u64; 4] {
    let size = value.unsigned_abs();
    let size = [size as u64, (size >> 64) as u64];
    let mut square = [0; 4];
    words::multiply(&size, &size, &mut square);
    square
}

/// Adds the square of a whole number to what does not fit elsewhere.
pub fn add_wide_square(beyond: &mut Wide, value: i128) {
    beyond.add_words(&whole_square(value), 0, false);
}

/// Adds a sum of squares to another. False, and nothing is added, where the sum would not fit.
pub fn add_squares(sum: &mut [u64; 4], more: &[u64; 4]) -> bool {
    add_checked(sum, more)
}

/// Adds the words of a sum in this unit to what does not fit elsewhere.
pub fn add_fixed(beyond: &mut Wide, fixed: i128, unit: Unit) {
    let exponent = match unit {
        Unit::Binary => -FRACTION_BITS,
        Unit::Decimal { .. } => 0,
    };
    beyond.add_whole(fixed, exponent);
}

/// Adds the words of a sum of squares in this unit to what does not fit elsewhere.
pub fn add_fixed_squares(beyond: &mut Wide, fixed: &[u64; 4], unit: Unit) {
    beyond.merge(&fixed_squares(fixed, unit));
}

/// A sum: the part within 128 bits, and what did not fit.
#[derive(Debug, Clone, Copy)]
pub struct SumOf<'a> {
    /// In units of 2^-60, or of the last decimal.
    pub fixed: i128,
    /// In units of 1 for floats, of the last decimal for decimals.
    pub beyond: Option<&'a Wide>,
}

/// A sum of squares: the part within 256 bits, and what did not fit.
#[derive(Debug, Clone, Copy)]
pub struct SquaresOf<'a> {
    /// In units of 2^-126, or of the square of the last decimal; least word first.
    pub fixed: [u64; 4],
    /// In units of 1 for floats, of the square of the last decimal for decimals.
    pub beyond: Option<&'a Wide>,
}

impl SumOf<'_> {
    /// The nearest float; infinite beyond the range of floats.
    pub fn to_float(self, unit: Unit) -> f64 {
        self.mean(1, unit)
    }

    /// The float nearest to the sum divided by `count`, which is not 0.
    pub fn mean(self, count: u64, unit: Unit) -> f64 {
        /// From here on not every whole number is a float.
        const EXACT: u128 = 1 << 53;
        let small = self.beyond.is_none() && self.fixed.unsigned_abs() < EXACT;
        match unit {
            Unit::Binary if self.beyond.is_none() && count == 1 => {
                // `as` rounds to nearest, ties to even; a power of two only shifts.
                self.fixed as f64 * (2.0f64).powi(-FRACTION_BITS)
            }
            Unit::Binary => self.wide(unit).quotient(&[count]),
            Unit::Decimal { scale } => {
                let divisor = power_of_ten(scale)
                    .and_then(|power| power.checked_mul(count))
                    .filter(|divisor| u128::from(*divisor) < EXACT);
                match divisor {
                    Some(divisor) if small => self.fixed as f64 / divisor as f64,
                    _ => {
                        let first = scale.min(19);
                        let powers = [first, scale - first].map(|p| power_of_ten(p).unwrap_or(1));
                        self.wide(unit).quotient(&[count, powers[0], powers[1]])
                    }
                }
            }
        }
    }

    /// The whole number, where it has 64 bits.
    pub fn to_integer(self) -> Option<i64> {
        match self.beyond {
            None => i64::try_from(self.fixed).ok(),
            Some(_) => self.wide(Unit::Decimal { scale: 0 }).to_integer(),
        }
    }

    fn wide(self, unit: Unit) -> Wide {
        let mut wide = self.beyond.cloned().unwrap_or_default();
        let exponent = match unit {
            Unit::Binary => -FRACTION_BITS,
            Unit::Decimal { .. } => 0,
        };
        wide.add_whole(self.fixed, exponent);
        wide
    }
}

/// 10^`digits`, where it has 64 bits.
fn power_of_ten(digits: u8) -> Option<u64> {
    10u64.checked_pow(u32::from(digits))
}

/// The float nearest to `whole` · 10^-`scale`.
pub fn decimal_to_float(whole: i128, scale: u8) -> f64 {
    let sum = SumOf {
        fixed: whole,
        beyond: None,
    };
    sum.to_float(Unit::Decimal { scale })
}

/// Count · Σx² − (Σx)², which is the sum of the squared deviations from the mean times the count.
enum Spread {
    /// Rounded once.
    Near(f64),
    /// Of values that may be beyond the range whose squares are floats.
    Far(Wide),
}

impl Spread {
    /// In units of 1, or of the square of the last decimal.
    fn of(count: u64, sum: SumOf<'_>, squares: SquaresOf<'_>, unit: Unit) -> Self {
        if sum.beyond.is_some() || squares.beyond.is_some() {
            let mut all = squares.beyond.cloned().unwrap_or_default();
            all.merge(&fixed_squares(&squares.fixed, unit));
            return Self::Far(all.times(count).minus(&sum.wide(unit).squared()));
        }
        let mut whole = [0; 5];
        words::multiply(&squares.fixed, &[count], &mut whole);
        let square = whole_square(sum.fixed);
        let (less, exponent) = match unit {
            Unit::Decimal { .. } => ([square[0], square[1], square[2], square[3], 0], 0),
            Unit::Binary => {
                // From units of 2^-120 to units of 2^-126.
                let shift = (SQUARE_BITS - 2 * FRACTION_BITS) as u32;
                let mut less = [0; 5];
                for (i, word) in square.iter().enumerate() {
                    less[i] |= word << shift;
                    less[i + 1] |= word >> (64 - shift);
                }
                (less, -SQUARE_BITS)
            }
        };
        // Both sums are exact, so the difference is not negative.
        words::subtract(&mut whole, &less);
        Self::Near(words::nearest(&whole, exponent, false))
    }
}

fn fixed_squares(fixed: &[u64; 4], unit: Unit) -> Wide {
    let mut wide = Wide::default();
    wide.add_words(fixed, 0, false);
    match unit {
        Unit::Binary => wide.shifted(-SQUARE_BITS),
        Unit::Decimal { .. } => wide,
    }
}

/// Sample standard deviation of `count` values, at least two, within two units in the last place.
pub fn standard_deviation(count: u64, sum: SumOf<'_>, squares: SquaresOf<'_>, unit: Unit) -> f64 {
    /// Squares of floats reach from 2^-2148 to 2^2048; moved by this they are floats.
    const SHIFT: i32 = 640;
    let pairs = count as f64 * (count - 1) as f64;
    let deviation = match Spread::of(count, sum, squares, unit) {
        Spread::Near(spread) => (spread / pairs).sqrt(),
        Spread::Far(spread) => {
            let near = spread.to_float();
            let shift = if near > (2.0f64).powi(900) {
                -SHIFT
            } else if near < (2.0f64).powi(-900) {
                SHIFT
            } else {
                0
            };
            let moved = spread.shifted(2 * shift).to_float();
            (moved / pairs).sqrt() * (2.0f64).powi(-shift)
        }
    };
    match unit {
        Unit::Binary => deviation,
        Unit::Decimal { scale } => deviation / 10f64.powi(i32::from(scale)),
    }
}

/// A sum of floats, exact whatever their order.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    fixed: i128,
    beyond: Option<Box<Wide>>,
    /// The sum of what is not finite: 0, an infinity or NaN.
    not_finite: f64,
}

impl Sum {
    /// Adds a value; what is not finite makes the sum so.
    #[inline]
    pub fn add(&mut self, value: f64) {
        match to_fixed(value).and_then(|fixed| self.fixed.checked_add(fixed)) {
            Some(sum) => self.fixed = sum,
            None => self.add_beyond(value),
        }
    }

    #[cold]
    fn add_beyond(&mut self, value: f64) {
        if value.is_finite() {
            self.beyond.get_or_insert_default().add(value);
        } else {
            self.not_finite += value;
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        match self.fixed.checked_add(other.fixed) {
            Some(sum) => self.fixed = sum,
            None => self
                .beyond
                .get_or_insert_default()
                .add_whole(other.fixed, -FRACTION_BITS),
        }
        if let Some(more) = &other.beyond {
            self.beyond.get_or_insert_default().merge(more);
        }
        self.not_finite += other.not_finite;
    }

    fn of(&self) -> SumOf<'_> {
        SumOf {
            fixed: self.fixed,
            beyond: self.beyond.as_deref(),
        }
    }

    /// The nearest float; infinite beyond the range of floats.
    pub fn value(&self) -> f64 {
        self.mean(1)
    }

    /// The float nearest to the sum divided by `count`; NaN where that is 0.
    pub fn mean(&self, count: u64) -> f64 {
        if count == 0 {
            f64::NAN
        } else if self.not_finite == 0.0 {
            self.of().mean(count, Unit::Binary)
        } else {
            self.not_finite
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Self::default();
        for value in values {
            sum.add(value);
        }
        sum
    }
}

/// A sum of squares of floats, exact whatever their order.
#[derive(Debug, Clone, Default)]
pub struct Squares {
    fixed: [u64; 4],
    beyond: Option<Box<Wide>>,
    not_finite: f64,
}

impl Squares {
    /// Adds the square of a value; what is not finite makes the sum so.
    #[inline]
    pub fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite += value * value;
        } else if !add_square(&mut self.fixed, value) {
            self.beyond.get_or_insert_default().add_square(value);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if !add_checked(&mut self.fixed, &other.fixed) {
            let fixed = fixed_squares(&other.fixed, Unit::Binary);
            self.beyond.get_or_insert_default().merge(&fixed);
        }
        if let Some(more) = &other.beyond {
            self.beyond.get_or_insert_default().merge(more);
        }
        self.not_finite += other.not_finite;
    }

    /// Sum of the squared deviations from the mean of the `count` values whose sum is `sum`; 0 without values.
    pub fn deviations(&self, count: u64, sum: &Sum) -> f64 {
        if count == 0 {
            return 0.0;
        }
        if self.not_finite != 0.0 {
            return f64::NAN;
        }
        let squares = SquaresOf {
            fixed: self.fixed,
            beyond: self.beyond.as_deref(),
        };
        match Spread::of(count, sum.of(), squares, Unit::Binary) {
            Spread::Near(spread) => spread / count as f64,
            Spread::Far(spread) => spread.quotient(&[count]),
        }
    }
}
