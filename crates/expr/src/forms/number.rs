//! Numbers as texts.

use tessera_spec::pipeline::{ColumnForm, ThousandsSign};

/// An integer of 64 bits, exactly: `12`, `-7`, `+3`, with groups as stated, and in spellings of a float that lose nothing:
/// `4.0`, `1e3`, `1.5e1`. Never through a float.
pub fn read_integer(text: &str, form: &ColumnForm) -> Option<i64> {
    let plain = text.strip_prefix('+').unwrap_or(text);
    if let Ok(number) = plain.parse::<i64>()
        && (plain.len() == text.len() || !plain.starts_with('-'))
    {
        return Some(number);
    }
    Plain::read(text, form)?.integer()
}

/// A finite float, the nearest to the decimal number of the text: `1299.99`, `1e-3`, with signs as stated. Words such as
/// `NaN` and `inf` are no numbers.
pub fn read_float(text: &str, form: &ColumnForm) -> Option<f64> {
    if form.thousands.is_none() && form.decimal_sign() == '.' {
        return plain_float(text);
    }
    Plain::read(text, form)?.float()
}

/// An amount of money, as a float: a number as [`read_float`] takes it, with a sign or code of a currency before or after it,
/// and below zero with a minus sign before it, behind it, before the currency, or with parentheses around all of it.
pub fn read_money(text: &str, form: &ColumnForm) -> Option<f64> {
    let (negative, bare) = without_currency(text)?;
    let number = read_float(bare, form)?;
    if number.is_sign_negative() && negative {
        return None;
    }
    // No sign before 0.
    Some(if negative { -number } else { number } + 0.0)
}

/// A number as this program writes it, with a point before the decimals and no groups; currencies of money are taken off.
pub fn plain_number(text: &str, form: &ColumnForm) -> Option<String> {
    let (negative, bare) = if form.money {
        without_currency(text)?
    } else {
        (false, text)
    };
    let plain = Plain::read(bare, form)?.text;
    Some(if negative { format!("-{plain}") } else { plain })
}

/// As [`plain_number`], where `scale` digits behind the point and 38 digits in all hold the number to the last digit. What needs more
/// is no number of that type, instead of a rounded one.
pub fn exact_decimal(text: &str, scale: u8, form: &ColumnForm) -> Option<String> {
    let plain = plain_number(text, form)?;
    let (mantissa, exponent) = match plain.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i64>().ok()?)),
        None => (plain.as_str(), None),
    };
    let negative = mantissa.starts_with('-');
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let whole = whole.trim_start_matches(['+', '-']);
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let leading = (digits.len() - significant.len()) as i64;
    let significant = significant.trim_end_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Digits before the point of 0.00123 are -2.
    let before = (whole.len() as i64 - leading).saturating_add(exponent.unwrap_or(0));
    let behind = (significant.len() as i64).saturating_sub(before);
    if before > 38 - i64::from(scale) || behind > i64::from(scale) {
        return None;
    }
    if exponent.is_none() {
        return Some(plain);
    }
    // Both are at most 38 from here on, so that padding with zeros is short.
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
    let sign = if negative { "-" } else { "" };
    Some(match usize::try_from(before) {
        Ok(before) if before >= significant.len() => {
            format!("{sign}{significant}{}", zeros(-behind))
        }
        Ok(before) if before > 0 => {
            format!(
                "{sign}{}.{}",
                &significant[..before],
                &significant[before..]
            )
        }
        _ => format!("{sign}0.{}{significant}", zeros(-before)),
    })
}

/// Only what is written with digits, so words and hexadecimal numbers are not numbers.
fn plain_float(text: &str) -> Option<f64> {
    let shaped = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
    let number: f64 = shaped.then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// A decimal number in ASCII: sign, digits, point, digits, exponent.
struct Plain {
    text: String,
}

impl Plain {
    /// Takes groups out and puts a point before the decimals.
    fn read(text: &str, form: &ColumnForm) -> Option<Self> {
        let unsigned = text.strip_prefix(['-', '+', '\u{2212}']).unwrap_or(text);
        let minus = text.starts_with(['-', '\u{2212}']);
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
            None => (unsigned, None),
        };
        let (whole, decimals) = match mantissa.split_once(form.decimal_sign()) {
            Some((whole, decimals)) => (whole, Some(decimals)),
            None => (mantissa, None),
        };
        let mut plain = String::with_capacity(text.len());
        if minus {
            plain.push('-');
        }
        let before = plain.len();
        ungrouped(whole, form.thousands, &mut plain)?;
        let decimals = decimals.unwrap_or_default();
        if !decimals.bytes().all(|b| b.is_ascii_digit())
            || plain.len() == before && decimals.is_empty()
        {
            return None;
        }
        plain.push('.');
        plain.push_str(decimals);
        if let Some(exponent) = exponent {
            let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            plain.push('e');
            plain.push_str(exponent);
        }
        Some(Self { text: plain })
    }

    fn float(&self) -> Option<f64> {
        plain_float(&self.text)
    }

    /// The integer that this is, if it is one of 64 bits.
    fn integer(&self) -> Option<i64> {
        let (mantissa, exponent) = match self.text.split_once('e') {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (self.text.as_str(), 0),
        };
        let negative = mantissa.starts_with('-');
        let (whole, decimals) = mantissa.trim_start_matches('-').split_once('.')?;
        let decimals = decimals.trim_end_matches('0');
        let digits = format!("{whole}{decimals}");
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Some(0);
        }
        // The last of the digits stands for 10 to this power.
        let power = exponent.checked_sub(i32::try_from(decimals.len()).ok()?)?;
        let digits = if power < 0 {
            let zeros = usize::try_from(-i64::from(power)).ok()?;
            let cut = digits.len().checked_sub(zeros)?;
            let (kept, gone) = digits.split_at(cut);
            if gone.bytes().any(|b| b != b'0') {
                return None;
            }
            kept.to_owned()
        } else {
            let zeros = usize::try_from(power).ok().filter(|zeros| *zeros < 20)?;
            format!("{digits}{}", "0".repeat(zeros))
        };
        format!("{}{digits}", if negative { "-" } else { "" })
            .parse()
            .ok()
    }
}

/// Digits without the signs between groups: one to three digits, then groups of exactly three.
fn ungrouped(whole: &str, thousands: Option<ThousandsSign>, to: &mut String) -> Option<()> {
    let Some(sign) = thousands else {
        if !whole.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        to.push_str(whole);
        return Some(());
    };
    let mut groups = whole.split(|c| sign.is(c));
    let digits = |group: &str| group.bytes().all(|b| b.is_ascii_digit());
    let first = groups.next()?;
    if !digits(first) {
        return None;
    }
    to.push_str(first);
    for group in groups {
        if first.is_empty() || first.len() > 3 || group.len() != 3 || !digits(group) {
            return None;
        }
        to.push_str(group);
    }
    Some(())
}

/// Whether an amount is below zero, and the amount without sign and currency.
fn without_currency(text: &str) -> Option<(bool, &str)> {
    let blank = |c: char| c.is_whitespace();
    let (mut negative, mut rest) = (false, text);
    if let Some(inner) = text.strip_prefix('(') {
        rest = inner.strip_suffix(')')?;
        negative = true;
    }
    // Each of a minus sign and a currency once, on either side.
    let mut currency = false;
    loop {
        rest = rest.trim_matches(blank);
        let first = rest.chars().next()?;
        if matches!(first, '-' | '\u{2212}' | '+') {
            if negative {
                return None;
            }
            negative = first != '+';
            rest = &rest[first.len_utf8()..];
            if rest.starts_with(['-', '+', '\u{2212}']) {
                return None;
            }
        } else if let Some(bare) = strip_currency(rest) {
            if currency {
                return None;
            }
            currency = true;
            rest = bare;
        } else if let Some(bare) = rest.strip_suffix(['-', '\u{2212}']) {
            // `12,-` is a price without cents, not one below zero.
            if negative || bare.ends_with([',', '.']) {
                return None;
            }
            negative = true;
            rest = bare;
        } else {
            break;
        }
    }
    // What is left is digits and the stated signs: a second minus sign would be none of them.
    (!rest.starts_with(['-', '+', '\u{2212}'])).then_some((negative, rest))
}

/// The rest of a text that begins or ends with a currency.
fn strip_currency(text: &str) -> Option<&str> {
    let start = text.find(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '\u{2212}'))?;
    let (head, rest) = text.split_at(start);
    // The point of `Fr. 5` belongs to the currency, that of `€.50` to the number.
    let bare = head.strip_suffix(['.', ',']).unwrap_or(head);
    if is_currency(head.trim()) {
        return Some(rest);
    }
    if !bare.trim().is_empty() {
        return is_currency(bare.trim()).then(|| &text[bare.len()..]);
    }
    let end = text.rfind(|c: char| c.is_ascii_digit() || matches!(c, '-' | '\u{2212}'))?;
    let (kept, tail) = text.split_at(end + text[end..].chars().next()?.len_utf8());
    let (kept, tail) = match tail.chars().next() {
        // `12.` and `12,-` keep their sign before the decimals.
        Some(sign @ ('.' | ',')) => text.split_at(kept.len() + sign.len_utf8()),
        _ => (kept, tail),
    };
    let tail = tail.trim();
    (!tail.is_empty() && is_currency(tail)).then_some(kept)
}

/// Signs of currencies (Unicode's category Sc), ISO 4217 codes, and the abbreviations in common use.
fn is_currency(text: &str) -> bool {
    let mut signs = text.chars();
    if let (Some(sign), None) = (signs.next(), signs.next())
        && is_currency_sign(sign)
    {
        return true;
    }
    let code = text.len() == 3
        && CODES
            .split_ascii_whitespace()
            .any(|code| code.eq_ignore_ascii_case(text));
    code || WORDS.split_ascii_whitespace().any(|word| word == text)
}

fn is_currency_sign(c: char) -> bool {
    matches!(c, '$' | '¢'..='¥' | '\u{58f}' | '\u{60b}' | '\u{9f2}' | '\u{9f3}' | '\u{9fb}' | '\u{af1}' | '\u{bf9}' | '\u{e3f}'
        | '\u{17db}' | '\u{20a0}'..='\u{20cf}' | '\u{a838}' | '\u{fdfc}' | '\u{fe69}' | '\u{ff04}' | '\u{ffe0}' | '\u{ffe1}'
        | '\u{ffe5}' | '\u{ffe6}')
}

/// ISO 4217, the currencies in circulation.
const CODES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG \
    HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT \
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG \
    SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF \
    XCD XOF XPF YER ZAR ZMW ZWL";

/// Abbreviations beside the codes.
const WORDS: &str = "kr kr. Kr Kr. zł Kč Ft lei лв лв. руб руб. R R$ US$ A$ AU$ C$ CA$ HK$ NZ$ S$ NT$ Fr Fr. SFr SFr. Rs Rs. RM Rp Bs TL";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tessera_spec::pipeline::DecimalSign;

    use super::*;

    fn european() -> ColumnForm {
        ColumnForm {
            decimal: Some(DecimalSign::Comma),
            thousands: Some(ThousandsSign::Point),
            ..ColumnForm::default()
        }
    }

    fn with(thousands: ThousandsSign) -> ColumnForm {
        ColumnForm {
            thousands: Some(thousands),
            ..ColumnForm::default()
        }
    }

    #[test]
    fn decimals_with_exponents_are_exact_or_none() {
        let read = |text: &str, scale| exact_decimal(text, scale, &ColumnForm::default());
        for (text, scale, expected) in [
            ("1000e-2", 1, "10"),
            ("1234e-2", 2, "12.34"),
            ("-1.5e-1", 2, "-0.15"),
            ("+12e3", 0, "12000"),
            ("0.00120e1", 3, "0.012"),
            ("1e37", 0, "10000000000000000000000000000000000000"),
            ("0e50", 0, "0"),
            ("0.000e-9223372036854775808", 2, "0"),
            ("12.50", 1, "12.50"),
        ] {
            assert_eq!(read(text, scale).as_deref(), Some(expected), "{text}");
        }
        for (text, scale) in [
            ("1e9223372036854775807", 2),
            ("1e-9223372036854775808", 2),
            ("1e99999999999999999999", 2),
            ("1234e-2", 1),
            ("1e38", 0),
            ("0.001", 2),
        ] {
            assert_eq!(read(text, scale), None, "{text}");
        }
    }

    #[test]
    fn integers_are_exact_to_the_last_of_64_bits() {
        let form = ColumnForm::default();
        let read = |text: &str| read_integer(text, &form);
        assert_eq!(read("9223372036854775807"), Some(i64::MAX));
        assert_eq!(read("-9223372036854775808"), Some(i64::MIN));
        assert_eq!(read("9007199254740993.0"), Some(9_007_199_254_740_993));
        assert_eq!(read("9223372036854775808"), None);
        assert_eq!(read("4.0"), Some(4));
        assert_eq!(read("4."), Some(4));
        assert_eq!(read("1e3"), Some(1_000));
        assert_eq!(read("1.5e1"), Some(15));
        assert_eq!(read("1500e-2"), Some(15));
        assert_eq!(read("0e99999"), Some(0));
        assert_eq!(read("+7"), Some(7));
        for none in [
            "4.5",
            "1.55e1",
            "1e-1",
            "1e30",
            "1e99999999999",
            "",
            "-",
            "+-7",
            "-+7",
            "1 000",
            "1_000",
            "0x1f",
            "NaN",
            ".",
            "e3",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn floats_are_finite_and_have_digits() {
        let form = ColumnForm::default();
        assert_eq!(read_float("1299.99", &form), Some(1299.99));
        assert_eq!(read_float("-1e-3", &form), Some(-0.001));
        assert_eq!(read_float(".5", &form), Some(0.5));
        for none in [
            "NaN",
            "inf",
            "-Infinity",
            "1e999",
            "1,5",
            "",
            ".",
            "1_0",
            "0x10",
            "1 0",
        ] {
            assert_eq!(read_float(none, &form), None, "{none}");
        }
    }

    #[test]
    fn groups_have_three_digits_or_the_text_is_no_number() {
        assert_eq!(read_float("1.299,99", &european()), Some(1299.99));
        assert_eq!(read_float("12,50", &european()), Some(12.5));
        assert_eq!(read_float("-1.000.000", &european()), Some(-1e6));
        for none in [
            "1.29", "1.2999,9", "12.50", "1,299.99", "1..000", ".100", "1234.567", "1,2,3",
        ] {
            assert_eq!(read_float(none, &european()), None, "{none}");
        }
        assert_eq!(
            read_float("1\u{a0}299.99", &with(ThousandsSign::Space)),
            Some(1299.99)
        );
        assert_eq!(
            read_float("1\u{202f}299", &with(ThousandsSign::Space)),
            Some(1299.0)
        );
        assert_eq!(
            read_float("1’299.5", &with(ThousandsSign::Apostrophe)),
            Some(1299.5)
        );
        assert_eq!(
            read_integer("1,234,567", &with(ThousandsSign::Comma)),
            Some(1_234_567)
        );
        assert_eq!(read_integer("1.234.567,0", &european()), Some(1_234_567));
    }

    #[test]
    fn money_has_a_currency_on_either_side_and_one_sign() {
        let form = with(ThousandsSign::Comma);
        let read = |text: &str| read_money(text, &form);
        for (text, amount) in [
            ("$1,234.50", 1234.5),
            ("99.50", 99.5),
            ("(20.00)", -20.0),
            ("($20.00)", -20.0),
            ("$(20.00)", f64::NAN),
            ("-$20", -20.0),
            ("$-20", -20.0),
            ("$ -20", -20.0),
            ("20.00-", -20.0),
            ("20.00- EUR", -20.0),
            ("20.00 EUR-", -20.0),
            ("−5 €", -5.0),
            ("5\u{a0}€", 5.0),
            ("EUR 5", 5.0),
            ("5 kr", 5.0),
            ("Fr. 5", 5.0),
            ("Fr.5", 5.0),
            ("€.50", 0.5),
            ("USD1,000", 1000.0),
            ("+5", 5.0),
            ("0", 0.0),
            ("-0.00", 0.0),
        ] {
            match read(text) {
                Some(found) => assert!(
                    found == amount && (found != 0.0 || found.is_sign_positive()),
                    "{text}: {found}"
                ),
                None => assert!(amount.is_nan(), "{text} is not read"),
            }
        }
        for none in [
            "", "$", "(5", "5)", "(-5)", "--5", "-5-", "€5 EUR", "5 XYZ", "5 apples", "1.5.0",
            "1,50", "5 5", "$5-$6", "- -5", "+-5", "12.-", "12,- €",
        ] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(read_money("1.299,99 €", &european()), Some(1299.99));
        assert_eq!(read_money("-1.299,99 €", &european()), Some(-1299.99));
    }

    proptest! {
        #[test]
        fn written_numbers_read_back(cents in -10_000_000_000_i64..10_000_000_000) {
            let sign = if cents < 0 { "-" } else { "" };
            let (whole, rest) = (cents.unsigned_abs() / 100, cents.unsigned_abs() % 100);
            let digits = whole.to_string();
            let grouped: Vec<String> = digits.as_bytes().rchunks(3).rev()
                .map(|group| String::from_utf8(group.to_vec()).unwrap()).collect();
            let expected = cents as f64 / 100.0;
            let european_text = format!("{sign}{},{rest:02}", grouped.join("."));
            prop_assert_eq!(read_float(&european_text, &european()), Some(expected));
            let euros = format!("{european_text} €");
            prop_assert_eq!(read_money(&euros, &european()), Some(expected + 0.0));
            let plain = format!("{sign}{whole}.{rest:02}");
            prop_assert_eq!(read_float(&plain, &ColumnForm::default()), Some(expected));
            let exact = format!("{sign}{whole}{rest:02}e-2");
            let integer = (cents % 100 == 0).then_some(cents / 100);
            prop_assert_eq!(read_integer(&exact, &ColumnForm::default()), integer);
        }

        #[test]
        fn no_text_stops_the_reader(text in "\\PC{0,12}") {
            for form in [ColumnForm::default(), european(), with(ThousandsSign::Space)] {
                let _ = (read_integer(&text, &form), read_float(&text, &form), read_money(&text, &form));
            }
        }
    }
}
