//! Numbers in reasons and rules, with separators and few decimals.

use std::fmt::Write as _;

use tessera_spec::shown::grouped;

/// A count with its noun: `1 customer`, `4,338 customers`.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A share as a percentage with at most two decimals: `5%`, `12.5%`.
pub(crate) fn percent(share: f64) -> String {
    const MOST_DECIMALS: usize = 12;
    let rounded = |decimals: usize| format!("{:.decimals$}", share * 100.0);
    // What is neither none nor all must not read as one of them.
    let is_exact = |text: &String| match text.parse::<f64>() {
        Ok(0.0) => share == 0.0,
        Ok(100.0) => share == 1.0,
        _ => true,
    };
    let text = (2..MOST_DECIMALS).map(rounded).find(is_exact);
    let text = text.unwrap_or_else(|| rounded(MOST_DECIMALS));
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Appends a number: from 1,000 on whole with separators, else with three significant digits and at most two decimals, unless it
/// would be 0 with these.
pub fn write_number(number: f64, to: &mut String) {
    let size = number.abs();
    if !number.is_finite() {
        to.push_str("missing");
        return;
    }
    if number < 0.0 {
        to.push('-');
    }
    // Whole numbers are written several times faster than floats, and there is a reason per customer.
    // Writing to a String cannot fail.
    let _ = if size >= 999.5 {
        to.push_str(&grouped(size.round() as u64));
        Ok(())
    } else if size >= 99.5 || size.fract() == 0.0 {
        write!(to, "{}", size.round() as u64)
    } else if size < 0.005 {
        to.push_str(&three_digits(size));
        Ok(())
    } else {
        let hundredths = (size * 100.0).round() as u64;
        write!(to, "{}.{:02}", hundredths / 100, hundredths % 100)
    };
}

/// Appends a number of one customer: whole numbers with separators, others with up to three decimals below 10 and two above, of
/// small ones three digits; in full where the rounded number would be on another side of one of the limits that it is compared with.
pub(crate) fn write_exact(number: f64, limits: &[f64], to: &mut String) {
    if !number.is_finite() {
        to.push_str("missing");
        return;
    }
    if number.fract() == 0.0 && number.abs() < 1e15 {
        if number < 0.0 {
            to.push('-');
        }
        to.push_str(&grouped(number.abs() as u64));
        return;
    }
    let rounded = rounded(number);
    let is_as_exact = |shown: f64| {
        let mut limits = limits.iter();
        limits.all(|limit| shown.partial_cmp(limit) == number.partial_cmp(limit))
    };
    let text = match rounded.parse::<f64>() {
        Ok(shown) if is_as_exact(shown) => rounded,
        _ if number.abs() < 1e-6 => format!("{number:e}"),
        _ => number.to_string(),
    };
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.as_str()),
    };
    to.push_str(sign);
    match digits.split_once('.') {
        Some((whole, decimals)) if whole.parse::<u64>().is_ok() => {
            to.push_str(&grouped(whole.parse().unwrap_or_default()));
            to.push('.');
            to.push_str(decimals);
        }
        _ => to.push_str(digits),
    }
}

/// Up to three decimals below 10 and two above; of a number that would be 0 with these, three digits.
fn rounded(number: f64) -> String {
    let decimals = match number.abs() {
        size if size < 0.0005 => return three_digits(number),
        size if size < 10.0 => 3,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A number below 1 with three significant digits.
fn three_digits(number: f64) -> String {
    let size = number.abs();
    if size < 1e-6 {
        return format!("{number:.2e}");
    }
    let decimals = 2 + (-size.log10()).ceil() as usize;
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "customer"), "1 customer");
        assert_eq!(counted(2000, "customer"), "2,000 customers");
        assert_eq!(percent(0.05), "5%");
        assert_eq!(percent(0.125), "12.5%");
        assert_eq!(percent(1.0), "100%");
        assert_eq!(percent(0.000_04), "0.004%");
        assert_eq!(percent(0.000_01), "0.001%");
        assert_eq!(percent(0.999_999), "99.9999%");
        let write = |number| {
            let mut text = String::new();
            write_number(number, &mut text);
            text
        };
        assert_eq!(write(12.0), "12");
        assert_eq!(write(1.256), "1.26");
        assert_eq!(write(123.4), "123");
        assert_eq!(write(-4310.4), "-4,310");
        assert_eq!(write(999.7), "1,000");
        assert_eq!(write(f64::NAN), "missing");
        assert_eq!(write(0.05), "0.05");
        assert_eq!(write(-0.004_999), "-0.005");
        assert_eq!(write(0.000_333_3), "0.000333");
        assert_eq!(write(1e-9), "1.00e-9");
        assert_eq!(write(0.0), "0");
        let exact = |number, limits: &[f64]| {
            let mut text = String::new();
            write_exact(number, limits, &mut text);
            text
        };
        assert_eq!(exact(0.6002, &[]), "0.6");
        assert_eq!(exact(0.6002, &[0.6]), "0.6002");
        assert_eq!(exact(-1200.0, &[]), "-1,200");
        assert_eq!(exact(12.346, &[]), "12.35");
        assert_eq!(exact(-5181.98, &[]), "-5,181.98");
        assert_eq!(exact(1999.999, &[2000.0]), "1,999.999");
        assert_eq!(exact(f64::NAN, &[]), "missing");
        // Rounded to 33.33 it would be below the limit that it is above.
        assert_eq!(exact(33.3334, &[33.333]), "33.3334");
        assert_eq!(exact(-33.3334, &[33.333, -33.333]), "-33.3334");
        assert_eq!(exact(33.3334, &[33.0]), "33.33");
        assert_eq!(exact(0.000_333_44, &[]), "0.000333");
        assert_eq!(exact(0.000_333_44, &[0.000_333]), "0.00033344");
        assert_eq!(exact(-0.000_499, &[]), "-0.000499");
        assert_eq!(exact(0.0005, &[]), "0.001");
        assert_eq!(exact(3.334e-20, &[]), "3.33e-20");
        assert_eq!(exact(3.334e-20, &[3.33e-20]), "3.334e-20");
        assert_eq!(exact(0.0, &[0.1]), "0");
    }

    /// What is shown is on the side of every limit on which the number is, whatever is rounded.
    #[test]
    fn a_shown_number_never_contradicts_the_limits_it_is_compared_with() {
        let sizes = [1e-7, 3.3e-5, 0.000_5, 0.004, 0.7, 9.999_6, 33.333, 1_234.5];
        for limit in sizes {
            for off in [-3e-3, -4e-4, -1e-6, 0.0, 1e-6, 4e-4, 3e-3] {
                for number in [limit + off, limit * (1.0 + off)] {
                    let mut text = String::new();
                    write_exact(number, &[limit], &mut text);
                    let shown: f64 = text.replace(',', "").parse().unwrap();
                    let side = |number: f64| number.partial_cmp(&limit);
                    assert_eq!(side(shown), side(number), "{number} beside {limit}: {text}");
                    assert!(number == 0.0 || shown != 0.0, "{number}: {text}");
                }
            }
        }
    }
}
