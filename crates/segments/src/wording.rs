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
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Appends a number: from 1,000 on whole with separators, else with three significant digits and at most two decimals.
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
    } else {
        let hundredths = (size * 100.0).round() as u64;
        write!(to, "{}.{:02}", hundredths / 100, hundredths % 100)
    };
}

/// Appends a number of one customer: whole numbers with separators, others with up to three decimals below 10 and two above; in
/// full where rounding would make it equal to the limit that it is compared with.
pub(crate) fn write_exact(number: f64, limit: Option<f64>, to: &mut String) {
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
    let decimals = if number.abs() < 10.0 { 3 } else { 2 };
    let rounded = format!("{number:.decimals$}");
    let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
    let text = match rounded.parse::<f64>() {
        Ok(shown) if Some(shown) != limit => rounded.to_owned(),
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
        let exact = |number, limit| {
            let mut text = String::new();
            write_exact(number, limit, &mut text);
            text
        };
        assert_eq!(exact(0.6002, None), "0.6");
        assert_eq!(exact(0.6002, Some(0.6)), "0.6002");
        assert_eq!(exact(-1200.0, None), "-1,200");
        assert_eq!(exact(12.346, None), "12.35");
        assert_eq!(exact(-5181.98, None), "-5,181.98");
        assert_eq!(exact(1999.999, Some(2000.0)), "1,999.999");
        assert_eq!(exact(f64::NAN, None), "missing");
    }
}
