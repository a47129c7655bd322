//! Against whole numbers computed the slow way.

use proptest::prelude::*;

use super::*;

/// A float as a whole number of 2^-1074, digit by digit: sums of these are exact by construction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Naive {
    negative: bool,
    /// Decimal digits, least first.
    digits: Vec<u8>,
}

fn compare(a: &[u8], b: &[u8]) -> std::cmp::Ordering {
    a.len()
        .cmp(&b.len())
        .then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn trimmed(mut digits: Vec<u8>) -> Vec<u8> {
    while digits.last() == Some(&0) {
        digits.pop();
    }
    digits
}

fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut sum, mut carry) = (Vec::new(), 0);
    for i in 0..a.len().max(b.len()) + 1 {
        let digit = a.get(i).unwrap_or(&0) + b.get(i).unwrap_or(&0) + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    trimmed(sum)
}

fn less(a: &[u8], b: &[u8]) -> Vec<u8> {
    let (mut rest, mut borrow) = (Vec::new(), 0);
    for (i, digit) in a.iter().enumerate() {
        let digit = 10 + digit - b.get(i).unwrap_or(&0) - borrow;
        rest.push(digit % 10);
        borrow = u8::from(digit < 10);
    }
    trimmed(rest)
}

impl Naive {
    /// The exact decimal expansion that the standard library prints, moved by 1,100 digits.
    fn of(value: f64) -> Self {
        let text = format!("{:.1100}", value.abs());
        let digits = text.bytes().rev().filter(u8::is_ascii_digit);
        Self {
            negative: value < 0.0,
            digits: trimmed(digits.map(|digit| digit - b'0').collect()),
        }
    }

    fn plus(&self, other: &Self) -> Self {
        if self.negative == other.negative {
            let digits = plus(&self.digits, &other.digits);
            return Self {
                negative: self.negative,
                digits,
            };
        }
        if compare(&self.digits, &other.digits).is_ge() {
            Self {
                negative: self.negative,
                digits: less(&self.digits, &other.digits),
            }
        } else {
            Self {
                negative: other.negative,
                digits: less(&other.digits, &self.digits),
            }
        }
    }

    /// Read by the standard library, which rounds correctly.
    fn nearest(&self) -> f64 {
        let digits: String = self
            .digits
            .iter()
            .rev()
            .map(|digit| char::from(b'0' + digit))
            .collect();
        let size: f64 = format!("0{digits}e-1100").parse().unwrap();
        if self.negative { -size } else { size }
    }
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => (-1_000_000i64..1_000_000).prop_map(|cents| cents as f64 / 100.0),
        2 => -1e15f64..1e15,
        1 => any::<f64>().prop_filter("finite", |x| x.is_finite()),
        1 => (any::<f64>(), -30..30).prop_map(|(x, e)| {
            let unit = f64::from_bits(x.to_bits() & !(0x7ff << 52) | 1023 << 52);
            unit * (2.0f64).powi(e * 7)
        }),
        1 => prop::sample::select(vec![
            0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 1e13, 1e-12, 9.3e18, 4.3e9, 1e300,
        ]),
    ]
}

#[test]
fn money_is_exact() {
    let sum: Sum = (0..1_000_000).map(|i| f64::from(i) * 0.01).collect();
    assert_eq!(sum.value(), 4_999_995_000.0);
}

#[test]
fn large_and_small_values_cancel() {
    let sum: Sum = [1e300, 1.0, -1e300, 1e-300, 1e16, -1e16]
        .into_iter()
        .collect();
    assert_eq!(sum.value(), 1.0);
    let sum: Sum = [1e-300; 3].into_iter().collect();
    assert_eq!(sum.mean(3), 1e-300);
    let sum: Sum = [f64::MAX, f64::MAX].into_iter().collect();
    assert_eq!((sum.value(), sum.mean(2)), (f64::INFINITY, f64::MAX));
    let sum: Sum = [f64::INFINITY, 1.0].into_iter().collect();
    assert_eq!(sum.value(), f64::INFINITY);
    assert!(Sum::default().mean(0).is_nan());
}

fn deviation(values: &[f64]) -> f64 {
    let (mut sum, mut squares) = (Sum::default(), Squares::default());
    for &value in values {
        sum.add(value);
        squares.add(value);
    }
    let squares = SquaresOf {
        fixed: squares.fixed,
        beyond: squares.beyond.as_deref(),
    };
    standard_deviation(values.len() as u64, sum.of(), squares, Unit::Binary)
}

#[test]
fn deviations_survive_a_large_mean_and_any_size() {
    for middle in [0.0, 2.0, 1e9, 1e13, 1e15] {
        assert_eq!(
            deviation(&[middle + 1.0, middle + 2.0, middle + 3.0]),
            1.0,
            "{middle}"
        );
    }
    for size in [1e-12, 1e-200, 1e-300, 1e12, 1e150, 1e200, 1e300] {
        let found = deviation(&[size, 2.0 * size, 3.0 * size]);
        assert!((found / size - 1.0).abs() < 1e-15, "{size}: {found}");
    }
    assert_eq!(deviation(&[0.1, 0.1, 0.1]), 0.0);
    assert_eq!(deviation(&[1e300, 1e300]), 0.0);
}

proptest! {
    #[test]
    fn sums_are_the_exact_sum_rounded_once(values in prop::collection::vec(any_float(), 0..12), split in 0usize..12) {
        let exact = values.iter().fold(Naive::default(), |sum, value| sum.plus(&Naive::of(*value)));
        let sum: Sum = values.iter().copied().collect();
        prop_assert_eq!(sum.value(), exact.nearest());
        let split = split.min(values.len());
        let mut parts: Sum = values[split..].iter().rev().copied().collect();
        parts.merge(&values[..split].iter().copied().collect());
        prop_assert_eq!(parts.value(), exact.nearest());
    }

    #[test]
    fn decimals_are_the_nearest_float(whole in any::<i128>(), shift in 0u32..127, scale in 0u8..=38) {
        let whole = whole >> shift;
        let expected: f64 = format!("{whole}e-{scale}").parse().unwrap();
        prop_assert_eq!(decimal_to_float(whole, scale), expected);
    }

    /// A mean is the number whose product with the count the sum is: compared in whole numbers, scaled so that all is exact.
    #[test]
    fn means_are_the_nearest_float(whole in -(1i128 << 100)..1 << 100, count in 1u64..1000) {
        let mean = SumOf { fixed: whole, beyond: None }.mean(count, Unit::Decimal { scale: 0 });
        let distance = |candidate: f64| {
            // candidate · 2^20 is whole from 2^33 on; below, the test says nothing
            let scaled = (candidate * 1_048_576.0) as i128;
            (scaled * i128::from(count) - (whole << 20)).abs()
        };
        if mean.abs() > (2.0f64).powi(33) {
            prop_assert!(distance(mean) <= distance(mean.next_up()));
            prop_assert!(distance(mean) <= distance(mean.next_down()));
        }
    }

    #[test]
    fn squares_are_exact(values in prop::collection::vec(-2_000_000_000i64..2_000_000_000, 2..20), digits in 0i32..200) {
        let unit = (2.0f64).powi(-digits);
        let n = values.len() as i128;
        let (mut sum, mut squares) = (Sum::default(), Squares::default());
        for &value in &values {
            sum.add(value as f64 * unit);
            squares.add(value as f64 * unit);
        }
        let total: i128 = values.iter().map(|v| i128::from(*v)).sum();
        let exact: i128 = n * values.iter().map(|v| i128::from(*v).pow(2)).sum::<i128>() - total * total;
        let found = squares.deviations(n as u64, &sum) / unit / unit;
        let expected = exact as f64 / n as f64;
        prop_assert!((found - expected).abs() <= 2.0 * f64::EPSILON * expected, "{found} {expected}");
    }

    #[test]
    fn wide_squares_agree_with_narrow_ones(values in prop::collection::vec(any::<i128>(), 2..6)) {
        let values: Vec<i128> = values.into_iter().map(|v| v >> 66).collect();
        let mut narrow = [0; 4];
        let (mut sum, mut wide) = (0, Wide::default());
        for &value in &values {
            prop_assert!(add_whole_square(&mut narrow, value));
            add_wide_square(&mut wide, value);
            sum += value;
        }
        let unit = Unit::Decimal { scale: 2 };
        let of = |fixed, beyond| {
            let sum = SumOf { fixed: sum, beyond: None };
            standard_deviation(values.len() as u64, sum, SquaresOf { fixed, beyond }, unit)
        };
        prop_assert_eq!(of(narrow, None), of([0; 4], Some(&wide)));
    }
}
