//! Durations: `90d`, `12w`, `36h`. Months and years differ in length, and are only used where days of the calendar are counted.

use crate::diagnostic::Diagnostic;
use crate::pipeline::{At, Refit, RenewalPeriod};
use crate::reader::Notes;

/// Longest window: a century.
const MOST_DAYS: u32 = 36_525;

/// Days of a window: whole days or weeks.
pub(crate) fn days(notes: &Notes, text: &At<String>, key: &str) -> Option<At<u32>> {
    let days = match parse(&text.value) {
        Some((number, "d")) => Some(number),
        Some((number, "w")) => number.checked_mul(7),
        _ => None,
    };
    let days = days.filter(|days| (1..=MOST_DAYS).contains(days));
    if days.is_none() {
        let wanted = format!("whole days or weeks from 1d to {MOST_DAYS}d");
        notes.add(bad("window", text, key, &wanted, "90d"));
    }
    days.map(|days| At::new(days, text.span.clone()))
}

/// Hours of an age: hours, days or weeks.
pub(crate) fn hours(notes: &Notes, text: &At<String>, key: &str) -> Option<At<f64>> {
    let hours = match parse(&text.value) {
        Some((number, "h")) => Some(f64::from(number)),
        Some((number, "d")) => Some(f64::from(number) * 24.0),
        Some((number, "w")) => Some(f64::from(number) * 168.0),
        _ => None,
    };
    let hours = hours.filter(|hours| *hours > 0.0);
    if hours.is_none() {
        notes.add(bad("age", text, key, "hours, days or weeks", "36h"));
    }
    hours.map(|hours| At::new(hours, text.span.clone()))
}

/// A period of contracts: days, weeks, calendar months or years.
pub(crate) fn period(notes: &Notes, text: &At<String>, key: &str) -> Option<RenewalPeriod> {
    let times = |number: u32, unit: u32| number.checked_mul(unit).filter(|days| *days > 0);
    let found = match parse(&text.value) {
        Some((number, "d")) => times(number, 1).map(RenewalPeriod::Days),
        Some((number, "w")) => times(number, 7).map(RenewalPeriod::Days),
        Some((number, "mo")) => times(number, 1).map(RenewalPeriod::Months),
        Some((number, "y")) => times(number, 12).map(RenewalPeriod::Months),
        _ => None,
    };
    let found = found.filter(|period| period.mean_days() <= f64::from(MOST_DAYS));
    if found.is_none() {
        let message = format!("bad period \"{}\" for `{key}`", text.value);
        notes.add(
            Diagnostic::error("TS-P020", message, text.span.clone()).with_label(
                "expected days, weeks, calendar months or years, such as \"1mo\", \"1y\" or \"30d\"",
            ),
        );
    }
    found
}

/// When something is learned again.
pub(crate) fn refit(notes: &Notes, text: &At<String>) -> Option<Refit> {
    let within = |number: u32, most: u32| (1..=most).contains(&number).then_some(number);
    let found = match (text.value.as_str(), parse(&text.value)) {
        ("always", _) => Some(Refit::Always),
        ("never", _) => Some(Refit::Never),
        (_, Some((number, "d"))) => within(number, MOST_DAYS).map(Refit::Days),
        (_, Some((number, "w"))) => {
            within(number, MOST_DAYS / 7).map(|weeks| Refit::Days(7 * weeks))
        }
        (_, Some((number, "mo"))) => within(number, MOST_DAYS / 28).map(Refit::Months),
        _ => None,
    };
    if found.is_none() {
        let message = format!("bad time \"{}\" for `refit`", text.value);
        notes.add(
            Diagnostic::error("TS-P020", message, text.span.clone()).with_label(
                "expected \"always\", \"never\", days, weeks or months, such as \"30d\" or \"1mo\"",
            ),
        );
    }
    found
}

/// Number and unit.
fn parse(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

fn bad(what: &str, text: &At<String>, key: &str, wanted: &str, example: &str) -> Diagnostic {
    let message = format!("bad {what} \"{}\" for `{key}`", text.value);
    let found = Diagnostic::error("TS-P020", message, text.span.clone())
        .with_label(format!("expected {wanted}, such as \"{example}\""));
    let unit = text.value.trim_start_matches(|c: char| c.is_ascii_digit());
    match unit {
        "m" | "mo" | "y" | "months" | "years" | "month" | "year" => {
            found.with_help("months and years have different lengths; write it in days")
        }
        "h" if what == "window" => found.with_help("windows are whole calendar days"),
        "" => found.with_help(format!("give the unit: \"{}d\"", text.value.trim())),
        _ => found,
    }
}
