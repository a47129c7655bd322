//! Decimals: whole numbers of units of their last digit, with at most 38 digits.

use crate::tree::Type;

/// Digits of the largest decimal.
pub const MAX_DIGITS: u8 = 38;

/// The first whole number that no decimal has: 10^38.
const LIMIT: i128 = 10i128.pow(MAX_DIGITS as u32);

/// The number, where it has at most 38 digits.
#[inline]
pub fn checked(whole: i128) -> Option<i128> {
    (-LIMIT < whole && whole < LIMIT).then_some(whole)
}

/// 10^`digits`, where a decimal has as many digits.
#[inline]
pub fn power_of_ten(digits: u8) -> Option<i128> {
    (digits <= MAX_DIGITS).then(|| 10i128.pow(u32::from(digits)))
}

/// The same number with another number of decimals, halves away from 0; `None` where it would need more than 38 digits.
#[inline]
pub fn rescale(whole: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return checked(whole.checked_mul(power_of_ten(to - from)?)?);
    }
    let unit = power_of_ten(from - to)?;
    let (quotient, rest) = (whole / unit, whole % unit);
    Some(if rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2) {
        quotient + whole.signum()
    } else {
        quotient
    })
}

/// The number as text, with all decimals of its type.
pub fn text(whole: i128, ty: Type) -> String {
    let Type::Decimal { scale: scale @ 1.. } = ty else {
        return whole.to_string();
    };
    let sign = if whole < 0 { "-" } else { "" };
    let width = usize::from(scale) + 1;
    let digits = format!("{:0>width$}", whole.unsigned_abs());
    let (before, behind) = digits.split_at(digits.len() - usize::from(scale));
    format!("{sign}{before}.{behind}")
}

/// Text such as `-12.50`, `+3`, `.5` or `1e3` as a decimal with `scale` digits behind the point, halves away from 0; `None`
/// where it is no number or would need more than 38 digits.
pub fn parse(text: &str, scale: u8) -> Option<i128> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, number) = match number.as_bytes() {
        [b'-', ..] => (true, &number[1..]),
        [b'+', ..] => (false, &number[1..]),
        _ => (false, number),
    };
    let (before, behind) = number.split_once('.').unwrap_or((number, ""));
    let digits = || before.bytes().chain(behind.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // Digits from here on are behind the last decimal.
    let kept = i64::try_from(before.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut whole = 0i128;
    let mut up = false;
    for (place, digit) in (0i64..).zip(digits()) {
        let digit = i128::from(digit - b'0');
        if place < kept {
            whole = checked(whole.checked_mul(10)? + digit)?;
        } else {
            up = place == kept && digit >= 5;
            break;
        }
    }
    let read = i64::try_from(before.len() + behind.len()).ok()?;
    if whole != 0 && kept > read {
        let missing = u8::try_from(kept - read).ok()?;
        whole = checked(whole.checked_mul(power_of_ten(missing)?)?)?;
    }
    whole = checked(whole + i128::from(up))?;
    Some(if negative { -whole } else { whole })
}

/// A constant as it is written, with no more decimals than it needs; `None` where that is no decimal of reasonable size.
pub(crate) fn of_constant(value: f64) -> Option<(i128, u8)> {
    /// Digits behind the point that a constant may have beside decimals.
    const MOST: u8 = 18;
    let text = format!("{value:?}");
    if text.contains(['e', 'E']) {
        return None;
    }
    let behind = text.split_once('.').map_or("", |(_, behind)| behind);
    let scale = u8::try_from(behind.trim_end_matches('0').len()).ok()?;
    if scale > MOST {
        return None;
    }
    Some((parse(&text, scale)?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_read_exactly() {
        assert_eq!(parse("1.10", 2), Some(110));
        assert_eq!(parse("-.5", 2), Some(-50));
        assert_eq!(parse("+7.", 0), Some(7));
        assert_eq!(parse("1.005", 2), Some(101), "halves away from 0");
        assert_eq!(parse("-1.0049", 2), Some(-100));
        assert_eq!(parse("0.999", 2), Some(100));
        assert_eq!(parse("1.5e3", 1), Some(15_000));
        assert_eq!(parse("15e-1", 1), Some(15));
        assert_eq!(parse("5e-2", 1), Some(1));
        assert_eq!(parse("5e-9", 1), Some(0));
        assert_eq!(parse(&"9".repeat(38), 0), Some(LIMIT - 1));
        assert_eq!(parse(&"9".repeat(39), 0), None);
        assert_eq!(parse(&format!("{}.9", "9".repeat(38)), 0), None);
        for wrong in [
            "", ".", "-", "e5", "1e", "1,5", "0x1", "nan", "inf", "1.2.3", "--1",
        ] {
            assert_eq!(parse(wrong, 2), None, "{wrong}");
        }
    }

    #[test]
    fn constants_keep_what_is_written() {
        assert_eq!(of_constant(0.1), Some((1, 1)));
        assert_eq!(of_constant(19.0), Some((19, 0)));
        assert_eq!(of_constant(-2.50), Some((-25, 1)));
        assert_eq!(of_constant(1e300), None);
        assert_eq!(of_constant(1e-30), None);
    }

    proptest! {
        #[test]
        fn texts_come_back(whole in -(LIMIT - 1)..LIMIT, scale in 0u8..=38) {
            prop_assert_eq!(parse(&text(whole, Type::Decimal { scale }), scale), Some(whole));
        }

        #[test]
        fn rescaling_is_reading_the_text(whole in any::<i128>(), shift in 0u32..120, from in 0u8..=38, to in 0u8..=38) {
            let whole = checked(whole >> shift).unwrap_or(7);
            let read = parse(&text(whole, Type::Decimal { scale: from }), to);
            prop_assert_eq!(rescale(whole, from, to), read);
        }
    }
}
