//! `[memberships]`

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{At, Memberships, Scheme, TierLimits};
use crate::reader::Reader;

/// Stays and pins.
pub(super) fn memberships(file: &Reader<'_>, schemes: &[Scheme]) -> Memberships {
    let Some(table) = file.table("memberships") else {
        return Memberships::default();
    };
    let mut found = Memberships {
        pins: table.text("pins"),
        nearest_change: table.flag("nearest_change"),
        leaves_within_days: table
            .text("leaves_within")
            .and_then(|text| days(&table, "leaves_within", text, 366)),
        ..Memberships::default()
    };
    if let Some(stays) = table.table("min_stay") {
        for entry in stays.entries() {
            let names: Vec<&str> = schemes.iter().map(|s| s.name.value.as_str()).collect();
            let name = entry.key.value;
            let Some(text) = stays.text(&name) else {
                continue;
            };
            if !names.contains(&name.as_str()) {
                let missing = unknown_name("TS-P018", "scheme", &name, entry.key.span, &names);
                stays.notes.add(missing);
            }
            if let Some(days) = days(&stays, "min_stay", text, 3_650) {
                found.min_stay_days.insert(name, days);
            }
        }
    }
    found.hysteresis = hysteresis(&table);
    if let Some(margins) = table.table("score_margin") {
        for entry in margins.entries() {
            let name = entry.key.value;
            let margin = margins.number(&name);
            let margin = margin.map(|margin| At::new(margin.value, entry.key.span));
            found
                .score_margins
                .extend(margin.map(|margin| (name, margin)));
        }
    }
    table.finish();
    found
}

/// The shares at which customers enter and leave tiers; whether a scheme has these tiers is not known here.
fn hysteresis(table: &Reader<'_>) -> BTreeMap<String, BTreeMap<String, TierLimits>> {
    let mut found = BTreeMap::new();
    let Some(table) = table.table("hysteresis") else {
        return found;
    };
    for entry in table.entries() {
        let name = entry.key.value;
        let place = format!("[memberships.hysteresis.{name}]");
        let Some(own) = table.as_table(entry.value, &place, &place) else {
            continue;
        };
        let mut tiers = BTreeMap::new();
        for tier in own.entries() {
            let place = format!("`{}`", tier.key.value);
            if let Some(limits) = own.as_table(tier.value, &place, &place) {
                let of_tier = TierLimits {
                    span: tier.key.span,
                    enter: limits.number("enter"),
                    exit: limits.number("exit"),
                };
                limits.finish();
                tiers.insert(tier.key.value, of_tier);
            }
        }
        found.insert(name, tiers);
    }
    found
}

/// A number of days such as `30d`.
fn days(table: &Reader<'_>, key: &str, text: At<String>, most: u32) -> Option<u32> {
    let days = text.value.trim().strip_suffix('d');
    let days = days.and_then(|days| days.parse::<u32>().ok());
    let days = days.filter(|days| (1..=most).contains(days));
    if days.is_none() {
        let message = format!("`{}` is not a number of days for `{key}`", text.value);
        let help = format!("write days, such as \"30d\"; at most {most}");
        table
            .notes
            .add(Diagnostic::error("TS-P085", message, text.span).with_help(help));
    }
    days
}
