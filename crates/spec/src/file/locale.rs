//! Time zones and currencies.

use crate::diagnostic::{Diagnostic, suggest};
use crate::pipeline::At;
use crate::reader::Reader;

/// Codes of ISO 4217 in use, with those that data of the last decades may still hold.
const CURRENCIES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BHD", "BIF", "BMD", "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD",
    "CDF", "CHF", "CLF", "CLP", "CNY", "COP", "CRC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF",
    "GTQ", "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK",
    "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW", "KRW", "KWD", "KYD", "KZT", "LAK",
    "LBP", "LKR", "LRD", "LSL", "LYD", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "OMR",
    "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR",
    "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD",
    "UYU", "UZS", "VED", "VES", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER",
    "ZAR", "ZMW", "ZWG", "ATS", "BEF", "DEM", "ESP", "FIM", "FRF", "GRD", "IEP", "ITL", "LUF",
    "NLG", "PTE",
];

/// The pipeline's time zone.
pub(super) fn required_zone(file: &Reader<'_>) -> chrono_tz::Tz {
    if !file.has("timezone") {
        file.missing(
            "timezone",
            "add `timezone = \"Europe/London\"`, or \"UTC\": days, windows and ages depend on it",
        );
    }
    zone(file, "timezone").map_or(chrono_tz::UTC, |zone| zone.value)
}

/// A time zone by its IANA name.
pub(super) fn zone(table: &Reader<'_>, key: &str) -> Option<At<chrono_tz::Tz>> {
    let text = table.text(key)?;
    if let Ok(zone) = text.value.parse::<chrono_tz::Tz>() {
        return Some(At::new(zone, text.span));
    }
    let message = format!("unknown time zone `{}`", text.value);
    let found = Diagnostic::error("TS-P014", message, text.span)
        .with_note("use a name of the IANA database, such as \"Europe/London\" or \"UTC\"");
    table.notes.add(match near_zone(&text.value) {
        Some(near) => found.with_help(format!("did you mean `{near}`?")),
        None => found,
    });
    None
}

/// A zone of that city, or one with a similar name. `Etc/GMT+1` and similar names are never offered: they are west of Greenwich.
fn near_zone(text: &str) -> Option<&'static str> {
    let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let names: Vec<&'static str> = names.filter(|name| !name.contains("GMT")).collect();
    let city = text.replace(' ', "_").to_lowercase();
    let of_city = |name: &&&str| {
        let last = name.rsplit('/').next();
        last.is_some_and(|last| last.to_lowercase() == city)
    };
    let found = names.iter().find(of_city).copied();
    found.or_else(|| suggest(text, &names))
}

/// The pipeline's currency. There is no default: a unit is never guessed.
pub(super) fn currency(file: &Reader<'_>) -> String {
    let text = file.required_text(
        "currency",
        "add `currency = \"EUR\"`, the unit of all money",
    );
    let code = text.value.to_uppercase();
    if text.value.is_empty() || CURRENCIES.contains(&text.value.as_str()) {
        return text.value;
    }
    let found = Diagnostic::error(
        "TS-P015",
        format!("`{}` is not a currency code", text.value),
        text.span.clone(),
    );
    let near = if CURRENCIES.contains(&code.as_str()) {
        Some(code.as_str())
    } else {
        suggest(&text.value, CURRENCIES)
    };
    file.notes.add(match near {
        Some(near) => found.with_help(format!("did you mean `{near}`?")),
        None => found.with_help("use an ISO 4217 code of three capital letters, such as \"GBP\""),
    });
    text.value
}
