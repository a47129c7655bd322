//! Formats of numbers: thousands separators, money with its currency, shares in percent, units.
//!
//! A number that is missing or not finite is shown as an en dash.

use crate::input::ReportMeta;
use crate::text::{printable, shortened};

/// Shown in place of a missing number.
pub(crate) const NONE: &str = "–";

/// Currencies without a minor unit in everyday use.
const WHOLE_CURRENCIES: [&str; 6] = ["JPY", "KRW", "CLP", "VND", "ISK", "HUF"];

/// How the values of a feature are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Money in the pipeline's currency.
    Money,
    /// A share or probability in 0..=1, written in percent.
    Percent,
    /// Days.
    Days,
    /// A day, as days since 1970-01-01.
    Date,
    /// Any other number.
    Number,
}

impl Measure {
    /// How a feature is written: by its declared unit, and by the last word of its name where a ratio is a probability or share.
    pub(crate) fn of(meta: &ReportMeta, feature: &str) -> Self {
        let unit = meta.feature(feature).and_then(|f| f.unit.as_deref());
        let last = feature.rsplit('_').next();
        let is_share = last.is_some_and(|word| ["probability", "share", "rate"].contains(&word));
        match unit {
            Some("currency") => Self::Money,
            Some("days") => Self::Days,
            Some("date") => Self::Date,
            Some("ratio") | None if is_share => Self::Percent,
            _ => Self::Number,
        }
    }

    /// A value of that measure.
    pub(crate) fn show(self, value: f64, meta: &ReportMeta) -> String {
        match self {
            Self::Money => money(value, meta.currency.as_deref()),
            Self::Percent => percent(value),
            Self::Days if !value.is_finite() => NONE.to_owned(),
            Self::Days => format!("{}\u{a0}days", plain(value)),
            Self::Date => day(value),
            Self::Number => plain(value),
        }
    }

    /// A value or dash in a column whose largest value is `largest`.
    pub(crate) fn show_beside(self, value: Option<f64>, largest: f64, meta: &ReportMeta) -> String {
        match (self, value) {
            (Self::Money, Some(value)) => money_beside(value, largest, meta.currency.as_deref()),
            (Self::Number, Some(value)) => fixed(value, decimals(largest)),
            _ => self.show_opt(value, meta),
        }
    }

    /// A value of that measure, or a dash.
    pub(crate) fn show_opt(self, value: Option<f64>, meta: &ReportMeta) -> String {
        value.map_or_else(|| NONE.to_owned(), |v| self.show(v, meta))
    }
}

/// A day of the calendar, from days since 1970-01-01: a mean of days falls on one.
fn day(days: f64) -> String {
    let epoch = chrono::NaiveDate::default();
    let days = days.is_finite().then(|| days.round() as i64);
    let day = days.and_then(|days| epoch.checked_add_signed(chrono::TimeDelta::try_days(days)?));
    day.map_or_else(|| NONE.to_owned(), |day| day.to_string())
}

/// A whole number with thousands separators.
pub(crate) fn count(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let sign = if n < 0 { "−" } else { "" };
    format!("{sign}{}", grouped(&digits))
}

/// `n` things: "1 customer", "2 customers".
pub(crate) fn counted(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A share in percent with one decimal; a share strictly between 0 and 1 is never shown as 0% or 100%.
pub(crate) fn percent(share: f64) -> String {
    if !share.is_finite() {
        return NONE.to_owned();
    }
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.05 {
        return "<0.1%".to_owned();
    }
    if (99.95..100.0).contains(&percent) {
        return ">99.9%".to_owned();
    }
    format!("{}%", fixed(percent, 1))
}

/// A number without decimals from 100 on or where it is whole, else with one or two.
pub(crate) fn plain(value: f64) -> String {
    let whole = value.fract() == 0.0;
    fixed(value, if whole { 0 } else { decimals(value) })
}

/// Decimals of numbers of that size.
fn decimals(size: f64) -> usize {
    match size.abs() {
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        _ => 2,
    }
}

/// A number with three significant digits, six decimals at most; without decimals from 100 on.
pub(crate) fn precise(value: f64) -> String {
    let digits = (2.0 - value.abs().max(1e-6).log10().floor()).clamp(0.0, 6.0);
    fixed(value, if value == 0.0 { 0 } else { digits as usize })
}

/// A number with one decimal, for columns of numbers of similar size.
pub(crate) fn one_decimal(value: f64) -> String {
    fixed(value, 1)
}

/// Money in full: no minor units from 1,000 on.
pub(crate) fn money(value: f64, currency: Option<&str>) -> String {
    money_beside(value, value, currency)
}

/// Money in a column whose largest amount is `largest`: no minor units where that is 1,000 or more.
fn money_beside(value: f64, largest: f64, currency: Option<&str>) -> String {
    let whole = largest.abs() >= 1000.0 || currency.is_some_and(|c| WHOLE_CURRENCIES.contains(&c));
    with_currency(
        &fixed(value.abs(), if whole { 0 } else { 2 }),
        value,
        currency,
    )
}

/// Money rounded for a headline: £1.24M, £38.1k.
pub(crate) fn money_short(value: f64, currency: Option<&str>) -> String {
    let size = value.abs();
    // What is rounded to a thousand of one is one of the next.
    let (scaled, suffix) = match size {
        s if s >= 999.5e6 => (s / 1e9, "bn"),
        s if s >= 999.5e3 => (s / 1e6, "M"),
        s if s >= 1e4 => (s / 1e3, "k"),
        _ => return money(value, currency),
    };
    let decimals = if scaled >= 100.0 {
        0
    } else {
        1 + usize::from(scaled < 10.0)
    };
    with_currency(
        &format!("{}{suffix}", fixed(scaled, decimals)),
        value,
        currency,
    )
}

/// A position or width in percent of a drawing, 0 to 100.
pub(crate) fn position(share: f64) -> String {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    format!("{:.2}", share * 100.0)
}

/// A number of bytes.
pub(crate) fn bytes(n: i64) -> String {
    let size = n.max(0) as f64;
    for (unit, factor) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if size >= factor {
            return format!("{}\u{a0}{unit}", plain(size / factor));
        }
    }
    format!("{n}\u{a0}B")
}

fn with_currency(amount: &str, value: f64, currency: Option<&str>) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let is_nothing = !amount.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    let sign = if value < 0.0 && !is_nothing {
        "−"
    } else {
        ""
    };
    match currency {
        Some("GBP") => format!("{sign}£{amount}"),
        Some("EUR") => format!("{sign}€{amount}"),
        Some("USD") => format!("{sign}${amount}"),
        Some("JPY") => format!("{sign}¥{amount}"),
        Some(code) if !code.is_empty() => {
            format!("{sign}{amount}\u{a0}{}", shortened(&printable(code), 8))
        }
        _ => format!("{sign}{amount}"),
    }
}

/// A number with that many decimals and thousands separators.
fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text
        .split_once('.')
        .map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let sign = if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        "−"
    } else {
        ""
    };
    match fraction {
        Some(fraction) => format!("{sign}{}.{fraction}", grouped(whole)),
        None => format!("{sign}{}", grouped(whole)),
    }
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(-999), "−999");
        assert_eq!(count(i64::MIN), "−9,223,372,036,854,775,808");
        assert_eq!(counted(1, "customer", "customers"), "1 customer");
        assert_eq!(percent(0.1234), "12.3%");
        assert_eq!(percent(0.0001), "<0.1%");
        assert_eq!(percent(0.0), "0.0%");
        assert_eq!(percent(0.9999), ">99.9%");
        assert_eq!(percent(1.0), "100.0%");
        assert_eq!(percent(f64::NAN), NONE);
        assert_eq!(plain(1234.5), "1,234");
        assert_eq!(precise(0.012_345), "0.0123");
        assert_eq!(precise(-12.345), "−12.3");
        assert_eq!(precise(1234.5), "1,234");
        assert_eq!(precise(0.0), "0");
        assert_eq!(precise(1e-9), "0.000000");
        assert_eq!(plain(12.34), "12.3");
        assert_eq!(plain(-0.001), "0.00");
        assert_eq!(plain(3.0), "3");
    }

    #[test]
    fn money_has_its_currency_and_no_false_precision() {
        assert_eq!(money(12.3, Some("GBP")), "£12.30");
        assert_eq!(money(-1234.56, Some("EUR")), "−€1,235");
        assert_eq!(money_beside(0.0, 5000.0, Some("GBP")), "£0");
        assert_eq!(money(12.3, Some("JPY")), "¥12");
        assert_eq!(money(12.3, Some("CHF")), "12.30\u{a0}CHF");
        assert_eq!(money(f64::INFINITY, Some("GBP")), NONE);
        assert_eq!(money_short(1_240_000.0, Some("GBP")), "£1.24M");
        assert_eq!(money_short(38_100.0, Some("USD")), "$38.1k");
        assert_eq!(money_short(999.0, None), "999.00");
        assert_eq!(money_short(999_960.0, Some("GBP")), "£1.00M");
        assert_eq!(money_short(999_400.0, Some("GBP")), "£999k");
        assert_eq!(money_short(-999_960_000.0, Some("GBP")), "−£1.00bn");
        assert_eq!(money(-0.001, Some("GBP")), "£0.00");
    }

    #[test]
    fn dates_are_dates() {
        assert_eq!(day(20_643.4), "2026-07-09");
        assert_eq!(day(f64::NAN), NONE);
        assert_eq!(day(1e300), NONE);
    }

    #[test]
    fn positions_stay_inside_the_drawing() {
        assert_eq!(position(-1.0), "0.00");
        assert_eq!(position(2.0), "100.00");
        assert_eq!(position(f64::NAN), "0.00");
        assert_eq!(bytes(1_500_000), "1.50\u{a0}MB");
    }
}
