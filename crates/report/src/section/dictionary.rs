//! The terms and features of the report.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Build, Part, Section};
use crate::ReportError;
use crate::facts::Facts;
use crate::text::{Name, printable, shortened};

pub(super) const SECTION: Section = Section {
    name: "dictionary",
    title: "What the words mean",
    template: include_str!("../../templates/sections/dictionary.html"),
    build: Build::Appendix(build),
};

/// Longest explanation shown, in characters.
const LONGEST_NOTE: usize = 400;

#[derive(Serialize)]
struct View {
    features: Vec<Entry>,
    currency: Option<String>,
    timezone: Option<String>,
    key: Option<String>,
    value: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    name: Name,
    unit: String,
    base: String,
    notes: String,
}

fn build(facts: &Facts<'_>) -> Result<Part, ReportError> {
    let meta = facts.meta;
    let named = |text: &Option<String>| text.as_deref().map(|t| Name::new(t).shown);
    let cut = |text: &str| shortened(&printable(text), LONGEST_NOTE);
    let clean = |text: &Option<String>| text.as_deref().map(cut).unwrap_or_default();
    let mut features: Vec<Entry> = meta
        .features
        .iter()
        .map(|f| Entry {
            name: Name::new(&f.name),
            unit: match f.unit.as_deref() {
                Some("currency") => named(&meta.currency).unwrap_or_else(|| "currency".to_owned()),
                _ => clean(&f.unit),
            },
            base: clean(&f.base),
            notes: clean(&f.notes),
        })
        .collect();
    if features.is_empty() {
        let profiled: BTreeSet<&str> = facts
            .profiles
            .iter()
            .flatten()
            .map(|r| r.feature.as_str())
            .collect();
        let bare = |name| Entry {
            name: Name::new(name),
            unit: String::new(),
            base: String::new(),
            notes: String::new(),
        };
        features = profiled.into_iter().map(bare).collect();
    }
    Part::ready(View {
        features,
        currency: named(&meta.currency),
        timezone: named(&meta.timezone),
        key: named(&meta.key),
        value: named(&meta.value),
    })
}
