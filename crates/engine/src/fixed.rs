//! Exact sums of floats in fixed point: integers of 2^-60 in 128 bits.
//!
//! Integer addition is associative, so a sum does not depend on the order of rows or on the number of threads. A float of at
//! least 2^-8 in magnitude is represented exactly; smaller ones are rounded to the nearest multiple of 2^-60.

/// Binary digits behind the point.
const FRACTION_BITS: i32 = 60;

/// Largest magnitude that may be added: 2^63, so that 2^4 such values of one customer still fit and overflow is detected by
/// the checked addition of the accumulator.
const MAX_EXPONENT: i32 = 63;

/// Magnitude below which numbers may be squared: squares are below 2^64, and 2^3 of them fit.
const MAX_SQUARED_EXPONENT: i32 = 32;

/// `value` in units of 2^-60, or `None` where it is infinite, NaN or not below 2^63 in magnitude.
#[inline]
pub(crate) fn to_fixed(value: f64) -> Option<i128> {
    let (mantissa, exponent) = scientific(value, MAX_EXPONENT)?;
    let magnitude = scaled(u128::from(mantissa), exponent) as i128;
    Some(if value.is_sign_negative() {
        -magnitude
    } else {
        magnitude
    })
}

/// The square of `value` in units of 2^-60, or `None` where it is infinite, NaN or not below 2^32 in magnitude.
#[inline]
pub(crate) fn square_to_fixed(value: f64) -> Option<i128> {
    let (mantissa, exponent) = scientific(value, MAX_SQUARED_EXPONENT)?;
    // 53 binary digits have a square of 106.
    let square = u128::from(mantissa) * u128::from(mantissa);
    Some(scaled(square, 2 * exponent) as i128)
}

/// Mantissa (53 binary digits) and exponent of two of a magnitude below 2^`limit`.
#[inline]
fn scientific(value: f64, limit: i32) -> Option<(u64, i32)> {
    let bits = value.to_bits();
    let biased = ((bits >> 52) & 0x7ff) as i32;
    if biased >= 1023 + limit {
        return None;
    }
    let fraction = bits & ((1 << 52) - 1);
    Some(if biased == 0 {
        (fraction, -1074)
    } else {
        (fraction | (1 << 52), biased - 1075)
    })
}

/// `number` times 2^`exponent` in units of 2^-60, rounded to nearest. `number` has at most 106 binary digits, and the result
/// fits.
#[inline]
fn scaled(number: u128, exponent: i32) -> u128 {
    let shift = exponent + FRACTION_BITS;
    if shift >= 0 {
        number << shift
    } else if shift >= -107 {
        let drop = -shift as u32;
        (number + (1 << (drop - 1))) >> drop
    } else {
        0
    }
}

/// The float nearest to `fixed` units of 2^-60.
#[inline]
pub(crate) fn to_float(fixed: i128) -> f64 {
    // `as` rounds to nearest, ties to even; the scaling by a power of two is exact.
    fixed as f64 * (2.0f64).powi(-FRACTION_BITS)
}

/// `fixed` as the unevaluated sum of two floats, `high + low`, good to 106 bits.
#[inline]
pub(crate) fn to_double_double(fixed: i128) -> (f64, f64) {
    let high = fixed as f64;
    // `high` is within one unit in the last place of 127 bits, so the difference fits.
    let low = fixed.wrapping_sub(high as i128) as f64;
    let scale = (2.0f64).powi(-FRACTION_BITS);
    (high * scale, low * scale)
}

/// Sample variance from the exact sums of n values and of their squares: (n·Σx² − (Σx)²) / (n·(n − 1)), in double-double
/// arithmetic, so that the cancellation costs no visible digit. Never negative.
pub(crate) fn sample_variance(n: u64, sum: i128, sum_of_squares: i128) -> f64 {
    let count = n as f64;
    let (s_high, s_low) = to_double_double(sum);
    let (q_high, q_low) = to_double_double(sum_of_squares);
    let (a_high, a_error) = two_product(count, q_high);
    let a_low = a_error + count * q_low;
    let (b_high, b_error) = two_product(s_high, s_high);
    let b_low = b_error + 2.0 * s_high * s_low;
    let difference = (a_high - b_high) + (a_low - b_low);
    (difference / (count * (count - 1.0))).max(0.0)
}

#[inline]
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn money_is_exact() {
        let cents: i128 = (0..1_000_000)
            .filter_map(|i| to_fixed(f64::from(i) * 0.01))
            .sum();
        assert_eq!(to_float(cents), 4_999_995_000.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e19, -9.3e18] {
            assert_eq!(to_fixed(value), None, "{value}");
        }
        assert_eq!(to_fixed(0.0), Some(0));
        assert_eq!(to_fixed(-0.0), Some(0));
        assert_eq!(to_fixed(f64::MIN_POSITIVE), Some(0));
        for value in [f64::NAN, f64::INFINITY, -4.3e9] {
            assert_eq!(square_to_fixed(value), None, "{value}");
        }
        assert_eq!(square_to_fixed(-0.0), Some(0));
        assert_eq!(square_to_fixed(f64::MIN_POSITIVE), Some(0));
        let largest = square_to_fixed((2.0f64).powi(32).next_down()).unwrap();
        assert!(largest < 1 << 124);
    }

    #[test]
    fn variance_survives_a_large_mean() {
        let values = [1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0];
        let sum = values.iter().filter_map(|v| to_fixed(*v)).sum();
        let squares = values.iter().filter_map(|v| square_to_fixed(*v)).sum();
        assert!((sample_variance(3, sum, squares) - 1.0).abs() < 1e-12);
    }

    proptest! {
        /// Integers are squared exactly; a power of two only shifts them.
        #[test]
        fn squares_are_those_of_integers(number in -(1i64 << 31)..1 << 31, digits in 0i32..=40) {
            let squared = square_to_fixed(number as f64 * (2.0f64).powi(-digits)).unwrap();
            let exact = i128::from(number).pow(2);
            let shift = FRACTION_BITS - 2 * digits;
            if shift >= 0 {
                prop_assert_eq!(squared, exact << shift);
            } else {
                let unit = 1i128 << -shift;
                prop_assert!((squared * unit - exact).abs() * 2 <= unit);
            }
        }

        #[test]
        fn round_trips_within_half_a_unit(value in -9e18f64..9e18) {
            let back = to_float(to_fixed(value).unwrap());
            prop_assert!((back - value).abs() <= (2.0f64).powi(-61));
        }
    }
}
