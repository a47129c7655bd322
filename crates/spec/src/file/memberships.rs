//! `[memberships]`

use crate::diagnostic::{Diagnostic, unknown_name};
use crate::pipeline::{Memberships, Scheme};
use crate::reader::Reader;

/// Stays and pins.
pub(super) fn memberships(file: &Reader<'_>, schemes: &[Scheme]) -> Memberships {
    let Some(table) = file.table("memberships") else {
        return Memberships::default();
    };
    let mut found = Memberships {
        pins: table.text("pins"),
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
            let days = text
                .value
                .trim()
                .strip_suffix('d')
                .and_then(|days| days.parse::<u32>().ok());
            match days.filter(|days| (1..=3_650).contains(days)) {
                Some(days) => {
                    found.min_stay_days.insert(name, days);
                }
                None => stays.notes.add(
                    Diagnostic::error(
                        "TS-P085",
                        format!("`{}` is not a number of days for `min_stay`", text.value),
                        text.span,
                    )
                    .with_help("write days, such as \"30d\"; at most 3650"),
                ),
            }
        }
    }
    table.finish();
    found
}
